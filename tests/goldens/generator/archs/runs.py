"""What transformers computes for a checkpoint, and whether that makes a golden that can be compared without luck."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from unittest import mock

import numpy as np
import torch
import transformers

from .common import VOCAB_SIZE, Checkpoint

PROMPT_TOKENS = 200
GREEDY_TOKENS = 64

# As in models.py: the lead of the best token, and how far the logits are from float64's, as shares of the largest |logit|
# of a position.
MIN_LEAD = 5e-3
MIN_DISTINCT = 16
MAX_ROUNDING = 2e-5
# How far the logits move when keys and values are rounded to f16: too little to change a token. Deep checkpoints and those
# that normalise each part's output move further than the three layers of models.py.
MAX_F16_CACHE = 2e-3
# The last chosen expert must lead the first left out by this share of the scores' range, at every position: sums in
# another order must not choose other experts.
MIN_EXPERT_LEAD = 1e-4


class PassedOver(Exception):
    """Why a seed's run makes no golden."""


@dataclass
class Run:
    """Logits f32 [PROMPT_TOKENS, VOCAB_SIZE], and the figures that the seed was judged by."""

    prompt: list[int]
    logits: np.ndarray
    greedy: list[int]
    lead: float
    rounding: float
    f16_cache: float
    expert_lead: float | None


def random_prompt(checkpoint: Checkpoint, seed: int) -> list[int]:
    """Token ids drawn from the whole vocabulary, special tokens included: to the network they are all the same.

    Those without an input a layer, which stand for images and sound, are in no text: for them transformers reads row 0 of a table of which
    the file has zeros.
    """
    vocabulary = getattr(checkpoint.config, "vocab_size_per_layer_input", VOCAB_SIZE)
    return np.random.default_rng([seed, 1]).integers(0, vocabulary, PROMPT_TOKENS).tolist()


@torch.no_grad()
def reference(checkpoint: Checkpoint, model: transformers.PreTrainedModel, prompt: list[int]) -> Run:
    with expert_leads() as leads:
        output = model(torch.tensor([prompt]), use_cache=True)
    require(min(leads, default=1.0) >= MIN_EXPERT_LEAD, "two experts are only {:.1e} apart", min(leads, default=1.0))
    tokens = list(prompt)
    last, cache = output.logits[0, -1], output.past_key_values
    for _ in range(GREEDY_TOKENS):
        tokens.append(int(last.argmax()))
        # A caller that stops at an end token would not see all the tokens.
        require(tokens[-1] < checkpoint.ordinary, "a special token is among the greedy ones")
        best, second = last.topk(2).values.tolist()
        require(best - second >= MIN_LEAD * float(last.abs().max()), "two tokens are nearly as good")
        step = model(torch.tensor([tokens[-1:]]), past_key_values=cache, use_cache=True)
        last, cache = step.logits[0, -1], step.past_key_values
    greedy = tokens[PROMPT_TOKENS:]
    require(len(set(greedy)) >= MIN_DISTINCT, "only {} distinct greedy tokens", len(set(greedy)))

    # The same tokens in one pass, in both precisions.
    with expert_leads() as leads:
        single = model(torch.tensor([tokens])).logits[0].numpy()
    require(min(leads, default=1.0) >= MIN_EXPERT_LEAD, "two experts are only {:.1e} apart", min(leads, default=1.0))
    with half_precision_cache():
        halved = model(torch.tensor([tokens]), use_cache=True).logits[0].numpy()
    with double_precision(model):
        double = model(torch.tensor([tokens])).logits[0].numpy()
    best_two = np.sort(double, axis=1)[:, -2:]
    leads_of_tokens = (best_two[:, 1] - best_two[:, 0]) / np.abs(double).max(axis=1)
    run = Run(
        prompt=prompt,
        logits=output.logits[0].numpy(),
        greedy=greedy,
        lead=float(leads_of_tokens[PROMPT_TOKENS - 1 : -1].min()),
        rounding=max(deviation(single, double), deviation(output.logits[0].numpy(), double[:PROMPT_TOKENS])),
        f16_cache=deviation(halved, single),
        expert_lead=min(leads, default=None),
    )
    require(greedy == double.argmax(axis=1)[PROMPT_TOKENS - 1 : -1].tolist(), "tokens differ without a cache")
    require(run.lead >= MIN_LEAD, "two tokens are only {:.1e} apart", run.lead)
    require(run.rounding < MAX_ROUNDING, "float32 is {:.1e} away from float64", run.rounding)
    require(run.f16_cache < MAX_F16_CACHE, "an f16 cache moves the logits by {:.1e}", run.f16_cache)
    return run


