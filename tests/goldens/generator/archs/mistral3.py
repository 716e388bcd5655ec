"""Ministral 3: llama with YaRN, and queries that grow with each multiple of the original context."""

import transformers

from .common import CONTEXT_LENGTH, VOCAB_SIZE, Checkpoint, rope_parameters, rotated_neighbours

CONFIG = transformers.Ministral3Config(
    vocab_size=VOCAB_SIZE,
    hidden_size=64,
    intermediate_size=160,
    num_hidden_layers=3,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=32,
    max_position_embeddings=CONTEXT_LENGTH,
    # 264 tokens are four times the original context and a bit.
    rope_parameters=rope_parameters(
        1e4,
        rope_type="yarn",
        factor=16.0,
        original_max_position_embeddings=64,
        # With the usual 32 the ramp would begin at the first pair.
        beta_fast=4.0,
        beta_slow=1.0,
        mscale=1.0,
        mscale_all_dim=1.0,
        llama_4_scaling_beta=0.3,
    ),
    tie_word_embeddings=True,
    pad_token_id=None,
)

CHECKPOINTS = [
    Checkpoint(
        name="mistral3",
        arch="mistral3",
        config=CONFIG,
        keys={
            "vocab_size": VOCAB_SIZE,
            "rope.dimension_count": 32,
            "rope.scaling.yarn_log_multiplier": 1.0,
            "attention.temperature_scale": 0.3,
        },
        tensors=rotated_neighbours(CONFIG),
    )
]
