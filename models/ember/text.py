"""The seeded generator of ember's training text: conversations of mixed skills, written out by the chat template.

`python text.py` prints a few samples. `documents(seed, count)` yields text; `pieces` splits a document into what is read and what is learned.
"""

import json
import random
import re
from pathlib import Path

import jinja2

import chat
import skills
from tools import tool_turns

TEMPLATE = (Path(__file__).parent / "chat_template.jinja").read_text()
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
MARKS = ["<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<tools>", "</tools>"]

SYSTEM = ["You are a helpful assistant.", "You are ember, a small model that runs on the user's own device.", "You are a friendly assistant.", "Answer briefly.",
          "You are ember.", "Be kind and short.", "You are a helpful AI assistant.", "You are an assistant. Answer in short sentences.", "Help the user.",
          "You are a helpful assistant with access to tools.", "Use the tools when they help."]

# What a turn is about, and how often: the exact skills need the most practice.
SKILLS = [(skills.addition, 20), (skills.opposite, 11), (skills.plurals, 13), (skills.reversal, 25), (skills.counting, 14),
          (chat.small_talk, 9), (chat.fact, 6), (chat.story, 4), (chat.unknown, 4)]
_TURNS, _WEIGHTS = zip(*SKILLS)


def template(compact=False, sort_keys=False):
    """The chat template, compiled. JSON in the two manners that renderers of templates are known to write it."""
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    separators = (",", ":") if compact else (", ", ": ")
    environment.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False, separators=separators, sort_keys=sort_keys)
    return environment.from_string(TEMPLATE)


_RENDERERS = [template(), template(compact=True), template(sort_keys=True), template(compact=True, sort_keys=True)]


def turn(rng, arithmetic=True):
    """A question and its answer, of any skill that needs no tool."""
    while True:
        skill = rng.choices(_TURNS, _WEIGHTS)[0]
        if arithmetic or skill is not skills.addition:
            return skill(rng)[:2]


def tool_free_turn(rng, arithmetic):
    """A turn inside a conversation with tools that none of them fits."""
    while True:
        question, answer = turn(rng, arithmetic)
        if "capital" not in question.lower() and answer not in chat.UNKNOWN + chat.LOOKUP:
            return question, answer


def conversation(rng):
    """Messages and tools (None without) of one conversation."""
    tools = None
    if rng.random() < 0.4:
        messages, tools = tool_turns(rng, tool_free_turn)
    else:
        turns = []
        while not turns or rng.random() < 0.62:
            turns += chat.names(rng) if rng.random() < 0.03 else [turn(rng)]
            if len(turns) > 5:
                break
        messages = [message for question, answer in turns
                    for message in ({"role": "user", "content": question}, {"role": "assistant", "content": answer})]
    if rng.random() < 0.35:
        messages.insert(0, {"role": "system", "content": rng.choice(SYSTEM)})
    return messages, tools


def documents(seed, count):
    """`count` conversations as text, the same for the same seed."""
    rng = random.Random(seed)
    for _ in range(count):
        messages, tools = conversation(rng)
        renderer = rng.choices(_RENDERERS, [70, 15, 10, 5])[0]
        yield renderer.render(messages=messages, tools=tools)


_ANSWER = re.compile(r"(?<=<\|im_start\|>assistant\n)(.*?<\|im_end\|>)", re.DOTALL)


def pieces(document):
    """`(text, learned)` runs of a document; what the assistant writes, its end mark included, is learned."""
    return [(part, bool(i % 2)) for i, part in enumerate(_ANSWER.split(document)) if part]


def encode(tokenizer, document):
    """Token ids of a document and, for each, whether it is learned."""
    ids, learned = [], []
    for text, is_answer in pieces(document):
        for run in text.split(skills.CUT):
            if run:
                tokens = tokenizer.encode(run, add_special_tokens=False).ids
                ids += tokens
                learned += [is_answer] * len(tokens)
    return ids, learned


if __name__ == "__main__":
    for sample in documents(seed=1, count=12):
        print(sample.replace(skills.CUT, ""), end="\n\n")
