"""Logits, greedy tokens and intermediate vectors of the tiny checkpoints, by transformers in float32.

The checkpoints of `archs` are made by architectures.py, those of checkpoint.py here.

For each shape of `checkpoint.py` this writes

    NAME.gguf        the checkpoint
    NAME.logits.f32  little-endian f32 [PROMPT_TOKENS, VOCAB_SIZE]: the logits after each token of the prompt
    NAME.json        the prompt, the greedy tokens that follow it, and the taps

A seed is taken only if its golden can be compared without luck; see `verdict`.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import transformers

from . import architectures, check
from .checkpoint import SHAPES, VOCAB_SIZE, Shape, build, write_gguf
from .output import write_json

PROMPT_TOKENS = 300
GREEDY_TOKENS = 64
MAX_SEED = 1000

# The best token must lead the second by this share of the largest |logit| at every greedy step: five times the 1e-3
# that an implementation's logits may be off by.
MIN_LEAD = 5e-3
MIN_DISTINCT = 16
# How far float32 may be from float64, as a share of the largest |logit|: far below 1e-3, so that a difference of 1e-3
# is an implementation's fault and not the model's ill condition.
MAX_ROUNDING = 2e-5
# How far the logits move when keys and values are rounded to f16: below 1e-3, so that the goldens hold for an f16 cache.
MAX_F16_CACHE = 9e-4


@dataclass
class Run:
    """What the reference computes: logits f32 [PROMPT_TOKENS, VOCAB_SIZE], and the figures a seed is judged by."""

    prompt: list[int]
    logits: np.ndarray
    greedy: list[int]
    lead: float
    rounding: float


def main_prompt(seed: int) -> list[int]:
    """Token ids drawn from the whole vocabulary, special tokens included: to the network they are all the same."""
    return np.random.default_rng([seed, 1]).integers(0, VOCAB_SIZE, PROMPT_TOKENS).tolist()


@torch.no_grad()
def reference(model: transformers.PreTrainedModel, prompt: list[int]) -> Run:
    output = model(torch.tensor([prompt]), use_cache=True)
    tokens = list(prompt)
    last = output.logits[0, -1]
    cache = output.past_key_values
    for _ in range(GREEDY_TOKENS):
        tokens.append(int(last.argmax()))
        step = model(torch.tensor([tokens[-1:]]), past_key_values=cache, use_cache=True)
        last, cache = step.logits[0, -1], step.past_key_values

    # The same tokens in one pass without a cache, in both precisions.
    single = model(torch.tensor([tokens])).logits[0].numpy()
    double = model.double()(torch.tensor([tokens])).logits[0].numpy()
    model.float()
    largest = np.abs(double).max(axis=1)
    best_two = np.sort(double, axis=1)[:, -2:]
    lead = ((best_two[:, 1] - best_two[:, 0]) / largest)[PROMPT_TOKENS - 1 : -1]
    return Run(
        prompt=prompt,
        logits=output.logits[0].numpy(),
        greedy=tokens[PROMPT_TOKENS:],
        lead=float(lead.min()),
        rounding=float((np.abs(single - double).max(axis=1) / largest).max()),
    )


def verdict(run: Run, shape: Shape) -> str | None:
    """Why a seed's run does not make a golden, or None if it does."""
    # Special tokens are the last ids; a caller that stops at one would not see all the tokens.
    if max(run.greedy) >= VOCAB_SIZE - len(shape.family.special) - len(shape.family.user_defined):
        return "a special token is among the greedy ones"
    if run.lead < MIN_LEAD:
        return f"two tokens are only {run.lead:.1e} apart"
    if len(set(run.greedy)) < MIN_DISTINCT:
        return f"only {len(set(run.greedy))} distinct greedy tokens"
    if run.rounding > MAX_ROUNDING:
        return f"float32 is {run.rounding:.1e} away from float64"
    return None


