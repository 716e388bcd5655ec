"""`python ort.py MODEL_FOLDER TEXTS`: sentences a second of onnxruntime in batches of texts that are nearly as long, as JSON.

MODEL_FOLDER has onnx/model.onnx and tokenizer.json, TEXTS a text a line.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime
import tokenizers

BATCH = 32


def main(folder: Path, texts: list[str]) -> None:
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(512)
    session = onnxruntime.InferenceSession(folder / "onnx/model.onnx", providers=["CPUExecutionProvider"])

    def embed(texts: list[str]) -> list[np.ndarray]:
        tokens = tokenizer.encode_batch(texts)
        order = sorted(range(len(tokens)), key=lambda i: len(tokens[i].ids))
        vectors: list = [None] * len(texts)
        for first in range(0, len(order), BATCH):
            batch = order[first : first + BATCH]
            longest = len(tokens[batch[-1]].ids)
            ids, mask = np.zeros((2, len(batch), longest), np.int64)
            for row, i in enumerate(batch):
                ids[row, : len(tokens[i].ids)] = tokens[i].ids
                mask[row, : len(tokens[i].ids)] = 1
            inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
            (states,) = session.run(None, inputs)
            means = (states * mask[..., None]).sum(1) / mask.sum(1)[:, None]
            for i, mean in zip(batch, means):
                vectors[i] = mean / np.linalg.norm(mean)
        return vectors

    embed(texts[:BATCH])
    start = time.perf_counter()
    vectors = embed(texts)
    seconds = time.perf_counter() - start
    first = [float(value) for value in vectors[0]]
    version = f"onnxruntime {onnxruntime.__version__}"
    print(json.dumps({"version": version, "sentences_a_second": len(texts) / seconds, "first": first}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]).read_text(encoding="utf-8").splitlines())
