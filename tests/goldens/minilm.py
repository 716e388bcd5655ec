"""Embeddings of all-MiniLM-L6-v2 by transformers in float32, each text alone: the mean of its vectors, one long.

    python minilm.py MODEL_FOLDER TEXTS OUT.json

`cargo xtask minilm` fetches the model and calls this; nothing of it is committed. TEXTS has a text a line.
"""

import json
import sys
from pathlib import Path

import torch
import transformers


@torch.no_grad()
def main(folder: Path, texts: Path, out: Path) -> None:
    model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    vectors = []
    for text in texts.read_text(encoding="utf-8").splitlines():
        states = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
        vectors.append(torch.nn.functional.normalize(states.mean(dim=0), dim=0).tolist())
    out.write_text(json.dumps(vectors))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
