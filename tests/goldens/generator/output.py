"""Writing JSON so that a change shows as a readable diff: one line a member, one line an item of a list of objects."""

import json
import re
from pathlib import Path


def compact(value: object) -> str:
    """JSON on one line. Letters stay readable; what an editor would not show, or break a line at, is escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(", ", ": "))
    return re.sub("[^ -~]", lambda found: found[0] if found[0].isprintable() else json.dumps(found[0])[1:-1], text)


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
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
