"""Conversations in which tools are given: calls with arguments from the user's words, answers after a result, answers without a call."""

import json

from phrasing import ask, manner
from split import held_out
from toolkit import INTENTS, MADE_THINGS, MADE_VERBS, UNSEEN, made_key


def restyle(rng, name):
    """A tool's name as some write it: `get_weather`, `getWeather`, `get-weather`."""
    kind = rng.random()
    parts = name.split("_")
    if kind < 0.12:
        return parts[0] + "".join(part.capitalize() for part in parts[1:])
    if kind < 0.17:
        return "-".join(parts)
    return name


def signature(rng, name, about, params):
    """The JSON signature of a function; `params` holds `(key, type, description, choices)`."""
    properties = {}
    for key, kind, text, choices in params:
        properties[key] = {"type": kind}
        if rng.random() < 0.4:
            properties[key]["description"] = text
        if choices and rng.random() < 0.8:
            properties[key]["enum"] = choices
    function = {"name": name}
    if rng.random() < 0.85:
        function["description"] = about + rng.choice(["", "."])
    function["parameters"] = {"type": "object", "properties": properties}
    if params and rng.random() < 0.75:
        function["parameters"]["required"] = [key for key, *_ in params]
    return {"type": "function", "function": function}


class Tool:
    """An intent made concrete: one name, one set of keys. `call(rng)` gives a question and the call that answers it."""

    def __init__(self, rng, intent):
        self.intent = intent
        self.name = restyle(rng, rng.choice(intent.names))
        self.keys = []
        for param in intent.params:
            self.keys.append(rng.choice([name for name in param.names if name not in self.keys]))
        params = [(key, p.kind, p.about, p.choices) for key, p in zip(self.keys, intent.params)]
        self.signature = signature(rng, self.name, rng.choice(intent.abouts), params)

    def call(self, rng, evaluating=False):
        """A question, the call `{name, arguments}`, and a `(result, answer)` pair or None. None in place of all three if no value of this
        intent is held out (some have few)."""
        intent = self.intent
        for _ in range(300):
            values = [param.value(rng) for param in intent.params]
            free = intent in UNSEEN or (not values and not evaluating)
            if len(values) == len(set(values)) and (free or held_out("tools", *values) == evaluating):
                break
        else:
            return None
        slots = {f"p{i}": value for i, value in enumerate(values)}
        question = ask(rng, intent.asks_eval if evaluating else intent.asks, openers=not evaluating, **slots)
        call = {"name": self.name, "arguments": dict(zip(self.keys, values))}
        outcome = None
        if intent.results:
            slots |= {f"r{i}": draw(rng) for i, draw in enumerate(intent.draws)}
            outcome = tuple(text.format(**slots) for text in rng.choice(intent.results))
        return question, call, outcome


class MadeTool:
    """A made-up `verb_thing` tool, asked for in the words of its name."""

    def __init__(self, rng):
        while True:
            self.verb, self.thing = rng.choice(MADE_VERBS), rng.choice(MADE_THINGS)
            name = f"{self.verb}_{self.thing}"
            if not any(name in intent.names for intent in UNSEEN):
                break
        self.name = restyle(rng, name)
        slots = {slot[0]: slot for slot in (made_key(rng) for _ in range(rng.choice([1, 1, 1, 2])))}
        self.slots = list(slots.values())
        about = rng.choice([f"{self.verb.capitalize()} a {self.thing}", f"{self.verb.capitalize()}s the {self.thing}", f"To {self.verb} a {self.thing}"])
        self.signature = signature(rng, self.name, about, [(key, kind, f"The {key}", None) for key, kind, *_ in self.slots])

    def call(self, rng, evaluating=False):
        """As `Tool.call`; made-up tools serve training only."""
        arguments, words = {}, []
        for key, _, value, ways in self.slots:
            arguments[key] = value(rng)
            words.append(rng.choice(ways).format(v=arguments[key]))
        the = rng.choice(["the", "the", "a", "me the"])
        opening = f"{self.verb.capitalize()} {the} {self.thing}" if rng.random() < 0.7 else f"{rng.choice(['Can you', 'Could you', 'I want you to'])} {self.verb} {the} {self.thing}"
        question = manner(rng, opening + " {rest}" + rng.choice([".", "", ""])).format(rest=" ".join(words))
        return question, {"name": self.name, "arguments": arguments}, None


def toolbox(rng, evaluating=False, unseen=False):
    """One to four tools that do not answer the same question, the one to be called among them: `(target, tools)`."""
    if unseen:
        target = Tool(rng, rng.choice(UNSEEN))
    elif evaluating or rng.random() < 0.65:
        target = Tool(rng, rng.choice(INTENTS))
    else:
        target = MadeTool(rng)
    tools, names = [target], {target.name}
    family = set(target.intent.names) if isinstance(target, Tool) else {target.name}
    for _ in range(rng.choice([0, 0, 1, 1, 2, 3])):
        other = Tool(rng, rng.choice(INTENTS)) if rng.random() < 0.6 else MadeTool(rng)
        others = getattr(other, "intent", None)
        clash = other.name in names or (others and family & set(others.names)) or _same_question(target, others)
        if not clash:
            tools.append(other)
            names.add(other.name)
    rng.shuffle(tools)
    return target, tools


# Intents whose questions overlap may not stand in one toolbox with each other: which to call would be a coin's toss.
_OVERLAPS = [{"calculate", "add", "multiply"}, {"get_weather", "set_temperature"}, {"send_email", "send_message"},
             {"add_reminder", "take_note"}, {"search", "get_user", "get_capital"}, {"translate", "convert_currency", "calculate"}, {"call", "send_message"},
             {"open_app", "set_timer"}]


_ARITHMETIC = [intent for intent in INTENTS if intent.names[0] in ("calculate", "add", "multiply")]


def _same_question(target, other):
    mine = getattr(target, "intent", None)
    return bool(mine and other and any(mine.names[0] in group and other.names[0] in group for group in _OVERLAPS))


def call_text(call):
    """A call as the model writes it."""
    return "<tool_call>\n" + json.dumps(call, ensure_ascii=False) + "\n</tool_call>"


def tool_case(rng, unseen=False):
    """A case for the evaluation: `(question, tools, call)`."""
    case = None
    while case is None:
        target, tools = toolbox(rng, evaluating=True, unseen=unseen)
        case = target.call(rng, evaluating=True)
    question, call, _ = case
    return question, [tool.signature for tool in tools], call


def tool_turns(rng, plain):
    """Messages of a conversation with tools, and the tools. `plain(rng, arithmetic)` gives a turn that needs no tool; without `arithmetic` it
    may not be a sum, since a tool at hand would do it."""
    target, tools = toolbox(rng)
    arithmetic = not any(getattr(tool, "intent", None) in _ARITHMETIC for tool in tools)
    messages = []
    for _ in range(rng.choice([1, 1, 2, 2, 3])):
        if rng.random() < 0.2:
            question, answer = plain(rng, arithmetic)
            messages += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
            continue
        tool = target if rng.random() < 0.6 else rng.choice(tools)
        question, call, outcome = tool.call(rng)
        messages += [{"role": "user", "content": question}, {"role": "assistant", "content": call_text(call)}]
        if outcome and rng.random() < 0.6:
            result, answer = outcome
            messages += [{"role": "tool", "content": result}, {"role": "assistant", "content": answer}]
        else:
            messages += [{"role": "tool", "content": rng.choice(['{"status": "ok"}', "ok", '{"ok": true}'])}, {"role": "assistant", "content": "Done."}]
    return messages, [tool.signature for tool in tools]
