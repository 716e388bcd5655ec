"""Hunyuan's dense models: Q and K normalised behind RoPE, whose base has an alpha folded in."""

import transformers

from .common import VOCAB_SIZE, Checkpoint, rope_parameters

HEAD_DIM = 32
ALPHA = 1000.0

CHECKPOINTS = [
    Checkpoint(
        name="hunyuan-dense",
        arch="hunyuan-dense",
        config=transformers.HunYuanDenseV1Config(
            vocab_size=VOCAB_SIZE,
            hidden_size=96,
            intermediate_size=160,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=1,
            head_dim=HEAD_DIM,
            max_position_embeddings=32 * 1024,
            rope_parameters=rope_parameters(1e4, rope_type="dynamic", alpha=ALPHA, factor=1.0),
            tie_word_embeddings=True,
            pad_token_id=None,
        ),
        # The converter knows that the configurations' context is too short.
        keys={
            "context_length": 256 * 1024,
            "rope.freq_base": 1e4 * ALPHA ** (HEAD_DIM / (HEAD_DIM - 2)),
            "rope.scaling.type": "none",
            "rope.scaling.factor": 1.0,
            "rope.scaling.original_context_length": 256 * 1024,
        },
        taps={"layer0.ffn_norm": "layers.0.post_attention_layernorm"},
    )
]
