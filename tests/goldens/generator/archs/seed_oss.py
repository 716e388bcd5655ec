"""Seed-OSS: llama with biases on Q, K and V alone, and a query wider than the model."""

import transformers

from .common import CONTEXT_LENGTH, VOCAB_SIZE, Checkpoint, rope_parameters

CHECKPOINTS = [
    Checkpoint(
        name="seed_oss",
        arch="seed_oss",
        config=transformers.SeedOssConfig(
            vocab_size=VOCAB_SIZE,
            hidden_size=64,
            intermediate_size=160,
            num_hidden_layers=2,
            num_attention_heads=6,
            num_key_value_heads=2,
            head_dim=32,
            max_position_embeddings=CONTEXT_LENGTH,
            attention_bias=True,
            attention_out_bias=False,
            mlp_bias=False,
            rope_parameters=rope_parameters(1e7),
            tie_word_embeddings=False,
            pad_token_id=None,
            bos_token_id=None,
            eos_token_id=None,
        ),
        query_scale=1.2,
    )
]
