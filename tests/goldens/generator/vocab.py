"""Small byte-level BPE vocabularies, and the GGUF metadata that describes one.

The pre-tokenizers are those of the `tokenizer.json` files which the models of each family ship; `NAME` is what
llama.cpp's converter writes as `tokenizer.ggml.pre` for them.
"""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import gguf
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

CORPUS = Path(__file__).with_name("corpus.txt")

LLAMA3_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2_SPLIT = LLAMA3_SPLIT.replace(r"\p{N}{1,3}", r"\p{N}")
TEKKEN_SPLIT = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|"
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|"
    r"\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

LLAMA3_CHAT = (
    "{{ bos_token }}{% for message in messages %}<|start_header_id|>{{ message['role'] }}<|end_header_id|>\n\n"
    "{{ message['content'] | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@dataclass
class Family:
    """A kind of byte-level tokenizer. Special tokens are hidden from users; user-defined ones are only never split."""

    pre: str
    split: str | None  # None: GPT-2's own pattern, built into the ByteLevel pre-tokenizer
    special: list[str]
    user_defined: list[str] = field(default_factory=list)
    bos: str | None = None
    eos: str = ""
    chat_template: str = ""
    nfc: bool = False
    # Each digit is cut off before the pattern applies.
    split_digits: bool = False
    # Llama 3 looks a whole word up in the vocabulary before it applies merges.
    ignore_merges: bool = False
    # Whole words that get an id but no merges, so that `ignore_merges` makes a difference.
    unmerged: list[str] = field(default_factory=list)


LLAMA3 = Family(
    pre="llama-bpe",
    split=LLAMA3_SPLIT,
    special=["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"],
    bos="<|begin_of_text|>",
    eos="<|eot_id|>",
    chat_template=LLAMA3_CHAT,
    ignore_merges=True,
    unmerged=["Ġgardener", "Ġharbour", "inglenook", "Ġember"],
)
QWEN2 = Family(
    pre="qwen2",
    split=QWEN2_SPLIT,
    special=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
    user_defined=["<tool_call>", "</tool_call>", "<think>", "</think>"],
    eos="<|im_end|>",
    chat_template=CHATML,
    nfc=True,
)
GPT2 = Family(pre="gpt-2", split=None, special=["<|endoftext|>"], bos="<|endoftext|>", eos="<|endoftext|>")
SMOLLM = Family(
    pre="smollm",
    split=None,
    split_digits=True,
    special=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
    bos="<|im_start|>",
    eos="<|im_end|>",
)
TEKKEN = Family(
    pre="tekken",
    split=TEKKEN_SPLIT,
    special=["<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[TOOL_CALLS]"],
    bos="<s>",
    eos="</s>",
    ignore_merges=True,
    unmerged=["Ġlighthouse", "Ġember"],
)


# Cuts at spaces alone. Merges learned over it join what the families' own patterns keep apart (digits, letters and
# punctuation, capitals), so that applying a wrong pattern changes the ids.
BROAD_SPLIT = r" ?\S+|\s+"


def train(family: Family, size: int, broad: bool = False) -> Tokenizer:
    """A tokenizer of exactly `size` tokens, trained on the corpus; special and user-defined tokens come last.

    Its merges are learned over the family's own pre-tokens, or over those of BROAD_SPLIT if `broad`.
    """
    tokenizer = Tokenizer(models.BPE(ignore_merges=family.ignore_merges))
    if family.nfc:
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizer(replace(family, split=BROAD_SPLIT, split_digits=False) if broad else family)
    tokenizer.decoder = decoders.ByteLevel()

    added = len(family.special) + len(family.user_defined)
    trainer = trainers.BpeTrainer(
        vocab_size=size - added - len(family.unmerged),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train([str(CORPUS)], trainer)
    tokenizer.pre_tokenizer = pre_tokenizer(family)
    tokenizer = with_unmerged(tokenizer, family.unmerged)
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in family.special])
    tokenizer.add_tokens([AddedToken(token, special=False, normalized=False) for token in family.user_defined])
    assert tokenizer.get_vocab_size() == size, (family.pre, tokenizer.get_vocab_size(), size)
    return tokenizer


def pre_tokenizer(family: Family) -> pre_tokenizers.PreTokenizer:
    steps = []
    if family.split_digits:
        steps.append(pre_tokenizers.Digits(individual_digits=True))
    if family.split is not None:
        steps.append(pre_tokenizers.Split(Regex(family.split), behavior="isolated", invert=False))
    steps.append(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=family.split is None))
    return pre_tokenizers.Sequence(steps)


def with_unmerged(tokenizer: Tokenizer, words: list[str]) -> Tokenizer:
    """The same tokenizer with words appended to its vocabulary that no merge produces."""
    state = json.loads(tokenizer.to_str())
    vocab = state["model"]["vocab"]
    for word in words:
        assert word not in vocab, word
        vocab[word] = len(vocab)
    return Tokenizer.from_str(json.dumps(state))


def add_to(writer: gguf.GGUFWriter, tokenizer: Tokenizer, family: Family) -> None:
    """Writes the tokenizer.* keys, with the names, types and order of llama.cpp's converter."""
    state = json.loads(tokenizer.to_str())
    tokens = sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().get)
    kinds = {token: gguf.TokenType.CONTROL for token in family.special}
    kinds |= {token: gguf.TokenType.USER_DEFINED for token in family.user_defined}
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(family.pre)
    writer.add_token_list(tokens)
    writer.add_token_types([kinds.get(token, gguf.TokenType.NORMAL) for token in tokens])
    writer.add_token_merges([" ".join(pair) for pair in state["model"]["merges"]])
    if family.bos:
        writer.add_bos_token_id(tokenizer.token_to_id(family.bos))
    writer.add_eos_token_id(tokenizer.token_to_id(family.eos))
    writer.add_add_bos_token(family.pre in ("llama-bpe", "tekken"))
    if family.chat_template:
        writer.add_chat_template(family.chat_template)
