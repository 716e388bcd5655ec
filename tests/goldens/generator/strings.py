"""The strings that every tokenizer golden encodes: cases that have gone wrong somewhere, and seeded mixtures of all kinds."""

import random
from pathlib import Path
from unicodedata import ucd_3_2_0

CORPUS = Path(__file__).with_name("corpus.txt")

COUNT = 20_000
SEED = 7

WHITESPACE = [
    "", " ", "  ", "   ", "        ", "\t", "\t\t", " \t ", "\n", "\n\n", "\n\n\n", "\r", "\r\n", "\r\n\r\n", " \n", "\n ",
    " \n \n ", "\n\t\tx", "a b", "a  b", "a   b", "a    b", " a", "  a", "a ", "a  ", "a\n", "a\n\n\nb", "a \n b", "a\t b",
    "x\r\ny", "\u00a0", "a\u00a0b", "\u2003em", "\u3000全角", "\u2028", "\u2029", "\u0085", "\u000b\u000c", "\u1680", "\ufeffbom",
    "trailing spaces   \n   leading", "    if x:\n        return y\n\n\n", "\n \n  \n   \n", "a\u200bb", "end.\n\n",
]  # fmt: skip
WORDS = [
    "Hello", "hello", "HELLO", " Hello", "Hello, world!", "don't", "DON'T", "I'll we've they'd he's I'm you're it'd", "I'LL WE'VE",
    "'s", " 's", "''s", "'tis", "o'clock", "l'après-midi", "rock'n'roll", "it’s", "a'b'c", "'S'T'RE", "'ſ", "camelCase",
    "PascalCaseHTTPServer", "snake_case_name", "SCREAMING_CASE", "kebab-case-name", "mixed123Numbers456", "iPhone", "McDonald",
    "gardener", " gardener", "the gardener and the harbour", "inglenook", " inglenook", "ember", " ember", "embers", " lighthouse",
    "antidisestablishmentarianism", "a" * 300, "ab" * 100, "!" * 40, "=" * 33, "-" * 65, "." * 9, "_" * 17, "e.g., i.e., etc.",
]  # fmt: skip
NUMBERS = [
    "0", "7", "42", "100", "1234", "12345", "1234567890", "1,234,567.89", "3.14159", "-273.15", "1e-10", "0x1F4A9", "2026-11-21",
    "12:34:56", "50%", "$9.99", "№5", "½ + ¼", "x²", "Ⅷ", "٣٤٥", "१२३", "１２３", "四十二", "1st 2nd 3rd", "a1b22c333d4444", "1 2 3",
    "007", "17 + 25 = 42", "v1.2.3-rc.4", "192.168.0.1", "+49 30 1234567", "①②③",
]  # fmt: skip
PUNCTUATION = [
    "?", "?!", "...", "…", "(a)", "[b]", "{c}", "<d>", "a/b\\c", "“quoted” ‘single’ «both»", "a—b – c", "hello.world", ":-)", "~/.bashrc",
    "@user #tag", "&amp;", "a&&b||!c", "->=>::<-", "#!/bin/sh\n", "///", "//\n", " //", "*/\n*/", "\\n", "\\u0041", "\"\"\"", "```", "$$",
    "^_^", "§¶†‡", "a.b,c;d:e", " ,", "( ", " )", "end).\n", "•\tlist", "/path/to/\n/file/",
]  # fmt: skip
CODE = [
    "for (int i = 0; i < 10; i++) {\n\tsum += i;\n}\n", "def f(x):\n    return x ** 2  # square\n", "let x: Vec<&'a str> = vec![];",
    "<p class=\"x\">a &lt; b</p>", '{"key": [1, 2.5, null, true], "o": {}}', "SELECT * FROM t WHERE a = 'b';", "a\\\n  b",
    "https://example.org/a?b=c&d=%20#e", "if(a){b}else{c}", "x = x+1;y=y-1", "\t\t\treturn;", "/* comment */", "a[b][c]", "fn<T>()",
]  # fmt: skip
LANGUAGES = [
    "größer Straße ÄÖÜ", "Où est la clé ?", "¿Qué? ¡Mañana!", "Žluťoučký kůň", "Zażółć gęślą jaźń", "İstanbul ığüşöç", "Я не знаю.",
    "МАЛЕНЬКАЯ лодка", "Η μικρή βάρκα", "夜空に小さな星", "カタカナとひらがな", "ｶﾀｶﾅ", "小船早上穿过港口，海鸥", "今天是星期三。", "작은 배가",
    "각", "القارب الصغير", "مَرْحَبًا", "הסירה הקטנה", "שָׁלוֹם", "छोटी नाव", "क्षत्रिय", "เรือลำเล็ก", "ກຳປັ່ນ", "தமிழ்", "ქართული", "Հայերեն",
    "አማርኛ", "ᚠᚢᚦ", "𓀀𓁐", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢", "𐍈", "Tiếng Việt", "ǅungla", "ﬁne ﬂow", "ŉ", "Ω Ω", "Å Å Å",
]  # fmt: skip
# Composed and decomposed forms look the same and are not, unless the tokenizer normalises.
COMBINING = [
    "é", "e\u0301", "caf\u00e9", "cafe\u0301", "n\u0303", "a\u0308o\u0308u\u0308", "\u0301", " \u0301x", "q\u0323\u0307", "q\u0307\u0323", "\u1100\u1161\u11a8",
    "o\u0302\u0323", "Z\u0351\u036b\u0343\u036a", "\u0e33", "\u0f73", "\u2126", "\ufb01", "\u212b",
]  # fmt: skip
EMOJI = [
    "😀", "😀😀😀", "👍🏽", "👩‍💻", "👨‍👩‍👧‍👦", "🏳️‍🌈", "🇫🇷🇯🇵", "❤️", "❤", "1️⃣", "☺︎", "🫠", "a😀b", " 😀", "😀 ", "👩\u200d", "\u200d", "\ufe0f", "🤷🏿‍♂️ ok", "✨🎉\n🌙",
]  # fmt: skip
CONTROL = [
    "\u0000", "a\u0000b", "\u0001\u0002", "\u0007\u0008", "\u001b[31mred\u001b[0m", "\u007f", "\u009f", "\u00ad", "\u200e\u200f", "\u202eabc\u202c", "\ue000", "\ufffd",
    "\uffff", "\U0010ffff", "\ufdd0", "\U000e0041", "Ġ", "Ċ", "Ġthe", "▁", "▁the", "a▁b", "<0x41>", "<0x0A>", "<0x-1>",
]  # fmt: skip
SPECIAL_LOOKALIKES = [
    "<|endoftext|>", "a<|endoftext|>b", " <|endoftext|> ", "<|im_start|>user\nHi<|im_end|>\n", "<|im_end|>", "<|im_end", "|im_end|>",
    "<|im_end|", "<| im_end |>", "<|IM_END|>", "<|im_start|><|im_start|>", "<tool_call>\n{\"name\": \"f\"}\n</tool_call>", "<tool_call",
    "<think>\nhm\n</think>\n\nyes", "</think>", " <think> ", "<|begin_of_text|>", "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nHi",
    "<|start_header_id|>", "<s>", "</s>", "<s>a</s>", "[INST] Hi [/INST]", "[INST", "[AVAILABLE_TOOLS]", "[TOOL_CALLS] []", "<unk>", "<pad>",
    "<bos>", "<|eot_id|", "<<|eot_id|>>", "<|reserved_special_token_0|>", "e\u0301<|im_end|>e\u0301", "[CLS]", "[MASK]", "a [MASK] b", "[UNK]",
    "[PAD][SEP]", "<mask>", "a <mask> b", "<eos>", "<start_of_turn>user\n", "<end_of_turn>", "<|user|>", "<|user|> \n x", "<|assistant|>", "[gMASK]<sop>",
    "<｜begin▁of▁sentence｜>", "<｜User｜>hi<｜Assistant｜>", "<|start|>assistant<|channel|>final<|message|>", "<|START_OF_TURN_TOKEN|>", "<extra_id_0>",
    "<extra_id_1> x", "<h1>", "<table><tr>", "</h1>\n", "tokenword", "a tokenword.", "tokenwords", " NORMAL ", "normal", "#x##y", "##ing", "▁▁", "▁▁▁▁x",
]  # fmt: skip

