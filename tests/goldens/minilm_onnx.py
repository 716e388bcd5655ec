"""all-MiniLM-L6-v2 as the ONNX file, in float32, that transformers.js and onnxruntime read.

    python minilm_onnx.py MODEL_FOLDER OUT_FOLDER

`cargo xtask minilm --speed` calls this, with the packages `onnx` and `onnxscript` on the path. OUT_FOLDER gets onnx/model.onnx, and what describes
the model and its tokenizer.
"""

import shutil
import sys
from pathlib import Path

import torch
import transformers

INPUTS = ["input_ids", "attention_mask", "token_type_ids"]


class States(torch.nn.Module):
    def __init__(self, model: transformers.PreTrainedModel):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask, token_type_ids):
        inputs = {"input_ids": input_ids, "attention_mask": attention_mask, "token_type_ids": token_type_ids}
        return self.model(**inputs).last_hidden_state


@torch.no_grad()
def main(folder: Path, out: Path) -> None:
    model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    (out / "onnx").mkdir(parents=True, exist_ok=True)
    example = torch.ones(2, 8, dtype=torch.long)
    sizes = {0: torch.export.Dim("texts"), 1: torch.export.Dim("tokens", max=512)}
    torch.onnx.export(
        States(model),
        (example, example, torch.zeros_like(example)),
        out / "onnx/model.onnx",
        input_names=INPUTS,
        output_names=["last_hidden_state"],
        dynamic_shapes=[sizes] * 3,
        dynamo=True,
        external_data=False,
    )
    for name in ["config.json", "tokenizer.json", "tokenizer_config.json"]:
        shutil.copy(folder / name, out / name)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
