"""Makes every golden file under tests/goldens from reference implementations.

    python generate.py                  all parts
    python generate.py models quants    some of them

The output is committed, so the tests need no Python. Run this again only to change the goldens; see README.md.
"""

import importlib
import sys
from pathlib import Path

# Each part is a module of `generator` with a function `generate(folder)`, and owns one output folder.
PARTS = {
    "models": "models",
    "ropes": "models",
    "quants": "quant",
    "tokenizers": "tokenizers",
    "templates": "templates",
    "encoders": "encoders",
    "language": "language",
}


def main() -> None:
    here = Path(__file__).resolve().parent
    names = sys.argv[1:] or list(PARTS)
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        sys.exit(f"no part named {', '.join(unknown)}; the parts are {', '.join(PARTS)}")
    for name in names:
        folder = here / PARTS[name]
        folder.mkdir(exist_ok=True)
        print(f"{name} -> {folder.name}/")
        importlib.import_module(f"generator.{name}").generate(folder)


if __name__ == "__main__":
    main()
