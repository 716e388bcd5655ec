"""Command R (`command-r`), and Command R7B and A (`cohere2`): LayerNorm without biases, attention and MLP side by side.

RoPE turns neighbours, in transformers as in GGUF.
"""

import transformers

from .common import CONTEXT_LENGTH, VOCAB_SIZE, Checkpoint, rope_parameters

SIZES = {
    "vocab_size": VOCAB_SIZE,
    "hidden_size": 96,
    "intermediate_size": 160,
    "max_position_embeddings": CONTEXT_LENGTH,
    "layer_norm_eps": 1e-5,
    "rope_parameters": rope_parameters(8e4),
    "tie_word_embeddings": True,
    "pad_token_id": None,
    "bos_token_id": None,
    "eos_token_id": None,
}
LAYERS = ["sliding_attention"] * 3 + ["full_attention", "sliding_attention"]
TAPS = {"layer0.ffn_norm": None}


CHECKPOINTS = [
    Checkpoint(
        name="command-r",
        arch="command-r",
        config=transformers.CohereConfig(
            num_hidden_layers=2,
            num_attention_heads=6,
            num_key_value_heads=1,
            logit_scale=0.25,
            **SIZES,
        ),
        keys={"attention.layer_norm_epsilon": 1e-5, "logit_scale": 0.25, "rope.scaling.type": "none"},
        taps=TAPS,
    ),
    Checkpoint(
        name="cohere2",
        arch="cohere2",
        config=transformers.Cohere2Config(
            num_hidden_layers=len(LAYERS),
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=32,
            logit_scale=0.25,
            sliding_window=37,
            layer_types=LAYERS,
            rotary_pct=1.0,
            **{**SIZES, "hidden_size": 64, "intermediate_size": 96},
        ),
        # Which layers have windows is not written: all but each fourth.
        keys={
            "attention.layer_norm_epsilon": 1e-5,
            "attention.sliding_window": 37,
            "logit_scale": 0.25,
            "vocab_size": VOCAB_SIZE,
            "rope.dimension_count": 32,
            "rope.scaling.type": "none",
        },
        taps=TAPS,
    ),
]
