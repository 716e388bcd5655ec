"""Tiny random checkpoints of the supported architectures, and their GGUF files.

The GGUF files have the keys, tensor names, shapes and row order that llama.cpp's convert_hf_to_gguf gives to a
checkpoint of the same architecture, with every tensor in F32.
"""

import math
from dataclasses import dataclass, field
from pathlib import Path

import gguf
import numpy as np
import torch
import transformers
from transformers.models.gpt_oss.modeling_gpt_oss import eager_attention_forward as eager_attention_of_sinks
from transformers.models.mistral import modeling_mistral

from . import vocab

# What a Mistral model calls by its module's name; a model with sinks gets gpt-oss's instead.
eager_attention_of_mistral = modeling_mistral.eager_attention_forward

VOCAB_SIZE = 517
CONTEXT_LENGTH = 1024


@dataclass
class Shape:
    """One checkpoint. Sizes are multiples of 32, so that 32-weight blocks apply, and deliberately not powers of two."""

    name: str
    arch: str  # GGUF's general.architecture
    config: type[transformers.PretrainedConfig]
    family: vocab.Family
    hidden: int
    ffn: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    rope_theta: float
    tied: bool
    # Standard deviations of the embeddings, and of the Q and K projections times sqrt(hidden). They set how far the
    # model is from repeating its input (with tied embeddings it would loop on one token) and how peaked attention is.
    embedding_scale: float = 0.15
    query_scale: float = 1.0
    # The converter writes key_length and value_length only where config.json names head_dim.
    explicit_head_dim: bool = False
    rms_norm_eps: float = 1e-5
    rope_scaling: dict = field(default_factory=dict)
    # Biases on every projection of attention and MLP, and vectors (norms, biases) stored in F16.
    biased: bool = False
    # Positions that a token sees, its own included.
    window: int | None = None
    # A learned logit a head that takes a share of attention and gives nothing, as in gpt-oss.
    sinks: bool = False


SHAPES = [
    Shape(
        name="llama",
        arch="llama",
        config=transformers.LlamaConfig,
        family=vocab.LLAMA3,
        hidden=96,
        ffn=224,
        layers=3,
        heads=6,
        kv_heads=2,
        head_dim=16,
        rope_theta=500_000.0,
        tied=False,
        # The original context is short enough that a prompt of 300 tokens meets all three cases of the formula:
        # frequencies kept, interpolated, and divided by the factor.
        rope_scaling={
            "rope_type": "llama3",
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 256,
        },
    ),
    Shape(
        name="biased",
        arch="llama",
        config=transformers.LlamaConfig,
        family=vocab.LLAMA3,
        hidden=96,
        ffn=224,
        layers=2,
        heads=3,
        kv_heads=1,
        head_dim=32,
        rope_theta=10_000.0,
        tied=False,
        biased=True,
        # 16 pairs, of which the ramp from kept to interpolated frequencies covers most.
        rope_scaling={
            "rope_type": "yarn",
            "factor": 4.0,
            "original_max_position_embeddings": 256,
        },
    ),
    Shape(
        name="mistral",
        arch="llama",
        config=transformers.MistralConfig,
        family=vocab.LLAMA3,
        hidden=160,
        ffn=224,
        layers=2,
        heads=2,
        kv_heads=1,
        head_dim=64,
        rope_theta=1e6,
        tied=False,
        explicit_head_dim=True,
    ),
    Shape(
        name="windowed",
        arch="llama",
        config=transformers.MistralConfig,
        family=vocab.LLAMA3,
        hidden=96,
        ffn=160,
        layers=2,
        heads=6,
        kv_heads=2,
        head_dim=16,
        rope_theta=10_000.0,
        tied=False,
        query_scale=0.9,
        # No multiple of a page, a chunk or a warp.
        window=37,
    ),
    Shape(
        name="sinks",
        arch="llama",
        config=transformers.MistralConfig,
        family=vocab.LLAMA3,
        hidden=96,
        ffn=160,
        layers=2,
        heads=3,
        kv_heads=1,
        head_dim=32,
        rope_theta=10_000.0,
        tied=False,
        window=101,
        sinks=True,
    ),
    Shape(
        name="qwen2",
        arch="qwen2",
        config=transformers.Qwen2Config,
        family=vocab.QWEN2,
        hidden=96,
        ffn=224,
        layers=3,
        heads=3,
        kv_heads=1,
        head_dim=32,
        rope_theta=1e6,
        tied=True,
        embedding_scale=0.04,
        query_scale=1.1,
        rms_norm_eps=1e-6,
    ),
    Shape(
        name="qwen3",
        arch="qwen3",
        config=transformers.Qwen3Config,
        family=vocab.QWEN2,
        hidden=96,
        ffn=224,
        layers=3,
        heads=6,
        kv_heads=2,
        head_dim=32,
        rope_theta=1e6,
        tied=True,
        embedding_scale=0.1,
        explicit_head_dim=True,
        rms_norm_eps=1e-6,
    ),
]


