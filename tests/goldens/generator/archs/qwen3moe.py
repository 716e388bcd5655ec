"""Qwen3 with experts: Q and K normalised a head, the weights of the chosen experts normalised."""

import transformers

from .common import CONTEXT_LENGTH, VOCAB_SIZE, Checkpoint, rope_parameters, stacked_experts

CHECKPOINTS = [
    Checkpoint(
        name="qwen3moe",
        arch="qwen3moe",
        config=transformers.Qwen3MoeConfig(
            vocab_size=VOCAB_SIZE,
            hidden_size=64,
            intermediate_size=96,
            moe_intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=1,
            head_dim=32,
            num_experts=6,
            num_experts_per_tok=3,
            norm_topk_prob=True,
            max_position_embeddings=CONTEXT_LENGTH,
            rope_parameters=rope_parameters(1e6),
            tie_word_embeddings=False,
            pad_token_id=None,
        ),
        keys={"expert_feed_forward_length": 32},
        tensors=stacked_experts,
    )
]
