"""Chat templates rendered by transformers' own `apply_chat_template` machinery: one JSON file a case.

The templates in jinja/ are written for these tests in the formats that well-known models use. A template that raises
gives a case with `error` in place of `expected`.
"""

import json
from pathlib import Path

import jinja2
from transformers.utils.chat_template_utils import render_jinja_template

from .output import write_json

HERE = Path(__file__).parent

# (beginning of sequence, end of sequence) as the models of each format have them.
TOKENS = {
    "chatml": ("<|im_start|>", "<|im_end|>"),
    "llama3": ("<|begin_of_text|>", "<|eot_id|>"),
    "mistral": ("<s>", "</s>"),
    "qwen25": ("<|endoftext|>", "<|im_end|>"),
    "qwen3": ("<|endoftext|>", "<|im_end|>"),
    "gemma": ("<bos>", "<eos>"),
    "phi3": ("<s>", "<|endoftext|>"),
    "zephyr": ("<s>", "</s>"),
    "idioms": ("<s>", "</s>"),
    "printing": ("<s>", "</s>"),
}

# Variables beyond the usual ones, which a caller hands to the template: each makes further cases.
EXTRA = {
    ("llama3", "plain"): {"date_string": "01 Feb 2026"},
    ("qwen3", "plain"): {"enable_thinking": False},
    ("qwen3", "odd"): {"enable_thinking": True},
}


def render(template: str, conversation: dict, **variables) -> dict:
    """{"expected": text}, or {"error": message} where the template raises."""
    try:
        texts, _ = render_jinja_template(
            [conversation["messages"]], tools=conversation.get("tools"), chat_template=template, **variables
        )
    except jinja2.exceptions.TemplateError as error:
        return {"error": str(error)}
    return {"expected": texts[0]}


def generate(folder: Path) -> None:
    for old in folder.glob("*.json"):
        old.unlink()
    conversations = json.loads((HERE / "conversations.json").read_text(encoding="utf-8"))
    for name, (bos, eos) in TOKENS.items():
        template = (HERE / "jinja" / f"{name}.jinja").read_text(encoding="utf-8").removesuffix("\n")
        for topic, conversation in conversations.items():
            cases = [("", False, {}), (".prompt", True, {})]
            if (name, topic) in EXTRA:
                cases.append((".prompt.variables", True, EXTRA[name, topic]))
            for suffix, prompt, variables in cases:
                given = {"add_generation_prompt": prompt, "bos_token": bos, "eos_token": eos}
                result = render(template, conversation, **given, **variables)
                case = {"template": template, **conversation, **given}
                if variables:
                    case["variables"] = variables
                write_json(folder / f"{name}.{topic}{suffix}.json", case | result)
        print(f"  {name}")
