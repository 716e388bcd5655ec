"""Qwen 3 (dense) in plain PyTorch: grouped-query attention with normed queries and keys, half-split RoPE, SwiGLU, tied embedding."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn


@dataclass
class Config:
    """ember's shape. Every row of a matrix is a multiple of 256 long, the block of the K-quants."""
    vocabulary: int = 1536
    hidden: int = 256
    layers: int = 6
    heads: int = 4
    kv_heads: int = 2
    head_dim: int = 64
    ffn: int = 512
    context: int = 2048
    rope_theta: float = 10000.0
    eps: float = 1e-6


class RmsNorm(nn.Module):
    """`x / rms(x) * weight` over the last dimension."""

    def __init__(self, size, eps):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x):
        return F.rms_norm(x, self.weight.shape, self.weight.to(x.dtype), self.eps)


def rope_table(config, length):
    """`(cos, sin)`, each `[length, head_dim / 2]`."""
    half = config.head_dim // 2
    frequencies = config.rope_theta ** (-torch.arange(half, dtype=torch.float32) / half)
    angles = torch.arange(length, dtype=torch.float32)[:, None] * frequencies
    return angles.cos(), angles.sin()


def rotate(x, cos, sin):
    """RoPE in the half-split form. `x` is `[batch, tokens, heads, head_dim]`."""
    a, b = x.chunk(2, dim=-1)
    cos, sin = cos[None, :, None, :], sin[None, :, None, :]
    return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)


def attend(q, k, v):
    """Causal attention: `[batch, heads, tokens, head_dim]` queries over `[batch, kv_heads, tokens, head_dim]`; each key head serves a run of
    query heads. Written out, since on a CPU the fused operator's backward pass is the slower at these lengths."""
    batch, heads, tokens, size = q.shape
    q = q.reshape(batch, k.shape[1], -1, size)
    mask = torch.full((tokens, tokens), float("-inf"), dtype=q.dtype).triu_(1)
    scores = torch.add(mask, (q @ k.transpose(2, 3)).view(batch, heads, tokens, tokens), alpha=size**-0.5)
    with torch.autocast("cpu", enabled=False):
        weights = scores.softmax(-1)
    return (weights.view(batch, k.shape[1], -1, tokens) @ v).view(batch, heads, tokens, size)


class Layer(nn.Module):
    """One decoder layer: attention and gated FFN, each on a normed copy of the residual stream."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        wide, narrow = config.heads * config.head_dim, config.kv_heads * config.head_dim
        linear = lambda rows, columns: nn.Linear(columns, rows, bias=False)
        self.attn_norm, self.ffn_norm = RmsNorm(config.hidden, config.eps), RmsNorm(config.hidden, config.eps)
        self.q_norm, self.k_norm = RmsNorm(config.head_dim, config.eps), RmsNorm(config.head_dim, config.eps)
        self.q, self.k, self.v = linear(wide, config.hidden), linear(narrow, config.hidden), linear(narrow, config.hidden)
        self.o = linear(config.hidden, wide)
        self.gate, self.up = linear(config.ffn, config.hidden), linear(config.ffn, config.hidden)
        self.down = linear(config.hidden, config.ffn)

    def forward(self, x, cos, sin):
        batch, tokens, _ = x.shape
        h = self.attn_norm(x)
        heads = lambda y: y.view(batch, tokens, -1, self.config.head_dim)
        q = rotate(self.q_norm(heads(self.q(h))), cos, sin).transpose(1, 2)
        k = rotate(self.k_norm(heads(self.k(h))), cos, sin).transpose(1, 2)
        v = heads(self.v(h)).transpose(1, 2)
        attended = attend(q, k, v).transpose(1, 2).reshape(batch, tokens, -1)
        x = x + self.o(attended)
        h = self.ffn_norm(x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h))


class Ember(nn.Module):
    """The decoder; `forward(ids)` gives normed hidden states `[batch, tokens, hidden]`, `logits` multiplies by the embedding."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary, config.hidden)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.norm = RmsNorm(config.hidden, config.eps)
        cos, sin = rope_table(config, config.context)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                nn.init.normal_(weight, std=0.02 if "embedding" in name else weight.shape[1] ** -0.5)
                if name.endswith(("o.weight", "down.weight")):
                    weight.data.mul_((2 * config.layers) ** -0.5)

    def forward(self, ids):
        x = self.embedding(ids)
        cos, sin = self.cos[: ids.shape[1]], self.sin[: ids.shape[1]]
        if torch.is_autocast_enabled("cpu"):
            x, cos, sin = x.bfloat16(), cos.bfloat16(), sin.bfloat16()
        for layer in self.layers:
            x = layer(x, cos, sin)
        return self.norm(x)

    def logits(self, hidden):
        return F.linear(hidden, self.embedding.weight)
