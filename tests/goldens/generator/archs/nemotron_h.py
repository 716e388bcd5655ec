"""Nemotron-H: one operation a block, Mamba2, attention without positions, or an MLP with squared ReLU; the last also of experts."""

import numpy as np
import transformers

from . import mamba2
from .common import CONTEXT_LENGTH, VOCAB_SIZE, Checkpoint, Tensors, block, interleaved

HEADS, HEAD_DIM, GROUPS, STATE = 6, 16, 2, 16
SIZES = {
    "vocab_size": VOCAB_SIZE,
    "hidden_size": 64,
    "num_attention_heads": 4,
    "head_dim": 32,
    "mamba_num_heads": HEADS,
    "mamba_head_dim": HEAD_DIM,
    "n_groups": GROUPS,
    "ssm_state_size": STATE,
    "conv_kernel": 4,
    "max_position_embeddings": CONTEXT_LENGTH,
    "layer_norm_epsilon": 1e-5,
    "tie_word_embeddings": False,
    "pad_token_id": None,
}


def keys(layers: list[str], ffn: int, kv_heads: int) -> dict:
    """A layer's kind is seen from which of the two lists has a zero for it."""
    return {
        "block_count": len(layers),
        "vocab_size": VOCAB_SIZE,
        "context_length": 2**20,
        "attention.layer_norm_epsilon": 1e-5,
        "attention.head_count_kv": [kv_heads if kind == "full_attention" else 0 for kind in layers],
        "feed_forward_length": [ffn if kind in ("mlp", "moe") else 0 for kind in layers],
        # What the converter would have for a head, which knows nothing of `head_dim` here; nothing turns.
        "rope.dimension_count": 16,
        "rope.scaling.finetuned": False,
        **mamba2.keys(inner=HEADS * HEAD_DIM, state=STATE, heads=HEADS, groups=GROUPS, kernel=4),
    }


def tensors_of(layers: list[str], kv_heads: int):
    def tensors(name: str, weight: np.ndarray) -> Tensors:
        # gguf's table has the names of the published checkpoints.
        published = name.replace("model.", "backbone.")
        if ".mixer." not in name:
            return {published: weight}
        layer = int(block(name).split(".")[1])
        match layers[layer]:
            case "linear_attention":
                return mamba2.tensors(name, weight, GROUPS)
            case "full_attention":
                # As in llama, although there are no positions.
                if "q_proj" in name or "k_proj" in name:
                    weight = interleaved(weight, SIZES["num_attention_heads"] if "q_proj" in name else kv_heads)
                return {published: weight}
            case _:
                return mlp(name, weight)

    return tensors


def mlp(name: str, weight: np.ndarray) -> Tensors:
    names = {
        "experts.up_proj": "ffn_up_exps.weight",
        "experts.down_proj": "ffn_down_exps.weight",
        "gate.weight": "ffn_gate_inp.weight",
        "gate.e_score_correction.bias": "exp_probs_b.bias",
        "shared_experts.up_proj.weight": "ffn_up_shexp.weight",
        "shared_experts.down_proj.weight": "ffn_down_shexp.weight",
        "fc1_latent_proj.weight": "ffn_latent_down.weight",
        "fc2_latent_proj.weight": "ffn_latent_up.weight",
        "up_proj.weight": "ffn_up.weight",
        "down_proj.weight": "ffn_down.weight",
    }
    return {f"{block(name)}{names[name.split('.mixer.')[1]]}": weight}


def checkpoint(name: str, arch: str, layers: list[str], ffn: int, kv_heads: int, more_keys: dict, **options) -> Checkpoint:
    return Checkpoint(
        name=name,
        arch=arch,
        config=transformers.NemotronHConfig(layer_types=layers, num_key_value_heads=kv_heads, **options, **SIZES),
        keys={**keys(layers, ffn, kv_heads), **more_keys},
        tensors=tensors_of(layers, kv_heads),
        initial=mamba2.initial,
        taps={
            "layer0.attn_norm": "layers.0.norm",
            "layer0.attn_out": "layers.0.mixer.out_proj",
            "layer0.ffn_norm": None,
            "layer0.ffn_out": None,
            "final_norm": "norm_f",
        },
    )


CHECKPOINTS = [
    checkpoint(
        "nemotron_h",
        "nemotron_h",
        ["linear_attention", "mlp", "full_attention", "mlp", "linear_attention", "mlp"],
        ffn=96,
        kv_heads=1,
        # transformers has these for all Nemotrons.
        more_keys=dict.fromkeys(
            ["expert_count", "expert_used_count", "expert_group_count", "expert_group_used_count"]
        ),
        intermediate_size=96,
    ),
    checkpoint(
        "nemotron_h_moe",
        "nemotron_h_moe",
        ["linear_attention", "moe", "full_attention", "moe", "linear_attention"],
        ffn=64,
        kv_heads=2,
        more_keys={
            "attention.layer_norm_rms_epsilon": 1e-5,
            "expert_feed_forward_length": 64,
            "expert_shared_feed_forward_length": 96,
            "expert_shared_count": 1,
            "expert_weights_norm": True,
            "expert_weights_scale": 1.5,
            "moe_latent_size": 32,
        },
        n_routed_experts=6,
        num_experts_per_tok=2,
        n_group=2,
        topk_group=1,
        moe_intermediate_size=64,
        moe_shared_expert_intermediate_size=96,
        moe_latent_size=32,
        routed_scaling_factor=1.5,
        norm_topk_prob=True,
    ),
]
