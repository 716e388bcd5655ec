"""gpt-oss: attention sinks, windows in each other layer, YaRN, and experts with biases and a clamped SwiGLU."""

import json
import math
import re
from pathlib import Path

import gguf
import numpy as np
import safetensors.numpy
import transformers

from .common import CONTEXT_LENGTH, VOCAB_SIZE, Checkpoint, Tensors, block, rope_parameters

MXFP4 = gguf.GGMLQuantizationType.MXFP4
EXPERTS = re.compile("experts.(gate_up|down)_proj$")
# transformers takes the ends of YaRN's ramp as they come, and llama.cpp rounds them down and up. With this base they are
# 0 and nearly 6, where both do the same.
THETA = (64 / (2 * math.pi)) ** (32 / (2 * (6 - 1e-5)))


def tensors(name: str, weight: np.ndarray) -> Tensors:
    """Gate and up are even and odd columns; transformers multiplies by the matrices' transposes."""
    if name.endswith("sinks"):
        return {f"{block(name)}attn_sinks.weight": weight}
    if ".experts." not in name:
        return {name: weight}
    kind = "bias" if name.endswith("_bias") else "weight"
    weight = weight if kind == "bias" else weight.swapaxes(1, 2)
    if "down_proj" in name:
        return {f"{block(name)}ffn_down_exps.{kind}": weight}
    return {f"{block(name)}ffn_gate_exps.{kind}": weight[:, ::2], f"{block(name)}ffn_up_exps.{kind}": weight[:, 1::2]}


def initial(name: str, noise: np.ndarray) -> np.ndarray | None:
    if name.endswith("sinks"):
        return 1.0 + noise
    if name.endswith("experts.gate_up_proj"):
        # Wide enough that some values meet the clamp at 7, of which the file says nothing.
        return noise * (2.5 / math.sqrt(noise.shape[1]))
    if name.endswith("experts.down_proj"):
        return noise * (0.3 / math.sqrt(noise.shape[1]))
    return None


def initial_in_mxfp4(name: str, noise: np.ndarray) -> np.ndarray | None:
    values = initial(name, noise)
    if not EXPERTS.search(name):
        return values
    rows = np.ascontiguousarray(values.swapaxes(1, 2).astype(np.float32))
    return gguf.quants.dequantize(gguf.quants.quantize(rows, MXFP4), MXFP4).swapaxes(1, 2)


def publish_in_mxfp4(folder: Path) -> None:
    """As OpenAI's files have experts: rows with their scales apart, and neighbours in a byte."""
    tensors = safetensors.numpy.load_file(folder / "model.safetensors")
    for name in [name for name in tensors if EXPERTS.search(name)]:
        rows = np.ascontiguousarray(tensors.pop(name).swapaxes(1, 2))
        packed = gguf.quants.quantize(rows, MXFP4).reshape(*rows.shape[:2], -1, 17)
        codes = np.concatenate([packed[..., 1:] & 15, packed[..., 1:] >> 4], axis=-1)
        tensors[f"{name}_blocks"] = codes[..., ::2] | codes[..., 1::2] << 4
        tensors[f"{name}_scales"] = packed[..., 0].copy()
    safetensors.numpy.save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {
        "quant_method": "mxfp4",
        "modules_to_not_convert": ["model.layers.*.self_attn", "model.layers.*.mlp.router", "model.embed_tokens", "lm_head"],
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")


def checkpoint(name: str, **options) -> Checkpoint:
    return Checkpoint(
        name=name,
        arch="gpt-oss",
        config=transformers.GptOssConfig(
            vocab_size=VOCAB_SIZE,
            hidden_size=64,
            intermediate_size=32,
            num_hidden_layers=3,
            num_attention_heads=4,
            num_key_value_heads=1,
            head_dim=32,
            num_local_experts=4,
            num_experts_per_tok=2,
            max_position_embeddings=CONTEXT_LENGTH,
            sliding_window=37,
            rope_parameters=rope_parameters(
                THETA,
                rope_type="yarn",
                factor=32.0,
                original_max_position_embeddings=64,
                beta_fast=32.0,
                beta_slow=1.0,
                truncate=False,
            ),
        ),
        keys={"attention.sliding_window": 37, "expert_feed_forward_length": 32},
        tensors=tensors,
        **options,
    )


CHECKPOINTS = [
    checkpoint("gpt-oss", initial=initial),
    checkpoint(
        "gpt-oss-mxfp4",
        initial=initial_in_mxfp4,
        mxfp4=re.compile("ffn_(gate|up|down)_exps.weight"),
        publish=publish_in_mxfp4,
    ),
]
