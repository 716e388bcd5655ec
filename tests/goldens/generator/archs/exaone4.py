"""EXAONE 4: norms only behind each part, Q and K normalised a head; the 32B has windows, and no positions in full layers."""

import transformers

from ..checkpoint import llama3_rope_factors
from .common import CONTEXT_LENGTH, VOCAB_SIZE, Checkpoint, rope_parameters

# The original context is short enough that all three cases of the formula occur.
ROPE = rope_parameters(
    1e6,
    rope_type="llama3",
    factor=16.0,
    low_freq_factor=1.0,
    high_freq_factor=4.0,
    original_max_position_embeddings=256,
)
LAYERS = ["sliding_attention"] * 3 + ["full_attention", "sliding_attention"]


def checkpoint(name: str, head_dim: int, keys: dict, **options) -> Checkpoint:
    return Checkpoint(
        name=name,
        arch="exaone4",
        config=transformers.Exaone4Config(
            vocab_size=VOCAB_SIZE,
            max_position_embeddings=CONTEXT_LENGTH,
            head_dim=head_dim,
            rope_parameters=ROPE,
            pad_token_id=None,
            bos_token_id=None,
            eos_token_id=None,
            **options,
        ),
        keys={"vocab_size": VOCAB_SIZE, **keys},
        extra={"rope_freqs.weight": llama3_rope_factors(ROPE, ROPE["rope_theta"], head_dim)},
        taps={"layer0.attn_norm": None, "layer0.ffn_norm": None},
    )


CHECKPOINTS = [
    checkpoint(
        "exaone4",
        head_dim=16,
        keys={},
        hidden_size=96,
        intermediate_size=160,
        num_hidden_layers=2,
        num_attention_heads=6,
        num_key_value_heads=2,
        sliding_window=None,
        layer_types=["full_attention"] * 2,
        tie_word_embeddings=True,
    ),
    checkpoint(
        "exaone4-windowed",
        head_dim=32,
        keys={
            "attention.sliding_window": 37,
            "attention.sliding_window_pattern": [kind == "sliding_attention" for kind in LAYERS],
        },
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=len(LAYERS),
        num_attention_heads=2,
        num_key_value_heads=1,
        sliding_window=37,
        layer_types=LAYERS,
        tie_word_embeddings=False,
    ),
]
