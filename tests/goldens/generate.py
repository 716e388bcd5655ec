"""Makes every golden file under tests/goldens from reference implementations.

    python generate.py                         all parts
    python generate.py models quants           some of them
    python generate.py models --only gemma3    some checkpoints of a part
    python generate.py models --hf FOLDER      these also in Hugging Face's form, a folder each

The output is committed, so the tests need no Python. Run this again only to change the goldens; see README.md.
"""

import argparse
import importlib
from pathlib import Path

# Each part is a module of `generator` with a function `generate(folder)`, and owns one output folder.
PARTS = {
    "models": "models",
    "mtp": "mtp",
    "assistants": "mtp",
    "embeddings": "embeddings",
    "ropes": "models",
    "quants": "quant",
    "tokenizers": "tokenizers",
    "templates": "templates",
    "encoders": "encoders",
    "language": "language",
    "imatrix": "imatrix",
    "loras": "loras",
    "adapters": "adapters",
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Makes the golden files of tests/goldens.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"all of them, or some of {', '.join(PARTS)}")
    of_checkpoints = "checkpoints of `models`, `mtp`, `embeddings` or `adapters`, with commas between them"
    parser.add_argument("--only", metavar="NAMES", help=of_checkpoints)
    parser.add_argument("--hf", metavar="FOLDER", type=Path, help="where checkpoints go in Hugging Face's form")
    options = parser.parse_args()
    if unknown := [name for name in options.parts if name not in PARTS]:
        parser.error(f"no part named {', '.join(unknown)}; the parts are {', '.join(PARTS)}")
    here = Path(__file__).resolve().parent
    for name in options.parts or PARTS:
        folder = here / PARTS[name]
        folder.mkdir(exist_ok=True)
        print(f"{name} -> {folder.name}/")
        only = {"only": options.only and set(options.only.split(","))}
        settings = {"models": {**only, "hf": options.hf}, "mtp": only, "embeddings": only, "adapters": only}.get(name, {})
        importlib.import_module(f"generator.{name}").generate(folder, **settings)


if __name__ == "__main__":
    main()
