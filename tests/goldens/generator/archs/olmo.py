"""OLMo 2 and 3: norms only behind each part, Q and K normalised over all heads; OLMo 3 has windows, and YaRN in full layers."""

import transformers

from .common import CONTEXT_LENGTH, VOCAB_SIZE, Checkpoint, rope_parameters

# There is no norm in front of the parts.
TAPS = {"layer0.attn_norm": None, "layer0.ffn_norm": None}
LAYERS = ["sliding_attention"] * 3 + ["full_attention", "sliding_attention"]

CHECKPOINTS = [
    Checkpoint(
        name="olmo2",
        arch="olmo2",
        config=transformers.Olmo2Config(
            vocab_size=VOCAB_SIZE,
            hidden_size=96,
            intermediate_size=160,
            num_hidden_layers=2,
            num_attention_heads=6,
            num_key_value_heads=2,
            max_position_embeddings=CONTEXT_LENGTH,
            rope_parameters=rope_parameters(5e5),
            tie_word_embeddings=False,
            pad_token_id=None,
        ),
        taps=TAPS,
    ),
    Checkpoint(
        name="olmo3",
        arch="olmo2",
        config=transformers.Olmo3Config(
            vocab_size=VOCAB_SIZE,
            hidden_size=64,
            intermediate_size=96,
            num_hidden_layers=len(LAYERS),
            num_attention_heads=4,
            num_key_value_heads=1,
            max_position_embeddings=CONTEXT_LENGTH,
            sliding_window=41,
            layer_types=LAYERS,
            rope_parameters={
                "full_attention": rope_parameters(
                    1e4,
                    rope_type="yarn",
                    factor=8.0,
                    original_max_position_embeddings=128,
                    attention_factor=1.2079441541679836,  # 0.1 ln 8 + 1
                    beta_fast=32.0,
                    beta_slow=1.0,
                ),
                "sliding_attention": rope_parameters(1e4),
            },
            tie_word_embeddings=False,
            pad_token_id=None,
        ),
        keys={
            "attention.sliding_window": 41,
            "attention.sliding_window_pattern": [kind == "sliding_attention" for kind in LAYERS],
        },
        taps=TAPS,
    ),
]
