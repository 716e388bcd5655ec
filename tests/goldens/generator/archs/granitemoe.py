"""Granite with experts and an expert that all tokens share; each keeps gate and up in one matrix in transformers."""

import numpy as np
import transformers

from .common import (
    CONTEXT_LENGTH,
    VOCAB_SIZE,
    Checkpoint,
    Tensors,
    block,
    halves,
    rope_parameters,
    rotated_neighbours,
    stacked_experts,
)

CONFIG = transformers.GraniteMoeSharedConfig(
    vocab_size=VOCAB_SIZE,
    hidden_size=64,
    intermediate_size=32,
    shared_intermediate_size=96,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    num_local_experts=5,
    num_experts_per_tok=2,
    max_position_embeddings=CONTEXT_LENGTH,
    embedding_multiplier=6.0,
    attention_multiplier=0.3,
    residual_multiplier=0.7,
    logits_scaling=0.4,
    rope_parameters=rope_parameters(1e4),
    tie_word_embeddings=True,
)


def tensors(name: str, weight: np.ndarray) -> Tensors:
    if "experts." in name:
        return stacked_experts(name, weight)
    if "router" in name or "gate.weight" in name:
        return {f"{block(name)}ffn_gate_inp.weight": weight}
    if "shared_mlp.input_linear" in name:
        gate, up = halves(weight)
        return {f"{block(name)}ffn_gate_shexp.weight": gate, f"{block(name)}ffn_up_shexp.weight": up}
    if "shared_mlp.output_linear" in name:
        return {f"{block(name)}ffn_down_shexp.weight": weight}
    return rotated_neighbours(CONFIG)(name, weight)


CHECKPOINTS = [
    Checkpoint(
        name="granitemoe",
        arch="granitemoe",
        config=CONFIG,
        keys={
            "vocab_size": VOCAB_SIZE,
            "rope.dimension_count": 16,
            "expert_shared_feed_forward_length": 96,
            "embedding_scale": 6.0,
            "attention.scale": 0.3,
            "residual_scale": 0.7,
            "logit_scale": 0.4,
        },
        embedding_scale=0.02,
        tensors=tensors,
        taps={"layer0.ffn_out": None},
    )
]
