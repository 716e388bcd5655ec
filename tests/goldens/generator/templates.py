"""Chat templates rendered by transformers' own `apply_chat_template`: a file for each template, a line for each case.

A template is a file in jinja/, or one that ships with the engine (text/src/template/builtin/). All are written for
inglenook, in the formats of well-known models. Its first line may be a comment that says what the model's tokenizer has:

    {#- bos=<s> eos=</s> with [{"enable_thinking": false}] -#}

Each is given every conversation of conversations/. Each line of expressions/ (where ↵ stands for a line break) is a template of
its own, which tries one part of the language on the conversation "plain". absent.txt lists what inglenook leaves out, and what nobody
has: each must be an error that names it. A case has `expected`; or `raises`, the message of the template's own
`raise_exception`; or `fails`, what Python says of anything else that went wrong, for readers only.
"""

import json
import re
from datetime import datetime
from pathlib import Path

import jinja2
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast
from transformers.utils import chat_template_utils

from .output import write_json

HERE = Path(__file__).parent
BUILTIN = HERE.parents[2] / "text/src/template/builtin"

HEADER = re.compile(r"\{#-? bos=(\S*) eos=(\S*)(?: with (\[.*\]))? -?#\}")

# Conversations that are rendered without a generation prompt, too.
WHOLE = ["plain", "chat", "tools", "odd", "reasoning"]


class Clock(datetime):
    """What `strftime_now` sees; text/tests/templates/ gives the same time."""

    @classmethod
    def now(cls, tz=None):
        return datetime(2026, 2, 1, 9, 5, 7)


def render(tokenizer, template: str, conversation: dict, **variables) -> dict:
    given = {key: conversation.get(key) for key in ("tools", "documents")}
    messages = conversation["messages"]
    try:
        text = tokenizer.apply_chat_template(messages, chat_template=template, tokenize=False, **given, **variables)
    except jinja2.exceptions.TemplateError as error:
        # The template's own errors are of this very class, the engine's of classes below it.
        if type(error) is jinja2.exceptions.TemplateError:
            return {"raises": str(error)}
        return {"fails": f"{type(error).__name__}: {error}"}
    except Exception as error:
        return {"fails": f"{type(error).__name__}: {error}"[:200]}
    return {"expected": text}


def cases(template: str, conversations: dict, bos: str, eos: str, variables: list[dict]):
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.BPE()), bos_token=bos or None, eos_token=eos or None
    )
    for name, conversation in conversations.items():
        if conversation.get("continue"):
            yield {"conversation": name} | render(tokenizer, template, conversation, continue_final_message=True)
            continue
        yield {"conversation": name} | render(tokenizer, template, conversation, add_generation_prompt=True)
        if name in WHOLE:
            yield {"conversation": name, "prompt": False} | render(tokenizer, template, conversation)
        for more in variables:
            result = render(tokenizer, template, conversation, add_generation_prompt=True, **more)
            yield {"conversation": name, "variables": more} | result


def expressions(path: Path, conversation: dict):
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()))
    for line in path.read_text(encoding="utf-8").splitlines():
        template = line.replace("↵", "\n")
        yield {"template": template} | render(tokenizer, template, conversation, add_generation_prompt=True)


def generate(folder: Path) -> None:
    chat_template_utils.datetime = Clock
    (folder / "expressions").mkdir(exist_ok=True)
    for old in folder.rglob("*.json"):
        old.unlink()
    paths = sorted((HERE / "conversations").glob("*.json"))
    conversations = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}
    for path in sorted([*(HERE / "jinja").glob("*.jinja"), *BUILTIN.glob("*.jinja")], key=lambda path: path.name):
        template = path.read_text(encoding="utf-8")
        header = HEADER.match(template)
        bos, eos, variables = header.groups() if header else ("<s>", "</s>", None)
        made = list(cases(template, conversations, bos, eos, json.loads(variables or "[]")))
        write_json(folder / f"{path.stem}.json", {"bos": bos, "eos": eos, "cases": made})
        failed = sum("fails" in case for case in made)
        print(f"  {path.stem}: {len(made)} cases, {sum('raises' in case for case in made)} raise, {failed} fail")
    for path in sorted((HERE / "expressions").glob("*.txt")):
        if path.stem == "absent":
            continue
        made = list(expressions(path, conversations["plain"]))
        write_json(folder / "expressions" / f"{path.stem}.json", {"cases": made})
        print(f"  expressions/{path.stem}: {len(made)} cases")
