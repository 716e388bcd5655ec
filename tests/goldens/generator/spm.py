"""A small SentencePiece BPE vocabulary with byte fallback, as Llama 2 and Mistral 7B have, and its GGUF metadata."""

from io import BytesIO

import gguf
import sentencepiece

from .vocab import CORPUS


def train(size: int) -> sentencepiece.SentencePieceProcessor:
    """Trained on the corpus with Llama's options. Rarer characters are left to the byte tokens."""
    model = BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS.read_text(encoding="utf-8").splitlines()),
        model_writer=model,
        model_type="bpe",
        vocab_size=size,
        byte_fallback=True,
        character_coverage=0.98,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        add_dummy_prefix=True,
        split_digits=True,
        allow_whitespace_only_pieces=True,
        num_threads=1,
        minloglevel=2,
    )
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


def token_type(model: sentencepiece.SentencePieceProcessor, token: int) -> gguf.TokenType:
    if model.is_unknown(token):
        return gguf.TokenType.UNKNOWN
    if model.is_control(token):
        return gguf.TokenType.CONTROL
    if model.is_byte(token):
        return gguf.TokenType.BYTE
    return gguf.TokenType.NORMAL


def add_to(writer: gguf.GGUFWriter, model: sentencepiece.SentencePieceProcessor) -> None:
    """Writes the tokenizer.* keys, with the names, types and order of llama.cpp's converter."""
    tokens = range(model.get_piece_size())
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([model.id_to_piece(token).encode("utf-8") for token in tokens])
    writer.add_token_scores([model.get_score(token) for token in tokens])
    writer.add_token_types([token_type(model, token) for token in tokens])
    writer.add_bos_token_id(model.bos_id())
    writer.add_eos_token_id(model.eos_id())
    writer.add_unk_token_id(model.unk_id())
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)
    writer.add_add_space_prefix(True)
