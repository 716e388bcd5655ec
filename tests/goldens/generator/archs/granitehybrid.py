"""Granite 4 H: Mamba2 with an attention layer now and then that has no positions; dense, or with experts and a shared one."""

import numpy as np
import transformers

from . import mamba2
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

MAMBA, ATTENTION = "linear_attention", "full_attention"
HEADS, STATE = 4, 16


def checkpoint(name: str, layers: list[str], experts: int, shared: int, groups: int, kv_heads: int) -> Checkpoint:
    config = transformers.GraniteMoeHybridConfig(
        vocab_size=VOCAB_SIZE,
        hidden_size=64,
        intermediate_size=32 if experts else shared,
        shared_intermediate_size=shared,
        num_hidden_layers=len(layers),
        layer_types=layers,
        num_attention_heads=4,
        num_key_value_heads=kv_heads,
        num_local_experts=experts,
        num_experts_per_tok=2 if experts else 0,
        position_embedding_type="nope",
        mamba_n_heads=HEADS,
        mamba_n_groups=groups,
        mamba_d_state=STATE,
        mamba_d_conv=4,
        mamba_expand=2,
        max_position_embeddings=CONTEXT_LENGTH,
        embedding_multiplier=6.0,
        attention_multiplier=0.3,
        residual_multiplier=0.7,
        logits_scaling=0.4,
        rope_parameters=rope_parameters(1e4),
        tie_word_embeddings=True,
    )

    def tensors(name: str, weight: np.ndarray) -> Tensors:
        if ".mamba." in name:
            return mamba2.tensors(name, weight, groups)
        if "experts." in name:
            return stacked_experts(name, weight)
        if "block_sparse_moe.router" in name or "block_sparse_moe.gate" in name:
            return {f"{block(name)}ffn_gate_inp.weight": weight}
        kind = "_shexp" if experts else ""
        if "shared_mlp.input_linear" in name:
            gate, up = halves(weight)
            return {f"{block(name)}ffn_gate{kind}.weight": gate, f"{block(name)}ffn_up{kind}.weight": up}
        if "shared_mlp.output_linear" in name:
            return {f"{block(name)}ffn_down{kind}.weight": weight}
        return rotated_neighbours(config)(name, weight)

    return Checkpoint(
        name=name,
        arch="granitehybrid",
        config=config,
        keys={
            "vocab_size": VOCAB_SIZE,
            # Without positions there is no limit that the converter knows of.
            "context_length": 2**20,
            "rope.dimension_count": 16,
            "rope.scaling.finetuned": False,
            "attention.head_count_kv": [kv_heads if kind == ATTENTION else 0 for kind in layers],
            "expert_shared_feed_forward_length": shared,
            "embedding_scale": 6.0,
            "attention.scale": 0.3,
            "residual_scale": 0.7,
            "logit_scale": 0.4,
            **mamba2.keys(inner=128, state=STATE, heads=HEADS, groups=groups, kernel=4),
        },
        tensors=tensors,
        initial=mamba2.initial,
        embedding_scale=0.02,
        taps={"layer0.attn_out": "layers.0.mamba.out_proj", "layer0.ffn_out": None},
    )


CHECKPOINTS = [
    checkpoint("granitehybrid", [MAMBA, MAMBA, ATTENTION, MAMBA], experts=0, shared=96, groups=2, kv_heads=2),
    checkpoint("granitehybrid-moe", [MAMBA, ATTENTION, MAMBA], experts=4, shared=32, groups=1, kv_heads=1),
]
