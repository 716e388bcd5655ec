"""Embeddings and scores of texts of several lengths, by tiny random checkpoints of encoders in transformers, in float32.

For each checkpoint this writes

    NAME.gguf   the checkpoint, with the keys and tensors that llama.cpp's convert_hf_to_gguf gives it; matrices are F16
    NAME.json   texts as token ids, and of each what pooling and the head give: neither normalised nor cut

Texts run alone through the reference, so that what is packed or padded beside a text must not show.
"""

import dataclasses
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import gguf
import numpy as np
import torch
import transformers

from . import vocab
from .archs.common import add_key, rope_parameters
from .jina_bert_v2 import JinaBertV2
from .nomic_bert_moe import NomicBertMoe
from .output import write_json

VOCAB_SIZE = 331
CONTEXT_LENGTH = 160
# Together more than a step of 512 rows takes; around pages of 32, and around the windows (16) of those that have some.
LENGTHS = [1, 2, 7, 33, 64, 100, 150, 5, 31, 130, 17, 120, 32, 16]
# How far float32 may be from float64, as a share of a vector's largest number.
MAX_ROUNDING = 2e-5

Tensors = dict[str, np.ndarray]


def unchanged(tensors: Tensors) -> Tensors:
    return tensors


@dataclass
class Checkpoint:
    """One checkpoint. Sizes are multiples of 32, and no powers of two."""

    name: str
    arch: str  # GGUF's general.architecture
    model: Callable[[], transformers.PreTrainedModel]
    keys: dict
    pooling: str | None  # mean, cls, last; rank for the model's own scores; none for the logits behind the last token
    # The tensors of all parameters, under GGUF's names or transformers'.
    tensors: Callable[[Tensors], Tensors] = unchanged
    # transformers multiplies by 1 + w in these norms, and GGUF's weights have the 1 in them.
    shifted_norms: bool = False
    embedding_scale: float = 0.5
    # Linear maps behind pooling: name, rows, columns.
    maps: list[tuple[str, int, int]] = field(default_factory=list)
    family: vocab.Family = field(default_factory=lambda: vocab.QWEN2)


POOLING = {"mean": 1, "cls": 2, "last": 3, "rank": 4}

SIZES = {
    "vocab_size": VOCAB_SIZE,
    "hidden_size": 96,
    "intermediate_size": 160,
    "num_hidden_layers": 3,
    "num_attention_heads": 3,
    "max_position_embeddings": CONTEXT_LENGTH,
}

KEYS = {
    "context_length": CONTEXT_LENGTH,
    "embedding_length": 96,
    "feed_forward_length": 160,
    "block_count": 3,
    "attention.head_count": 3,
    "attention.causal": False,
}

# XLM-RoBERTa has two positions more, of padding.
ROBERTA = {"type_vocab_size": 1, "pad_token_id": 1} | SIZES | {"max_position_embeddings": CONTEXT_LENGTH + 2}

DECODER_KEYS = KEYS | {
    "attention.causal": None,
    "attention.head_count_kv": 1,
    "attention.key_length": 32,
    "attention.value_length": 32,
    "attention.layer_norm_rms_epsilon": 1e-6,
    "rope.freq_base": 1e6,
}


def roberta(tensors: Tensors) -> Tensors:
    """The first two positions are the padding's, and the converter cuts them off."""
    cut = {name: data[2:] if "position" in name else data for name, data in tensors.items()}
    return {name.removeprefix("roberta."): data for name, data in cut.items()}


def fused(tensors: Tensors) -> Tensors:
    """Nomic's and Jina's files: query, key and value in one tensor."""
    names = {
        "self_attn.o_proj": "attn_output",
        "post_attention_layernorm": "attn_output_norm",
        "post_mlp_layernorm": "layer_output_norm",
        "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
        "mlp.fc1": "ffn_up",
        "mlp.fc2": "ffn_down",
    }
    found = {}
    for name, data in tensors.items():
        layer = re.match(r"layers[.](\d+)[.](.*)[.](weight|bias)$", name)
        if layer is None:
            found[name] = data
        elif layer[2].startswith("self_attn.q"):
            parts = [tensors[name.replace("q_proj", part)] for part in ("q_proj", "k_proj", "v_proj")]
            found[f"blk.{layer[1]}.attn_qkv.{layer[3]}"] = np.concatenate(parts)
        elif layer[2] in names:
            found[f"blk.{layer[1]}.{names[layer[2]]}.{layer[3]}"] = data
    return found


