"""Falcon-H1: attention and Mamba2 side by side in each layer; the file has all multipliers in its weights."""

import re

import numpy as np
import transformers

from . import mamba2
from .common import CONTEXT_LENGTH, VOCAB_SIZE, Checkpoint, Tensors, block, rope_parameters

INNER, HEADS, STATE = 96, 6, 16
# Powers of two, so that a product is as exact in F16 as the weight.
EMBEDDING, HEAD, KEY = 8.0, 0.5, 0.5
ATTENTION_IN, ATTENTION_OUT = 2.0, 0.5
SSM_IN, SSM_OUT = 0.5, 2.0
GATE, DOWN = 2.0, 0.5
SSM_PARTS = [2.0, 1.0, 0.5, 4.0, 2.0]  # of z, x, B, C and dt
FACTORS = {
    "embed_tokens": EMBEDDING,
    "lm_head": HEAD,
    "q_proj": ATTENTION_IN,
    "k_proj": ATTENTION_IN * KEY,
    "v_proj": ATTENTION_IN,
    "o_proj": ATTENTION_OUT,
    "mamba.out_proj": SSM_OUT,
    "gate_proj": GATE,
    "down_proj": DOWN,
}


def checkpoint(name: str, groups: int, norm: bool) -> Checkpoint:
    """`norm` is that of the mixer, behind the gate."""
    rows = np.repeat(SSM_PARTS, [INNER, INNER, groups * STATE, groups * STATE, HEADS]).astype(np.float32)

    def tensors(name: str, weight: np.ndarray) -> Tensors:
        if "mamba.in_proj" in name:
            weight = weight * (np.float32(SSM_IN) * rows[:, None])
        found = re.search("|".join(map(re.escape, FACTORS)), name)
        weight = weight * np.float32(FACTORS[found[0]]) if found else weight
        if ".mamba." in name:
            return mamba2.tensors(name, weight, groups)
        if "pre_ff_layernorm" in name:
            # llama.cpp asks for it under this name, without a suffix.
            return {f"{block(name)}ffn_norm": weight}
        return {name.replace("feed_forward", "mlp"): weight}

    return Checkpoint(
        name=name,
        arch="falcon-h1",
        config=transformers.FalconH1Config(
            vocab_size=VOCAB_SIZE,
            hidden_size=64,
            intermediate_size=96,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=1,
            head_dim=32,
            mamba_d_ssm=INNER,
            mamba_n_heads=HEADS,
            mamba_n_groups=groups,
            mamba_d_state=STATE,
            mamba_d_conv=4,
            mamba_rms_norm=norm,
            mamba_norm_before_gate=False,
            max_position_embeddings=CONTEXT_LENGTH,
            rope_parameters=rope_parameters(1e11),
            embedding_multiplier=EMBEDDING,
            lm_head_multiplier=HEAD,
            key_multiplier=KEY,
            attention_in_multiplier=ATTENTION_IN,
            attention_out_multiplier=ATTENTION_OUT,
            ssm_in_multiplier=SSM_IN,
            ssm_out_multiplier=SSM_OUT,
            ssm_multipliers=SSM_PARTS,
            mlp_multipliers=[GATE, DOWN],
            tie_word_embeddings=False,
            pad_token_id=None,
        ),
        keys={
            "vocab_size": VOCAB_SIZE,
            **mamba2.keys(inner=INNER, state=STATE, heads=HEADS, groups=groups, kernel=4),
        },
        tensors=tensors,
        initial=mamba2.initial,
        smallest=0.01,
        taps={
            "layer0.attn_out": None,
            "layer0.ffn_norm": "layers.0.pre_ff_layernorm",
            "layer0.ffn_out": None,
            "final_norm": "final_layernorm",
        },
    )


CHECKPOINTS = [
    checkpoint("falcon-h1", groups=1, norm=False),
    checkpoint("falcon-h1-norm", groups=2, norm=True),
]
