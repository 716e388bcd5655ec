"""The byte-level BPE vocabularies of the tiny checkpoints, and the GGUF metadata that describes one.

The pre-tokenizers are those of the `tokenizer.json` files which the models of each family ship; `NAME` is what
llama.cpp's converter writes as `tokenizer.ggml.pre` for them.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

import gguf
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

CORPUS = Path(__file__).with_name("corpus.txt")

LLAMA3_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2_SPLIT = LLAMA3_SPLIT.replace(r"\p{N}{1,3}", r"\p{N}")
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
    split: str
    special: list[str]
    user_defined: list[str] = field(default_factory=list)
    bos: str | None = None
    eos: str = ""
    chat_template: str = ""
    nfc: bool = False
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


def train(family: Family, size: int) -> Tokenizer:
    """A tokenizer of exactly `size` tokens, trained on the corpus; special and user-defined tokens come last."""
    tokenizer = Tokenizer(models.BPE(ignore_merges=family.ignore_merges))
    if family.nfc:
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizer(family)
    tokenizer.decoder = decoders.ByteLevel()

    added = len(family.special) + len(family.user_defined)
    trainer = trainers.BpeTrainer(
        vocab_size=size - added - len(family.unmerged),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train([str(CORPUS)], trainer)
    tokenizer = with_unmerged(tokenizer, family.unmerged)
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in family.special])
    tokenizer.add_tokens([AddedToken(token, special=False, normalized=False) for token in family.user_defined])
    assert tokenizer.get_vocab_size() == size, (family.pre, tokenizer.get_vocab_size(), size)
    return tokenizer


def pre_tokenizer(family: Family) -> pre_tokenizers.PreTokenizer:
    split = pre_tokenizers.Split(Regex(family.split), behavior="isolated", invert=False)
    return pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


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
    writer.add_add_bos_token(family.pre == "llama-bpe")
    if family.chat_template:
        writer.add_chat_template(family.chat_template)
