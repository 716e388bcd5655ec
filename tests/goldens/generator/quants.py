"""Quantised blocks with random but valid bytes, and what the `gguf` package dequantises them to.

`TYPE.blocks` holds ROWS rows of COLUMNS weights as they stand in a GGUF file; `TYPE.f32` holds the same weights as
little-endian f32. Scales are drawn to include zero, negative and subnormal f16 values, since those are the ones that a
dequantiser gets wrong; quant bits are uniform, so every code occurs.
"""

from pathlib import Path

import gguf
import numpy as np

ROWS, COLUMNS = 8, 512
SEED = 20

# Byte offsets of the f16 fields (scale, and minimum where there is one) within a block.
F16_FIELDS = {
    "Q8_0": [0],
    "Q4_0": [0],
    "Q4_1": [0, 2],
    "Q5_0": [0],
    "Q5_1": [0, 2],
    "Q4_K": [0, 2],
    "Q5_K": [0, 2],
    "Q6_K": [208],
    "Q2_K": [80, 82],
    "Q3_K": [108],
    "IQ4_NL": [0],
    "IQ4_XS": [0],
    "MXFP4": [],
    "NVFP4": [],
    "TQ1_0": [52],
    "TQ2_0": [64],
    "IQ2_XXS": [0],
    "IQ2_XS": [0],
    "IQ2_S": [0],
    "IQ3_XXS": [0],
    "IQ3_S": [0],
    "IQ1_S": [0],
    # The top nibbles of four halves make one: see `random_blocks`.
    "IQ1_M": [],
}

# Types whose weights are looked up in lists, and the folder's file that has each list: bytes, entry after entry.
GRIDS = ["IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S", "IQ1_S"]

# Scales that every type must get right, placed in its first blocks: zeros of both signs, the smallest and largest
# subnormal, the smallest normal, one with an odd mantissa, and ordinary ones of both signs.
EDGE_SCALES = [0.0, -0.0, 2.0**-24, -(2.0**-24), 1023 * 2.0**-24, 2.0**-14, 0.33325195, -0.0417, 1.0, -2.5]


def random_scales(rng: np.random.Generator, blocks: int, field: int) -> np.ndarray:
    """One f16 scale a block, [blocks]: the edge cases first (rotated by `field`, so that a minimum meets other scales)."""
    scales = rng.normal(0.0, 0.02, blocks)
    edges = np.roll(EDGE_SCALES, 3 * field)[:blocks]
    scales[: len(edges)] = edges
    return scales.astype("<f2")


def random_blocks(rng: np.random.Generator, name: str) -> np.ndarray:
    """Bytes of ROWS rows, [ROWS, bytes a row], u8."""
    weights_a_block, bytes_a_block = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[name]]
    blocks = ROWS * COLUMNS // weights_a_block
    data = rng.integers(0, 256, (blocks, bytes_a_block), dtype=np.uint8)
    for field, offset in enumerate(F16_FIELDS[name]):
        data[:, offset : offset + 2] = random_scales(rng, blocks, field).view(np.uint8).reshape(blocks, 2)
    if name == "IQ1_M":
        scales = random_scales(rng, blocks, 0).view("<u2").reshape(blocks, 1)
        halves = data[:, 48:56].view("<u2")
        halves &= 0x0FFF
        halves |= (scales >> np.array([0, 4, 8, 12], "<u2") & 0xF) << 12
    if name == "MXFP4":
        # The largest exponents would leave f32; the least two are subnormal.
        data[:, 0] = np.minimum(data[:, 0], 250)
        data[:4, 0] = [0, 1, 2, 127]
    return data.reshape(ROWS, -1)


def random_floats(rng: np.random.Generator, name: str) -> np.ndarray:
    """F16 or BF16 weights as bytes, [ROWS, 2 * COLUMNS], u8: ordinary values, and every finite exponent."""
    exponent_bits, mantissa_bits = {"F16": (5, 10), "BF16": (8, 7)}[name]
    bits = rng.integers(0, 1 << 16, (ROWS, COLUMNS), dtype=np.uint16)
    # An exponent of all ones is an infinity or NaN; clearing its lowest bit leaves the number finite.
    infinite = (bits >> mantissa_bits) & ((1 << exponent_bits) - 1) == (1 << exponent_bits) - 1
    bits[infinite] &= np.uint16(~(1 << mantissa_bits) & 0xFFFF)
    bits[0, :4] = [0x0000, 0x8000, 0x0001, 0x8001]
    return bits.astype("<u2").view(np.uint8).reshape(ROWS, -1)


def signs_and_pairs(rng: np.random.Generator, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Blocks and weights of the types that the package lacks: an f16 scale and 16 bytes of one bit or two bits a weight, low bits first."""
    bits = {"Q1_0": 1, "Q2_0": 2}[name]
    blocks = ROWS * COLUMNS * bits // 128
    data = rng.integers(0, 256, (blocks, 18), dtype=np.uint8)
    scales = random_scales(rng, blocks, 0)
    data[:, :2] = scales.view(np.uint8).reshape(blocks, 2)
    numbers = data[:, 2:, None] >> np.arange(0, 8, bits, dtype=np.uint8) & (2**bits - 1)
    numbers = numbers.reshape(blocks, -1).astype(np.float32)
    weights = scales.astype(np.float32)[:, None] * (2 * numbers - 1 if bits == 1 else numbers - 1)
    return data.reshape(ROWS, -1), weights.reshape(ROWS, COLUMNS)


def grid(name: str) -> np.ndarray:
    """The list that a type looks up, [entries, weights an entry], i8."""
    cls = getattr(gguf.quants, name)
    cls.init_grid()
    return cls.grid.reshape(cls.grid_shape).astype(np.int8)


def generate(folder: Path) -> None:
    rng = np.random.default_rng(SEED)
    for name in ["F16", "BF16", *F16_FIELDS]:
        blocks = random_blocks(rng, name) if name in F16_FIELDS else random_floats(rng, name)
        write(folder, name, blocks, gguf.quants.dequantize(blocks, gguf.GGMLQuantizationType[name]))
    for name in ["Q1_0", "Q2_0"]:
        write(folder, name, *signs_and_pairs(rng, name))
    for name in GRIDS:
        (folder / f"{name}.grid").write_bytes(grid(name).tobytes())


def write(folder: Path, name: str, blocks: np.ndarray, weights: np.ndarray) -> None:
    assert weights.shape == (ROWS, COLUMNS) and np.isfinite(weights).all(), name
    (folder / f"{name}.blocks").write_bytes(blocks.tobytes())
    (folder / f"{name}.f32").write_bytes(weights.astype("<f4").tobytes())
