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
}

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


def generate(folder: Path) -> None:
    rng = np.random.default_rng(SEED)
    for name in ["F16", "BF16", *F16_FIELDS]:
        blocks = random_blocks(rng, name) if name in F16_FIELDS else random_floats(rng, name)
        weights = gguf.quants.dequantize(blocks, gguf.GGMLQuantizationType[name])
        assert weights.shape == (ROWS, COLUMNS) and np.isfinite(weights).all(), name
        (folder / f"{name}.blocks").write_bytes(blocks.tobytes())
        (folder / f"{name}.f32").write_bytes(weights.astype("<f4").tobytes())
