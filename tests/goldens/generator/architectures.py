"""Goldens of the architectures in `archs`: NAME.gguf, NAME.logits.f32 and NAME.json, as models.py describes them."""

from pathlib import Path

import numpy as np
import transformers

from .archs import CHECKPOINTS
from .archs.common import VOCAB_SIZE, Checkpoint, build, write_gguf, write_hf
from .archs.runs import PassedOver, Run, random_prompt, reference, taps
from .output import write_json

MAX_SEED = 400


def find_seed(checkpoint: Checkpoint) -> tuple[int, transformers.PreTrainedModel, Run]:
    """The first seed whose run makes a golden."""
    for seed in range(MAX_SEED):
        model = build(checkpoint, seed)
        try:
            return seed, model, reference(checkpoint, model, random_prompt(checkpoint, seed))
        except PassedOver as reason:
            print(f"  {checkpoint.name}: seed {seed} passed over, {reason}", flush=True)
    raise SystemExit(f"no seed below {MAX_SEED} makes a golden of {checkpoint.name}: adjust its scales")


def generate(folder: Path, only: set[str] | None = None, hf: Path | None = None) -> None:
    """Writes the checkpoints named in `only`, or all; `hf` is a folder for them in Hugging Face's form."""
    for checkpoint in CHECKPOINTS:
        if only and checkpoint.name not in only:
            continue
        seed, model, run = find_seed(checkpoint)
        write_gguf(folder / f"{checkpoint.name}.gguf", checkpoint, model)
        (folder / f"{checkpoint.name}.logits.f32").write_bytes(run.logits.astype("<f4").tobytes())
        write_json(
            folder / f"{checkpoint.name}.json",
            {
                "model": f"{checkpoint.name}.gguf",
                "logits": f"{checkpoint.name}.logits.f32",
                "vocab_size": VOCAB_SIZE,
                "seed": seed,
                "smallest_greedy_lead": float(f"{run.lead:.3g}"),
                "float32_rounding": float(f"{run.rounding:.3g}"),
                "prompt": run.prompt,
                "greedy": run.greedy,
                "taps": taps(checkpoint, model, run.prompt),
            },
        )
        print(
            f"  {checkpoint.name}: seed {seed}, {len(set(run.greedy))} distinct tokens, lead {run.lead:.1e}, "
            f"rounding {run.rounding:.1e}, f16 cache {run.f16_cache:.1e}, largest |logit| {np.abs(run.logits).max():.1f}"
            + (f", expert lead {run.expert_lead:.1e}" if run.expert_lead is not None else ""),
            flush=True,
        )
        if hf is not None:
            write_hf(hf / checkpoint.name, checkpoint, model)