def require(holds: bool, reason: str, *figures: float) -> None:
    if not holds:
        raise PassedOver(reason.format(*figures))


def deviation(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference at any position, as a share of that position's largest |logit|."""
    return float((np.abs(found - expected).max(axis=1) / np.abs(expected).max(axis=1)).max())


@contextlib.contextmanager
def double_precision(model: transformers.PreTrainedModel) -> Iterator[None]:
    """All in float64, also where the model asks for float32 by name."""
    model.double()
    with contextlib.ExitStack() as patches:
        for name in ("float32", "float"):
            patches.enter_context(mock.patch.object(torch, name, torch.float64))
        patches.enter_context(mock.patch.object(torch.Tensor, "float", torch.Tensor.double))
        yield
    model.float()


@contextlib.contextmanager
def half_precision_cache() -> Iterator[None]:
    """Keys and values as an f16 cache gives them back."""
    update = transformers.cache_utils.Cache.update

    def rounding_update(self, keys, values, *args, **kwargs):
        return update(self, keys.half().to(keys.dtype), values.half().to(values.dtype), *args, **kwargs)

    with mock.patch.object(transformers.cache_utils.Cache, "update", rounding_update):
        yield


@contextlib.contextmanager
def expert_leads() -> Iterator[list[float]]:
    """Collects how close each choice of experts was: every `topk` over more scores than it takes is one."""
    leads: list[float] = []
    topk = torch.topk

    def watched(scores, k, *args, **kwargs):
        if scores.dtype.is_floating_point and k < scores.shape[-1]:
            ordered = scores.masked_fill(scores.isinf(), 0).sort(dim=-1, descending=True).values
            span = ordered[..., 0] - ordered[..., -1]
            leads.append(float(((ordered[..., k - 1] - ordered[..., k]) / span).min()))
        return topk(scores, k, *args, **kwargs)

    with mock.patch.object(torch, "topk", watched), mock.patch.object(torch.Tensor, "topk", watched):
        yield leads


def stages(checkpoint: Checkpoint, model: transformers.PreTrainedModel) -> dict[str, str]:
    """The modules whose outputs are tapped, in the order they are computed."""
    layers = {f"layer{i}.out": f"layers.{i}" for i in range(checkpoint.config.num_hidden_layers)}
    named = {
        "layer0.attn_norm": "layers.0.input_layernorm",
        "layer0.attn_out": "layers.0.self_attn.o_proj",
        "layer0.ffn_norm": "layers.0.post_attention_layernorm",
        "layer0.ffn_out": "layers.0.mlp",
        **layers,
        "final_norm": "norm",
        **checkpoint.taps,
    }
    return {tap: module for tap, module in named.items() if module is not None}


@torch.no_grad()
def taps(checkpoint: Checkpoint, model: transformers.PreTrainedModel, prompt: list[int]) -> dict[str, list[float]]:
    """Intermediate vectors [hidden] of the prompt's last position, in the order they are computed.

    `embed` is what the first layer is given, if no module is named for it. attn_out and ffn_out are the outputs of the last matrix of either part, before
    a norm, a multiplier or the residual stream; layerN.out is the stream after layer N.
    """
    found: dict[str, list[float]] = {}

    def keep(name: str, output) -> None:
        vector = (output[0] if isinstance(output, tuple) else output)[0, -1]
        # Nine digits give a float32 back exactly.
        found[name] = [float(f"{x:.9g}") for x in vector.tolist()]

    modules = stages(checkpoint, model)
    base = model.model
    handles = [
        base.get_submodule(path).register_forward_hook(lambda _module, _inputs, output, name=name: keep(name, output))
        for name, path in modules.items()
    ]
    if "embed" not in modules:
        first = base.get_submodule("layers.0")
        embed = lambda _module, inputs, named: keep("embed", inputs[0] if inputs else named["hidden_states"])  # noqa: E731
        handles.append(first.register_forward_pre_hook(embed, with_kwargs=True))
    model(torch.tensor([prompt]))
    for handle in handles:
        handle.remove()
    return {name: found[name] for name in {"embed": None, **modules}}
