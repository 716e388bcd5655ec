"""Granite: llama with four multipliers, of embeddings, attention scores, what a part adds, and logits (by division)."""

import transformers

from .common import CONTEXT_LENGTH, VOCAB_SIZE, Checkpoint, rope_parameters, rotated_neighbours

CONFIG = transformers.GraniteConfig(
    vocab_size=VOCAB_SIZE,
    hidden_size=96,
    intermediate_size=160,
    num_hidden_layers=2,
    num_attention_heads=6,
    num_key_value_heads=1,
    max_position_embeddings=CONTEXT_LENGTH,
    embedding_multiplier=6.0,
    attention_multiplier=0.3,
    residual_multiplier=0.7,
    logits_scaling=0.4,
    rope_parameters=rope_parameters(1e6),
    tie_word_embeddings=True,
    pad_token_id=None,
)

CHECKPOINTS = [
    Checkpoint(
        name="granite",
        arch="granite",
        config=CONFIG,
        keys={
            "vocab_size": VOCAB_SIZE,
            "rope.dimension_count": 16,
            "embedding_scale": 6.0,
            "attention.scale": 0.3,
            "residual_scale": 0.7,
            "logit_scale": 0.4,
        },
        embedding_scale=0.02,
        tensors=rotated_neighbours(CONFIG),
    )
]