def modern(tensors: Tensors) -> Tensors:
    names = {name.removeprefix("model.").replace("classifier.", "cls.output."): data for name, data in tensors.items()}
    return names


def prefixed(tensors: Tensors) -> Tensors:
    return {name if name.startswith(("model.", "lm_head.")) else f"model.{name}": data for name, data in tensors.items()}


def nomic() -> transformers.PreTrainedModel:
    config = transformers.NomicBertConfig(**SIZES, rope_parameters=rope_parameters(1000.0))
    return transformers.NomicBertModel(config, add_pooling_layer=False)


def modern_bert(labels: int | None = None) -> transformers.PreTrainedModel:
    config = transformers.ModernBertConfig(
        **SIZES | {"num_hidden_layers": 5},
        local_attention=16,
        global_attn_every_n_layers=3,
        pad_token_id=0,
        classifier_pooling="mean",
        num_labels=labels or 2,
        rope_parameters={
            "full_attention": rope_parameters(160_000.0),
            "sliding_attention": rope_parameters(10_000.0),
        },
    )
    return transformers.ModernBertForSequenceClassification(config) if labels else transformers.ModernBertModel(config)


MODERN_KEYS = KEYS | {
    "block_count": 5,
    "attention.layer_norm_epsilon": 1e-5,
    "attention.sliding_window": 16,
    "attention.sliding_window_pattern": 3,
    "rope.freq_base": 160_000.0,
    "rope.freq_base_swa": 10_000.0,
}


def gemma() -> transformers.PreTrainedModel:
    config = transformers.Gemma3TextConfig(
        **SIZES | {"num_hidden_layers": 7},
        num_key_value_heads=1,
        head_dim=32,
        query_pre_attn_scalar=32,
        sliding_window=16,
        use_bidirectional_attention=True,
        rope_parameters={
            "full_attention": rope_parameters(1e6),
            "sliding_attention": rope_parameters(1e4),
        },
    )
    return transformers.Gemma3TextModel(config)


def qwen3() -> transformers.Qwen3Config:
    return transformers.Qwen3Config(
        **SIZES, num_key_value_heads=1, head_dim=32, tie_word_embeddings=True, rope_parameters=rope_parameters(1e6)
    )


