"""Importance matrices of tiny checkpoints: what meets each matrix on the prompt of its golden, by transformers in float32.

For each checkpoint this writes NAME.json: for each matrix of NAME.gguf in models/ the sums of the squares of what met its columns, of each
expert one after the other, and how many rows met each expert.
"""

import json
from pathlib import Path

import torch
import transformers

from .archs import CHECKPOINTS
from .archs.common import Checkpoint, build, parameters
from .output import write_json

# Q, K and V in one matrix, and gates and ups; experts, and what chooses among them.
NAMES = ("phi3", "qwen3moe")


@torch.no_grad()
def column_sums(checkpoint: Checkpoint, model: transformers.PreTrainedModel, prompt: list[int]) -> dict[str, dict]:
    """By the names of the file. Whatever meets a matrix goes through `linear`, which is watched meanwhile."""
    owners: dict[int, tuple[list[str], int]] = {}
    found: dict[str, dict[str, list[torch.Tensor]]] = {}
    for name, weight in parameters(model).items():
        if weight.dim() < 2:
            continue
        experts = weight if weight.dim() == 3 else weight.unsqueeze(0)
        names = list(checkpoint.file_tensors(name, weight.numpy()))
        for index, expert in enumerate(experts):
            owners[expert.data_ptr()] = (names, index)
        for key in names:
            sums = [torch.zeros(weight.shape[-1], dtype=torch.float64) for _ in experts]
            found[key] = {"sums": sums, "counts": [0] * len(experts)}

    linear = torch.nn.functional.linear

    def watched(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        names, expert = owners[weight.data_ptr()]
        rows = x.reshape(-1, x.shape[-1])
        for key in names:
            found[key]["sums"][expert] += rows.double().square().sum(dim=0)
            found[key]["counts"][expert] += len(rows)
        return linear(x, weight, bias)

    torch.nn.functional.linear = watched
    try:
        model(torch.tensor([prompt]))
    finally:
        torch.nn.functional.linear = linear
    return {name: matrix for name, matrix in found.items() if any(matrix["counts"])}


def generate(folder: Path) -> None:
    for checkpoint in CHECKPOINTS:
        if checkpoint.name not in NAMES:
            continue
        golden = json.loads((folder.parent / "models" / f"{checkpoint.name}.json").read_text(encoding="utf-8"))
        sums = column_sums(checkpoint, build(checkpoint, golden["seed"]), golden["prompt"])
        matrices = {
            name: {
                "sums": [float(f"{value:.7g}") for expert in matrix["sums"] for value in expert.tolist()],
                "counts": matrix["counts"],
            }
            for name, matrix in sorted(sums.items())
        }
        write_json(folder / f"{checkpoint.name}.json", matrices)
        print(f"  {checkpoint.name}: {len(matrices)} matrices")
