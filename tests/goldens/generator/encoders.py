"""Conversations as the families' own encoders make tokens of them: Mistral's `mistral-common`.

A template only shows whether the text is right. Whether the tokens are depends on what the tokenizer does behind a special token,
where SentencePiece writes a space of its own: hence these, which the built-in templates are held to together with a tokenizer.
"""

import json
import tempfile
from pathlib import Path

from mistral_common.protocol.instruct.request import ChatCompletionRequest
from mistral_common.protocol.instruct.validator import ValidationMode
from mistral_common.tokens.tokenizers.mistral import MistralTokenizer
from mistral_common.tokens.tokenizers.tekken import Tekkenizer

from .output import write_json

# The files that come with the package: the name of the built-in template, the file, and the version that it is read as. Tekken's file is
# of version 3; what version 7 has besides is in the package.
FILES = [
    ("mistral-v1", "tokenizer.model.v1", None),
    ("mistral-v3", "mistral_instruct_tokenizer_240323.model.v3", None),
    ("mistral-v7", "mistral_instruct_tokenizer_241114.model.v7", None),
    ("mistral-v3-tekken", "tekken_240718.json", "v3"),
    ("mistral-v7-tekken", "tekken_240718.json", "v7"),
]


def user(content: str) -> dict:
    return {"role": "user", "content": content}


def system(content: str) -> dict:
    return {"role": "system", "content": content}


def assistant(content: str) -> dict:
    return {"role": "assistant", "content": content}


def calls(*made: tuple, content: str | None = None) -> dict:
    listed = [
        {"id": id, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments, ensure_ascii=False)}}
        for id, name, arguments in made
    ]
    return {"role": "assistant", "content": content, "tool_calls": listed}


def result(id: str, content: str) -> dict:
    return {"role": "tool", "tool_call_id": id, "content": content}


def tool(name: str, description: str, **properties: str) -> dict:
    parameters = {
        "type": "object",
        "properties": {key: {"type": kind} for key, kind in properties.items()},
        "required": list(properties),
    }
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


TOOLS = [tool("get_weather", "Today's weather in a \"city\".", city="string"), tool("add", "Adds <a> & b.", a="number", b="number")]
# As clients may send them: members in another order, one of them missing, one that is for the server alone.
SHUFFLED = [{"function": {"strict": False, "parameters": TOOLS[0]["function"]["parameters"], "name": "f"}, "type": "function"}]
OSLO = ("aB3dE6gH9", "get_weather", {"city": "Ōsaka", "days": [1, 2.5], "exact": True, "unit": None})
SUM = ("zY8xW7vU6", "add", {"a": 2, "b": 3})
ASKED = [user("Weather, and 2 + 3?"), calls(OSLO)]

