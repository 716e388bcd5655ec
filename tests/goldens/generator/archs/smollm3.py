"""SmolLM3: llama in which each fourth layer has no positions."""

import transformers

from .common import CONTEXT_LENGTH, VOCAB_SIZE, Checkpoint, rope_parameters, rotated_neighbours

CONFIG = transformers.SmolLM3Config(
    vocab_size=VOCAB_SIZE,
    hidden_size=64,
    intermediate_size=96,
    num_hidden_layers=5,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=CONTEXT_LENGTH,
    rope_parameters=rope_parameters(5e6),
    tie_word_embeddings=True,
    pad_token_id=None,
)

CHECKPOINTS = [
    Checkpoint(
        name="smollm3",
        arch="smollm3",
        config=CONFIG,
        keys={"vocab_size": VOCAB_SIZE, "rope.dimension_count": 16},
        tensors=rotated_neighbours(CONFIG),
    )
]
