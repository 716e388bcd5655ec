"""Phi-3: fused QKV and gate_up, RoPE over three quarters of a head, LongRoPE's two sets of factors."""

import math

import numpy as np
import transformers

from .common import CONTEXT_LENGTH, VOCAB_SIZE, Checkpoint, rope_parameters

# 24 of 32 dimensions turn.
ROTATED = 24
SHORT = [1.0 + 0.05 * i for i in range(ROTATED // 2)]
LONG = [1.0 + 0.4 * i**1.5 for i in range(ROTATED // 2)]


def checkpoint(name: str, original: int, tied: bool) -> Checkpoint:
    """With the long factors where 264 tokens are more than the original context, else with the short ones."""
    factors = {"short_factor": SHORT, "long_factor": LONG, "original_max_position_embeddings": original}
    return Checkpoint(
        name=name,
        arch="phi3",
        config=transformers.Phi3Config(
            vocab_size=VOCAB_SIZE,
            hidden_size=96,
            intermediate_size=160,
            num_hidden_layers=2,
            num_attention_heads=3,
            num_key_value_heads=1,
            max_position_embeddings=CONTEXT_LENGTH,
            original_max_position_embeddings=original,
            rope_parameters=rope_parameters(1e4, rope_type="longrope", partial_rotary_factor=0.75, **factors),
            tie_word_embeddings=tied,
            bos_token_id=None,
            eos_token_id=None,
            pad_token_id=None,
        ),
        keys={
            "attention.sliding_window": 0,
            "rope.dimension_count": ROTATED,
            "rope.scaling.original_context_length": original,
            "rope.scaling.attn_factor": math.sqrt(1 + math.log(CONTEXT_LENGTH / original) / math.log(original)),
        },
        extra={"rope_factors_long.weight": np.array(LONG), "rope_factors_short.weight": np.array(SHORT)},
    )


CHECKPOINTS = [checkpoint("phi3", original=512, tied=False), checkpoint("phi3-long", original=128, tied=True)]
