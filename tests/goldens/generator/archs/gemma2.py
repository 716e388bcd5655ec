"""Gemma 2: windowed and full layers by turns, soft caps on scores and logits."""

import transformers

from .common import CONTEXT_LENGTH, VOCAB_SIZE, Checkpoint, rope_parameters

CHECKPOINTS = [
    Checkpoint(
        name="gemma2",
        arch="gemma2",
        config=transformers.Gemma2Config(
            vocab_size=VOCAB_SIZE,
            hidden_size=64,
            intermediate_size=96,
            num_hidden_layers=3,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=32,
            query_pre_attn_scalar=32,
            max_position_embeddings=CONTEXT_LENGTH,
            sliding_window=41,
            # Low enough that both bend most of what passes through them.
            attn_logit_softcapping=3.0,
            final_logit_softcapping=0.5,
            rope_parameters=rope_parameters(1e4),
        ),
        keys={
            "attention.sliding_window": 41,
            "attn_logit_softcapping": 3.0,
            "final_logit_softcapping": 0.5,
            "rope.freq_base": None,
        },
        embedding_scale=0.02,
        query_scale=2.0,
        shifted_norms=lambda name: name.endswith("norm.weight"),
        taps={"layer0.ffn_norm": "layers.0.pre_feedforward_layernorm"},
    )
]
