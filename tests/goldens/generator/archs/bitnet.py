"""BitNet b1.58 2B4T: squared ReLU, and norms in front of the last matrix of each part.

The matrices are ternary, as the file has them; activations are not quantised.
"""

import math
import re

import numpy as np
import transformers

from .common import CONTEXT_LENGTH, VOCAB_SIZE, Checkpoint, Tensors, block, rope_parameters


def ternary(name: str, noise: np.ndarray) -> np.ndarray | None:
    """-s, 0 or s, a third each."""
    if not re.search("(q|k|v|o|gate|up|down)_proj", name):
        return None
    scale = np.float32(np.float16(math.sqrt(1.5 / noise.shape[1])))
    return scale * np.sign(noise) * (np.abs(noise) > 0.43)


def tensors(name: str, weight: np.ndarray) -> Tensors:
    """gguf's table knows the inner norms by the names of an older implementation."""
    inner = re.search("(attn|ffn)_sub_norm", name)
    return {f"{block(name)}{inner[0]}.weight" if inner else name: weight}


CHECKPOINTS = [
    Checkpoint(
        name="bitnet",
        arch="bitnet",
        config=transformers.BitNetConfig(
            vocab_size=VOCAB_SIZE,
            hidden_size=96,
            intermediate_size=160,
            num_hidden_layers=2,
            num_attention_heads=6,
            num_key_value_heads=2,
            hidden_act="relu2",
            max_position_embeddings=CONTEXT_LENGTH,
            rope_parameters=rope_parameters(5e5),
            tie_word_embeddings=True,
            pad_token_id=None,
            bos_token_id=None,
            eos_token_id=None,
        ),
        keys={"rope.scaling.type": "linear", "rope.scaling.factor": 1.0},
        initial=ternary,
        tensors=tensors,
    )
]
