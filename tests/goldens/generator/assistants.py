"""Goldens of drafters that read another model's keys and values, Gemma 4's: NAME-assistant.gguf, NAME-assistant.logits.f32 and
NAME-assistant.json, by transformers' `Gemma4AssistantForCausalLM`; and of the models that they draft for, NAME.gguf, but for `gemma4`'s, which is
among `models`.

At some positions of a prompt the drafter goes three steps, each from the token that the one before found likeliest. As in transformers all of them
stand at the newest token's position. The pair whose names begin with `gemma4-agreeing` says one token after another by a fixed order, with some
noise.
"""

import contextlib
import dataclasses
import json
from pathlib import Path
from unittest import mock

import numpy as np
import torch
import transformers

from .archs import CHECKPOINTS
from .archs.common import CONTEXT_LENGTH, VOCAB_SIZE, Checkpoint, Tensors, build, parameters, random_weight, rounded, write_gguf
from .archs.gemma4 import FULL, FULL_HEAD_DIM, HEAD_DIM, WINDOW, WINDOWED, frequencies, keys_of
from .mtp import AGREEING, order_heads
from .output import write_json

PROMPT_TOKENS = 100
STEPS = 3
# Of the newest token: where there is one token before it, and around the window's length.
POSITIONS = [1, 2, 3, 17, 40, 41, 42, 43, 44, 45, 64, 83, 99]
LAYERS = [WINDOWED, WINDOWED, FULL]


def agreeing(checkpoint: Checkpoint) -> Checkpoint:
    """One that says one token after another by a fixed order, once its head is ordered."""

    def initial(name: str, noise: np.ndarray) -> np.ndarray | None:
        # What branches add is normed.
        if "post_attention_layernorm" in name or "post_feedforward_layernorm" in name:
            return AGREEING * (1 + 0.2 * noise) / 4
        return checkpoint.initial(name, noise)

    return dataclasses.replace(checkpoint, initial=initial)


def dense(name: str) -> Checkpoint:
    """Gemma 4 without inputs a layer."""
    found = next(checkpoint for checkpoint in CHECKPOINTS if checkpoint.name == "gemma4")
    config = transformers.Gemma4TextConfig(
        **{
            **found.config.to_dict(),
            "hidden_size_per_layer_input": 0,
            "use_double_wide_mlp": False,
            "tie_word_embeddings": False,
        }
    )
    keys = {**found.keys, "embedding_length_per_layer_input": 0, "feed_forward_length": [32] * 5}
    return dataclasses.replace(found, name=name, config=config, keys=keys)


def assistant_of(target: Checkpoint) -> Checkpoint:
    """A drafter's own layers: what it has beside them is not in its table of names."""
    width = target.config.hidden_size
    text = transformers.Gemma4TextConfig(
        vocab_size=VOCAB_SIZE,
        vocab_size_per_layer_input=0,
        hidden_size=width if target.name.endswith("agreeing") else width // 2,
        hidden_size_per_layer_input=0,
        intermediate_size=32,
        num_hidden_layers=len(LAYERS),
        num_attention_heads=4,
        num_key_value_heads=1,
        num_kv_shared_layers=len(LAYERS),
        head_dim=HEAD_DIM,
        global_head_dim=FULL_HEAD_DIM,
        layer_types=LAYERS,
        sliding_window=WINDOW,
        max_position_embeddings=CONTEXT_LENGTH,
        rope_parameters=target.config.rope_parameters,
    )
    text._attn_implementation = "eager"
    keys = {
        **keys_of(LAYERS),
        "embedding_length_per_layer_input": 0,
        "embedding_length_out": width,
        "nextn_predict_layers": len(LAYERS),
    }
    extra = {"rope_freqs.weight": frequencies(FULL_HEAD_DIM)}
    name = f"{target.name}-assistant"
    return dataclasses.replace(target, name=name, config=text, keys=keys, extra=extra)


def all_read() -> contextlib.AbstractContextManager:
    """Lets a configuration say that no layer has keys, which transformers 5.23 refuses though its drafters are so."""
    return mock.patch.object(
        transformers.Gemma4TextConfig, "kv_sharing_modes", property(lambda config: ["reuse"] * config.num_hidden_layers)
    )


