"""Frequencies and magnitudes of RoPE's scalings, by transformers, beside the GGUF keys that ask for them: ropes.json.

`frequencies` are radians a position, one for each pair of dimensions; `magnitude` multiplies cosines and sines.
"""

from pathlib import Path

import transformers
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from .output import write_json

LONG = [1.0 + 0.25 * i for i in range(16)]
SHORT = [1.0 + 0.01 * i for i in range(16)]

# Each case: what transformers is told, the positions it is asked for, and the keys below `llama.` that say the same.
CASES = [
    ({"rope_type": "linear", "factor": 4.0}, 300, {"rope.scaling.factor": 4.0}),
    ({"rope_type": "linear", "factor": 2.5}, 300, {"rope.scaling.type": "linear", "rope.scaling.factor": 2.5}),
    ({"rope_type": "linear", "factor": 8.0}, 300, {"rope.scale_linear": 8.0}),
    (
        {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 256},
        300,
        {"rope.scaling.type": "yarn", "rope.scaling.factor": 4.0, "rope.scaling.original_context_length": 256},
    ),
    (
        {"rope_type": "yarn", "factor": 16.0, "original_max_position_embeddings": 1024, "beta_fast": 16.0, "beta_slow": 2.0},
        300,
        {
            "rope.scaling.type": "yarn",
            "rope.scaling.factor": 16.0,
            "rope.scaling.yarn_beta_fast": 16.0,
            "rope.scaling.yarn_beta_slow": 2.0,
        },
    ),
    (
        {
            "rope_type": "yarn",
            "factor": 40.0,
            "original_max_position_embeddings": 256,
            "mscale": 1.0,
            "mscale_all_dim": 0.5,
        },
        300,
        {
            "rope.scaling.type": "yarn",
            "rope.scaling.factor": 40.0,
            "rope.scaling.original_context_length": 256,
            "rope.scaling.yarn_log_multiplier": 0.5,
        },
    ),
    *(
        (
            {
                "rope_type": "longrope",
                "factor": 4.0,
                "original_max_position_embeddings": 256,
                "long_factor": LONG,
                "short_factor": SHORT,
            },
            positions,
            {
                "rope.scaling.type": "longrope",
                "rope.scaling.original_context_length": 256,
                "rope.scaling.attn_factor": 1.118033988749895,
            },
        )
        for positions in (256, 257)
    ),
]


def generate(folder: Path) -> None:
    cases = []
    for parameters, positions, keys in CASES:
        config = transformers.LlamaConfig(
            hidden_size=96,
            num_attention_heads=3,
            max_position_embeddings=1024,
            rope_parameters={"rope_theta": 10_000.0} | parameters,
        )
        frequencies, magnitude = ROPE_INIT_FUNCTIONS[parameters["rope_type"]](config, "cpu", seq_len=positions)
        case = {"positions": positions, "keys": keys}
        if "long_factor" in parameters:
            case |= {"long": LONG, "short": SHORT}
        case |= {"frequencies": [float(f"{x:.9g}") for x in frequencies.tolist()], "magnitude": magnitude}
        cases.append(case)
    write_json(folder / "ropes.json", {"cases": cases})
    print(f"  {len(cases)} scalings")
