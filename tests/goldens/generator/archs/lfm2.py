"""LFM2: gated short convolutions between attention layers; dense, or with experts chosen on sigmoids with a bias."""

import numpy as np
import transformers

from .common import CONTEXT_LENGTH, VOCAB_SIZE, Checkpoint, Tensors, block, rope_parameters, stacked_experts

LAYERS = ["conv", "conv", "full_attention", "conv", "full_attention"]
SIZES = {
    "vocab_size": VOCAB_SIZE,
    "hidden_size": 64,
    "num_hidden_layers": len(LAYERS),
    "num_attention_heads": 4,
    "conv_L_cache": 3,
    "conv_bias": False,
    "layer_types": LAYERS,
    "max_position_embeddings": CONTEXT_LENGTH,
    "norm_eps": 1e-5,
    "rope_parameters": rope_parameters(1e6),
    "tie_word_embeddings": True,
    "pad_token_id": None,
}
TAPS = {
    "layer0.attn_norm": "layers.0.operator_norm",
    "layer0.attn_out": "layers.0.conv.out_proj",
    "layer0.ffn_norm": "layers.0.ffn_norm",
    "layer0.ffn_out": "layers.0.feed_forward",
    "final_norm": "embedding_norm",
}


def keys(kv_heads: int, **options) -> dict:
    return {
        "vocab_size": VOCAB_SIZE,
        "shortconv.l_cache": 3,
        "attention.layer_norm_rms_epsilon": 1e-5,
        # No heads: a convolution.
        "attention.head_count_kv": [kv_heads if kind == "full_attention" else 0 for kind in LAYERS],
        **options,
    }


def tensors(name: str, weight: np.ndarray) -> Tensors:
    if "conv.conv" in name:
        return {name: weight.squeeze(1)}
    if name.endswith("expert_bias"):
        return {f"{block(name)}exp_probs_b.bias": weight}
    if "feed_forward.gate." in name:
        return {f"{block(name)}ffn_gate_inp.weight": weight}
    return stacked_experts(name, weight)


CHECKPOINTS = [
    Checkpoint(
        name="lfm2",
        arch="lfm2",
        config=transformers.Lfm2Config(
            intermediate_size=96, num_key_value_heads=1, block_auto_adjust_ff_dim=False, **SIZES
        ),
        keys=keys(kv_heads=1),
        tensors=tensors,
        taps=TAPS,
    ),
    Checkpoint(
        name="lfm2moe",
        arch="lfm2moe",
        config=transformers.Lfm2MoeConfig(
            intermediate_size=96,
            moe_intermediate_size=32,
            num_key_value_heads=2,
            num_dense_layers=2,
            num_experts=4,
            num_experts_per_tok=2,
            use_expert_bias=True,
            norm_topk_prob=True,
            routed_scaling_factor=1.0,
            **SIZES,
        ),
        keys=keys(
            kv_heads=2, leading_dense_block_count=2, expert_feed_forward_length=32, expert_gating_func=2
        ),
        tensors=tensors,
        taps=TAPS,
    ),
]
