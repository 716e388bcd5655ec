"""Scores GGUF files of ember on the held-out prompts of `eval.json`: `python evaluate.py ember-q8_0.gguf …`.

The weights are dequantised by the `gguf` package and run by Hugging Face's own Qwen 3 in float32, so that neither our quantisers nor our model code
judges itself. Decoding is greedy. Prints one JSON line a file; `--failures` shows what went wrong.
"""

import argparse
import json
import re
import time
from pathlib import Path

import gguf
import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import Qwen3Config, Qwen3ForCausalLM

from text import template
from tokenizer import QWEN2_SPLIT

_HF_NAMES = {"attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
             "attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm", "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
             "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj"}


def hf_name(name):
    """The Hugging Face name of a GGUF tensor."""
    if name in ("token_embd.weight", "output_norm.weight"):
        return {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight"}[name]
    _, layer, part, _ = name.split(".")
    return f"model.layers.{layer}.{_HF_NAMES[part]}.weight"


def load(path):
    """`(model, tokenizer)` from a GGUF file and nothing else."""
    reader = gguf.GGUFReader(path)
    value = lambda key: reader.fields[key].contents()
    shape = lambda key: value("qwen3." + key)
    config = Qwen3Config(vocab_size=len(value("tokenizer.ggml.tokens")), hidden_size=shape("embedding_length"), intermediate_size=shape("feed_forward_length"),
                         num_hidden_layers=shape("block_count"), num_attention_heads=shape("attention.head_count"), num_key_value_heads=shape("attention.head_count_kv"),
                         head_dim=shape("attention.key_length"), max_position_embeddings=shape("context_length"), rms_norm_eps=shape("attention.layer_norm_rms_epsilon"),
                         rope_parameters={"rope_type": "default", "rope_theta": shape("rope.freq_base")}, tie_word_embeddings=True)
    model = Qwen3ForCausalLM(config).eval()
    weights = {hf_name(t.name): torch.from_numpy(gguf.dequantize(t.data, t.tensor_type).reshape(tuple(reversed(t.shape.tolist()))).copy()).float() for t in reader.tensors}
    missing, unexpected = model.load_state_dict(weights, strict=False)
    assert not unexpected and set(missing) <= {"lm_head.weight"}, (missing, unexpected)
    return model, load_tokenizer(value)


def load_tokenizer(value):
    """The tokenizer described by a file's metadata; `value(key)` reads it."""
    tokens, types = value("tokenizer.ggml.tokens"), value("tokenizer.ggml.token_type")
    merges = [tuple(merge.split(" ")) for merge in value("tokenizer.ggml.merges")]
    normal = {token: i for i, (token, kind) in enumerate(zip(tokens, types)) if kind == gguf.TokenType.NORMAL}
    tokenizer = Tokenizer(models.BPE(vocab=normal, merges=merges))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(QWEN2_SPLIT), behavior="isolated"),
                                                       pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(t, special=True) for t, kind in zip(tokens, types) if kind == gguf.TokenType.CONTROL])
    tokenizer.add_tokens([AddedToken(t, special=False) for t, kind in zip(tokens, types) if kind == gguf.TokenType.USER_DEFINED])
    assert all(tokenizer.token_to_id(token) == i for i, token in enumerate(tokens)), "token ids moved"
    return tokenizer


@torch.no_grad()
def answers(model, tokenizer, prompts, max_tokens, batch=40):
    """Greedy answers to `prompts`, in order; prompts of like length are run together, padded on the left."""
    encoded = [tokenizer.encode(prompt, add_special_tokens=False).ids for prompt in prompts]
    order = sorted(range(len(prompts)), key=lambda i: len(encoded[i]))
    end, pad = tokenizer.token_to_id("<|im_end|>"), tokenizer.token_to_id("<|endoftext|>")
    results = [""] * len(prompts)
    for start in range(0, len(order), batch):
        chosen = order[start : start + batch]
        width = max(len(encoded[i]) for i in chosen)
        ids = torch.tensor([[pad] * (width - len(encoded[i])) + encoded[i] for i in chosen])
        mask = torch.tensor([[0] * (width - len(encoded[i])) + [1] * len(encoded[i]) for i in chosen])
        out = model.generate(input_ids=ids, attention_mask=mask, max_new_tokens=max_tokens, do_sample=False, eos_token_id=end, pad_token_id=pad)
        for i, row in zip(chosen, out[:, width:].tolist()):
            row = row[: row.index(end)] if end in row else row
            results[i] = tokenizer.decode(row, skip_special_tokens=False)
    return results


def passes(answer, expect):
    """Whether an answer meets its rule; see `make_eval.py` for the rules."""
    if "contains" in expect:
        return re.search(r"(?<![A-Za-z0-9])" + re.escape(expect["contains"]) + r"(?![A-Za-z0-9])", answer) is not None
    if "equals" in expect:
        return answer.strip() == expect["equals"]
    blocks = re.findall(r"<tool_call>(.*?)</tool_call>", answer, re.DOTALL)
    try:
        return len(blocks) == 1 and json.loads(blocks[0]) == expect["tool_call"]
    except json.JSONDecodeError:
        return False


def main():
    """Evaluates each file named."""
    parser = argparse.ArgumentParser()
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--failures", action="store_true")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    suite = json.loads((Path(__file__).parent / "eval.json").read_text())
    render = template().render
    prompts = [render(messages=case["messages"], tools=case.get("tools"), add_generation_prompt=True) for case in suite["cases"]]
    for path in args.files:
        start = time.time()
        scores = {}
        for case, answer in zip(suite["cases"], answers(*load(path), prompts, suite["max_tokens"])):
            ok = passes(answer, case["expect"])
            scores.setdefault(case["category"], []).append(ok)
            if args.failures and not ok:
                print(f"  {case['category']}: {case['messages'][-1]['content']!r} -> {answer!r}, wanted {case['expect']}")
        percent = {name: round(100 * sum(oks) / len(oks), 1) for name, oks in scores.items()}
        print(json.dumps({"file": path.name, **percent, "seconds": round(time.time() - start)}), flush=True)


if __name__ == "__main__":
    main()
