"""The families of tokenizers: how each normalises, splits, spells and decodes, as in the published tokenizer.json files.

A family is data: the parts of its tokenizer.json, the name that llama.cpp's converter gives its way of splitting (`pre`), and its
special tokens. The vocabularies are trained in `tokenizers.py`.
"""

from dataclasses import dataclass, field

CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
LLAMA3 = CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
QWEN35 = CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
BAILING = r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
CAMEL = [
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*",
]
SLASHES = r" ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
TEKKEN = "|".join([*CAMEL, r"\p{N}", SLASHES])
O200K = "|".join([*(camel + CONTRACTIONS + "?" for camel in CAMEL), r"\p{N}{1,3}", SLASHES])
NOT_HAN = "&&[^\\p{Han}]]"
KIMI = "|".join(
    [r"[\p{Han}]+", *(camel.replace(r"\p{M}]", r"\p{M}" + NOT_HAN) + CONTRACTIONS + "?" for camel in CAMEL)]
    + [r"\p{N}{1,3}", SLASHES.replace("[\\r\\n/]", "[\\r\\n]")]
)
BLOOM = r" ?[^(\s|[.,!?…。，、।۔،])]+"
DEEPSEEK_V3 = (
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CJK = "[一-龥ࠀ-一가-퟿]+"
# Letters with case, range by range, as DeepSeek LLM's file writes them. Some of them are not in normal form C, hence the escapes.
CASED = (
    "A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-\u1f7d"
    "ᾀ-ᾴᾶ-ᾼ\u1fbeῂ-ῄῆ-ῌῐ-\u1fd3ῖ-\u1fdbῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤ\u2126ℨ\u212a-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎ"
    "ꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃"
)


def split(pattern: str, behavior: str = "Isolated", invert: bool = False) -> dict:
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": behavior, "invert": invert}


def byte_level(use_regex: bool, add_prefix_space: bool = False) -> dict:
    return {"type": "ByteLevel", "add_prefix_space": add_prefix_space, "trim_offsets": True, "use_regex": use_regex}


def digits(individual: bool) -> dict:
    return {"type": "Digits", "individual_digits": individual}


def sequence(kind: str, *parts: dict) -> dict:
    return {"type": "Sequence", kind: list(parts)}


def splits(*patterns: str) -> list[dict]:
    """Splits one after the other, then bytes: what most files have."""
    return [*map(split, patterns), byte_level(False)]


def around(before: list[str], after: list[str]) -> dict:
    """A post-processor that puts special tokens in front and behind; ids are filled in by `tokenizers.py`."""
    parts = [{"SpecialToken": {"id": name, "type_id": 0}} for name in before]
    parts.append({"Sequence": {"id": "A", "type_id": 0}})
    parts += [{"SpecialToken": {"id": name, "type_id": 0}} for name in after]
    return {"type": "TemplateProcessing", "single": parts, "pair": parts, "special_tokens": dict.fromkeys([*before, *after])}


@dataclass
class Family:
    """A kind of tokenizer."""

    name: str
    size: int
    # Parts of tokenizer.json.
    pre_tokenizer: list[dict] = field(default_factory=list)
    normalizer: dict | None = None
    decoder: dict | None = None
    # Special tokens, then those that are only never split; (content, flags) or a content.
    special: list = field(default_factory=list)
    user_defined: list = field(default_factory=list)
    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    ignore_merges: bool = False
    # `tokenizer.ggml.pre`; none: the family is written as tokenizer.json alone.
    pre: str | None = None


BYTES = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}
NFC = {"type": "NFC"}
CHATML = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
THINK = ["<tool_call>", "</tool_call>", "<think>", "</think>"]
DEEPSEEK = ["<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"]


def bpe(name: str, size: int, pre_tokenizer: list[dict], special: list, **more: object) -> Family:
    return Family(name, size, pre_tokenizer, decoder=BYTES, special=special, **({"pre": name} | more))


