"""Mixtral: GGUF's `llama` with experts."""

import numpy as np
import transformers

from .common import CONTEXT_LENGTH, VOCAB_SIZE, Checkpoint, Tensors, rope_parameters, rotated_neighbours, stacked_experts

CONFIG = transformers.MixtralConfig(
    vocab_size=VOCAB_SIZE,
    hidden_size=64,
    intermediate_size=32,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=16,
    num_local_experts=5,
    num_experts_per_tok=2,
    max_position_embeddings=CONTEXT_LENGTH,
    sliding_window=None,
    rope_parameters=rope_parameters(1e6),
    tie_word_embeddings=False,
    pad_token_id=None,
)


def tensors(name: str, weight: np.ndarray) -> Tensors:
    return stacked_experts(name, weight) if "experts" in name else rotated_neighbours(CONFIG)(name, weight)


CHECKPOINTS = [
    Checkpoint(
        name="mixtral",
        arch="llama",
        config=CONFIG,
        keys={"vocab_size": VOCAB_SIZE, "rope.dimension_count": 16},
        tensors=tensors,
    )
]
