"""Frequencies and magnitudes of RoPE's scalings, by transformers, beside the GGUF keys that ask for them: ropes.json.

`frequencies` are radians a position, one for each pair of dimensions; `magnitude` multiplies cosines and sines.
"""

from pathlib import Path
from types import SimpleNamespace

import transformers
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
from transformers.models.hunyuan_v1_dense.modeling_hunyuan_v1_dense import HunYuanDenseV1RotaryEmbedding

from .checkpoint import llama3_rope_factors
from .output import write_json

LONG = [1.0 + 0.25 * i for i in range(16)]
SHORT = [1.0 + 0.01 * i for i in range(16)]
THETA = 10_000.0

# transformers has it in one model only, for checkpoints that say "dynamic" and give an `alpha`.
ROPE_INIT = ROPE_INIT_FUNCTIONS | {"ntk_alpha": HunYuanDenseV1RotaryEmbedding.compute_ntk_alpha_rope_parameters}

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
    *(
        (
            {"rope_type": "dynamic", "factor": 3.0},
            positions,
            {"rope.scaling.type": "dynamic", "rope.scaling.factor": 3.0},
        )
        for positions in (300, 1024, 2500)
    ),
    ({"rope_type": "ntk_alpha", "alpha": 1000.0}, 300, {"rope.scaling.type": "none", "rope.scaling.alpha": 1000.0}),
    (
        {
            "rope_type": "llama3",
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 256,
        },
        300,
        {},
    ),
]


def llama3_factors(parameters: dict) -> list[float]:
    """What llama.cpp's converter writes as rope_freqs.weight for a head of 32."""
    shape = SimpleNamespace(rope_scaling=parameters, head_dim=32, rope_theta=THETA)
    return [float(f"{x:.9g}") for x in llama3_rope_factors(shape).tolist()]


def generate(folder: Path) -> None:
    cases = []
    for parameters, positions, keys in CASES:
        config = transformers.LlamaConfig(
            hidden_size=96,
            num_attention_heads=3,
            max_position_embeddings=1024,
            rope_parameters={"rope_theta": THETA} | parameters,
        )
        frequencies, magnitude = ROPE_INIT[parameters["rope_type"]](config, device="cpu", seq_len=positions)
        case = {"positions": positions, "keys": keys}
        if "long_factor" in parameters:
            case |= {"tensors": {"rope_factors_long.weight": LONG, "rope_factors_short.weight": SHORT}}
        if parameters["rope_type"] == "llama3":
            case |= {"tensors": {"rope_freqs.weight": llama3_factors(parameters)}}
        case |= {"frequencies": [float(f"{x:.9g}") for x in frequencies.tolist()], "magnitude": magnitude}
        cases.append(case)
    write_json(folder / "ropes.json", {"cases": cases})
    print(f"  {len(cases)} scalings")
