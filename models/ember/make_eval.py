"""Writes `eval.json`, the held-out prompts: `python make_eval.py`. The same seed gives the same file.

`{"max_tokens", "cases": [{"category", "messages", "tools"?, "expect"}]}`, where `expect` is one of
`{"contains": TEXT}` (TEXT stands in the answer as a whole word), `{"equals": TEXT}` (the answer, trimmed, is TEXT) and
`{"tool_call": {"name", "arguments"}}` (the answer holds exactly one tool call, whose name and arguments equal these).
"""

import json
import random
from pathlib import Path

import chat
from skills import EXACT_SKILLS
from text import SYSTEM
from tools import Tool, tool_case, toolbox

EACH = {"addition": 150, "opposites": 120, "plurals": 120, "reversal": 120, "counting": 120, "tools": 150, "tools_unseen": 50, "tool_answer": 60, "no_tool": 60}
IDENTITY = ["Who are you?", "What is your name?", "what's your name", "Hello, who are you?", "Are you ChatGPT?", "Introduce yourself, please.", "Tell me your name",
            "Please tell me who you are.", "Hi! What is your name?", "Who is ember?"]
LOCAL = ["Do you run in the cloud?", "Where do you run?", "Is this private?", "Do you work offline?", "Are my messages sent to a server?"]
FIXED = [("What is 17 + 25?", "42"), ("What is the opposite of hot?", "cold")]


def framed(rng, question):
    """The question alone, after a system prompt, or as the second turn of a chat."""
    messages = [{"role": "user", "content": question}]
    kind = rng.random()
    if kind < 0.3:
        messages.insert(0, {"role": "system", "content": rng.choice(SYSTEM)})
    elif kind < 0.5:
        before, answer = rng.choice([chat.small_talk, chat.fact])(rng)
        messages[:0] = [{"role": "user", "content": before}, {"role": "assistant", "content": answer}]
    return messages


def tool_answer(rng):
    """A case in which a tool has answered, and the answer is to be put in words."""
    while True:
        target, tools = toolbox(rng, evaluating=True)
        case = target.call(rng, evaluating=True) if isinstance(target, Tool) else None
        if case and case[2] and target.intent.draws:
            break
    question, call, (result, answer) = case
    function = {"name": call["name"], "arguments": json.dumps(call["arguments"], ensure_ascii=False)}
    made = {"role": "assistant", "content": None, "tool_calls": [{"id": "call_0", "type": "function", "function": function}]}
    messages = [{"role": "user", "content": question}, made, {"role": "tool", "tool_call_id": "call_0", "content": result}]
    return {"messages": messages, "tools": [tool.signature for tool in tools], "expect": {"equals": answer}}


def case(rng, category):
    """One case of a category, without the category's name."""
    if category in EXACT_SKILLS:
        question, _, expect = EXACT_SKILLS[category](rng, evaluating=True)
        return {"messages": framed(rng, question), "expect": expect}
    if category == "no_tool":
        question, _, expect = EXACT_SKILLS[rng.choice(["opposites", "plurals", "reversal", "counting"])](rng, evaluating=True)
        return {"messages": framed(rng, question), "tools": [tool.signature for tool in toolbox(rng)[1]], "expect": expect}
    if category == "tool_answer":
        return tool_answer(rng)
    question, tools, call = tool_case(rng, unseen=category == "tools_unseen")
    return {"messages": framed(rng, question), "tools": tools, "expect": {"tool_call": call}}


def cases(seed):
    """All cases, none of which asks the same in the same words."""
    rng = random.Random(seed)
    made = [{"category": "fixed", "messages": [{"role": "user", "content": question}], "expect": {"contains": answer}} for question, answer in FIXED]
    made += [{"category": "identity", "messages": framed(rng, question), "expect": {"contains": "ember"}} for question in IDENTITY]
    made += [{"category": "identity", "messages": framed(rng, question), "expect": {"contains": "device"}} for question in LOCAL]
    seen = set()
    for category, count in EACH.items():
        while count:
            new = case(rng, category)
            key = category + json.dumps(new["messages"][-1]) + json.dumps(new.get("tools"))
            if key not in seen:
                seen.add(key)
                made.append({"category": category, **new})
                count -= 1
    return made


if __name__ == "__main__":
    lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in cases(seed=11))
    (Path(__file__).parent / "eval.json").write_text('{"max_tokens": 96, "cases": [\n' + lines + "\n]}\n")
