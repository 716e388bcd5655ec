"""What the tiny checkpoints of all architectures share: random weights, the GGUF file and the Hugging Face folder.

An architecture's module says what its GGUF file holds as data: `keys` (without the architecture's prefix) and `tensors`,
which turns one parameter of transformers into the tensors that llama.cpp's convert_hf_to_gguf makes of it. Matrices are
F16 in the file and were rounded before the reference ran; vectors, and what the converter keeps, are F32.
"""

import functools
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import gguf
import numpy as np
import torch
import transformers

from .. import vocab
from ..checkpoint import interleaved

VOCAB_SIZE = 331
CONTEXT_LENGTH = 1024

Tensors = dict[str, np.ndarray]

# Besides vectors and norms: routers, convolutions and AltUp's coefficients stay F32 in a file of F16.
FLOAT32 = re.compile(
    r"_norm\.weight$|ffn_gate_inp(_shexp)?\.weight$|ssm_conv1d\.weight$|shortconv\.conv\.weight$|"
    r"altup_(correct|predict)_coef\.weight$|(?<!\.weight)$"
)


def unchanged(name: str, weight: np.ndarray) -> Tensors:
    return {name: weight}


@dataclass
class Checkpoint:
    name: str
    arch: str  # GGUF's general.architecture
    config: transformers.PreTrainedConfig
    # GGUF keys in place of or besides those of `generic_keys`; one that is None is left out.
    keys: dict = field(default_factory=dict)
    # The tensors of a parameter, by GGUF's names or by transformers' where gguf's table has them. A name that ends in [i] is
    # item i of a stacked tensor.
    tensors: Callable[[str, np.ndarray], Tensors] = unchanged
    # Tensors that are computed from the configuration.
    extra: Tensors = field(default_factory=dict)
    # Values of a parameter, given standard normal ones of its shape, or None for those of `random_weight`.
    initial: Callable[[str, np.ndarray], np.ndarray | None] = lambda name, noise: None
    # transformers multiplies by 1 + w in these norms, and GGUF's weights have the 1 in them.
    shifted_norms: Callable[[str], bool] = lambda name: False
    # Standard deviations of the embeddings, and of the Q and K projections times sqrt(hidden); see checkpoint.py.
    embedding_scale: float = 0.05
    query_scale: float = 1.0
    # Random numbers nearer to 0 are taken for 0: what is multiplied into F16 weights must leave them all their digits.
    smallest: float = 0.0
    # Tensors (by GGUF's names) that are stored in MXFP4, the rows rounded to it.
    mxfp4: re.Pattern | None = None
    # Changes the Hugging Face folder to the form that checkpoints are published in.
    publish: Callable[[Path], None] = lambda folder: None
    family: vocab.Family = field(default_factory=lambda: vocab.QWEN2)
    # Modules of the taps, where they are not those of `runs.stages`; a tap that is None is left out.
    taps: dict[str, str | None] = field(default_factory=dict)

    @functools.cached_property
    def names(self) -> gguf.TensorNameMap:
        arch = next(arch for arch, name in gguf.MODEL_ARCH_NAMES.items() if name == self.arch)
        # One more, since a layer may stand behind the main ones: see mtp.py.
        return gguf.get_tensor_name_map(arch, self.config.num_hidden_layers + 1)

    @property
    def ordinary(self) -> int:
        """How many tokens are no special ones, which come last; their logits are kept small, so that greedy answers do not end."""
        return VOCAB_SIZE - len(self.family.special) - len(self.family.user_defined)

    def file_tensors(self, name: str, weight: np.ndarray) -> Tensors:
        """The tensors of one parameter under the names of the file."""
        if self.shifted_norms(name):
            weight = weight + np.float32(1)
        found = self.tensors(name.replace("e_score_correction_bias", "e_score_correction.bias"), weight)
        found = {self.names.get_name(key, (".weight", ".bias")) or key: data for key, data in found.items()}
        assert all(re.match(r"blk[.]|token_embd|output|per_layer_|altup_", key) for key in found), f"{name} has no name"
        return found

    def stored_type(self, name: str, data: np.ndarray) -> gguf.GGMLQuantizationType:
        if data.ndim < 2 or FLOAT32.search(name.split("[")[0]):
            return gguf.GGMLQuantizationType.F32
        if self.mxfp4 and self.mxfp4.search(name):
            return gguf.GGMLQuantizationType.MXFP4
        return gguf.GGMLQuantizationType.F16


