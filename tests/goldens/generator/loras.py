"""LoRA adapters as PEFT writes them, of models that are made here and not kept, and what each adds to every weight.

    python generate.py loras

`loras/NAME/` is the folder that PEFT saves. `loras/NAME.json` has the keys of the model's GGUF file that names and shapes depend on, its weights
with their dimensions (columns first), and what the adapter adds to a few rows of each, in the order of the GGUF file's rows.
"""

import json
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

from .output import compact

SIZES = {
    "vocab_size": 40, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
    "max_position_embeddings": 64,
}  # fmt: skip
ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]
GATED = ["gate_proj", "up_proj", "down_proj"]
LORAS = {
    "llama": (LlamaForCausalLM, LlamaConfig, {"r": 4, "lora_alpha": 8, "target_modules": ATTENTION + GATED}),
    "stabilised": (Qwen2ForCausalLM, Qwen2Config, {"r": 8, "lora_alpha": 16, "use_rslora": True, "target_modules": ATTENTION}),
    "patterns": (
        LlamaForCausalLM, LlamaConfig,
        {
            "r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "up_proj", "lm_head"], "rank_pattern": {"q_proj": 2},
            "alpha_pattern": {"model.layers.1.mlp.up_proj": 3},
        },
    ),
}  # fmt: skip
NAMES = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}  # fmt: skip


def gguf_name(module: str) -> str:
    """The name of a module's weight in a GGUF file."""
    if module == "lm_head":
        return "output.weight"
    _, _, layer, rest = module.split(".", 3)
    return f"blk.{layer}.{NAMES[rest]}.weight"


def interleaved(delta: torch.Tensor, heads: int) -> torch.Tensor:
    """Rows in the order that llama.cpp's converter gives those of Llama's queries and keys."""
    rows, columns = delta.shape
    return delta.reshape(heads, 2, rows // heads // 2, columns).transpose(1, 2).reshape(rows, columns)


def make(folder: Path, name: str, seed: int) -> None:
    kind, config, options = LORAS[name]
    torch.manual_seed(seed)
    settings = config(**SIZES, tie_word_embeddings=False)
    model = get_peft_model(kind(settings), LoraConfig(init_lora_weights=False, **options))
    model.save_pretrained(folder / name)
    (folder / name / "README.md").unlink(missing_ok=True)
    architecture = "qwen2" if kind is Qwen2ForCausalLM else "llama"
    weights = {}
    for module, layer in model.base_model.model.named_modules():
        if not hasattr(layer, "get_delta_weight"):
            continue
        delta = layer.get_delta_weight("default").detach()
        if architecture == "llama" and module.endswith(("q_proj", "k_proj")):
            delta = interleaved(delta, SIZES["num_attention_heads" if module.endswith("q_proj") else "num_key_value_heads"])
        rows = sorted({0, 1, 5, delta.shape[0] - 1})
        weights[gguf_name(module)] = {"dims": list(reversed(delta.shape)), "rows": {row: [round(x, 7) for x in delta[row].tolist()] for row in rows}}
    keys = {
        "block_count": SIZES["num_hidden_layers"], "embedding_length": SIZES["hidden_size"], "attention.head_count": SIZES["num_attention_heads"],
        "attention.head_count_kv": SIZES["num_key_value_heads"],
    }  # fmt: skip
    described = {"architecture": architecture, "keys": keys, "weights": weights}
    (folder / f"{name}.json").write_text(compact(described) + "\n", encoding="utf-8")


def generate(folder: Path) -> None:
    for seed, name in enumerate(LORAS):
        make(folder, name, seed)
        print(f"  {name}")
