"""A published model at its full size, cut to a few layers: a GGUF file with random quantised weights, and the logits of transformers in float32
on the dequantised ones.

    python shapes.py NAME FOLDER

`cargo xtask shapes` calls this. FOLDER gets, for `core/tests/shapes`,

    NAME.gguf          a few layers and the full vocabulary
    NAME.logits.f32    [tokens, vocabulary], little-endian
    NAME-full.gguf     all layers, and NAME-0.gguf … other numbers of them, with zeros for weights (sparse files)
    NAME.json          the prompt, and how often the difference of each of the others from NAME.gguf comes in what NAME-full.gguf has more than it
"""

import sys
import time
from pathlib import Path

import numpy as np
import torch

from generator.output import write_json
from generator.shapes.files import write_random, write_zeros
from generator.shapes.models import SHAPES

PROMPT_TOKENS = 13
SEED = 14


@torch.no_grad()
def main(name: str, folder: Path) -> None:
    shape = SHAPES[name]
    folder.mkdir(parents=True, exist_ok=True)
    write_zeros(folder / f"{name}-full.gguf", shape, shape.full)
    for index, (layers, _) in enumerate(shape.steps):
        write_zeros(folder / f"{name}-{index}.gguf", shape, layers)
    begin = time.monotonic()
    model = write_random(folder / f"{name}.gguf", shape, SEED)
    written = time.monotonic()
    prompt = np.random.default_rng(SEED).integers(0, model.config.vocab_size, PROMPT_TOKENS).tolist()
    logits = model(torch.tensor([prompt])).logits[0].numpy()
    assert np.isfinite(logits).all()
    logits.astype("<f4").tofile(folder / f"{name}.logits.f32")
    write_json(folder / f"{name}.json", {"prompt": prompt, "steps": [count for _, count in shape.steps]})
    weights = sum(weight.numel() for weight in model.parameters())
    print(
        f"  {name}: {weights / 1e9:.2f} billion weights made in {written - begin:.0f} s, "
        f"{PROMPT_TOKENS} tokens by transformers in {time.monotonic() - written:.0f} s"
    )


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
