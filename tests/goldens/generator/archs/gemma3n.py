"""Gemma 3n: four residual streams (AltUp), low-rank residuals (Laurel), inputs a layer, and layers without keys of their own."""

import statistics

import numpy as np
import transformers

from .common import CONTEXT_LENGTH, VOCAB_SIZE, Checkpoint, Tensors, rope_parameters

# The third layer takes the keys of the first, the fourth those of the second.
LAYERS = ["sliding_attention", "full_attention"] * 2
# The models' own 0.95 would leave three of 64 values, and sometimes nearly none, which the next norm would blow up.
SPARSITY = [0.75, 0.75, 0.0, 0.0]
# Tokens behind these have no input a layer; the file's table has zeros for them.
VOCAB_SIZE_PER_LAYER = 320


def tensors(name: str, weight: np.ndarray) -> Tensors:
    if "embed_tokens_per_layer" in name:
        return {name: np.pad(weight, [(0, VOCAB_SIZE - VOCAB_SIZE_PER_LAYER), (0, 0)])}
    for kind, stacked in (("altup_projections", "altup_proj"), ("altup_unembed_projections", "altup_unembd_proj")):
        if kind in name:
            return {f"{stacked}.weight[{name.split('.')[-2]}]": weight}
    return {f"{name}.weight" if name.endswith("_scale") else name: weight}


def initial(name: str, noise: np.ndarray) -> np.ndarray | None:
    if "embed_tokens_per_layer" in name:
        return 0.2 * noise
    # Large enough that the cap at 30, of which llama.cpp reads no key, bends the logits.
    if name == "model.norm.weight":
        return 8.0 + 1.6 * noise
    if "_coefs" in name:
        return 0.2 * noise
    # Scores are not divided by the root of the head's size.
    if name.endswith(("q_norm.weight", "k_norm.weight")):
        return 0.5 + 0.1 * noise
    return None


CHECKPOINTS = [
    Checkpoint(
        name="gemma3n",
        arch="gemma3n",
        config=transformers.Gemma3nTextConfig(
            vocab_size=VOCAB_SIZE,
            vocab_size_per_layer_input=VOCAB_SIZE_PER_LAYER,
            hidden_size=64,
            hidden_size_per_layer_input=32,
            intermediate_size=64,
            num_hidden_layers=len(LAYERS),
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=16,
            layer_types=LAYERS,
            sliding_window=37,
            num_kv_shared_layers=2,
            activation_sparsity_pattern=SPARSITY,
            laurel_rank=32,
            max_position_embeddings=CONTEXT_LENGTH,
            rope_parameters={"full_attention": rope_parameters(1e6), "sliding_attention": rope_parameters(1e4)},
        ),
        keys={
            "feed_forward_length": [64] * len(LAYERS),
            "attention.sliding_window": 37,
            "attention.sliding_window_pattern": [kind == "sliding_attention" for kind in LAYERS],
            "attention.shared_kv_layers": 2,
            "embedding_length_per_layer_input": 32,
            "altup.active_idx": 0,
            "altup.num_inputs": 4,
            # Standard deviations above the mean that leave so many out.
            "activation_sparsity_scale": [statistics.NormalDist().inv_cdf(p) if p else float("-inf") for p in SPARSITY],
            "final_logit_softcapping": 30.0,
        },
        tensors=tensors,
        initial=initial,
        embedding_scale=0.02,
        taps={
            "embed": "embed_tokens",
            "layer0.attn_norm": "layers.0.input_layernorm",
            "layer0.ffn_norm": "layers.0.pre_feedforward_layernorm",
            **{f"layer{i}.out": None for i in range(len(LAYERS))},
        },
    )
]
