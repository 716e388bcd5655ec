"""GGUF block quantisation in numpy: Q8_0, Q4_K and Q6_K.

Layouts are those of ggml (`block_q8_0`, `block_q4_K`, `block_q6_K`). Scales and minima of the K-quants are found by least squares: for several starting
points, round the weights, solve for the scale (and minimum) that fit the rounding best, and keep what has the least squared error.
"""

import numpy as np

BLOCK = 256


def _halves(x):
    """`x` rounded to float16, as float32: what a reader of the file will see."""
    return x.astype(np.float16).astype(np.float32)


def _ratio(numerator, denominator):
    """`numerator / denominator`, 0 where the denominator is 0."""
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator != 0)


def q8_0(weights):
    """`[rows, columns]` float32 as Q8_0 bytes, `[rows, columns / 32 * 34]`."""
    rows, columns = weights.shape
    blocks = weights.reshape(-1, 32)
    scale = np.abs(blocks).max(axis=1, keepdims=True) / 127
    quants = np.rint(blocks * _ratio(np.ones_like(scale), scale)).astype(np.int8)
    packed = np.concatenate([scale.astype(np.float16).view(np.uint8), quants.view(np.uint8)], axis=1)
    return packed.reshape(rows, columns // 32 * 34)


def _fit_scale_min(x, top, rounds=6):
    """For blocks `x`, `[count, size]`: `scale` and `minimum >= 0` that make `scale * q - minimum`, q in 0..top, fit best in least squares."""
    low, high = np.minimum(x.min(axis=1), 0), x.max(axis=1)
    best_error = np.full(len(x), np.inf, np.float32)
    best = np.zeros((2, len(x)), np.float32)
    size = x.shape[1]
    for shrink in np.linspace(0.7, 1.1, 17, dtype=np.float32):
        scale, minimum = (high - low) / top * shrink, -low * shrink
        for _ in range(rounds):
            q = np.clip(np.rint(_ratio(x + minimum[:, None], np.broadcast_to(scale[:, None], x.shape))), 0, top)
            sum_q, sum_qq, sum_x, sum_qx = q.sum(1), (q * q).sum(1), x.sum(1), (q * x).sum(1)
            determinant = size * sum_qq - sum_q * sum_q
            scale = _ratio(size * sum_qx - sum_q * sum_x, determinant)
            minimum = (scale * sum_q - sum_x) / size
            negative = minimum < 0
            scale, minimum = np.where(negative, _ratio(sum_qx, sum_qq), scale), np.maximum(minimum, 0)
            error = ((scale[:, None] * q - minimum[:, None] - x) ** 2).sum(1)
            better = (error < best_error) & (scale >= 0)
            best_error = np.where(better, error, best_error)
            best = np.where(better, np.stack([scale, minimum]), best)
    return best


def _six_bit(values):
    """Per superblock: a float16 step and six-bit multiples of it for `values`, `[superblocks, 8]`, all at least 0."""
    step = _halves(values.max(axis=1, keepdims=True) / 63)
    return step, np.clip(np.rint(_ratio(values, np.broadcast_to(step, values.shape))), 0, 63)


def q4_k(weights):
    """`[rows, columns]` float32 as Q4_K bytes, `[rows, columns / 256 * 144]`."""
    rows, columns = weights.shape
    x = weights.reshape(-1, 8, 32)
    scale, minimum = (part.reshape(-1, 8) for part in _fit_scale_min(x.reshape(-1, 32), 15))
    step, scales = _six_bit(scale)
    min_step, minima = _six_bit(minimum)
    real_scale, real_min = (step * scales)[:, :, None], (min_step * minima)[:, :, None]
    quants = np.clip(np.rint(_ratio(x + real_min, np.broadcast_to(real_scale, x.shape))), 0, 15).astype(np.uint8)
    sc, mn = scales.astype(np.uint8), minima.astype(np.uint8)
    head = np.concatenate([sc[:, :4] | (sc[:, 4:] >> 4) << 6, mn[:, :4] | (mn[:, 4:] >> 4) << 6, (sc[:, 4:] & 15) | (mn[:, 4:] & 15) << 4], axis=1)
    pairs = quants.reshape(-1, 4, 2, 32)
    nibbles = (pairs[:, :, 0] | pairs[:, :, 1] << 4).reshape(-1, 128)
    steps = [part.astype(np.float16).view(np.uint8) for part in (step, min_step)]
    return np.concatenate([*steps, head, nibbles], axis=1).reshape(rows, columns // BLOCK * 144)


def _fit_scale(x, top, rounds=4):
    """For blocks `x`, `[count, size]`: the scale (of either sign) that makes `scale * q`, q in -top-1..top, fit best in least squares."""
    peak = np.take_along_axis(x, np.abs(x).argmax(axis=1)[:, None], axis=1)[:, 0]
    best_error, best = np.full(len(x), np.inf, np.float32), np.zeros(len(x), np.float32)
    for reach in np.linspace(-top - 1.9, -top + 3, 13, dtype=np.float32):
        scale = peak / reach
        for _ in range(rounds):
            q = np.clip(np.rint(_ratio(x, np.broadcast_to(scale[:, None], x.shape))), -top - 1, top)
            scale = _ratio((q * x).sum(1), (q * q).sum(1))
            error = ((scale[:, None] * q - x) ** 2).sum(1)
            better = error < best_error
            best_error, best = np.where(better, error, best_error), np.where(better, scale, best)
    return best


def q6_k(weights):
    """`[rows, columns]` float32 as Q6_K bytes, `[rows, columns / 256 * 210]`."""
    rows, columns = weights.shape
    x = weights.reshape(-1, 16, 16)
    scale = _fit_scale(x.reshape(-1, 16), 31).reshape(-1, 16)
    peak = np.take_along_axis(scale, np.abs(scale).argmax(axis=1)[:, None], axis=1)
    step = _halves(peak / -128)
    scales = np.clip(np.rint(_ratio(scale, np.broadcast_to(step, scale.shape))), -128, 127)
    real = (step * scales)[:, :, None]
    q = (np.clip(np.rint(_ratio(x, np.broadcast_to(real, x.shape))), -32, 31) + 32).astype(np.uint8)
    # Each half of 128 weights is four runs of 32: low nibbles of runs 0|2 and 1|3 share bytes, high pairs of bits of all four share one.
    runs = q.reshape(-1, 2, 4, 32)
    low = np.concatenate([(runs[:, :, 0] & 15) | (runs[:, :, 2] & 15) << 4, (runs[:, :, 1] & 15) | (runs[:, :, 3] & 15) << 4], axis=2)
    high = runs[:, :, 0] >> 4 | (runs[:, :, 1] >> 4) << 2 | (runs[:, :, 2] >> 4) << 4 | (runs[:, :, 3] >> 4) << 6
    parts = [low.reshape(-1, 128), high.reshape(-1, 64), scales.astype(np.int8).view(np.uint8), step.astype(np.float16).view(np.uint8)]
    return np.concatenate(parts, axis=1).reshape(rows, columns // BLOCK * 210)
