"""Goldens of layers that predict a further token (MTP): NAME.gguf, NAME.logits.f32 and NAME.json, by transformers' `MtpModel`.

Such a layer takes, for position p, the embedding of the token there and what the last norm gave at p - 1. Checkpoints whose names end in
`-agreeing` say one token after another by a fixed order, with some noise, and their MTP layers mostly say the same.
"""

import dataclasses
from pathlib import Path

import numpy as np
import torch
import transformers
from transformers.modeling_layers import MtpModel

from .archs import CHECKPOINTS
from .archs.common import VOCAB_SIZE, Checkpoint, Tensors, block, build, random_weight, rounded, write_gguf
from .archs.runs import PassedOver, expert_leads, require
from .output import write_json

PROMPT_TOKENS = 100
MAX_SEED = 100
MIN_EXPERT_LEAD = 1e-4
# How much of what layers add is left where a checkpoint is to agree with its MTP layer.
AGREEING = 0.06

BEFORE_THE_LAYER = {"enorm": "nextn.enorm", "hnorm": "nextn.hnorm", "eh_proj": "nextn.eh_proj", "post_norm": "nextn.shared_head_norm"}


def checkpoint(base: str, name: str, agrees: bool, **config) -> Checkpoint:
    """A checkpoint of `archs` with an MTP layer behind its own."""
    found = next(checkpoint for checkpoint in CHECKPOINTS if checkpoint.name == base)
    fields = {**found.config.to_dict(), **config}
    if agrees:
        fields["tie_word_embeddings"] = False
    changed = type(found.config)(**fields)
    changed.num_mtp_layers, changed.mtp_layer_types = 1, ["full_attention"]
    layers = changed.num_hidden_layers
    keys = {**found.keys, "block_count": layers + 1, "nextn_predict_layers": 1}
    if "attention.recurrent_layers" in keys:
        keys["attention.recurrent_layers"] = [*keys["attention.recurrent_layers"][:layers], False]

    def initial(name: str, noise: np.ndarray) -> np.ndarray | None:
        values = found.initial(name, noise)
        if agrees and ("o_proj" in name or "out_proj" in name or "down_proj" in name):
            values = random_weight(found, name, noise) if values is None else values
            return AGREEING * values
        return values

    return dataclasses.replace(found, name=name, config=changed, keys=keys, initial=initial)


# transformers takes the last layer for an example of MTP's: in Qwen3.5 that has to be one that attends.
QWEN35 = {"num_hidden_layers": 4, "layer_types": ["linear_attention"] * 3 + ["full_attention"]}
MTP_CHECKPOINTS = [
    checkpoint("qwen35", "qwen35", False, **QWEN35),
    checkpoint("qwen35moe", "qwen35moe", False),
    checkpoint("glm4moe", "glm4moe", False),
    checkpoint("qwen35", "qwen35-agreeing", True, **QWEN35),
    checkpoint("glm4moe", "glm4moe-agreeing", True),
]


def build_mtp(checkpoint: Checkpoint, model: transformers.PreTrainedModel, seed: int) -> tuple[MtpModel, Tensors]:
    """The layer with weights drawn from `seed`, and its tensors in the file."""
    mtp = MtpModel(model, 1).eval()
    hidden, layers = checkpoint.config.hidden_size, checkpoint.config.num_hidden_layers
    rng = np.random.default_rng([seed, 2])
    agrees = checkpoint.name.endswith("-agreeing")
    tensors: Tensors = {}
    with torch.no_grad():
        weights = dict(mtp.layers.named_parameters()) | dict(mtp.layers.named_buffers())
        for name, weight in weights.items():
            own = name.removeprefix("0.").removeprefix("mtp_block.")
            full = f"model.layers.{layers}.{own}"
            noise = rng.standard_normal(tuple(weight.shape)).astype(np.float32)
            values = checkpoint.initial(full, noise)
            values = random_weight(checkpoint, full, noise) if values is None else values
            part = BEFORE_THE_LAYER.get(own.removesuffix(".weight"))
            if part == "nextn.eh_proj" and agrees:
                values = np.concatenate([np.eye(hidden), np.zeros((hidden, hidden))], axis=1) + AGREEING / 2 * values
            values = values.astype(np.float32)
            if part is None:
                values = rounded(checkpoint, full, values)
                tensors |= checkpoint.file_tensors(full, values)
            else:
                values = values if values.ndim < 2 else values.astype(np.float16).astype(np.float32)
                shift = np.float32(1 if checkpoint.shifted_norms(full) else 0)
                tensors[f"{block(full)}{part}.weight"] = values + shift
            weight.copy_(torch.from_numpy(values))
    return mtp, tensors


def order_heads(model: transformers.PreTrainedModel, seed: int) -> None:
    """Makes the head say of each token one other, all in one cycle."""
    order = np.random.default_rng([seed, 3]).permutation(VOCAB_SIZE)
    with torch.no_grad():
        embeddings = model.get_input_embeddings().weight
        model.lm_head.weight[torch.from_numpy(np.roll(order, -1))] = embeddings[torch.from_numpy(order)]


@torch.no_grad()
def run(model: transformers.PreTrainedModel, mtp: MtpModel, prompt: list[int]) -> tuple[np.ndarray, float]:
    """MTP's logits at the positions from 1 on, [PROMPT_TOKENS - 1, VOCAB_SIZE], and how often the model's next token is its own."""
    with expert_leads() as leads:
        tokens = torch.tensor([prompt])
        main = model(tokens, output_hidden_states=True)
        positions = torch.arange(1, len(prompt))[None]
        cache = transformers.cache_utils.MtpCache(config=model.config.get_mtp_config())
        hidden = mtp.forward_layer(0, main.hidden_states[-1][:, :-1], positions, cache, input_ids=tokens[:, 1:])
        logits = model.lm_head(hidden)[0]
    require(min(leads, default=1.0) >= MIN_EXPERT_LEAD, "two experts are only {:.1e} apart", min(leads, default=1.0))
    agreed = (logits.argmax(dim=-1) == main.logits[0, 1:].argmax(dim=-1)).float().mean()
    return logits.numpy(), float(agreed)


def generate(folder: Path, only: set[str] | None = None) -> None:
    for checkpoint in MTP_CHECKPOINTS:
        if only and checkpoint.name not in only:
            continue
        for seed in range(MAX_SEED):
            model = build(checkpoint, seed)
            if checkpoint.name.endswith("-agreeing"):
                order_heads(model, seed)
            mtp, tensors = build_mtp(checkpoint, model, seed)
            prompt = np.random.default_rng([seed, 1]).integers(0, VOCAB_SIZE, PROMPT_TOKENS).tolist()
            try:
                logits, agreed = run(model, mtp, prompt)
            except PassedOver as reason:
                print(f"  {checkpoint.name}: seed {seed} passed over, {reason}", flush=True)
                continue
            break
        else:
            raise SystemExit(f"no seed below {MAX_SEED} makes a golden of {checkpoint.name}")
        write_gguf(folder / f"{checkpoint.name}.gguf", checkpoint, model, tensors)
        (folder / f"{checkpoint.name}.logits.f32").write_bytes(logits.astype("<f4").tobytes())
        write_json(
            folder / f"{checkpoint.name}.json",
            {"seed": seed, "agreed": float(f"{agreed:.3g}"), "prompt": prompt},
        )
        print(f"  {checkpoint.name}: seed {seed}, {agreed:.0%} of the tokens are the model's", flush=True)