@torch.no_grad()
def taps(model: transformers.PreTrainedModel, prompt: list[int]) -> dict[str, list[float]]:
    """Intermediate vectors [hidden] of the prompt's last position, in the order they are computed.

    attn_out and ffn_out are what a layer adds to the residual stream; layerN.out is the stream after layer N.
    """
    layers = model.model.layers
    stages = {
        "embed": model.model.embed_tokens,
        "layer0.attn_norm": layers[0].input_layernorm,
        "layer0.attn_out": layers[0].self_attn.o_proj,
        "layer0.ffn_norm": layers[0].post_attention_layernorm,
        "layer0.ffn_out": layers[0].mlp.down_proj,
        **{f"layer{i}.out": layer for i, layer in enumerate(layers)},
        "final_norm": model.model.norm,
    }
    found: dict[str, list[float]] = {}

    def keep(name: str):
        def hook(_module, _inputs, output):
            vector = (output[0] if isinstance(output, tuple) else output)[0, -1]
            # Nine digits give a float32 back exactly.
            found[name] = [float(f"{x:.9g}") for x in vector.tolist()]

        return hook

    handles = [module.register_forward_hook(keep(name)) for name, module in stages.items()]
    model(torch.tensor([prompt]))
    for handle in handles:
        handle.remove()
    return {name: found[name] for name in stages}


def second_opinion(path: Path, run: Run) -> float:
    """Checks the written file against the run; returns how far an f16 cache moves the logits."""
    file = check.File(path)
    deviation = check.deviation(check.logits(file, run.prompt), run.logits)
    assert deviation < MAX_ROUNDING, f"{path} does not hold the model that was run: off by {deviation:.1e}"
    return check.deviation(check.logits(file, run.prompt, np.float16), run.logits)


def find_seed(shape: Shape, path: Path) -> tuple[int, transformers.PreTrainedModel, Run]:
    """The first seed whose run makes a golden; its checkpoint is left at `path`."""
    for seed in range(MAX_SEED):
        model = build(shape, seed)
        run = reference(model, main_prompt(seed))
        reason = verdict(run, shape)
        if reason is None:
            write_gguf(path, shape, model)
            moved = second_opinion(path, run)
            if moved < MAX_F16_CACHE:
                return seed, model, run
            reason = f"an f16 cache moves the logits by {moved:.1e}"
        print(f"  {shape.name}: seed {seed} passed over, {reason}")
    raise SystemExit(f"no seed below {MAX_SEED} makes a golden of {shape.name}: adjust its scales in checkpoint.py")


def generate(folder: Path, only: set[str] | None = None, hf: Path | None = None) -> None:
    """Writes the checkpoints named in `only`, or all; `hf` is a folder for those of `archs` in Hugging Face's form."""
    torch.set_num_threads(1)  # the order of summation, and so the last bits, depend on it
    architectures.generate(folder, only, hf)
    for shape in SHAPES:
        if only and shape.name not in only:
            continue
        path = folder / f"{shape.name}.gguf"
        seed, model, run = find_seed(shape, path)
        (folder / f"{shape.name}.logits.f32").write_bytes(run.logits.astype("<f4").tobytes())
        write_json(
            folder / f"{shape.name}.json",
            {
                "model": path.name,
                "logits": f"{shape.name}.logits.f32",
                "vocab_size": VOCAB_SIZE,
                "seed": seed,
                "smallest_greedy_lead": float(f"{run.lead:.3g}"),
                "float32_rounding": float(f"{run.rounding:.3g}"),
                "prompt": run.prompt,
                "greedy": run.greedy,
                "taps": taps(model, run.prompt),
            },
        )
        print(
            f"  {shape.name}: seed {seed}, {len(set(run.greedy))} distinct tokens, lead {run.lead:.1e}, "
            f"rounding {run.rounding:.1e}, largest |logit| {np.abs(run.logits).max():.1f}"
        )
