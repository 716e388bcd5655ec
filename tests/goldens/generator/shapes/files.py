"""GGUF files of a shape: one with random weights and the model of transformers that has the same, and ones with zeros for weights, sparse on disk."""

import re
import zlib
from collections.abc import Iterator
from pathlib import Path

import gguf
import numpy as np
import torch
import transformers

from ..archs.common import Checkpoint, Tensors, add_key, generic_keys, parameters, random_weight
from .blocks import Type, dequantise_into, random_rows, row_bytes
from .models import Shape

# Where a Q4_K_M file has more bits; embeddings and head have eight, as in many such files.
MORE_BITS = {r"^(token_embd|output)\.": Type.Q8_0, "ffn_down": Type.Q6_K, "attn_v": Type.Q6_K}
EMBEDDINGS = re.compile("embed_tokens|lm_head")


def stored_type(shape: Shape, checkpoint: Checkpoint, tensors: Tensors, cols: int) -> Type:
    """Of the tensors of a parameter, all of them. Rows that are no whole blocks of a K type are Q8_0, as llama.cpp has them."""
    name, data = next(iter(tensors.items()))
    if checkpoint.stored_type(name, data) == Type.F32:
        return Type.F32
    wanted = next((ty for part, ty in {**shape.types, **MORE_BITS}.items() if re.search(part, name)), Type.Q4_K)
    return wanted if cols % gguf.GGML_QUANT_SIZES[wanted][0] == 0 else Type.Q8_0


def matrix_shape(shape: Shape, name: str, weight: torch.Tensor) -> tuple[int, ...]:
    """[…, rows, columns], as the file has them."""
    sizes = tuple(weight.shape)
    return (*sizes[:-2], sizes[-1], sizes[-2]) if re.search(shape.transposed, name) else sizes


def turned(shape: Shape, name: str, data: np.ndarray) -> np.ndarray:
    """A parameter as transformers has it, from what the file has, or the other way round."""
    return data.swapaxes(-1, -2) if re.search(shape.transposed, name) else data


def parameter_types(shape: Shape, checkpoint: Checkpoint, weights: dict[str, torch.Tensor]) -> Iterator[tuple[str, Type]]:
    for name, weight in weights.items():
        sizes = matrix_shape(shape, name, weight)
        tensors = checkpoint.file_tensors(name, turned(shape, name, np.zeros(sizes, np.uint8)))
        yield name, stored_type(shape, checkpoint, tensors, sizes[-1])


def start(path: Path, checkpoint: Checkpoint, shape: Shape, weights: dict[str, torch.Tensor]) -> gguf.GGUFWriter:
    """Writes the header, and the tensors that are computed from the configuration."""
    writer = gguf.GGUFWriter(path, checkpoint.arch)
    writer.add_name(checkpoint.name)
    for key, value in {**generic_keys(checkpoint.config), **checkpoint.keys}.items():
        add_key(writer, f"{checkpoint.arch}.{key}", value)
    for name, data in checkpoint.extra.items():
        writer.add_tensor_info(name, data.shape, np.float32, data.size * 4)
    for name, ty in parameter_types(shape, checkpoint, weights):
        sizes = matrix_shape(shape, name, weights[name])
        # Zeros that nobody looks at take no memory.
        zeros = np.zeros(sizes, np.float32) if ty == Type.F32 else np.zeros((*sizes[:-1], row_bytes(ty, sizes[-1])), np.uint8)
        for key, data in checkpoint.file_tensors(name, turned(shape, name, zeros)).items():
            writer.add_tensor_info(key, data.shape, data.dtype, data.nbytes, None if ty == Type.F32 else ty)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for data in checkpoint.extra.values():
        writer.write_tensor_data(data.astype(np.float32))
    return writer


def write_zeros(path: Path, shape: Shape, layers: tuple[int, ...]) -> None:
    """A file of so many layers whose weights are zeros, which take no room on a disk that has sparse files."""
    checkpoint = shape.checkpoint(*layers)
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(checkpoint.config)
    writer = start(path, checkpoint, shape, parameters(model))
    (tensors,) = writer.tensors
    left = sum(writer.ggml_pad(info.nbytes, writer.data_alignment) for info in tensors.values())
    writer.write_padding(writer.fout[0], writer.fout[0].tell())
    end = writer.fout[0].tell() + left
    writer.close()
    with path.open("r+b") as file:
        file.truncate(end)


def write_random(path: Path, shape: Shape, seed: int) -> transformers.PreTrainedModel:
    """A file with random weights, and the float32 model with the same."""
    checkpoint = shape.checkpoint(*shape.base)
    checkpoint.config._attn_implementation = "eager"
    checkpoint.config._experts_implementation = "eager"
    with transformers.initialization.no_init_weights():
        model = transformers.AutoModelForCausalLM.from_config(checkpoint.config, dtype=torch.float32).eval()
    model.tie_weights()
    weights = parameters(model)
    writer = start(path, checkpoint, shape, weights)
    for name, ty in parameter_types(shape, checkpoint, weights):
        rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
        sizes = matrix_shape(shape, name, weights[name])
        values = weights[name].detach().numpy()
        if ty == Type.F32:
            noise = rng.standard_normal(values.shape).astype(np.float32)
            initial = checkpoint.initial(name, noise)
            values[...] = random_weight(checkpoint, name, noise) if initial is None else initial
            stored = values
        else:
            packed = random_rows(rng, ty, sizes, deviation(shape, checkpoint, name, sizes[-1]))
            fill(turned(shape, name, values), packed, ty)
            stored = turned(shape, name, packed)
        for data in checkpoint.file_tensors(name, stored).values():
            writer.write_tensor_data(np.ascontiguousarray(data, np.float32 if ty == Type.F32 else None))
    writer.close()
    return model


def deviation(shape: Shape, checkpoint: Checkpoint, name: str, cols: int) -> float:
    gain = next((gain for part, gain in shape.gains.items() if part in name), 1.0)
    return gain * (checkpoint.embedding_scale if EMBEDDINGS.search(name) else cols**-0.5)


def fill(out: np.ndarray, packed: np.ndarray, ty: Type) -> None:
    """Writes the values of [rows, columns] or of [experts, rows, columns]."""
    for matrix, rows in zip(out, packed) if out.ndim == 3 else [(out, packed)]:
        dequantise_into(matrix, rows, ty)
