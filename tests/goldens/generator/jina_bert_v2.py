"""Jina Embeddings 2, which transformers has only as remote code: BERT with ALiBi in both directions and GELU gates, by the formulas of its
model card's repository. Parameters have GGUF's names.

The larger ones have a norm over all query heads and one over all key heads, and one of each layer's sum with what went into it.
"""

import math
from types import SimpleNamespace

import torch
from torch import nn


def slopes(heads: int) -> torch.Tensor:
    """ALiBi's: of as many heads as the largest power of two, then every second one of twice as many."""
    half = 2 ** int(math.log2(heads))
    of = lambda count: [2 ** (-8 * (i + 1) / count) for i in range(count)]  # noqa: E731
    return torch.tensor(of(half) + of(2 * half)[::2][: heads - half])


class JinaBertV2(nn.Module):
    def __init__(self, vocab: int, hidden: int, ffn: int, layers: int, heads: int):
        super().__init__()
        self.heads = heads
        self.token_embd = nn.Embedding(vocab, hidden)
        self.token_types = nn.Embedding(2, hidden)
        self.token_embd_norm = nn.LayerNorm(hidden, eps=1e-12)
        norm = lambda: nn.LayerNorm(hidden, eps=1e-12)  # noqa: E731
        self.blk = nn.ModuleList(
            nn.ModuleDict(
                {
                    **{f"attn_{part}": nn.Linear(hidden, hidden) for part in ("q", "k", "v", "output")},
                    **{name: norm() for name in ("attn_q_norm", "attn_k_norm", "attn_output_norm", "attn_norm_2")},
                    "ffn_gate": nn.Linear(hidden, ffn, bias=False),
                    "ffn_up": nn.Linear(hidden, ffn, bias=False),
                    "ffn_down": nn.Linear(ffn, hidden),
                    "layer_output_norm": norm(),
                }
            )
            for _ in range(layers)
        )

    def attention(self, layer: nn.ModuleDict, x: torch.Tensor) -> torch.Tensor:
        split = lambda values: values.view(len(x), self.heads, -1).transpose(0, 1)  # noqa: E731
        query = split(layer["attn_q_norm"](layer["attn_q"](x)))
        key = split(layer["attn_k_norm"](layer["attn_k"](x)))
        places = torch.arange(len(x))
        distances = (places[:, None] - places[None]).abs().to(x.dtype)
        scores = query @ key.transpose(1, 2) / math.sqrt(query.shape[-1])
        scores = scores - slopes(self.heads).to(x.dtype)[:, None, None] * distances
        attended = scores.softmax(dim=-1) @ split(layer["attn_v"](x))
        return layer["attn_output"](attended.transpose(0, 1).reshape(len(x), -1))

    def forward(self, ids: torch.Tensor) -> SimpleNamespace:
        x = self.token_embd_norm(self.token_embd(ids[0]) + self.token_types.weight[0])
        for layer in self.blk:
            y = layer["attn_output_norm"](x + self.attention(layer, x))
            y = layer["attn_norm_2"](x + y)
            gated = nn.functional.gelu(layer["ffn_gate"](y)) * layer["ffn_up"](y)
            x = layer["layer_output_norm"](y + layer["ffn_down"](gated))
        return SimpleNamespace(last_hidden_state=x[None])
