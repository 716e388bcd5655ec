"""Nomic Embed 2, which transformers has only as remote code: BERT with RoPE, and of each two layers the second with experts, of which a
token goes to two, by weights that do not add up to 1. Parameters have GGUF's names.
"""

import math
from types import SimpleNamespace

import torch
from torch import nn

EVERY = 2
USED = 2


def rotated(x: torch.Tensor, base: float) -> torch.Tensor:
    """RoPE over `[heads, positions, width]`, each dimension with the one half a head behind it."""
    half = x.shape[-1] // 2
    angles = torch.arange(x.shape[1])[:, None] * base ** (-torch.arange(half).double() / half)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    first, second = x[..., :half], x[..., half:]
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)


class Experts(nn.Module):
    """A matrix of each expert, one below the other: `[experts, rows, columns]`."""

    def __init__(self, experts: int, rows: int, cols: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(experts, rows, cols))


class NomicBertMoe(nn.Module):
    def __init__(self, vocab: int, hidden: int, ffn: int, layers: int, heads: int, experts: int, base: float):
        super().__init__()
        self.heads, self.base = heads, base
        self.token_embd = nn.Embedding(vocab, hidden)
        self.token_types = nn.Embedding(1, hidden)
        self.token_embd_norm = nn.LayerNorm(hidden, eps=1e-5)
        self.blk = nn.ModuleList(self.layer(i, hidden, ffn, experts) for i in range(layers))

    def layer(self, index: int, hidden: int, ffn: int, experts: int) -> nn.ModuleDict:
        dense = {"ffn_up": nn.Linear(hidden, ffn), "ffn_down": nn.Linear(ffn, hidden)}
        sparse = {
            "ffn_gate_inp": nn.Linear(hidden, experts, bias=False),
            "ffn_up_exps": Experts(experts, ffn, hidden),
            "ffn_down_exps": Experts(experts, hidden, ffn),
        }
        return nn.ModuleDict(
            {
                "attn_qkv": nn.Linear(hidden, 3 * hidden),
                "attn_output": nn.Linear(hidden, hidden),
                "attn_output_norm": nn.LayerNorm(hidden, eps=1e-5),
                "layer_output_norm": nn.LayerNorm(hidden, eps=1e-5),
                **(sparse if index % EVERY == 1 else dense),
            }
        )

    def attention(self, layer: nn.ModuleDict, x: torch.Tensor) -> torch.Tensor:
        parts = layer["attn_qkv"](x).chunk(3, dim=-1)
        query, key, value = (part.reshape(len(x), self.heads, -1).transpose(0, 1) for part in parts)
        scores = rotated(query, self.base) @ rotated(key, self.base).transpose(1, 2) / math.sqrt(query.shape[-1])
        return layer["attn_output"]((scores.softmax(dim=-1) @ value).transpose(0, 1).reshape(len(x), -1))

    def feed_forward(self, layer: nn.ModuleDict, x: torch.Tensor) -> torch.Tensor:
        if "ffn_up" in layer:
            return layer["ffn_down"](nn.functional.gelu(layer["ffn_up"](x)))
        weights, chosen = layer["ffn_gate_inp"](x).softmax(dim=-1).topk(USED)
        inner = nn.functional.gelu(torch.einsum("tuoi,ti->tuo", layer["ffn_up_exps"].weight[chosen], x))
        return torch.einsum("tuoi,tui,tu->to", layer["ffn_down_exps"].weight[chosen], inner, weights)

    def forward(self, ids: torch.Tensor) -> SimpleNamespace:
        x = self.token_embd_norm(self.token_embd(ids[0]) + self.token_types.weight[0])
        for layer in self.blk:
            x = layer["attn_output_norm"](x + self.attention(layer, x))
            x = layer["layer_output_norm"](x + self.feed_forward(layer, x))
        return SimpleNamespace(last_hidden_state=x[None])
