"""GLM-4 in its two forms: `chatglm` (GLM-4-9B-chat) and `glm4` (GLM-4-0414), which has a norm behind each part too.

RoPE turns neighbours in the first half of a head, in transformers as in GGUF.
"""

import transformers

from .common import CONTEXT_LENGTH, VOCAB_SIZE, Checkpoint, rope_parameters

SIZES = {
    "vocab_size": VOCAB_SIZE,
    "hidden_size": 96,
    "intermediate_size": 160,
    "num_hidden_layers": 2,
    "max_position_embeddings": CONTEXT_LENGTH,
    "rope_parameters": rope_parameters(1e4, partial_rotary_factor=0.5),
    "attention_bias": True,
    "rms_norm_eps": 1e-5,
    "pad_token_id": None,
}

CHECKPOINTS = [
    Checkpoint(
        name="glm4",
        arch="glm4",
        config=transformers.Glm4Config(num_attention_heads=4, num_key_value_heads=2, head_dim=32, **{**SIZES, "intermediate_size": 96}),
        keys={"rope.dimension_count": 16},
    ),
    Checkpoint(
        name="chatglm",
        arch="chatglm",
        config=transformers.GlmConfig(num_attention_heads=3, num_key_value_heads=1, head_dim=32, **SIZES),
        # The converter takes the context from a field that only the first ChatGLMs have, and else writes the width.
        keys={
            "context_length": CONTEXT_LENGTH,
            "attention.key_length": None,
            "attention.value_length": None,
            "rope.dimension_count": 16,
        },
    ),
]