def build(shape: Shape, seed: int) -> transformers.PreTrainedModel:
    """The float32 model with weights drawn from `seed`."""
    options = {"head_dim": shape.head_dim} if shape.explicit_head_dim else {}
    if shape.config in (transformers.MistralConfig, transformers.Qwen2Config, transformers.Qwen3Config):
        options["sliding_window"] = shape.window
    if shape.biased:
        options |= {"attention_bias": True, "mlp_bias": True}
    config = shape.config(
        vocab_size=VOCAB_SIZE,
        hidden_size=shape.hidden,
        intermediate_size=shape.ffn,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        max_position_embeddings=CONTEXT_LENGTH,
        rms_norm_eps=shape.rms_norm_eps,
        rope_parameters={"rope_type": "default", "rope_theta": shape.rope_theta} | shape.rope_scaling,
        tie_word_embeddings=shape.tied,
        attn_implementation="eager",
        **options,
    )
    model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    modeling_mistral.eager_attention_forward = eager_attention_of_sinks if shape.sinks else eager_attention_of_mistral
    if shape.sinks:
        for layer in model.model.layers:
            layer.self_attn.sinks = torch.nn.Parameter(torch.empty(shape.heads))
    rng = np.random.default_rng(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            values = random_weight(rng, shape, name, tuple(weight.shape))
            weight.copy_(torch.from_numpy(values.astype(stored_type(shape, values)).astype(np.float32)))
    return model


def random_weight(rng: np.random.Generator, shape: Shape, name: str, size: tuple[int, ...]) -> np.ndarray:
    """Weights at scales where every part of the network matters to the logits, and none saturates.

    Norm weights and biases differ from 1 and 0, so that leaving one out shows.
    """
    noise = rng.standard_normal(size).astype(np.float32)
    if name.endswith(".sinks"):
        return 2.0 + noise
    if name.endswith("norm.weight"):
        return 1.0 + 0.2 * noise
    if name.endswith(".bias"):
        return 0.2 * noise
    if "embed_tokens" in name or "lm_head" in name:
        return shape.embedding_scale * noise
    scale = shape.query_scale if "q_proj" in name or "k_proj" in name else 1.0
    return noise * np.float32(scale / math.sqrt(size[1]))


def stored_type(shape: Shape, weight: np.ndarray) -> type:
    """The type of a weight's numbers in the file."""
    return np.float16 if shape.biased and weight.ndim == 1 else np.float32


def interleaved(weight: np.ndarray, heads: int) -> np.ndarray:
    """Rows of a Q or K projection, or of its bias, reordered as GGUF's `llama` has them.

    HF rotates row i of a head with row i + head_dim/2; GGUF's `llama` rotates rows 2i and 2i + 1.
    """
    return weight.reshape(heads, 2, len(weight) // heads // 2, -1).swapaxes(1, 2).reshape(weight.shape)


def llama3_rope_factors(scaling: dict, theta: float, head_dim: int) -> np.ndarray:
    """What each frequency is divided by, [head_dim / 2]: the tensor rope_freqs.weight."""
    low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
    original = scaling["original_max_position_embeddings"]
    factors = []
    for i in range(0, head_dim, 2):
        wavelength = 2 * math.pi * theta ** (i / head_dim)
        if wavelength < original / high:
            factors.append(1.0)
        elif wavelength > original / low:
            factors.append(scaling["factor"])
        else:
            smooth = (original / wavelength - low) / (high - low)
            factors.append(1 / ((1 - smooth) / scaling["factor"] + smooth))
    return np.array(factors, dtype=np.float32)


def write_gguf(path: Path, shape: Shape, model: transformers.PreTrainedModel) -> None:
    writer = gguf.GGUFWriter(path, shape.arch)
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_name(f"inglenook golden {shape.name}")
    writer.add_block_count(shape.layers)
    writer.add_context_length(CONTEXT_LENGTH)
    writer.add_embedding_length(shape.hidden)
    writer.add_feed_forward_length(shape.ffn)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_rope_freq_base(shape.rope_theta)
    writer.add_layer_norm_rms_eps(shape.rms_norm_eps)
    if shape.explicit_head_dim:
        writer.add_key_length(shape.head_dim)
        writer.add_value_length(shape.head_dim)
    if shape.window is not None:
        writer.add_sliding_window(shape.window)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    if shape.arch == "llama":
        writer.add_vocab_size(VOCAB_SIZE)
        writer.add_rope_dimension_count(shape.head_dim)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    vocab.add_to(writer, vocab.train(shape.family, VOCAB_SIZE), shape.family)

    match shape.rope_scaling.get("rope_type"):
        case "llama3":
            factors = llama3_rope_factors(shape.rope_scaling, shape.rope_theta, shape.head_dim)
            writer.add_tensor("rope_freqs.weight", factors)
        case "yarn":
            writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
            writer.add_rope_scaling_factor(shape.rope_scaling["factor"])
            writer.add_rope_scaling_orig_ctx_len(shape.rope_scaling["original_max_position_embeddings"])
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH[shape.arch.upper()], shape.layers)
    for name, weight in model.named_parameters():
        data = weight.detach().numpy()
        if shape.arch == "llama" and ("q_proj." in name or "k_proj." in name):
            data = interleaved(data, shape.heads if "q_proj" in name else shape.kv_heads)
        data = np.ascontiguousarray(data.astype(stored_type(shape, data)))
        # GGUF's `llama` has no name for sinks; this is the one of `gpt-oss`.
        sinks = f"blk.{name.split('.')[2]}.attn_sinks.weight" if name.endswith(".sinks") else None
        writer.add_tensor(sinks or names.get_name(name, try_suffixes=(".weight", ".bias")), data)

    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