def build(checkpoint: Checkpoint, seed: int) -> transformers.PreTrainedModel:
    """The float32 model with weights drawn from `seed`, and rounded to what the file can hold."""
    checkpoint.config._attn_implementation = "eager"
    checkpoint.config._experts_implementation = "eager"
    model = transformers.AutoModelForCausalLM.from_config(checkpoint.config, dtype=torch.float32).eval()
    rng = np.random.default_rng(seed)
    with torch.no_grad():
        for name, weight in parameters(model).items():
            noise = rng.standard_normal(tuple(weight.shape)).astype(np.float32)
            noise[np.abs(noise) < checkpoint.smallest] = 0
            values = checkpoint.initial(name, noise)
            values = random_weight(checkpoint, name, noise) if values is None else values
            weight.copy_(torch.from_numpy(rounded(checkpoint, name, values.astype(np.float32))))
    return model


def parameters(model: transformers.PreTrainedModel) -> dict[str, torch.Tensor]:
    """All that a checkpoint holds, by transformers' names; shared matrices once."""
    saved = model.state_dict()
    # Some are buffers, such as the biases of a router. Those that are computed, as for RoPE, are not saved.
    return dict(model.named_parameters()) | {name: data for name, data in model.named_buffers() if name in saved}


def random_weight(checkpoint: Checkpoint, name: str, noise: np.ndarray) -> np.ndarray:
    """Weights at scales where every part of the network matters to the logits, and none saturates.

    Norm weights and biases differ from 1 and 0, so that leaving one out shows.
    """
    if "norm" in name and name.endswith("weight"):
        return 0.2 * noise if checkpoint.shifted_norms(name) else 1.0 + 0.2 * noise
    if name.endswith("bias"):
        return 0.2 * noise
    if name.endswith(("scale", "scalar")):
        return 1.0 + 0.2 * noise
    if re.search("embed_tokens|embeddings|lm_head", name):
        values = checkpoint.embedding_scale * noise
        values[checkpoint.ordinary :] /= 2
        return values
    if "conv1d" in name:
        return 0.5 * noise
    assert noise.ndim > 1, f"no rule for the vector {name}"
    scale = checkpoint.query_scale if re.search(r"\b(q|k|qkv)_proj\b", name) else 1.0
    return noise * np.float32(scale / math.sqrt(noise.shape[-1]))


def rounded(checkpoint: Checkpoint, name: str, values: np.ndarray) -> np.ndarray:
    """The values that the file's type can hold."""
    types = {checkpoint.stored_type(key, data) for key, data in checkpoint.file_tensors(name, values).items()}
    if types == {gguf.GGMLQuantizationType.F16}:
        return values.astype(np.float16).astype(np.float32)
    return values


def rotated_neighbours(config: transformers.PreTrainedConfig) -> Callable[[str, np.ndarray], Tensors]:
    """For `Checkpoint.tensors`: rows of Q and K in the order of architectures whose RoPE turns neighbours."""

    def tensors(name: str, weight: np.ndarray) -> Tensors:
        if "q_proj." in name:
            return {name: interleaved(weight, config.num_attention_heads)}
        if "k_proj." in name:
            return {name: interleaved(weight, config.num_key_value_heads)}
        return {name: weight}

    return tensors


def block(name: str) -> str:
    """`blk.N.` of a parameter of layer N."""
    return f"blk.{re.search(r'layers[.]([0-9]+)[.]', name)[1]}."


def stacked_experts(name: str, weight: np.ndarray) -> Tensors:
    """The matrices of all experts, [experts, rows, columns], of which transformers keeps gate and up in one."""
    if name.endswith("experts.gate_up_proj"):
        gate, up = halves(weight, axis=1)
        return {f"{block(name)}ffn_gate_exps.weight": gate, f"{block(name)}ffn_up_exps.weight": up}
    if name.endswith("experts.down_proj"):
        return {f"{block(name)}ffn_down_exps.weight": weight}
    return {name: weight}


def halves(weight: np.ndarray, axis: int = 0) -> tuple[np.ndarray, np.ndarray]:
    first, second = np.split(weight, 2, axis=axis)
    return first, second


def rope_parameters(theta: float, **scaling) -> dict:
    return {"rope_type": "default", "rope_theta": theta, **scaling}


