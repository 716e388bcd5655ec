"""One module an architecture or family, each with a list `CHECKPOINTS`."""

import importlib

MODULES = [
    "gemma3",
    "gemma2",
    "phi3",
    "glm4",
    "mistral3",
    "smollm3",
    "granite",
    "olmo",
    "cohere",
    "exaone4",
    "hunyuan",
    "seed_oss",
    "bitnet",
    "mixtral",
    "qwen3moe",
    "gpt_oss",
    "granitemoe",
    "glm4moe",
    "gemma4",
    "gemma3n",
    "qwen35",
    "lfm2",
    "granitehybrid",
    "nemotron_h",
    "falcon_h1",
]

CHECKPOINTS = [
    checkpoint for name in MODULES for checkpoint in importlib.import_module(f"{__name__}.{name}").CHECKPOINTS
]
