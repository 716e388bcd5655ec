"""The models, with the configurations that their `config.json` on Hugging Face has, and how layers make up the whole.

The values that the classes of transformers have as defaults (gpt-oss, most of Gemma 4's and Qwen3.5's) are those of the published files.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import gguf
import transformers

from ..archs import gemma4, gpt_oss, qwen35
from ..archs.common import Checkpoint, rope_parameters, rotated_neighbours, stacked_experts

Type = gguf.GGMLQuantizationType


@dataclass
class Shape:
    """A model of which `base` layers are compared, and all `full` ones accounted for.

    Each of `steps` is other layers and a factor: so often does the difference from `base` come in what `full` has more than `base`.
    """

    checkpoint: Callable[..., Checkpoint]
    base: tuple[int, ...]
    full: tuple[int, ...]
    steps: list[tuple[tuple[int, ...], int]]
    # Types by a pattern of tensors' names in place of those of Q4_K_M.
    types: dict[str, Type] = field(default_factory=dict)
    # Factors of the deviation of a parameter, by part of its name.
    gains: dict[str, float] = field(default_factory=dict)
    # Parameters that transformers multiplies by the transpose of.
    transposed: str = "none"


def glm4_9b(layers: int) -> Checkpoint:
    config = transformers.Glm4Config(
        vocab_size=151552,
        hidden_size=4096,
        intermediate_size=13696,
        num_hidden_layers=layers,
        num_attention_heads=32,
        num_key_value_heads=2,
        head_dim=128,
        attention_bias=True,
        max_position_embeddings=32768,
        rms_norm_eps=1e-5,
        rope_parameters=rope_parameters(1e4, partial_rotary_factor=0.5),
        tie_word_embeddings=False,
        pad_token_id=None,
    )
    return Checkpoint(name="glm-4-9b-0414", arch="glm4", config=config, keys={"rope.dimension_count": 64})


def mistral_small(layers: int) -> Checkpoint:
    config = transformers.MistralConfig(
        vocab_size=131072,
        hidden_size=5120,
        intermediate_size=32768,
        num_hidden_layers=layers,
        num_attention_heads=32,
        num_key_value_heads=8,
        head_dim=128,
        max_position_embeddings=32768,
        rms_norm_eps=1e-5,
        rope_parameters=rope_parameters(1e8),
        sliding_window=None,
        tie_word_embeddings=False,
        pad_token_id=None,
    )
    return Checkpoint(
        name="mistral-small-24b-2501",
        arch="llama",
        config=config,
        keys={"vocab_size": 131072, "rope.dimension_count": 128},
        tensors=rotated_neighbours(config),
    )


def gpt_oss_20b(layers: int) -> Checkpoint:
    config = transformers.GptOssConfig(
        num_hidden_layers=layers,
        num_local_experts=32,
        rope_parameters=rope_parameters(
            150000.0,
            rope_type="yarn",
            factor=32.0,
            original_max_position_embeddings=4096,
            beta_fast=32.0,
            beta_slow=1.0,
            truncate=False,
        ),
    )
    return Checkpoint(
        name="gpt-oss-20b",
        arch="gpt-oss",
        config=config,
        keys={"attention.sliding_window": 128, "expert_feed_forward_length": 2880},
        tensors=gpt_oss.tensors,
        initial=gpt_oss.initial,
    )


def qwen3_30b_a3b(layers: int) -> Checkpoint:
    config = transformers.Qwen3MoeConfig(
        vocab_size=151936,
        hidden_size=2048,
        intermediate_size=6144,
        moe_intermediate_size=768,
        num_hidden_layers=layers,
        num_attention_heads=32,
        num_key_value_heads=4,
        head_dim=128,
        num_experts=128,
        num_experts_per_tok=8,
        norm_topk_prob=True,
        max_position_embeddings=40960,
        rms_norm_eps=1e-6,
        rope_parameters=rope_parameters(1e6),
        tie_word_embeddings=False,
        pad_token_id=None,
    )
    return Checkpoint(
        name="qwen3-30b-a3b",
        arch="qwen3moe",
        config=config,
        keys={"expert_feed_forward_length": 768},
        tensors=stacked_experts,
    )


def qwen35_4b(layers: int) -> Checkpoint:
    config = transformers.Qwen3_5TextConfig(
        hidden_size=2560,
        intermediate_size=9216,
        num_hidden_layers=layers,
        max_position_embeddings=262144,
        rope_parameters=rope_parameters(
            1e7, partial_rotary_factor=0.25, mrope_section=[11, 11, 10], mrope_interleaved=True
        ),
        tie_word_embeddings=True,
    )
    return Checkpoint(
        name="qwen3.5-4b",
        arch="qwen35",
        config=config,
        keys={
            "full_attention_interval": 4,
            "ssm.conv_kernel": 4,
            "ssm.state_size": 128,
            "ssm.group_count": 16,
            "ssm.time_step_rank": 32,
            "ssm.inner_size": 4096,
            "rope.dimension_count": 64,
            "rope.dimension_sections": [11, 11, 10, 0],
        },
        tensors=qwen35.tensors_of(config),
        initial=qwen35.initial,
        shifted_norms=qwen35.is_shifted,
    )


def gemma4_e2b(own: int, shared: int) -> Checkpoint:
    """So many periods of five layers with keys of their own, and behind them so many that read those of others."""
    layers = ([gemma4.WINDOWED] * 4 + [gemma4.FULL]) * (own + shared)
    config = transformers.Gemma4TextConfig(
        hidden_size=1536,
        intermediate_size=6144,
        num_hidden_layers=len(layers),
        num_attention_heads=8,
        num_key_value_heads=1,
        layer_types=layers,
        sliding_window=512,
        final_logit_softcapping=30.0,
        num_kv_shared_layers=5 * shared,
        use_double_wide_mlp=True,
    )
    return Checkpoint(
        name="gemma-4-e2b",
        arch="gemma4",
        config=config,
        keys={
            "attention.sliding_window": 512,
            "attention.sliding_window_pattern": [kind == gemma4.WINDOWED for kind in layers],
            "attention.key_length": 512,
            "attention.value_length": 512,
            "attention.key_length_swa": 256,
            "attention.value_length_swa": 256,
            "attention.shared_kv_layers": 5 * shared,
            "embedding_length_per_layer_input": 256,
            "feed_forward_length": [6144] * 5 * own + [12288] * 5 * shared,
            "final_logit_softcapping": 30.0,
            "rope.dimension_count": 512,
            "rope.dimension_count_swa": 256,
        },
        extra={"rope_freqs.weight": gemma4.frequencies(512)},
        tensors=gemma4.tensors,
        initial=gemma4.initial,
    )


SHAPES = {
    "glm-4-9b-0414": Shape(glm4_9b, base=(2,), full=(40,), steps=[((1,), -38)]),
    "mistral-small-24b-2501": Shape(mistral_small, base=(2,), full=(40,), steps=[((1,), -38)]),
    "gpt-oss-20b": Shape(
        gpt_oss_20b,
        base=(2,),
        full=(24,),
        steps=[((4,), 11)],
        types={"_exps": Type.MXFP4, "": Type.Q8_0},
        # As in the tiny checkpoint: some values meet the clamp.
        gains={"gate_up_proj": 2.5, "experts.down_proj": 0.3},
        transposed=r"experts\.(gate_up|down)_proj$",
    ),
    "qwen3-30b-a3b": Shape(qwen3_30b_a3b, base=(2,), full=(48,), steps=[((1,), -46)]),
    "qwen3.5-4b": Shape(
        qwen35_4b,
        base=(4,),
        full=(32,),
        steps=[((8,), 7)],
        # Its columns change places a head at a time, which is half a block of a K type.
        types={"ssm_out": Type.Q8_0},
        gains={"in_proj_qkv": 3.0},
    ),
    "gemma-4-e2b": Shape(
        gemma4_e2b, base=(1, 1), full=(3, 4), steps=[((2, 1), 2), ((1, 2), 3)], gains={"embed_tokens_per_layer": 4.0}
    ),
}
