"""Gemma 4: two head sizes, inputs a layer, and last layers without keys of their own; or experts, with V = K in full layers."""

import numpy as np
import transformers

from .common import CONTEXT_LENGTH, VOCAB_SIZE, Checkpoint, Tensors, block, rope_parameters

WINDOWED, FULL = "sliding_attention", "full_attention"
HEAD_DIM, FULL_HEAD_DIM = 16, 32
WINDOW = 41


def frequencies(head_dim: int) -> np.ndarray:
    """A quarter of the pairs turns in full layers; the others' frequencies are divided by so much that they do not."""
    rotated = head_dim // 8
    return np.array([1.0] * rotated + [1e30] * (head_dim // 2 - rotated))


def keys_of(layers: list[str]) -> dict:
    """Which layers see a window, and how wide heads are in them and in the others."""
    return {
        "attention.sliding_window": WINDOW,
        "attention.sliding_window_pattern": [kind == WINDOWED for kind in layers],
        "attention.key_length": FULL_HEAD_DIM,
        "attention.value_length": FULL_HEAD_DIM,
        "attention.key_length_swa": HEAD_DIM,
        "attention.value_length_swa": HEAD_DIM,
        "rope.dimension_count": FULL_HEAD_DIM,
        "rope.dimension_count_swa": HEAD_DIM,
    }


def checkpoint(name: str, layers: list[str], keys: dict, **options) -> Checkpoint:
    return Checkpoint(
        name=name,
        arch="gemma4",
        config=transformers.Gemma4TextConfig(
            vocab_size=VOCAB_SIZE,
            vocab_size_per_layer_input=VOCAB_SIZE,
            hidden_size=64,
            intermediate_size=32,
            num_hidden_layers=len(layers),
            head_dim=HEAD_DIM,
            global_head_dim=FULL_HEAD_DIM,
            layer_types=layers,
            sliding_window=WINDOW,
            max_position_embeddings=CONTEXT_LENGTH,
            rope_parameters={
                FULL: rope_parameters(1e6, rope_type="proportional", partial_rotary_factor=0.25),
                WINDOWED: rope_parameters(1e4),
            },
            **options,
        ),
        keys={**keys_of(layers), **keys},
        extra={"rope_freqs.weight": frequencies(FULL_HEAD_DIM)},
        tensors=tensors,
        initial=initial,
        embedding_scale=0.03,
        taps={"layer0.ffn_norm": "layers.0.pre_feedforward_layernorm"},
    )


def initial(name: str, noise: np.ndarray) -> np.ndarray | None:
    if "embed_tokens_per_layer" in name:
        return 0.2 * noise
    # Scores are not divided by the root of the head's size.
    if name.endswith(("q_norm.weight", "k_norm.weight")):
        return 0.5 + 0.1 * noise
    return None


def tensors(name: str, weight: np.ndarray) -> Tensors:
    if name.endswith("router.scale"):
        return {f"{block(name)}ffn_gate_inp.scale": weight}
    if name.endswith("router.per_expert_scale"):
        return {f"{block(name)}ffn_down_exps.scale": weight}
    has_no_suffix = name.endswith(("layer_scalar", "experts.gate_up_proj", "experts.down_proj"))
    return {f"{name}.weight" if has_no_suffix else name: weight}


CHECKPOINTS = [
    checkpoint(
        "gemma4",
        # The fourth layer takes the keys of the second, the fifth those of the third.
        layers=[WINDOWED, WINDOWED, FULL, WINDOWED, FULL],
        num_attention_heads=2,
        num_key_value_heads=1,
        hidden_size_per_layer_input=32,
        num_kv_shared_layers=2,
        use_double_wide_mlp=True,
        final_logit_softcapping=1.0,
        keys={
            "attention.shared_kv_layers": 2,
            "embedding_length_per_layer_input": 32,
            "feed_forward_length": [32, 32, 32, 64, 64],
            "final_logit_softcapping": 1.0,
        },
    ),
    checkpoint(
        "gemma4-moe",
        layers=[WINDOWED, FULL, WINDOWED, FULL],
        num_attention_heads=4,
        num_key_value_heads=2,
        num_global_key_value_heads=1,
        attention_k_eq_v=True,
        hidden_size_per_layer_input=0,
        enable_moe_block=True,
        num_experts=4,
        top_k_experts=2,
        moe_intermediate_size=32,
        final_logit_softcapping=1.0,
        keys={
            "attention.shared_kv_layers": 0,
            "attention.head_count_kv": [2, 1, 2, 1],
            "embedding_length_per_layer_input": 0,
            "expert_count": 4,
            "expert_used_count": 2,
            "expert_feed_forward_length": 32,
            "final_logit_softcapping": 1.0,
        },
    ),
]