BYTE_LEVEL = [
    bpe(
        "llama-bpe", 1511, splits(LLAMA3), ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"],
        before=["<|begin_of_text|>"], ignore_merges=True,
    ),
    bpe("qwen2", 1303, splits(QWEN2), CHATML, user_defined=THINK, normalizer=NFC),
    bpe("qwen35", 1201, splits(QWEN35), CHATML, user_defined=THINK, normalizer=NFC),
    bpe("gpt-2", 1009, [byte_level(True)], ["<|endoftext|>"]),
    bpe("smollm", 1117, [digits(True), byte_level(True)], CHATML),
    bpe(
        "tekken", 1409, splits(TEKKEN), ["<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[TOOL_CALLS]"],
        before=["<s>"], ignore_merges=True,
    ),
    bpe("glm4", 1259, splits(LLAMA3), ["<|endoftext|>", "[gMASK]", "<sop>", "<|user|>", "<|assistant|>"]),
    bpe("gpt-4o", 1327, splits(O200K), ["<|endoftext|>", "<|start|>", "<|message|>", "<|channel|>"]),
    bpe("kimi-k2", 1231, splits(KIMI), ["[BOS]", "[EOS]", "<|im_end|>"]),
    bpe("bailingmoe", 1103, splits(BAILING), ["<|startoftext|>", "<|endoftext|>"]),
    bpe(
        "falcon", 1213,
        [{"type": "Punctuation", "behavior": "Contiguous"}, byte_level(True), digits(False), split("[0-9][0-9][0-9]")],
        ["<|endoftext|>"],
    ),
    bpe("command-r", 1153, [digits(True), byte_level(True)], ["<PAD>", "<|START_OF_TURN_TOKEN|>"], normalizer=NFC),
    bpe("olmo", 1061, [byte_level(True)], ["<|endoftext|>"], user_defined=["    ", "  "], normalizer=NFC),
    bpe("bloom", 1171, splits(BLOOM), ["<unk>", "<s>", "</s>"]),
    bpe("deepseek-coder", 1237, [split(r"[\r\n]"), split(r"\s?\p{L}+"), split(r"\s?\p{P}+"), split(CJK), digits(True), byte_level(False)], DEEPSEEK, before=DEEPSEEK[:1]),
    bpe(
        "deepseek-llm", 1301,
        [
            split(r"[\r\n]"), split(rf"\s?[{CASED}]+"), split(r"\s?[!-/:-~！-／：-～‘-‟　-。]+"), split(r"\s+$"), split(CJK),
            digits(True), byte_level(False),
        ],
        DEEPSEEK, before=DEEPSEEK[:1],
    ),
    bpe("deepseek-v3", 1361, splits(r"\p{N}{1,3}", "[一-龥\u3040-ゟ゠-ヿ]+", DEEPSEEK_V3), DEEPSEEK, user_defined=["<｜User｜>", "<｜Assistant｜>"], before=DEEPSEEK[:1]),
    bpe(
        "roberta", 1033, [byte_level(True, add_prefix_space=True)],
        ["<s>", "<pad>", "</s>", "<unk>", ("<mask>", {"lstrip": True})], before=["<s>"], after=["</s>"], pre=None,
    ),
]  # fmt: skip


MARK = "▁"
LEGACY_LLAMA = sequence("normalizers", {"type": "Prepend", "prepend": MARK}, {"type": "Replace", "pattern": {"String": " "}, "content": MARK})
SPACES_TO_MARKS = {"type": "Replace", "pattern": {"String": " "}, "content": MARK}
FROM_MARKS = {"type": "Replace", "pattern": {"String": MARK}, "content": " "}
BYTE_FALLBACK = [{"type": "ByteFallback"}, {"type": "Fuse"}]
STRIP_ONE = {"type": "Strip", "content": " ", "start": 1, "stop": 0}


@dataclass
class Pieces(Family):
    """A family whose vocabulary SentencePiece trains; `options` are its trainer's."""

    options: dict = field(default_factory=dict)


