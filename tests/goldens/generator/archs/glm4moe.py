"""GLM-4.5: a dense layer first, then experts chosen by groups on sigmoids with a bias, and one that all tokens share."""

import transformers

from .common import CONTEXT_LENGTH, VOCAB_SIZE, Checkpoint, rope_parameters, stacked_experts

CHECKPOINTS = [
    Checkpoint(
        name="glm4moe",
        arch="glm4moe",
        config=transformers.Glm4MoeConfig(
            vocab_size=VOCAB_SIZE,
            hidden_size=64,
            intermediate_size=96,
            moe_intermediate_size=32,
            num_hidden_layers=3,
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=32,
            n_routed_experts=6,
            num_experts_per_tok=2,
            n_shared_experts=1,
            n_group=2,
            topk_group=1,
            routed_scaling_factor=1.5,
            norm_topk_prob=True,
            first_k_dense_replace=1,
            use_qk_norm=True,
            attention_bias=True,
            num_mtp_layers=0,
            max_position_embeddings=CONTEXT_LENGTH,
            rope_parameters=rope_parameters(1e6, partial_rotary_factor=0.5),
            tie_word_embeddings=False,
        ),
        keys={
            "rope.dimension_count": 16,
            "expert_feed_forward_length": 32,
            "expert_shared_count": 1,
            "leading_dense_block_count": 1,
            "expert_gating_func": 2,
            "expert_weights_scale": 1.5,
            "expert_weights_norm": True,
            "nextn_predict_layers": 0,
        },
        tensors=stacked_experts,
    )
]
