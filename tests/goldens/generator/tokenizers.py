"""Tokenizers: for each family a vocabulary trained here, as the files that models come with, and what the references make of strings.

    python generate.py tokenizers
    python -m generator.tokenizers FAMILY TEXT      what the references make of one text, to read

For each family: NAME.json is its tokenizer.json, NAME.gguf its vocabulary as llama.cpp's converter writes it, and NAME.model SentencePiece's
file. NAME.json.crc holds a checksum for each string of strings.jsonl (little-endian u32), made of what Hugging Face's tokenizers give;
NAME.model.crc the same of what sentencepiece gives, for the families that it trains.
"""

import base64
import json
import re
import struct
import sys
import zlib
from io import BytesIO
from pathlib import Path

import gguf
import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

from . import families
from .families import Family, Pieces
from .output import compact
from .strings import CORPUS, strings

# Cuts at spaces alone. Merges learned over it join what the families' own patterns keep apart (digits, letters and
# punctuation, capitals), so that applying a wrong pattern changes the ids.
BROAD_SPLIT = r" ?\S+|\s+"
# Whole words that get an id but no merges, so that `ignore_merges` makes a difference.
UNMERGED = ["Ġgardener", "Ġharbour", "inglenook", "Ġember"]
# Between the parts of what is summed.
END = b"\xff\xff\xff\xff"


def training_text(texts: list[str], copies: int, step: int) -> list[str]:
    """The corpus so many times, and each `step`-th of the strings, which bring in the scripts."""
    return CORPUS.read_text(encoding="utf-8").splitlines() * copies + texts[::step]


def flags(token: str | tuple, special: bool) -> tuple[str, dict]:
    """A token's content, and its entry among the added tokens, without the id."""
    content, changed = token if isinstance(token, tuple) else (token, {})
    entry = {"content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": special}
    return content, entry | changed


def assemble(family: Family, model: dict) -> dict:
    """A tokenizer.json around a model, with the added tokens behind the model's own unless it has them."""
    vocab = model["vocab"]
    ids = {piece: index for index, (piece, _) in enumerate(vocab)} if isinstance(vocab, list) else dict(vocab)
    added = []
    for token, special in [(token, True) for token in family.special] + [(token, False) for token in family.user_defined]:
        content, entry = flags(token, special)
        ids.setdefault(content, len(ids))
        added.append({"id": ids[content]} | entry)
    post = families.around(family.before, family.after)
    post["special_tokens"] = {name: {"id": name, "ids": [ids[name]], "tokens": [name]} for name in post["special_tokens"]}
    pre = family.pre_tokenizer
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": sorted(added, key=lambda entry: entry["id"]),
        "normalizer": family.normalizer, "pre_tokenizer": families.sequence("pretokenizers", *pre) if len(pre) > 1 else pre[0] if pre else None,
        "post_processor": post if family.before or family.after else None, "decoder": family.decoder, "model": model,
    }  # fmt: skip


def train_byte_level(family: Family, texts: list[str]) -> dict:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(BROAD_SPLIT), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    unmerged = UNMERGED if family.ignore_merges else []
    size = family.size - len(family.special) - len(family.user_defined) - len(unmerged)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False))
    model = json.loads(tokenizer.to_str())["model"]
    for word in unmerged:
        assert model["vocab"].setdefault(word, len(model["vocab"])) == len(model["vocab"]) - 1
    return assemble(family, model | {"ignore_merges": family.ignore_merges})


def train_pieces(family: Pieces, texts: list[str]) -> sentencepiece.SentencePieceProcessor:
    model = BytesIO()
    options = {"num_threads": 1, "minloglevel": 2, "vocab_size": family.size, "hard_vocab_limit": False} | family.options
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(texts), model_writer=model, **options)
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