GROUPS = [WHITESPACE, WORDS, NUMBERS, PUNCTUATION, CODE, LANGUAGES, COMBINING, EMOJI, CONTROL, SPECIAL_LOOKALIKES]


def scalar(rng: random.Random) -> str:
    """A character at random, half of the time below U+3000.

    Only those that Unicode 3.2 knew: regex engines carry different versions of the tables, and disagree on later ones.
    """
    while True:
        character = chr(rng.randrange(0x3000) if rng.random() < 0.5 else rng.randrange(0x110000))
        if ucd_3_2_0.category(character) not in ("Cn", "Cs"):
            return character


# Blocks of letters, for words of one script: Latin, Greek, Cyrillic, Armenian, Hebrew, Arabic, Devanagari, Bengali, Tamil, Thai,
# Tibetan, Georgian, Hangul jamo, Ethiopic, Cherokee, Khmer, kana, Han, Hangul, half- and full-width forms, Gothic, mathematical letters.
SCRIPTS = [
    (0x41, 0x7A), (0xC0, 0x24F), (0x370, 0x3FF), (0x400, 0x4FF), (0x531, 0x587), (0x5B0, 0x5EA), (0x60C, 0x6D5), (0x901, 0x970),
    (0x981, 0x9FA), (0xB82, 0xBF2), (0xE01, 0xE5B), (0xF00, 0xFBC), (0x10A0, 0x10F8), (0x1100, 0x11F9), (0x1200, 0x137C), (0x13A0, 0x13F4),
    (0x1780, 0x17E9), (0x3041, 0x30FE), (0x4E00, 0x9FA5), (0xAC00, 0xD7A3), (0xFF01, 0xFFEE), (0x10330, 0x1034A), (0x1D400, 0x1D7FF),
]  # fmt: skip
# What joins and modifies emoji, and some to be joined.
EMOJI_PARTS = [
    *"😀👍👩👨👧🏽🏿❤☺✨🌙🇫🇷🇯🇵", "\u200d", "\ufe0f", "\ufe0e", "\u20e3", "💻", "1", "#", " ", "🏴\U000e0067\U000e0062\U000e007f",
]  # fmt: skip
SPACES = [" ", " ", " ", "  ", "   ", "\t", "\n", "\n", "\n\n", "\r\n", "\u00a0", "\u3000", "\u2003", "\u200b", "\u0085", "\u2028", "\x0b", "\x1c", "▁"]
NAME_PARTS = ["get", "Set", "_", "HTTP", "value", "x", "2", "Item", "idx", "__", "toString"]
MARKS = list(".,;:!?'\"()[]{}<>|/\\-_=+*&^%$#@~`") + ["...", "—", "“", "”", "’", "。", "、", "«", "€", "²", "½", "£", "©", "١", "५", "１"]