CHECKPOINTS = [
    Checkpoint(
        name="bert",
        arch="bert",
        model=lambda: transformers.BertModel(transformers.BertConfig(**SIZES), add_pooling_layer=False),
        keys=KEYS | {"attention.layer_norm_epsilon": 1e-12},
        pooling="mean",
    ),
    Checkpoint(
        name="xlm-roberta",
        arch="bert",
        model=lambda: transformers.XLMRobertaModel(transformers.XLMRobertaConfig(**ROBERTA), add_pooling_layer=False),
        keys=KEYS | {"attention.layer_norm_epsilon": 1e-5},
        pooling="cls",
        tensors=roberta,
    ),
    Checkpoint(
        name="xlm-roberta-reranker",
        arch="bert",
        model=lambda: transformers.XLMRobertaForSequenceClassification(
            transformers.XLMRobertaConfig(**ROBERTA, num_labels=1)
        ),
        keys=KEYS | {"attention.layer_norm_epsilon": 1e-5},
        pooling="rank",
        tensors=roberta,
    ),
    Checkpoint(
        name="nomic-bert",
        arch="nomic-bert",
        model=nomic,
        keys=KEYS | {"attention.layer_norm_epsilon": 1e-12, "rope.freq_base": 1000.0},
        pooling="mean",
        tensors=fused,
    ),
    Checkpoint(
        name="nomic-bert-moe",
        arch="nomic-bert-moe",
        model=lambda: NomicBertMoe(VOCAB_SIZE, hidden=96, ffn=160, layers=4, heads=3, experts=5, base=10_000.0),
        keys=KEYS
        | {
            "block_count": 4,
            "attention.layer_norm_epsilon": 1e-5,
            "rope.freq_base": 10_000.0,
            "moe_every_n_layers": 2,
            "expert_count": 5,
            "expert_used_count": 2,
        },
        pooling="mean",
    ),
    Checkpoint(
        name="jina-bert-v2",
        arch="jina-bert-v2",
        model=lambda: JinaBertV2(VOCAB_SIZE, hidden=96, ffn=160, layers=3, heads=3),
        keys=KEYS | {"attention.layer_norm_epsilon": 1e-12},
        pooling="mean",
    ),
    Checkpoint(
        name="jina-bert-v3",
        arch="jina-bert-v3",
        model=lambda: transformers.JinaEmbeddingsV3Model(
            transformers.JinaEmbeddingsV3Config(**SIZES, type_vocab_size=1, rope_parameters=rope_parameters(20_000.0)),
            add_pooling_layer=False,
        ),
        keys=KEYS | {"attention.layer_norm_epsilon": 1e-5, "rope.freq_base": 20_000.0},
        pooling="mean",
        tensors=fused,
    ),
    Checkpoint(
        name="modern-bert", arch="modern-bert", model=modern_bert, keys=MODERN_KEYS, pooling="cls", tensors=modern
    ),
    Checkpoint(
        name="modern-bert-reranker",
        arch="modern-bert",
        model=lambda: modern_bert(1),
        keys=MODERN_KEYS | {"classifier.pooling_type": 1},
        pooling="rank",
        tensors=modern,
    ),
    Checkpoint(
        name="gemma-embedding",
        arch="gemma-embedding",
        model=gemma,
        keys=DECODER_KEYS
        | {
            "block_count": 7,
            "attention.causal": False,
            "attention.sliding_window": 16,
            "dense_2_feat_out": 160,
            "dense_3_feat_in": 160,
        },
        pooling="mean",
        tensors=prefixed,
        shifted_norms=True,
        embedding_scale=0.05,
        maps=[("dense_2", 160, 96), ("dense_3", 96, 160)],
    ),
    Checkpoint(
        name="qwen3-embedding",
        arch="qwen3",
        model=lambda: transformers.Qwen3Model(qwen3()),
        keys=DECODER_KEYS,
        pooling="last",
        tensors=prefixed,
    ),
    Checkpoint(
        name="qwen3-reranker",
        arch="qwen3",
        model=lambda: transformers.Qwen3ForCausalLM(qwen3()),
        keys=DECODER_KEYS,
        pooling=None,
        tensors=prefixed,
        embedding_scale=0.05,
        # The model answers with one token, which must not be spelled with two.
        family=dataclasses.replace(vocab.QWEN2, user_defined=[*vocab.QWEN2.user_defined, "yes", "no"]),
    ),
]


def random_weight(checkpoint: Checkpoint, name: str, noise: np.ndarray) -> np.ndarray:
    """Weights at scales where every part matters. Norm weights and biases differ from 1 and 0, so that leaving one out shows."""
    if "norm" in name.lower() and name.endswith("weight"):
        return 0.2 * noise if checkpoint.shifted_norms else 1.0 + 0.2 * noise
    if noise.ndim < 2:
        return 0.2 * noise
    if "embed" in name or "embd" in name:
        return checkpoint.embedding_scale * noise
    scale = 1.5 if any(part in name for part in ("query", "key", "q_proj", "k_proj", "qkv", "attn_q", "attn_k")) else 1.0
    return noise * np.float32(scale / math.sqrt(noise.shape[-1]))


def stored(values: np.ndarray) -> np.ndarray:
    """Values as the file has them."""
    return np.ascontiguousarray(values.astype(np.float16 if values.ndim > 1 else np.float32))


