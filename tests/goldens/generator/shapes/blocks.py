"""Random weights as the quantised blocks of a GGUF file: all bytes are drawn, and the scales give the values a standard deviation."""

import math

import gguf
import numpy as np

Type = gguf.GGMLQuantizationType

# What the numbers of a block deviate from 0 by where its scale is 1.
SPREAD = {Type.Q8_0: 73.9, Type.Q4_K: 258.0, Type.Q6_K: 1365.0, Type.MXFP4: 5.85}
# Rows are dequantised so many weights at a time.
AT_ONCE = 1 << 22


def row_bytes(ty: Type, cols: int) -> int:
    weights, size = gguf.GGML_QUANT_SIZES[ty]
    assert cols % weights == 0, f"rows of {cols} are no whole blocks of {ty.name}"
    return cols // weights * size


def random_rows(rng: np.random.Generator, ty: Type, shape: tuple[int, ...], deviation: float) -> np.ndarray:
    """Weights of `shape` as bytes, [..., bytes of a row], that deviate from 0 by so much."""
    size = gguf.GGML_QUANT_SIZES[ty][1]
    count = math.prod(shape[:-1]) * row_bytes(ty, shape[-1])
    blocks = np.frombuffer(rng.bytes(count), np.uint8).reshape(-1, size).copy()
    scale = deviation / SPREAD[ty] * rng.uniform(0.5, 1.5, len(blocks))
    match ty:
        case Type.Q8_0:
            write_f16(blocks, 0, scale)
        case Type.Q4_K:
            write_f16(blocks, 0, scale)
            # The mean of the four bits, so that the values are about 0.
            write_f16(blocks, 2, 7.5 * scale)
        case Type.Q6_K:
            write_f16(blocks, 208, scale)
        case Type.MXFP4:
            blocks[:, 0] = np.rint(np.log2(scale)).astype(np.int64) + 128
    return blocks.reshape(*shape[:-1], -1)


def write_f16(blocks: np.ndarray, at: int, values: np.ndarray) -> None:
    blocks[:, at : at + 2] = values.astype("<f2")[:, None].view(np.uint8)


def dequantise_into(out: np.ndarray, packed: np.ndarray, ty: Type) -> None:
    """The values of packed rows, written to `out`, [rows, columns], a few rows at a time."""
    rows = packed.reshape(len(out), -1)
    step = max(1, AT_ONCE // out.shape[1])
    for first in range(0, len(out), step):
        out[first : first + step] = gguf.quants.dequantize(rows[first : first + step], ty)
