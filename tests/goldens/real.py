"""What real models answer, by transformers in float32 on the dequantised weights of a GGUF file.

    python real.py MODEL.gguf NAME

`cargo xtask real-files --reference` fetches the models and calls this. real/NAME.json gets, for `core/tests/real_files`,

    prompts      of each its text, its tokens, the greedy tokens that follow, by how much the best of them led the second at least (as a share
                 of the largest |logit|), and some logits behind its last token: of the likeliest tokens, and of some from everywhere
    perplexity   of the beginning of a text: how many tokens that is, and the mean negative log-likelihood of all but the first
"""

import sys
from pathlib import Path

import torch
import transformers

from generator.output import write_json

PROMPTS = [
    "The capital of France is",
    "Once upon a time, in a small village by the sea, there lived",
    "def fibonacci(n):\n    if n < 2:\n        return n\n",
    "Die Hauptstadt von Österreich heißt",
    "Water boils at 100 °C and freezes at",
]
GREEDY_TOKENS = 40
TEXT_TOKENS = 512
LIKELIEST = 64
SPREAD = 128


@torch.no_grad()
def answer(model: transformers.PreTrainedModel, text: str, tokens: list[int]) -> dict:
    output = model(torch.tensor([tokens]), use_cache=True)
    last, cache = output.logits[0, -1], output.past_key_values
    likeliest = last.topk(LIKELIEST).indices.tolist()
    spread = range(0, len(last), len(last) // SPREAD)
    ids = sorted({*likeliest, *spread})
    logits = [float(f"{value:.7g}") for value in last[ids].tolist()]
    greedy, lead = [], 1.0
    for _ in range(GREEDY_TOKENS):
        best, second = last.topk(2).values.tolist()
        lead = min(lead, (best - second) / float(last.abs().max()))
        greedy.append(int(last.argmax()))
        step = model(torch.tensor([greedy[-1:]]), past_key_values=cache, use_cache=True)
        last, cache = step.logits[0, -1], step.past_key_values
    return {
        "text": text,
        "tokens": tokens,
        "greedy": greedy,
        "smallest_lead": float(f"{lead:.3g}"),
        "ids": ids,
        "logits": logits,
    }


@torch.no_grad()
def main(model_path: Path, name: str) -> None:
    loaded = {"gguf_file": model_path.name}
    model = transformers.AutoModelForCausalLM.from_pretrained(
        model_path.parent, dtype=torch.float32, attn_implementation="eager", **loaded
    ).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(model_path.parent, **loaded)
    here = Path(__file__).resolve().parent
    prompts = [answer(model, text, tokenizer(text).input_ids) for text in PROMPTS]
    text = (here / "generator/corpus.txt").read_text(encoding="utf-8")
    tokens = tokenizer(text).input_ids[:TEXT_TOKENS]
    logits = model(torch.tensor([tokens])).logits[0]
    loss = torch.nn.functional.cross_entropy(logits[:-1].double(), torch.tensor(tokens[1:]))
    (here / "real").mkdir(exist_ok=True)
    perplexity = {"tokens": tokens, "loss": float(f"{float(loss):.8g}")}
    write_json(here / "real" / f"{name}.json", {"prompts": prompts, "perplexity": perplexity})
    for prompt in prompts:
        print(f"  {prompt['text']!r} -> {tokenizer.decode(prompt['greedy'])!r}, lead {prompt['smallest_lead']}")
    print(f"  {name}: perplexity {float(loss.exp()):.4f} over {len(tokens)} tokens")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