LLAMA_OPTIONS = {
    "model_type": "bpe", "byte_fallback": True, "character_coverage": 0.98, "normalization_rule_name": "identity",
    "remove_extra_whitespaces": False, "split_digits": True, "allow_whitespace_only_pieces": True,
}  # fmt: skip
SENTENCEPIECE = [
    Pieces(
        "llama-spm", 1201, normalizer=LEGACY_LLAMA, special=["<unk>", "<s>", "</s>"], before=["<s>"],
        decoder=sequence("decoders", FROM_MARKS, *BYTE_FALLBACK, STRIP_ONE), options=LLAMA_OPTIONS, pre="default",
    ),
    Pieces(
        "gemma", 1301, normalizer=SPACES_TO_MARKS,
        pre_tokenizer=[{"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False}],
        special=["<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>"], user_defined=["\n\n", "▁▁", "▁▁▁▁", "<h1>", "</h1>", "<table>"],
        before=["<bos>"], decoder=sequence("decoders", FROM_MARKS, *BYTE_FALLBACK), pre="default",
        options=LLAMA_OPTIONS | {
            "add_dummy_prefix": False, "pad_id": 0, "eos_id": 1, "bos_id": 2, "unk_id": 3, "pad_piece": "<pad>", "eos_piece": "<eos>", "bos_piece": "<bos>",
            "control_symbols": ["<start_of_turn>", "<end_of_turn>"], "user_defined_symbols": ["\n\n", "▁▁", "▁▁▁▁", "<h1>", "</h1>", "<table>"],
        },
    ),
    Pieces(
        "t5", 1401, pre_tokenizer=[{"type": "WhitespaceSplit"}, {"type": "Metaspace", "replacement": MARK, "prepend_scheme": "always", "split": True}],
        normalizer={"type": "Precompiled"}, decoder={"type": "Metaspace", "replacement": MARK, "prepend_scheme": "always", "split": True},
        special=["<pad>", "</s>", "<unk>", "<extra_id_0>", "<extra_id_1>"], after=["</s>"], pre="default",
        options={
            "model_type": "unigram", "normalization_rule_name": "nmt_nfkc", "character_coverage": 0.98, "bos_id": -1, "pad_id": 0, "eos_id": 1, "unk_id": 2,
            "control_symbols": ["<extra_id_0>", "<extra_id_1>"],
        },
    ),
    Pieces(
        "unigram-bytes", 1103, pre_tokenizer=[{"type": "Metaspace", "replacement": MARK, "prepend_scheme": "first", "split": False}],
        special=["<unk>", "<s>", "</s>"], before=["<s>"], pre="default",
        decoder=sequence("decoders", {"type": "Metaspace", "replacement": MARK, "prepend_scheme": "first", "split": False}, *BYTE_FALLBACK),
        options=LLAMA_OPTIONS | {"model_type": "unigram"},
    ),
]  # fmt: skip

# Built on the vocabulary of `llama-spm`: Phi-3's tokens take the white space behind them along.
PHI3_TOKENS = [("<|user|>", {"rstrip": True}), ("<|assistant|>", {"rstrip": True}), ("<|end|>", {"rstrip": True})]

BERT_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", ("[MASK]", {"lstrip": True})]


def bert_family(name: str, size: int, lowercase: bool) -> Family:
    normalizer = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": lowercase}
    return Family(
        name, size, [{"type": "BertPreTokenizer"}], normalizer, {"type": "WordPiece", "prefix": "##", "cleanup": True},
        special=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], before=["[CLS]"], after=["[SEP]"], pre="bert",
    )  # fmt: skip


WORD_PIECE = [bert_family("bert-uncased", 1501, True), bert_family("bert-cased", 1409, False)]

XLM_R = Family(
    "xlm-r", 1207, [{"type": "WhitespaceSplit"}, {"type": "Metaspace", "replacement": MARK, "prepend_scheme": "always", "split": True}],
    sequence("normalizers", {"type": "Nmt"}, {"type": "NFKC"}, {"type": "Strip", "strip_left": False, "strip_right": True}, {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}),
    {"type": "Metaspace", "replacement": MARK, "prepend_scheme": "always", "split": True},
    special=["<s>", "<pad>", "</s>", "<unk>", ("<mask>", {"lstrip": True})], user_defined=[("tokenword", {"single_word": True}), ("NORMAL", {"normalized": True})],
    before=["<s>"], after=["</s>"],
)  # fmt: skip
WORDS = Family(
    "words", 907, [{"type": "Whitespace"}, {"type": "Punctuation", "behavior": "MergedWithPrevious"}],
    sequence("normalizers", {"type": "NFD"}, {"type": "Lowercase"}, {"type": "StripAccents"}), None,
    special=["[UNK]", "[PAD]"], user_defined=[("NORMAL", {"normalized": True})],
)  # fmt: skip