def mixture(rng: random.Random) -> str:
    """Up to four pieces: strings from the groups above, and runs of random characters."""
    pieces = []
    for _ in range(rng.randint(1, 4)):
        if rng.random() < 0.2:
            pieces.append("".join(scalar(rng) for _ in range(rng.randint(1, 5))))
        else:
            pieces.append(rng.choice(rng.choice(GROUPS))[:40])
        pieces.append(rng.choice(["", "", " ", "\n"]))
    return "".join(pieces)


def words(rng: random.Random) -> str:
    """Words of one script, or of two."""
    pieces = []
    for _ in range(rng.randint(1, 5)):
        first, last = rng.choice(SCRIPTS[:3] if rng.random() < 0.3 else SCRIPTS)
        for _ in range(rng.randint(1, 7)):
            character = chr(rng.randint(first, last))
            if ucd_3_2_0.category(character) not in ("Cn", "Cs"):
                pieces.append(character)
        pieces.append(rng.choice([" ", " ", "", "-", ", ", "."]))
    return "".join(pieces)


def numbers(rng: random.Random) -> str:
    """Digits, signs and letters close together."""
    pieces = [rng.choice(MARKS) if rng.random() < 0.25 else "".join(rng.choices("0123456789", k=rng.randint(1, 7))) for _ in range(rng.randint(1, 6))]
    return "".join(piece + rng.choice(["", "", " ", "a", "x "]) for piece in pieces)


def spaces(rng: random.Random) -> str:
    """Runs of white space of all kinds around letters and marks."""
    pieces = []
    for _ in range(rng.randint(1, 5)):
        pieces += rng.choices(SPACES, k=rng.randint(1, 5))
        pieces.append(rng.choice(["", "a", "The", "x.", "{", "\"", "1", "é", "字"]))
    return "".join(pieces)


def emoji(rng: random.Random) -> str:
    """Emoji, whole and broken."""
    return "".join(rng.choices(EMOJI_PARTS, k=rng.randint(1, 9)))


def code(rng: random.Random) -> str:
    """Something like a line of a program, or of its output."""
    pieces = [rng.choice(["", "    ", "\t", "  ", "\n\t\t"])]
    for _ in range(rng.randint(2, 6)):
        name = "".join(rng.choices(NAME_PARTS, k=rng.randint(1, 3)))
        pieces += [name, rng.choice(MARKS), rng.choice(["", " ", rng.choice(MARKS), "\n"])]
    return "".join(pieces)


def lookalikes(rng: random.Random) -> str:
    """Names of special tokens, whole, cut, doubled and run together."""
    pieces = []
    for _ in range(rng.randint(1, 4)):
        name = rng.choice(SPECIAL_LOOKALIKES)
        start = rng.randint(0, 3) if rng.random() < 0.2 else 0
        pieces += [name[start : len(name) - (rng.randint(0, 3) if rng.random() < 0.2 else 0)], rng.choice(["", "", " ", "\n", "a", "  "])]
    return "".join(pieces)


def sentences(rng: random.Random, lines: list[str]) -> str:
    """A stretch of the corpus, begun and ended anywhere."""
    line = rng.choice(lines)
    start = rng.randrange(max(len(line) - 10, 1))
    return line[start : start + rng.randint(5, 70)]


def strings() -> list[str]:
    """COUNT different strings: all those written above, then mixtures of each kind."""
    rng = random.Random(SEED)
    lines = CORPUS.read_text(encoding="utf-8").splitlines()
    lines = [line for line in lines if line]
    makers = [mixture, mixture, words, words, numbers, spaces, emoji, code, lookalikes, lambda rng: sentences(rng, lines)]
    found = dict.fromkeys(text for group in GROUPS for text in group)
    while len(found) < COUNT:
        found[makers[len(found) % len(makers)](rng)] = None
    return list(found)