def build_assistant(checkpoint: Checkpoint, width: int, seed: int) -> tuple[transformers.PreTrainedModel, Tensors]:
    """The drafter with weights drawn from `seed`, and its tensors in the file."""
    config = transformers.Gemma4AssistantConfig(text_config=checkpoint.config, backbone_hidden_size=width)
    config._attn_implementation = "eager"
    with all_read():
        model = transformers.Gemma4AssistantForCausalLM(config).float().eval()
    rng = np.random.default_rng([seed, 4])
    tensors: Tensors = {}
    agrees = "agreeing" in checkpoint.name
    with torch.no_grad():
        for name, weight in parameters(model).items():
            noise = rng.standard_normal(tuple(weight.shape)).astype(np.float32)
            if "_projection" in name:
                values = noise / np.float32(np.sqrt(noise.shape[-1]))
                if agrees and name.startswith("pre_"):
                    values = np.concatenate([np.eye(width), np.zeros((width, width))], axis=1) + AGREEING / 2 * values
                values = values.astype(np.float16).astype(np.float32)
                tensors[f"nextn.{name}"] = values
            else:
                values = checkpoint.initial(name, noise)
                values = random_weight(checkpoint, name, noise) if values is None else values
                values = rounded(checkpoint, name, values.astype(np.float32))
            weight.copy_(torch.from_numpy(values))
    return model, tensors


@torch.no_grad()
def run(target: transformers.PreTrainedModel, assistant: transformers.PreTrainedModel, prompt: list[int]) -> tuple[np.ndarray, list, float]:
    """Logits [positions, STEPS, VOCAB_SIZE], the tokens found on the way, and how often they are the target's."""
    embeddings = target.get_input_embeddings()
    logits, tokens, agreed = [], [], []
    for position in POSITIONS:
        known = torch.tensor([prompt[:position]])
        main = target(known, output_hidden_states=True, return_shared_kv_states=True, use_cache=False)
        hidden, newest = main.hidden_states[-1][:, -1:], torch.tensor([[prompt[position]]])
        steps, found = [], []
        for _ in range(STEPS):
            output = assistant(
                inputs_embeds=torch.cat([embeddings(newest), hidden], dim=-1),
                position_ids=torch.tensor([[position]]),
                shared_kv_states=main.shared_kv_states,
                use_cache=False,
            )
            steps.append(output.logits[0, 0].numpy())
            newest, hidden = output.logits.argmax(dim=-1), output.last_hidden_state
            found.append(int(newest))
        # transformers 5.23 fails where it leaves rows out, which it does unless all hidden states are asked for.
        whole = target(torch.tensor([[*prompt[: position + 1], *found[:-1]]]), output_hidden_states=True).logits[0, position:]
        agreed += [int(token) == own for token, own in zip(whole.argmax(dim=-1), found, strict=True)]
        logits.append(steps)
        tokens.append(found)
    return np.array(logits, dtype=np.float32), tokens, float(np.mean(agreed))


def generate(folder: Path) -> None:
    models = folder.parent / "models"
    plain = next(checkpoint for checkpoint in CHECKPOINTS if checkpoint.name == "gemma4")
    for checkpoint in (plain, agreeing(dense("gemma4-agreeing"))):
        is_plain = checkpoint is plain
        seed = json.loads((models / "gemma4.json").read_text())["seed"] if is_plain else 0
        target = build(checkpoint, seed)
        if not is_plain:
            order_heads(target, seed)
            write_gguf(folder / f"{checkpoint.name}.gguf", checkpoint, target)
        drafter = assistant_of(checkpoint)
        assistant, tensors = build_assistant(drafter, checkpoint.config.hidden_size, seed)
        if not is_plain:
            with torch.no_grad():
                # Its own table is its head, too.
                assistant.lm_head.weight.copy_(target.lm_head.weight)
        prompt = np.random.default_rng([seed, 1]).integers(0, VOCAB_SIZE, PROMPT_TOKENS).tolist()
        logits, tokens, agreed = run(target, assistant, prompt)
        write_drafter(folder / f"{drafter.name}.gguf", drafter, assistant, tensors)
        (folder / f"{drafter.name}.logits.f32").write_bytes(logits.astype("<f4").tobytes())
        write_json(
            folder / f"{drafter.name}.json",
            {"seed": seed, "agreed": float(f"{agreed:.3g}"), "prompt": prompt, "positions": POSITIONS, "tokens": tokens},
        )
        print(f"  {drafter.name}: {agreed:.0%} of the tokens are the model's", flush=True)


def write_drafter(path: Path, checkpoint: Checkpoint, assistant: transformers.PreTrainedModel, tensors: Tensors) -> None:
    """Names of tensors are Gemma 4's, the architecture and the names of keys the drafter's."""
    own = dataclasses.replace(checkpoint, arch="gemma4-assistant")
    # gguf knows no such architecture.
    own.__dict__["names"] = checkpoint.names
    inner = torch.nn.Module()
    inner.model = assistant.model
    write_gguf(path, own, inner, tensors)
