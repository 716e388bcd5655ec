"""Byte-level BPE with the pre-tokeniser of Qwen 2 (`tokenizer.ggml.pre = "qwen2"`): every digit is a token."""

import re

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

import skills
from text import MARKS, SPECIAL, documents

QWEN2_SPLIT = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
VOCABULARY = 1536


def train(seed, count=20000):
    """A tokenizer trained on `count` conversations."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(QWEN2_SPLIT), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    marks = SPECIAL + MARKS
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY - len(marks), initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    # No merge may reach over a mark, nor over a cut between letters.
    boundary = re.compile("|".join(map(re.escape, marks + [skills.CUT])))
    texts = (part for document in documents(seed, count) for part in boundary.split(document) if part)
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.add_tokens(MARKS)
    return tokenizer