def pieces_json(family: Pieces, pieces: sentencepiece.SentencePieceProcessor) -> dict:
    """What transformers' converter makes of a SentencePiece model: merges in the order of the scores of what they give."""
    tokens = [pieces.id_to_piece(token) for token in range(pieces.get_piece_size())]
    scores = [pieces.get_score(token) for token in range(pieces.get_piece_size())]
    fallback = bool(family.options.get("byte_fallback"))
    if family.options["model_type"] == "unigram":
        model = {"type": "Unigram", "unk_id": pieces.unk_id(), "vocab": [list(entry) for entry in zip(tokens, scores)], "byte_fallback": fallback}
    else:
        ids = {token: index for index, token in enumerate(tokens)}
        merges = []
        for token, score in zip(tokens, scores):
            halves = [(token[:cut], token[cut:]) for cut in range(1, len(token)) if token[:cut] in ids and token[cut:] in ids]
            merges += [(left, right, score) for left, right in sorted(halves, key=lambda half: (ids[half[0]], ids[half[1]]))]
        merges.sort(key=lambda merge: -merge[2])
        model = {
            "type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None, "end_of_word_suffix": None,
            "fuse_unk": True, "byte_fallback": fallback, "ignore_merges": False, "vocab": ids, "merges": [[left, right] for left, right, _ in merges],
        }  # fmt: skip
    state = assemble(family, model)
    if family.name == "t5":
        state["normalizer"]["precompiled_charsmap"] = base64.b64encode(charsmap(pieces)).decode("ascii")
    return state


def charsmap(pieces: sentencepiece.SentencePieceProcessor) -> bytes:
    return sentencepiece_model_pb2.ModelProto.FromString(pieces.serialized_model_proto()).normalizer_spec.precompiled_charsmap


