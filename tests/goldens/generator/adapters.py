"""LoRA adapters of some checkpoints of `models/`, and what the models answer with each, by transformers and PEFT in float32.

    python generate.py adapters

For each checkpoint of ADAPTERS this writes

    NAME/a/, NAME/b/, NAME/c/    adapters as PEFT saves them
    NAME/a.gguf, …               the same as llama.cpp's convert_lora_to_gguf writes them
    NAME.logits.f32              little-endian f32 [RUNS, LAST, vocab_size]: the logits after the prompt's last tokens
    NAME.json                    the prompt, and for each run its adapters with their scales, and its greedy tokens

A seed is taken only if its goldens can be compared without luck, as in models.py.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file

from . import archs, checkpoint, vocab
from .archs.runs import (
    MAX_F16_CACHE, MAX_ROUNDING, MIN_EXPERT_LEAD, MIN_LEAD, PassedOver, deviation, double_precision, expert_leads, half_precision_cache, require,
)  # fmt: skip
from .output import write_json

PROMPT_TOKENS = 40
GREEDY_TOKENS = 16
# Positions whose logits are kept.
LAST = 8
MIN_DISTINCT = 6
# How far an adapter moves the logits, at least, as a share of the largest.
MIN_CHANGE = 0.1
MAX_SEED = 4000

ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]
GATED = ["gate_proj", "up_proj", "down_proj"]
A = {"r": 4, "lora_alpha": 8, "target_modules": ATTENTION}
B = {"r": 5, "lora_alpha": 3, "target_modules": ATTENTION + GATED}
C = {"r": 16, "lora_alpha": 8, "use_rslora": True, "target_modules": ["q_proj", "v_proj"]}
ADAPTERS = {
    "llama": {"a": A, "b": B, "c": {**C, "target_modules": ["q_proj", "v_proj", "lm_head"]}},
    "gemma3": {"a": A, "b": B, "c": C},
    # In transformers its experts are no modules.
    "qwen3moe": {"a": A, "b": {**B, "target_modules": ["v_proj", "o_proj"]}, "c": C},
}
# What the numbers of each are rounded to before the reference runs, and stored as.
TYPES = {
    "a": (torch.float32, gguf.GGMLQuantizationType.F32),
    "b": (torch.float16, gguf.GGMLQuantizationType.F16),
    "c": (torch.bfloat16, gguf.GGMLQuantizationType.BF16),
}
RUNS = [{}, {"a": 1.0}, {"b": 1.0}, {"c": 1.0}, {"b": 0.5}, {"a": 1.0, "c": -0.75}]
# Fewer, since all choices of experts must be clear in each.
RUNS_OF_EXPERTS = [{}, {"a": 1.0}, {"b": 0.5, "c": 1.0}]


@dataclass
class Base:
    """A checkpoint of `models/`, as its seed makes it."""

    arch: str
    model: transformers.PreTrainedModel
    tokenizer: object
    family: vocab.Family
    vocab_size: int
    # The GGUF file's name of a weight, and its rows in the file's order.
    tensor: Callable[[str, np.ndarray], tuple[str, np.ndarray]]


def base_of(name: str, seed: int) -> Base:
    shape = next((shape for shape in checkpoint.SHAPES if shape.name == name), None)
    if shape is None:
        found = next(found for found in archs.CHECKPOINTS if found.name == name)
        tokenizer = vocab.train(found.family, archs.common.VOCAB_SIZE)
        model = archs.common.build(found, seed)
        tensor = lambda key, rows: next(iter(found.file_tensors(key, rows).items()))  # noqa: E731
        return Base(found.arch, model, tokenizer, found.family, archs.common.VOCAB_SIZE, tensor)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH[shape.arch.upper()], shape.layers)

    def tensor(key: str, rows: np.ndarray) -> tuple[str, np.ndarray]:
        if shape.arch == "llama" and ("q_proj." in key or "k_proj." in key):
            rows = checkpoint.interleaved(rows, shape.heads if "q_proj" in key else shape.kv_heads)
        return names.get_name(key, (".weight",)), rows

    tokenizer = vocab.train(shape.family, checkpoint.VOCAB_SIZE)
    return Base(shape.arch, checkpoint.build(shape, seed), tokenizer, shape.family, checkpoint.VOCAB_SIZE, tensor)


def with_adapters(name: str, model: transformers.PreTrainedModel) -> PeftModel:
    peft = None
    for adapter, options in ADAPTERS[name].items():
        config = LoraConfig(task_type="CAUSAL_LM", lora_dropout=0.0, **options)
        if peft is None:
            peft = get_peft_model(model, config, adapter_name=adapter)
        else:
            peft.add_adapter(adapter, config)
    return peft.eval()


def layers(peft: PeftModel) -> dict[str, torch.nn.Module]:
    """The modules that have adapters, by the names that the model without them has."""
    named = peft.base_model.model.named_modules()
    return {name: module for name, module in named if hasattr(module, "lora_A") and hasattr(module, "scaling")}


@torch.no_grad()
def draw(peft: PeftModel, rng: np.random.Generator) -> None:
    """Random matrices whose product is about half as large as a weight."""
    for _, layer in sorted(layers(peft).items()):
        for adapter in sorted(layer.lora_A):
            rank = layer.r[adapter]
            a, b = layer.lora_A[adapter].weight, layer.lora_B[adapter].weight
            for matrix, size in (a, 1 / math.sqrt(a.shape[1])), (b, 0.5 / math.sqrt(rank) / layer.scaling[adapter]):
                values = torch.from_numpy((rng.standard_normal(tuple(matrix.shape)) * size).astype(np.float32))
                matrix.copy_(values.to(TYPES[adapter][0]).float())


def switch(peft: PeftModel, scales: dict[str, float]) -> None:
    if not scales:
        peft.base_model.disable_adapter_layers()
        return
    peft.base_model.enable_adapter_layers()
    peft.base_model.set_adapter(list(scales))
    for layer in layers(peft).values():
        for adapter, scale in scales.items():
            if adapter in layer.lora_A:
                layer.set_scale(adapter, scale)


def random_text(base: Base, rng: np.random.Generator) -> tuple[str, list[int]]:
    """Words of the corpus, and their tokens, PROMPT_TOKENS of them with what goes in front."""
    words = sorted({word for word in vocab.CORPUS.read_text(encoding="utf-8").split() if word.isalpha()})
    first = [base.tokenizer.token_to_id(base.family.bos)] if base.family.bos else []
    while True:
        text, tokens = "", []
        while len(tokens) < PROMPT_TOKENS:
            text = f"{text} {words[rng.integers(len(words))]}".strip()
            tokens = first + base.tokenizer.encode(text).ids
        if len(tokens) == PROMPT_TOKENS:
            return text, tokens


@torch.no_grad()
def run(base: Base, peft: PeftModel, prompt: list[int], scales: dict[str, float]) -> dict:
    """Logits f32 [PROMPT_TOKENS, vocab_size], greedy tokens, and the figures that a seed is judged by."""
    switch(peft, scales)
    ordinary = base.vocab_size - len(base.family.special) - len(base.family.user_defined)
    with expert_leads() as leads:
        output = peft(torch.tensor([prompt]), use_cache=True)
        last, cache = output.logits[0, -1], output.past_key_values
        tokens = list(prompt)
        for _ in range(GREEDY_TOKENS):
            tokens.append(int(last.argmax()))
            require(tokens[-1] < ordinary, "a special token is among the greedy ones")
            best, second = last.sort(descending=True).values[:2].tolist()
            require(best - second >= MIN_LEAD * float(last.abs().max()), "two tokens are nearly as good")
            step = peft(torch.tensor([tokens[-1:]]), past_key_values=cache, use_cache=True)
            last, cache = step.logits[0, -1], step.past_key_values
    greedy = tokens[PROMPT_TOKENS:]
    require(len(set(greedy)) >= MIN_DISTINCT, "only {} distinct greedy tokens", len(set(greedy)))
    single = peft(torch.tensor([tokens]), use_cache=False).logits[0].numpy()
    with half_precision_cache():
        halved = peft(torch.tensor([tokens]), use_cache=True).logits[0].numpy()
    with double_precision(peft):
        double = peft(torch.tensor([tokens]), use_cache=False).logits[0].numpy()
    logits = output.logits[0].numpy()
    rounding = max(deviation(single, double), deviation(logits, double[:PROMPT_TOKENS]))
    best_two = np.sort(double, axis=1)[PROMPT_TOKENS - 1 : -1, -2:]
    lead = float(((best_two[:, 1] - best_two[:, 0]) / np.abs(double).max(axis=1)[PROMPT_TOKENS - 1 : -1]).min())
    require(min(leads, default=1.0) >= MIN_EXPERT_LEAD, "two experts are only {:.1e} apart", min(leads, default=1.0))
    require(lead >= MIN_LEAD, "two tokens are only {:.1e} apart", lead)
    require(rounding < MAX_ROUNDING, "float32 is {:.1e} away from float64", rounding)
    require(deviation(halved, single) < MAX_F16_CACHE, "an f16 cache moves the logits by {:.1e}", deviation(halved, single))
    return {"scales": scales, "logits": logits, "greedy": greedy, "lead": lead, "rounding": rounding}


def all_runs(base: Base, peft: PeftModel, prompt: list[int]) -> list[dict]:
    found: list[dict] = []
    for scales in RUNS_OF_EXPERTS if "moe" in base.arch else RUNS:
        new = run(base, peft, prompt, scales)
        for other in found:
            change = deviation(new["logits"][-1:], other["logits"][-1:])
            require(change >= MIN_CHANGE and new["greedy"] != other["greedy"], "two runs are only {:.1e} apart", change)
        found.append(new)
    return found


def write_adapter(base: Base, peft: PeftModel, folder: Path, adapter: str) -> None:
    """Both forms of an adapter."""
    peft.save_pretrained(folder, selected_adapters=[adapter], save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)
    stored, ty = TYPES[adapter]
    weights = folder / adapter / "adapter_model.safetensors"
    tensors = {name: data.to(stored).contiguous() for name, data in load_file(weights).items()}
    save_file(tensors, weights, metadata={"format": "pt"})

    config = peft.peft_config[adapter]
    writer = gguf.GGUFWriter(folder / f"{adapter}.gguf", base.arch)
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    # llama.cpp divides by the rank. Its converter forgets `use_rslora`; this alpha makes up for the root.
    alpha = config.lora_alpha * (math.sqrt(config.r) if config.use_rslora else 1)
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, alpha)
    for name, layer in layers(peft).items():
        if adapter not in layer.lora_A:
            continue
        key, b = base.tensor(f"{name}.weight", layer.lora_B[adapter].weight.detach().numpy())
        for end, data in ("a", layer.lora_A[adapter].weight.detach().numpy()), ("b", b):
            packed = gguf.quants.quantize(np.ascontiguousarray(data), ty)
            writer.add_tensor(f"{key}.lora_{end}", packed, raw_dtype=ty)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@torch.no_grad()
def check_merged(base: Base, peft: PeftModel, prompt: list[int], found: list[dict]) -> None:
    """What PEFT merges into the weights answers the same."""
    for one in found:
        if one["scales"]:
            switch(peft, one["scales"])
            peft.base_model.merge_adapter(list(one["scales"]))
            merged = peft(torch.tensor([prompt])).logits[0].numpy()
            peft.base_model.unmerge_adapter()
            assert deviation(merged, one["logits"]) < MAX_ROUNDING, one["scales"]


def make(folder: Path, name: str) -> None:
    model_seed = int(next(line for line in (folder.parent / f"models/{name}.json").open() if '"seed"' in line).split(":")[1].strip(" ,\n"))
    base = base_of(name, model_seed)
    peft = with_adapters(name, base.model)
    reasons: dict[str, int] = {}
    for seed in range(MAX_SEED):
        rng = np.random.default_rng([seed, 2])
        text, prompt = random_text(base, rng)
        switch(peft, {adapter: 1.0 for adapter in TYPES})
        draw(peft, rng)
        try:
            found = all_runs(base, peft, prompt)
            break
        except PassedOver as reason:
            key = str(reason).split(" 0")[0]
            reasons[key] = reasons.get(key, 0) + 1
    else:
        raise SystemExit(f"no seed below {MAX_SEED} makes goldens of {name}: {reasons}")
    for adapter in TYPES:
        switch(peft, {adapter: 1.0})
        write_adapter(base, peft, folder / name, adapter)
    check_merged(base, peft, prompt, found)
    (folder / f"{name}.logits.f32").write_bytes(np.stack([one["logits"][-LAST:] for one in found]).astype("<f4").tobytes())
    runs = [
        {
            "adapters": one["scales"],
            "greedy": one["greedy"],
            "smallest_greedy_lead": float(f"{one['lead']:.3g}"),
            "float32_rounding": float(f"{one['rounding']:.3g}"),
        }
        for one in found
    ]
    members = {"model": f"../models/{name}.gguf", "logits": f"{name}.logits.f32", "vocab_size": base.vocab_size, "positions": LAST, "seed": seed}
    write_json(folder / f"{name}.json", {**members, "text": text, "prompt": prompt, "runs": runs})
    print(f"  {name}: seed {seed}, leads {min(one['lead'] for one in found):.1e}", flush=True)


def generate(folder: Path, only: set[str] | None = None) -> None:
    torch.set_num_threads(1)
    for name in ADAPTERS:
        if not only or name in only:
            make(folder, name)
