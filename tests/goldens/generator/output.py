"""Writing JSON so that a change shows as a readable diff: one line a member, one line an item of a list of objects."""

import json
from pathlib import Path


def compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(", ", ": "))


def write_json(path: Path, members: dict) -> None:
    """Writes an object; a member that is a list or dict of containers gets a line for each of its items."""
    lines = []
    for key, value in members.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            body = "[\n  " + ",\n  ".join(compact(item) for item in value) + "\n ]"
        elif isinstance(value, dict) and any(isinstance(item, (list, dict)) for item in value.values()):
            body = "{\n  " + ",\n  ".join(f"{compact(k)}: {compact(v)}" for k, v in value.items()) + "\n }"
        else:
            body = compact(value)
        lines.append(f" {compact(key)}: {body}")
    # Unpaired surrogates cannot be written as UTF-8; no golden has one.
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
