"""Tokenizers: vocabulary-only GGUF files, and the ids that Hugging Face's tokenizers and sentencepiece give to strings.

For each tokenizer this writes NAME.gguf (metadata only) and NAME.json, whose cases have

    text     what is encoded
    ids      with the names of special tokens taken as ordinary text, as for what a user wrote
    special  with special tokens recognised, as for a rendered chat template; absent where it equals `ids`
    decoded  what `ids` decode to; absent where it equals `text`

No case has a token put before or after the text.
"""

from pathlib import Path

import gguf
import sentencepiece
from tokenizers import Tokenizer

from . import spm, vocab
from .output import write_json
from .strings import strings

SIZES = [(vocab.LLAMA3, 1511), (vocab.QWEN2, 1303), (vocab.GPT2, 1009), (vocab.SMOLLM, 1117), (vocab.TEKKEN, 1409)]
SPM_SIZE = 1201


def byte_level_case(tokenizer: Tokenizer, text: str) -> dict:
    tokenizer.encode_special_tokens = True
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    tokenizer.encode_special_tokens = False
    special = tokenizer.encode(text, add_special_tokens=False).ids
    case = {"text": text, "ids": ids}
    if special != ids:
        case["special"] = special
    decoded = tokenizer.decode(ids, skip_special_tokens=False)
    if decoded != text:
        case["decoded"] = decoded
    return case


def spm_case(model: sentencepiece.SentencePieceProcessor, text: str) -> dict:
    case = {"text": text, "ids": model.encode(text)}
    decoded = model.decode(case["ids"])
    if decoded != text:
        case["decoded"] = decoded
    return case


def writer_for(path: Path, arch: str) -> gguf.GGUFWriter:
    writer = gguf.GGUFWriter(path, arch)
    writer.add_type("model")
    writer.add_name(f"inglenook vocabulary {path.stem}")
    return writer


def finish(writer: gguf.GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def generate(folder: Path) -> None:
    for family, size in SIZES:
        tokenizer = vocab.train(family, size, broad=True)
        writer = writer_for(folder / f"{family.pre}.gguf", "qwen2" if family is vocab.QWEN2 else "llama")
        vocab.add_to(writer, tokenizer, family)
        finish(writer)
        cases = [byte_level_case(tokenizer, text) for text in strings()]
        write_json(folder / f"{family.pre}.json", {"vocab": f"{family.pre}.gguf", "cases": cases})
        print(f"  {family.pre}: {sum('special' in case for case in cases)} of {len(cases)} name special tokens")

    model = spm.train(SPM_SIZE)
    writer = writer_for(folder / "spm.gguf", "llama")
    spm.add_to(writer, model)
    finish(writer)
    cases = [spm_case(model, text) for text in strings()]
    write_json(folder / "spm.json", {"vocab": "spm.gguf", "cases": cases})
    print(f"  spm: {sum('decoded' in case for case in cases)} of {len(cases)} do not come back as they were")
