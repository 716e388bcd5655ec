"""Writes a trained checkpoint as GGUF: `python export.py --checkpoint build --out .` gives ember-f16.gguf, ember-q8_0.gguf, ember-q4_k_m.gguf."""

import argparse
import json
from pathlib import Path

import gguf
import numpy as np
import torch
from tokenizers import Tokenizer

import quantize
from text import MARKS, SPECIAL, TEMPLATE

_PACK = {gguf.GGMLQuantizationType.Q8_0: quantize.q8_0, gguf.GGMLQuantizationType.Q4_K: quantize.q4_k, gguf.GGMLQuantizationType.Q6_K: quantize.q6_k}
FILES = {"f16": gguf.LlamaFileType.MOSTLY_F16, "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0, "q4_k_m": gguf.LlamaFileType.MOSTLY_Q4_K_M}
_LAYER_NAMES = {"q": "attn_q", "k": "attn_k", "v": "attn_v", "o": "attn_output", "q_norm": "attn_q_norm", "k_norm": "attn_k_norm", "attn_norm": "attn_norm",
                "ffn_norm": "ffn_norm", "gate": "ffn_gate", "up": "ffn_up", "down": "ffn_down"}


def tensor_name(name):
    """The GGUF name of a parameter of `model.Ember`."""
    if name == "embedding.weight":
        return "token_embd.weight"
    if name == "norm.weight":
        return "output_norm.weight"
    _, layer, part, _ = name.split(".")
    return f"blk.{layer}.{_LAYER_NAMES[part]}.weight"


def more_bits(layer, layers):
    """Whether Q4_K_M keeps `attn_v` and `ffn_down` of this layer in Q6_K: the first and last eighth, and every third between."""
    eighth = layers // 8
    return layer < eighth or layer >= 7 * layers // 8 or (layer - eighth) % 3 == 2


def tensor_type(kind, name, layers):
    """The type of a matrix in a file of `kind`. The embedding is also the output matrix, hence Q6_K in Q4_K_M."""
    types = gguf.GGMLQuantizationType
    if kind != "q4_k_m":
        return {"f16": types.F16, "q8_0": types.Q8_0}[kind]
    if name == "token_embd.weight":
        return types.Q6_K
    careful = "attn_v" in name or "ffn_down" in name
    return types.Q6_K if careful and more_bits(int(name.split(".")[1]), layers) else types.Q4_K


def add_metadata(writer, config, kind):
    """The model's shape and description, under the keys that converters from Hugging Face write."""
    writer.add_type("model")
    writer.add_name("ember")
    writer.add_basename("ember")
    writer.add_description("The built-in model of inglenook, trained from scratch on generated text.")
    writer.add_license("MIT OR Apache-2.0")
    writer.add_languages(["en"])
    writer.add_file_type(FILES[kind])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_vocab_size(config["vocabulary"])
    writer.add_block_count(config["layers"])
    writer.add_context_length(config["context"])
    writer.add_embedding_length(config["hidden"])
    writer.add_feed_forward_length(config["ffn"])
    writer.add_head_count(config["heads"])
    writer.add_head_count_kv(config["kv_heads"])
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])
    writer.add_layer_norm_rms_eps(config["eps"])
    writer.add_rope_freq_base(config["rope_theta"])
    # A model this small has facts to tell and no choice of words: the likeliest token is the right one.
    writer.add_float32("general.sampling.temp", 0.0)


def add_tokenizer(writer, tokenizer):
    """Tokens, merges, special ids and the chat template."""
    ids = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    assert [i for _, i in ids] == list(range(len(ids))), "token ids have gaps"
    types = {**dict.fromkeys(SPECIAL, gguf.TokenType.CONTROL), **dict.fromkeys(MARKS, gguf.TokenType.USER_DEFINED)}
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list([token for token, _ in ids])
    writer.add_token_types([types.get(token, gguf.TokenType.NORMAL) for token, _ in ids])
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in merges])
    writer.add_eos_token_id(tokenizer.token_to_id("<|im_end|>"))
    writer.add_bos_token_id(tokenizer.token_to_id("<|endoftext|>"))
    writer.add_pad_token_id(tokenizer.token_to_id("<|endoftext|>"))
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)


def write(path, kind, checkpoint, tokenizer):
    """One GGUF file of `kind`: matrices in the types of `tensor_type`, norms in F32."""
    config = checkpoint["config"]
    writer = gguf.GGUFWriter(path, "qwen3")
    add_metadata(writer, config, kind)
    add_tokenizer(writer, tokenizer)
    for name, weight in checkpoint["weights"].items():
        name, weight = tensor_name(name), weight.float().numpy()
        if weight.ndim == 1:
            writer.add_tensor(name, weight)
            continue
        chosen = tensor_type(kind, name, config["layers"])
        if chosen == gguf.GGMLQuantizationType.F16:
            writer.add_tensor(name, weight.astype(np.float16))
        else:
            writer.add_tensor(name, _PACK[chosen](weight), raw_dtype=chosen)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    """Exports every kind and says how large each file became."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--checkpoint", type=Path, default=Path("build"), help="folder with model.pt and tokenizer.json")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    args = parser.parse_args()
    checkpoint = torch.load(args.checkpoint / "model.pt", weights_only=True)
    tokenizer = Tokenizer.from_file(str(args.checkpoint / "tokenizer.json"))
    for kind in FILES:
        path = args.out / f"ember-{kind}.gguf"
        write(path, kind, checkpoint, tokenizer)
        print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
