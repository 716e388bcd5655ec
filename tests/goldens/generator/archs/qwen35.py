"""Qwen3.5: three gated delta nets, then gated attention; dense or with experts and a gated one that all tokens share."""

from collections.abc import Callable

import numpy as np
import transformers

from .common import CONTEXT_LENGTH, VOCAB_SIZE, Checkpoint, Tensors, block, rope_parameters, stacked_experts

LAYERS = ["linear_attention"] * 3 + ["full_attention", "linear_attention"]
KEY_HEADS, VALUE_HEADS, STATE = 2, 6, 16
SIZES = {
    "vocab_size": VOCAB_SIZE,
    "hidden_size": 64,
    "num_hidden_layers": len(LAYERS),
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 32,
    "linear_conv_kernel_dim": 4,
    "linear_key_head_dim": STATE,
    "linear_value_head_dim": STATE,
    "linear_num_key_heads": KEY_HEADS,
    "linear_num_value_heads": VALUE_HEADS,
    "layer_types": LAYERS,
    "max_position_embeddings": CONTEXT_LENGTH,
    "rope_parameters": rope_parameters(
        1e7, partial_rotary_factor=0.5, mrope_section=[3, 3, 2], mrope_interleaved=True
    ),
    "tie_word_embeddings": True,
}
KEYS = {
    "full_attention_interval": 4,
    "ssm.conv_kernel": 4,
    "ssm.state_size": STATE,
    "ssm.group_count": KEY_HEADS,
    "ssm.time_step_rank": VALUE_HEADS,
    "ssm.inner_size": STATE * VALUE_HEADS,
    "rope.dimension_count": 16,
    "rope.dimension_sections": [3, 3, 2, 0],
}
TAPS = {"layer0.attn_out": "layers.0.linear_attn.out_proj"}


def tensors_of(config: transformers.PreTrainedConfig) -> Callable[[str, np.ndarray], Tensors]:
    """For `Checkpoint.tensors`: value heads in the order of GGUF, experts stacked."""
    key_heads, value_heads = config.linear_num_key_heads, config.linear_num_value_heads
    keys = 2 * config.linear_key_head_dim * key_heads

    def tensors(name: str, weight: np.ndarray) -> Tensors:
        if ".linear_attn." not in name:
            return stacked_experts(name, weight)
        if "in_proj_qkv." in name:
            return {name: np.concatenate([weight[:keys], tiled(weight[keys:])])}
        if "conv1d" in name:
            kernels = weight.squeeze(1)
            return {name: np.concatenate([kernels[:keys], tiled(kernels[keys:])])}
        if "out_proj" in name:
            return {name: tiled(weight, axis=1)}
        if name.endswith("A_log"):
            return {f"{block(name)}ssm_a": -np.exp(tiled(weight))}
        if name.endswith("dt_bias"):
            return {f"{block(name)}ssm_dt.bias": tiled(weight)}
        return {name: weight if "norm" in name else tiled(weight)}

    def tiled(weight: np.ndarray, axis: int = 0) -> np.ndarray:
        """Value heads reordered along an axis: transformers has those of a key head together, GGUF each key head's first, second …"""
        weight = np.moveaxis(weight, axis, 0)
        grouped = weight.reshape(key_heads, value_heads // key_heads, -1, *weight.shape[1:])
        return np.moveaxis(grouped.swapaxes(0, 1).reshape(weight.shape), 0, axis)

    return tensors


def initial(name: str, noise: np.ndarray) -> np.ndarray | None:
    # States that fade over a few tokens up to some hundred.
    if name.endswith("A_log"):
        return noise - 2.0
    if name.endswith("dt_bias"):
        return 0.5 * noise - 1.0
    if "in_proj_qkv" in name:
        # Large values, since what the first tokens read is small and then normalised.
        weight = noise / np.float32(noise.shape[1] ** 0.5)
        weight[2 * STATE * KEY_HEADS :] *= 6
        return weight
    return None


def is_shifted(name: str) -> bool:
    return name.endswith("norm.weight") and "linear_attn.norm" not in name


DENSE = transformers.Qwen3_5TextConfig(intermediate_size=64, **SIZES)
MIXTURE = transformers.Qwen3_5MoeTextConfig(
    moe_intermediate_size=32,
    shared_expert_intermediate_size=32,
    num_experts=3,
    num_experts_per_tok=2,
    **{**SIZES, "num_hidden_layers": 4, "layer_types": LAYERS[:4]},
)

CHECKPOINTS = [
    Checkpoint(
        name="qwen35",
        arch="qwen35",
        config=DENSE,
        keys={"attention.recurrent_layers": [kind == "linear_attention" for kind in LAYERS], **KEYS},
        tensors=tensors_of(DENSE),
        initial=initial,
        shifted_norms=is_shifted,
        taps=TAPS,
    ),
    Checkpoint(
        name="qwen35moe",
        arch="qwen35moe",
        config=MIXTURE,
        # The layers' kinds follow from the interval.
        keys={"expert_feed_forward_length": 32, "expert_shared_feed_forward_length": 32, **KEYS},
        tensors=tensors_of(MIXTURE),
        initial=initial,
        shifted_norms=is_shifted,
        taps=TAPS,
    ),
]