def build(checkpoint: Checkpoint) -> transformers.PreTrainedModel:
    model = checkpoint.model().eval().float()
    rng = np.random.default_rng(11)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            noise = rng.standard_normal(tuple(weight.shape)).astype(np.float32)
            values = stored(random_weight(checkpoint, name, noise))
            weight.copy_(torch.from_numpy(values.astype(np.float32)))
    return model


def maps(checkpoint: Checkpoint) -> Tensors:
    rng = np.random.default_rng(12)
    random = lambda rows, cols: stored(rng.standard_normal((rows, cols)) / math.sqrt(cols))  # noqa: E731
    return {f"{name}.weight": random(rows, cols) for name, rows, cols in checkpoint.maps}


def texts() -> list[list[int]]:
    """Ids above those of XLM-RoBERTa's padding, which would be given no position."""
    rng = np.random.default_rng(13)
    return [rng.integers(4, VOCAB_SIZE, length).tolist() for length in LENGTHS]


@torch.no_grad()
def reference(checkpoint: Checkpoint, model: transformers.PreTrainedModel, text: list[int]) -> np.ndarray:
    output = model(torch.tensor([text]))
    match checkpoint.pooling:
        case "rank":
            return output.logits[0].numpy()
        case None:
            return output.logits[0, -1].numpy()
    states = output.last_hidden_state[0]
    pooled = {"mean": states.mean(dim=0), "cls": states[0], "last": states[-1]}[checkpoint.pooling].numpy()
    for weight in maps(checkpoint).values():
        pooled = weight.astype(pooled.dtype) @ pooled
    return pooled


def vectors(checkpoint: Checkpoint, model: transformers.PreTrainedModel) -> list[np.ndarray]:
    single = [reference(checkpoint, model, text) for text in texts()]
    double = [reference(checkpoint, model.double(), text) for text in texts()]
    model.float()
    rounding = max(np.abs(one - other).max() / np.abs(other).max() for one, other in zip(single, double, strict=True))
    assert rounding < MAX_ROUNDING, f"{checkpoint.name}: float32 is {rounding:.1e} away from float64"
    return single


def write_gguf(path: Path, checkpoint: Checkpoint, model: transformers.PreTrainedModel) -> None:
    writer = gguf.GGUFWriter(path, checkpoint.arch)
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_name(f"inglenook golden {checkpoint.name}")
    pooling = {"pooling_type": POOLING[checkpoint.pooling]} if checkpoint.pooling else {}
    for key, value in (checkpoint.keys | pooling).items():
        add_key(writer, f"{checkpoint.arch}.{key}", value)
    vocab.add_to(writer, vocab.train(checkpoint.family, VOCAB_SIZE), checkpoint.family)
    arch = next(arch for arch, name in gguf.MODEL_ARCH_NAMES.items() if name == checkpoint.arch)
    names = gguf.get_tensor_name_map(arch, checkpoint.keys["block_count"])
    parameters = {name: weight.detach().numpy() for name, weight in model.named_parameters()}
    for name, data in checkpoint.tensors(parameters).items():
        shifted = checkpoint.shifted_norms and "norm" in name
        found = names.get_name(name, (".weight", ".bias")) or name
        assert found.startswith(("blk.", "token_", "position_", "output_", "cls", "dense_")), f"{name} has no name"
        writer.add_tensor(found, stored(data + np.float32(1) if shifted else data))
    for name, data in maps(checkpoint).items():
        writer.add_tensor(name, data)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def generate(folder: Path, only: set[str] | None = None) -> None:
    """Writes the checkpoints named in `only`, or all."""
    for checkpoint in CHECKPOINTS:
        if only and checkpoint.name not in only:
            continue
        model = build(checkpoint)
        found = vectors(checkpoint, model)
        write_gguf(folder / f"{checkpoint.name}.gguf", checkpoint, model)
        # Nine digits give a float32 back exactly.
        written = [[float(f"{x:.9g}") for x in vector.tolist()] for vector in found]
        write_json(folder / f"{checkpoint.name}.json", {"texts": texts(), "vectors": written})
        print(f"  {checkpoint.name}: {len(found)} vectors of {len(found[0])}, largest {max(np.abs(v).max() for v in found):.1f}")
