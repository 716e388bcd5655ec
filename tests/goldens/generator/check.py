"""A second opinion on a golden model: its logits computed in numpy from nothing but the GGUF file.

It shares no code with the checkpoint's writer, so it shows that the file alone (names, row order, RoPE factors,
metadata) says what transformers computed.
"""

from pathlib import Path

import gguf
import numpy as np


class File:
    """Metadata and tensors of a GGUF file; tensors as float64 [rows, columns]."""

    def __init__(self, path: Path):
        reader = gguf.GGUFReader(path)
        self.fields = reader.fields
        self.tensors = {t.name: np.array(t.data, dtype=np.float64) for t in reader.tensors}
        self.arch = self.fields["general.architecture"].contents()

    def get(self, key: str, default=None):
        field = self.fields.get(f"{self.arch}.{key}")
        return default if field is None else field.contents()


def rms_norm(x: np.ndarray, weight: np.ndarray, eps: float) -> np.ndarray:
    return x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + eps) * weight


def rope(x: np.ndarray, frequencies: np.ndarray, interleaved: bool) -> np.ndarray:
    """Rotates x [tokens, heads, head_dim] by its position: pairs (2i, 2i+1) if interleaved, else (i, i + half)."""
    tokens, heads, head_dim = x.shape
    pairs = x.reshape(tokens, heads, head_dim // 2, 2) if interleaved else np.stack(np.split(x, 2, axis=-1), axis=-1)
    angles = np.arange(tokens)[:, None, None] * frequencies
    cos, sin = np.cos(angles), np.sin(angles)
    a, b = pairs[..., 0], pairs[..., 1]
    rotated = np.stack([a * cos - b * sin, a * sin + b * cos], axis=-1)
    return rotated.reshape(x.shape) if interleaved else np.concatenate([rotated[..., 0], rotated[..., 1]], axis=-1)


def rope_frequencies(file: File, dims: int) -> tuple[np.ndarray, float]:
    """Radians a position for each pair, and what the rotated vectors are multiplied by."""
    base = file.get("rope.freq_base")
    kept = base ** (-np.arange(0, dims, 2) / dims) / file.tensors.get("rope_freqs.weight", 1.0)
    if file.get("rope.scaling.type") != "yarn":
        return kept, 1.0
    factor, original = file.get("rope.scaling.factor"), file.get("rope.scaling.original_context_length")
    # The pair that makes so many turns within the original context (Peng et al., 2023, section 3.2).
    pair = lambda turns: dims * np.log(original / (turns * 2 * np.pi)) / (2 * np.log(base))  # noqa: E731
    low, high = max(np.floor(pair(32)), 0), min(np.ceil(pair(1)), dims - 1)
    ramp = np.clip((np.arange(dims // 2) - low) / max(high - low, 0.001), 0, 1)
    return kept * (1 - ramp) + kept / factor * ramp, 0.1 * np.log(factor) + 1


def attention(q: np.ndarray, k: np.ndarray, v: np.ndarray, window: int | None, sinks: np.ndarray | None) -> np.ndarray:
    """Causal attention of q [tokens, heads, head_dim] over k, v [tokens, kv_heads, head_dim] -> [tokens, heads * head_dim].

    A token sees the last `window` positions. A sink [heads] is a score without a value.
    """
    tokens, heads, head_dim = q.shape
    k, v = (np.repeat(x, heads // k.shape[1], axis=1) for x in (k, v))
    scores = np.einsum("qhd,khd->hqk", q, k) / np.sqrt(head_dim)
    scores[:, np.triu(np.ones((tokens, tokens), bool), 1)] = -np.inf
    if window is not None:
        scores[:, np.tril(np.ones((tokens, tokens), bool), -window)] = -np.inf
    if sinks is not None:
        scores = np.concatenate([scores, np.broadcast_to(sinks[:, None, None], (heads, tokens, 1))], axis=-1)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights = (weights / weights.sum(axis=-1, keepdims=True))[..., :tokens]
    return np.einsum("hqk,khd->qhd", weights, v).reshape(tokens, heads * head_dim)


def logits(file: File, prompt: list[int], cache_type: type = np.float64) -> np.ndarray:
    """Logits after each token of the prompt, [tokens, vocabulary], with keys and values rounded to `cache_type`."""
    t = file.tensors
    heads, kv_heads = file.get("attention.head_count"), file.get("attention.head_count_kv")
    head_dim = file.get("attention.key_length", file.get("embedding_length") // heads)
    eps = file.get("attention.layer_norm_rms_epsilon")
    frequencies, magnitude = rope_frequencies(file, head_dim)

    x = t["token_embd.weight"][prompt]
    for i in range(file.get("block_count")):
        block = {name.removeprefix(f"blk.{i}."): data for name, data in t.items() if name.startswith(f"blk.{i}.")}

        def project(h: np.ndarray, name: str, block=block) -> np.ndarray:
            return h @ block[f"{name}.weight"].T + block.get(f"{name}.bias", 0.0)

        h = rms_norm(x, block["attn_norm.weight"], eps)
        q = project(h, "attn_q").reshape(-1, heads, head_dim)
        k, v = (project(h, name).reshape(-1, kv_heads, head_dim) for name in ("attn_k", "attn_v"))
        if "attn_q_norm.weight" in block:
            q, k = rms_norm(q, block["attn_q_norm.weight"], eps), rms_norm(k, block["attn_k_norm.weight"], eps)
        q, k = (magnitude * rope(y, frequencies, file.arch == "llama") for y in (q, k))
        k, v = (y.astype(cache_type).astype(np.float64) for y in (k, v))
        attended = attention(q, k, v, file.get("attention.sliding_window"), block.get("attn_sinks.weight"))
        x = x + project(attended, "attn_output")

        h = rms_norm(x, block["ffn_norm.weight"], eps)
        gate = project(h, "ffn_gate")
        x = x + project(gate / (1 + np.exp(-gate)) * project(h, "ffn_up"), "ffn_down")
    x = rms_norm(x, t["output_norm.weight"], eps)
    return x @ t.get("output.weight", t["token_embd.weight"]).T


def deviation(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference at any position, as a share of that position's largest |logit|."""
    return float((np.abs(found - expected).max(axis=1) / np.abs(expected).max(axis=1)).max())