def generic_keys(config: transformers.PreTrainedConfig) -> dict:
    """The keys that the converter writes for every architecture whose configuration has the field."""
    fields = config.to_dict()
    all_layers = fields.get("rope_parameters") or {}
    rope = all_layers.get("full_attention", all_layers)
    sources = {
        "block_count": "num_hidden_layers",
        "context_length": "max_position_embeddings",
        "embedding_length": "hidden_size",
        "feed_forward_length": "intermediate_size",
        "attention.head_count": "num_attention_heads",
        "attention.head_count_kv": "num_key_value_heads",
        "attention.layer_norm_rms_epsilon": "rms_norm_eps",
        "attention.key_length": "head_dim",
        "attention.value_length": "head_dim",
        "expert_used_count": "num_experts_per_tok",
        "expert_group_count": "n_group",
        "expert_group_used_count": "topk_group",
    }
    keys = {key: fields.get(name) for key, name in sources.items()}
    counts = (fields.get(name) for name in ("num_local_experts", "num_experts", "n_routed_experts"))
    keys["expert_count"] = next((count for count in counts if count is not None), None)
    keys["rope.freq_base"] = rope.get("rope_theta")
    keys["rope.freq_base_swa"] = all_layers.get("sliding_attention", {}).get("rope_theta")
    if rope.get("rope_type") in ("linear", "yarn"):
        keys["rope.scaling.type"] = rope["rope_type"]
        keys["rope.scaling.factor"] = rope["factor"]
    if rope.get("rope_type") == "yarn":
        keys["rope.scaling.original_context_length"] = rope["original_max_position_embeddings"]
        keys["rope.scaling.yarn_attn_factor"] = rope.get("attention_factor")
        keys["rope.scaling.yarn_beta_fast"] = rope.get("beta_fast")
        keys["rope.scaling.yarn_beta_slow"] = rope.get("beta_slow")
    return keys


def write_gguf(
    path: Path, checkpoint: Checkpoint, model: transformers.PreTrainedModel, further: Tensors | None = None
) -> None:
    writer = gguf.GGUFWriter(path, checkpoint.arch)
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_name(f"inglenook golden {checkpoint.name}")
    for key, value in {**generic_keys(checkpoint.config), **checkpoint.keys}.items():
        add_key(writer, f"{checkpoint.arch}.{key}", value)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    vocab.add_to(writer, vocab.train(checkpoint.family, VOCAB_SIZE), checkpoint.family)

    for name, data in checkpoint.extra.items():
        writer.add_tensor(name, data.astype(np.float32))
    for key, data in {**all_tensors(checkpoint, model), **(further or {})}.items():
        stored = checkpoint.stored_type(key, data)
        packed = gguf.quants.quantize(np.ascontiguousarray(data), stored)
        assert np.array_equal(gguf.quants.dequantize(packed, stored), data), f"{key} does not fit in {stored.name}"
        writer.add_tensor(key, packed, raw_dtype=stored)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def all_tensors(checkpoint: Checkpoint, model: transformers.PreTrainedModel) -> Tensors:
    """The tensors of the file, those with a number behind the name stacked."""
    found: Tensors = {}
    for name, weight in parameters(model).items():
        for key, data in checkpoint.file_tensors(name, weight.detach().numpy()).items():
            stacked, is_item, _ = key.partition("[")
            if is_item:
                data = np.concatenate([found.get(stacked, data[None][:0]), data[None]])
            found[stacked] = data
    return found


def add_key(writer: gguf.GGUFWriter, key: str, value: object) -> None:
    match value:
        case None:
            pass
        case bool():
            writer.add_bool(key, value)
        case int():
            writer.add_uint32(key, value)
        case float():
            writer.add_float32(key, value)
        case str():
            writer.add_string(key, value)
        case list():
            writer.add_array(key, value)
        case _:
            raise TypeError(f"{key} is a {type(value).__name__}")


def write_hf(folder: Path, checkpoint: Checkpoint, model: transformers.PreTrainedModel) -> None:
    """The checkpoint as Hugging Face publishes one: what the GGUF has in F16 is F16, the rest F32."""
    tokenizer = vocab.train(checkpoint.family, VOCAB_SIZE)
    eos = tokenizer.token_to_id(checkpoint.family.eos)
    bos = tokenizer.token_to_id(checkpoint.family.bos) if checkpoint.family.bos else None
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=checkpoint.family.bos,
        eos_token=checkpoint.family.eos,
        chat_template=checkpoint.family.chat_template,
    ).save_pretrained(folder)
    model.config.eos_token_id, model.config.bos_token_id, model.config.pad_token_id = eos, bos, None
    model.generation_config = transformers.GenerationConfig(eos_token_id=eos, bos_token_id=bos)
    for name, weight in parameters(model).items():
        values = weight.detach().numpy()
        types = {checkpoint.stored_type(key, data) for key, data in checkpoint.file_tensors(name, values).items()}
        if gguf.GGMLQuantizationType.F16 in types:
            weight.data = weight.data.half()
    model.save_pretrained(folder)
    checkpoint.publish(folder)
