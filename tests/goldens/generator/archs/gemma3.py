"""Gemma 3: five windowed layers, then a full one, each kind with its own RoPE; norms on both sides of each part."""

import transformers

from .common import CONTEXT_LENGTH, VOCAB_SIZE, Checkpoint, rope_parameters

CHECKPOINTS = [
    Checkpoint(
        name="gemma3",
        arch="gemma3",
        config=transformers.Gemma3TextConfig(
            vocab_size=VOCAB_SIZE,
            hidden_size=64,
            intermediate_size=96,
            num_hidden_layers=7,
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=16,
            query_pre_attn_scalar=16,
            max_position_embeddings=CONTEXT_LENGTH,
            sliding_window=37,
            rope_parameters={
                "full_attention": rope_parameters(1e6, rope_type="linear", factor=8.0),
                "sliding_attention": rope_parameters(1e4),
            },
        ),
        # Neither the pattern (six) nor the windowed layers' base (10000) is written: there are many files from before there
        # were keys for them.
        keys={"attention.sliding_window": 37, "rope.freq_base_swa": None},
        shifted_norms=lambda name: name.endswith("norm.weight"),
        embedding_scale=0.03,
        taps={"layer0.ffn_norm": "layers.0.pre_feedforward_layernorm"},
    )
]