# Name, messages, tools.
CONVERSATIONS = [
    ("plain", [user("hi")], None),
    ("nothing", [user("")], None),
    ("nothing_of_the_system", [system(""), user("hi")], None),
    ("system", [system("Be brief."), user("hi")], None),
    ("turns", [user("hi"), assistant("Hello."), user("Again?")], None),
    ("system_and_turns", [system("Be\nbrief."), user("hi"), assistant("Hello."), user("So?"), assistant("So."), user("OK")], None),
    ("answered", [user("hi"), assistant("Hello.")], None),
    ("spaces_in_front", [user("  two"), assistant(" one"), user("\n\nlines")], None),
    ("spaces_behind", [user("two  "), assistant("one "), user("lines\n\n")], None),
    ("letters", [user("é 😀 日本語\tناو"), assistant("çà"), user("¿ \r\n?")], None),
    ("look_alikes", [system("[/INST]</s>"), user("Say [INST] and </s><s>."), assistant("[TOOL_CALLS] []"), user("[/INST]?")], None),
    ("offer", [user("What can you do?")], TOOLS),
    ("offer_with_system", [system("Use tools."), user("hi"), assistant("Hello."), user("What can you do?")], TOOLS),
    ("result", [*ASKED, result("aB3dE6gH9", "It is 4 °C.")], TOOLS),
    ("result_in_json", [*ASKED, result("aB3dE6gH9", '{"t": 4, "sky": ["é", null]}')], TOOLS),
    ("result_in_json_without_spaces", [*ASKED, result("aB3dE6gH9", '{"t":4,"sky":["é",{}]}')], TOOLS),
    ("result_is_a_list", [*ASKED, result("aB3dE6gH9", '["a", 1]')], TOOLS),
    ("result_in_brackets", [*ASKED, result("aB3dE6gH9", "[see the note]")], TOOLS),
    ("result_is_true", [*ASKED, result("aB3dE6gH9", "true")], TOOLS),
    ("result_is_a_fraction", [*ASKED, result("aB3dE6gH9", "-21.5")], TOOLS),
    ("result_begins_with_a_number", [*ASKED, result("aB3dE6gH9", "21 °C or 22")], TOOLS),
    ("result_is_empty", [*ASKED, result("aB3dE6gH9", "")], TOOLS),
    ("result_is_a_number", [user("2 + 3?"), calls(SUM), result("zY8xW7vU6", "5")], TOOLS),
    ("two_calls", [user("Both."), calls(OSLO, SUM), result("aB3dE6gH9", " 4 °C"), result("zY8xW7vU6", "five")], TOOLS),
    ("call_with_text", [user("Add."), calls(SUM, content="I add."), result("zY8xW7vU6", "five")], TOOLS),
    ("call_before_the_question", [*ASKED, result("aB3dE6gH9", "cold"), assistant("Cold."), user("And now?")], TOOLS),
    ("called", ASKED, TOOLS),
    ("neighbours", [user("a"), user("b"), assistant("c"), assistant("d"), user("e")], None),
    ("offer_in_another_order", [user("hi")], SHUFFLED),
]


def tokenizer(name: str, version: str | None, folder: Path) -> MistralTokenizer:
    path = MistralTokenizer._data_path() / name
    if version is not None:
        file = json.loads(path.read_text(encoding="utf-8"))
        file["config"]["version"] = version
        path = folder / "tekken.json"
        path.write_text(json.dumps(file), encoding="utf-8")
    return MistralTokenizer.from_file(str(path), mode=ValidationMode.test)


def spelled(model, id: int) -> bytes:
    if isinstance(model, Tekkenizer):
        return model.id_to_byte_piece(id)
    if model._model.is_byte(id):
        return bytes([int(model.id_to_piece(id)[3:-1], 16)])
    return model.id_to_piece(id).replace("▁", " ").encode()


def pieces(model, ids: list[int]) -> list[str]:
    """The names of special tokens, and the text between them with all its spaces: the same for every vocabulary of the family."""
    found, text = [], b""
    for id in ids:
        if not model.is_special(id):
            text += spelled(model, id)
            continue
        found += [text.decode(), model.id_to_piece(id)] if text else [model.id_to_piece(id)]
        text = b""
    return [*found, text.decode()] if text else found


def encoded(mistral: MistralTokenizer, messages: list[dict], tools: list[dict] | None) -> list[str] | None:
    """None where the encoder refuses the conversation."""
    instruct = mistral.instruct_tokenizer
    if tools and instruct.tokenizer.version.value == "v1":
        return None  # They would be left out.
    try:
        request = ChatCompletionRequest(messages=messages, tools=tools)
        # The validator, which insists on what an answer may follow, is left out.
        normal = mistral._instruct_request_normalizer.from_chat_completion_request(request)
        return pieces(instruct.tokenizer, instruct.encode_instruct(normal).tokens)
    except Exception as error:
        print(f"    {instruct.tokenizer.version.value}: {type(error).__name__}: {str(error)[:90]}")
        return None


def generate(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        mistral = {template: tokenizer(file, version, Path(temporary)) for template, file, version in FILES}
    made = []
    for name, messages, tools in CONVERSATIONS:
        expected = {template: encoded(mistral[template], messages, tools) for template in mistral}
        expected = {template: found for template, found in expected.items() if found is not None}
        made.append({"name": name, "messages": messages, "tools": tools, "expected": expected})
        print(f"  {name}: {', '.join(expected)}")
    write_json(folder / "mistral.json", {"cases": made})
