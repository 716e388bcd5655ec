"""Logits of SmolLM2-135M over 4,000 tokens of text, by transformers in float32 on the dequantised weights.

    python smollm2.py MODEL.gguf FOLDER

`cargo xtask smollm2` fetches the model and calls this; nothing of it is committed. FOLDER gets

    reference.json        the prompt's token ids, and the positions whose logits are there
    reference.logits.f32  little-endian f32 [positions, vocabulary]
"""

import json
import sys
from pathlib import Path

import torch
import transformers

TOKENS = 4000


def positions() -> list[int]:
    """The ends of pages and chunks, a scattering between them, and the last few tokens."""
    edges = [at + by for at in (32, 64, 256, 1024, 2048) for by in (-1, 0)]
    return sorted({0, 1, *edges, *range(97, TOKENS, 181), *range(TOKENS - 8, TOKENS)})


@torch.no_grad()
def main(model_path: Path, folder: Path) -> None:
    loaded = {"gguf_file": model_path.name}
    model = transformers.AutoModelForCausalLM.from_pretrained(model_path.parent, dtype=torch.float32, **loaded).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(model_path.parent, **loaded)
    text = (Path(__file__).parent / "generator/corpus.txt").read_text(encoding="utf-8")
    # Over and over, since it is short: attention reaches back to the last time.
    tokens = tokenizer(text).input_ids
    tokens = (tokens * (TOKENS // len(tokens) + 1))[:TOKENS]
    hidden = model.model(torch.tensor([tokens])).last_hidden_state[0]
    logits = model.lm_head(hidden[positions()])
    (folder / "reference.logits.f32").write_bytes(logits.numpy().astype("<f4").tobytes())
    reference = {"tokens": tokens, "positions": positions(), "vocabulary": logits.shape[1]}
    (folder / "reference.json").write_text(json.dumps(reference))
    print(f"  {len(tokens)} tokens, logits at {len(logits)} positions, largest |logit| {float(logits.abs().max()):.1f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