def train_word_piece(family: Family, texts: list[str]) -> dict:
    plain = assemble(family, {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": {"[UNK]": 0}})
    tokenizer = Tokenizer.from_str(json.dumps(plain))
    names = [flags(token, True)[0] for token in family.special]
    tokenizer.train_from_iterator(texts, trainers.WordPieceTrainer(vocab_size=family.size, limit_alphabet=300, special_tokens=names, show_progress=False))
    return assemble(family, json.loads(tokenizer.to_str())["model"])


def train_unigram(family: Family, texts: list[str]) -> dict:
    plain = assemble(family, {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0]], "byte_fallback": False})
    tokenizer = Tokenizer.from_str(json.dumps(plain))
    names = [flags(token, True)[0] for token in family.special]
    trainer = trainers.UnigramTrainer(vocab_size=family.size, special_tokens=names, unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    return assemble(family, json.loads(tokenizer.to_str())["model"])


def train_words(family: Family, texts: list[str]) -> dict:
    plain = assemble(family, {"type": "WordLevel", "unk_token": "[UNK]", "vocab": {"[UNK]": 0}})
    tokenizer = Tokenizer.from_str(json.dumps(plain))
    names = [flags(token, True)[0] for token in family.special]
    tokenizer.train_from_iterator(texts, trainers.WordLevelTrainer(vocab_size=family.size, special_tokens=names, show_progress=False))
    model = json.loads(tokenizer.to_str())["model"]
    # The trainer leaves numbers out.
    model["vocab"] = {token: number for number, token in enumerate(sorted(model["vocab"], key=model["vocab"].get))}
    return assemble(family, model)


class HuggingFace:
    """What Hugging Face's tokenizers make of texts."""

    def __init__(self, state: dict) -> None:
        self.parse = Tokenizer.from_str(json.dumps(state))
        # These models would find the names of special tokens in their own vocabulary; inglenook never lets a user's text become one. The
        # reference is the same tokenizer with names that no text has.
        renamed = json.dumps(state)
        if state["model"]["type"] in ("Unigram", "WordLevel"):
            for number, entry in enumerate(entry for entry in state["added_tokens"] if entry["special"]):
                renamed = renamed.replace(json.dumps(entry["content"]), json.dumps(f"\U000ffffd{number}"))
        self.as_text = Tokenizer.from_str(renamed)
        self.as_text.encode_special_tokens = True

    def answers(self, texts: list[str]) -> list[tuple[list[int], list[int], str]]:
        plain = [found.ids for found in self.as_text.encode_batch(texts, add_special_tokens=False)]
        whole = [found.ids for found in self.parse.encode_batch(texts, add_special_tokens=True)]
        return list(zip(plain, whole, self.parse.decode_batch(plain, skip_special_tokens=True)))


class SentencePiece:
    """What sentencepiece makes of texts. It knows no way of naming special tokens in them, so texts are cut at the names first."""

    def __init__(self, family: Pieces, pieces: sentencepiece.SentencePieceProcessor) -> None:
        self.pieces = pieces
        names = [pieces.id_to_piece(token) for token in range(pieces.get_piece_size()) if pieces.is_control(token) or pieces.is_unknown(token)]
        self.names = re.compile("(" + "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True)) + ")")
        self.before, self.after = ([pieces.piece_to_id(name) for name in names] for names in (family.before, family.after))

    def whole(self, text: str) -> list[int]:
        ids = list(self.before)
        for index, part in enumerate(self.names.split(text)):
            ids += [self.pieces.piece_to_id(part)] if index % 2 else self.pieces.encode(part)
        return ids + self.after

    def answers(self, texts: list[str]) -> list[tuple[list[int], list[int], str]]:
        plain = self.pieces.encode(texts)
        known = [[token for token in ids if not self.pieces.is_unknown(token)] for ids in plain]
        return [(ids, self.whole(text), self.pieces.decode(kept)) for text, ids, kept in zip(texts, plain, known)]


def checksum(answer: tuple[list[int], list[int], str]) -> int:
    """CRC-32 of the ids with names of special tokens taken as text, of those of the whole text with special tokens, and of the decoded
    text of the first."""
    plain, whole, decoded = answer
    return zlib.crc32(words(plain) + END + words(whole) + END + decoded.encode("utf-8"))


def words(numbers: list[int]) -> bytes:
    return struct.pack(f"<{len(numbers)}I", *numbers)


def write_checksums(path: Path, answers: list) -> None:
    path.write_bytes(words([checksum(answer) for answer in answers]))


def writer_for(path: Path, family: Family, kind: str) -> gguf.GGUFWriter:
    writer = gguf.GGUFWriter(path, "bert" if kind == "bert" else "t5" if kind == "t5" else "llama")
    writer.add_type("model")
    writer.add_name(f"inglenook vocabulary {family.name}")
    writer.add_tokenizer_model(kind)
    writer.add_tokenizer_pre(family.pre)
    return writer


def finish(writer: gguf.GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def table(state: dict) -> tuple[list[str], list[gguf.TokenType]]:
    """All tokens by id, and their types."""
    vocab = state["model"]["vocab"]
    ids = dict(vocab) | {entry["content"]: entry["id"] for entry in state["added_tokens"]}
    tokens = sorted(ids, key=ids.get)
    assert [ids[token] for token in tokens] == list(range(len(tokens)))
    kinds = {entry["content"]: gguf.TokenType.CONTROL if entry["special"] else gguf.TokenType.USER_DEFINED for entry in state["added_tokens"]}
    return tokens, [kinds.get(token, gguf.TokenType.NORMAL) for token in tokens]


def write_byte_level(path: Path, family: Family, state: dict) -> None:
    writer = writer_for(path, family, "gpt2")
    tokens, kinds = table(state)
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([" ".join(pair) for pair in state["model"]["merges"]])
    if family.before:
        writer.add_bos_token_id(tokens.index(family.before[0]))
    writer.add_eos_token_id(tokens.index(flags(family.special[-1], True)[0]))
    writer.add_add_bos_token(len(family.before) == 1)
    finish(writer)


def write_word_piece(path: Path, family: Family, state: dict) -> None:
    writer = writer_for(path, family, "bert")
    tokens, kinds = table(state)

    def phantom(token: str) -> str:
        if token.startswith("[") and token.endswith("]"):
            return token
        return token[2:] if token.startswith("##") else "▁" + token

    writer.add_token_list([phantom(token) for token in tokens])
    writer.add_token_types(kinds)
    for name, add in [("[UNK]", writer.add_unk_token_id), ("[SEP]", writer.add_sep_token_id), ("[PAD]", writer.add_pad_token_id), ("[MASK]", writer.add_mask_token_id)]:
        add(tokens.index(name))
    writer.add_uint32("tokenizer.ggml.cls_token_id", tokens.index("[CLS]"))
    finish(writer)


def write_pieces(path: Path, family: Pieces, pieces: sentencepiece.SentencePieceProcessor) -> None:
    unigram = family.options["model_type"] == "unigram"
    writer = writer_for(path, family, "t5" if unigram else "llama")
    tokens = range(pieces.get_piece_size())

    def kind(token: int) -> gguf.TokenType:
        if pieces.is_unknown(token):
            return gguf.TokenType.UNKNOWN
        if pieces.is_control(token):
            return gguf.TokenType.CONTROL
        if pieces.is_byte(token):
            return gguf.TokenType.BYTE
        user_defined = pieces.id_to_piece(token) in family.options.get("user_defined_symbols", [])
        return gguf.TokenType.USER_DEFINED if user_defined else gguf.TokenType.NORMAL

    writer.add_token_list([pieces.id_to_piece(token).encode("utf-8") for token in tokens])
    writer.add_token_scores([pieces.get_score(token) for token in tokens])
    writer.add_token_types([kind(token) for token in tokens])
    if pieces.bos_id() >= 0:
        writer.add_bos_token_id(pieces.bos_id())
    writer.add_eos_token_id(pieces.eos_id())
    writer.add_unk_token_id(pieces.unk_id())
    writer.add_add_bos_token(bool(family.before))
    writer.add_add_eos_token(bool(family.after))
    writer.add_add_space_prefix(family.options.get("add_dummy_prefix", True))
    writer.add_remove_extra_whitespaces(family.options.get("remove_extra_whitespaces", True))
    if unigram and charsmap(pieces):
        writer.add_precompiled_charsmap(charsmap(pieces))
    finish(writer)


def phi3(state: dict) -> dict:
    """The tokenizer of `llama-spm` with Phi-3's own tokens behind it."""
    first = len(state["model"]["vocab"])
    added = [{"id": first + number} | flags(token, True)[1] for number, token in enumerate(families.PHI3_TOKENS)]
    return state | {"added_tokens": state["added_tokens"] + added}


def build(texts: list[str]):
    """Yields each family with its tokenizer.json, and SentencePiece's model if it has one."""
    training = training_text(texts, copies=3, step=5)
    # Most characters are left to the byte tokens, or unknown.
    rare = training_text(texts, copies=12, step=40)
    for family in families.BYTE_LEVEL:
        yield family, train_byte_level(family, training), None
    for family in families.SENTENCEPIECE:
        # SentencePiece's own limits: a line is at most so long, and has no tab or line end.
        pieces = train_pieces(family, [line for text in rare for line in text.split("\n") if len(line) < 500])
        state = pieces_json(family, pieces)
        yield family, state, pieces
        if family.name == "llama-spm":
            yield Family("phi3", 0), phi3(state), None
    for family in families.WORD_PIECE:
        # No mark for spaces, which GGUF writes for the beginning of a word.
        yield family, train_word_piece(family, [text for text in training if "▁" not in text]), None
    yield families.XLM_R, train_unigram(families.XLM_R, training_text(texts, copies=3, step=2000)), None
    yield families.WORDS, train_words(families.WORDS, training), None


def generate(folder: Path) -> None:
    texts = strings()
    (folder / "strings.jsonl").write_text("".join(compact(text) + "\n" for text in texts), encoding="utf-8")
    for family, state, pieces in build(texts):
        (folder / f"{family.name}.json").write_text(json.dumps(state, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
        answers = HuggingFace(state).answers(texts)
        write_checksums(folder / f"{family.name}.json.crc", answers)
        told = f"{len({token for ids, _, _ in answers for token in ids})} tokens used"
        if pieces:
            (folder / f"{family.name}.model").write_bytes(pieces.serialized_model_proto())
            write_pieces(folder / f"{family.name}.gguf", family, pieces)
            others = SentencePiece(family, pieces).answers(texts)
            write_checksums(folder / f"{family.name}.model.crc", others)
            told += f"; sentencepiece answers {sum(map(tuple.__ne__, answers, others))} otherwise"
        elif family.pre == "bert":
            write_word_piece(folder / f"{family.name}.gguf", family, state)
        elif family.pre:
            write_byte_level(folder / f"{family.name}.gguf", family, state)
        print(f"  {family.name}: {told}")


def show(name: str, text: str) -> None:
    """Prints what the committed tokenizers of a family, run by the references, make of one text."""
    folder = Path(__file__).resolve().parent.parent / "tokenizers"
    state = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    references = [("tokenizers", HuggingFace(state))]
    model = folder / f"{name}.model"
    for family in families.SENTENCEPIECE:
        if family.name == name:
            references.append(("sentencepiece", SentencePiece(family, sentencepiece.SentencePieceProcessor(model_file=str(model)))))
    for reference, answers in references:
        plain, whole, decoded = answers.answers([text])[0]
        print(f"{reference}:\n  as text {plain}\n  whole   {whole}\n  decoded {decoded!r}")


if __name__ == "__main__":
    show(sys.argv[1], sys.argv[2])
