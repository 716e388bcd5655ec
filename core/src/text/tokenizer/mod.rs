//! Text to token ids, and ids to bytes, for the vocabulary that a model file carries.
//!
//! The two kinds of vocabulary that GGUF calls "gpt2" (byte-level BPE) and "llama" (SentencePiece BPE) share the vocabulary,
//! the special tokens and the merge loop. Encoding takes time linear in the text but for a logarithm within a word, whatever
//! the text; a vocabulary that does not hold together is refused when it is loaded, so that encoding cannot fail.

mod byte_level;
mod error;
mod gguf;
mod merge;
mod pre;
mod special;
mod spm;
mod vocab;

#[cfg(test)]
mod tests;

use byte_level::ByteLevel;
use pre::PreTokenizer;
use special::{Piece, Specials};
use spm::Spm;
use vocab::Vocab;

pub use error::TokenizerError;
pub use gguf::{Parts, SpecialIds};
pub use vocab::TokenKind;

/// More tokens than any model has by far; bounds the memory of a hostile vocabulary.
pub const MAX_TOKENS: usize = 1 << 22;

/// A longer text is encoded in parts of this many bytes, since the merge loop counts in 32 bits.
const MAX_PART: usize = merge::MAX_WORD / 4;

/// What a text that looks like a special token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Special {
    /// The token: for prompts that a template wrote.
    Parse,
    /// Plain text: for what users wrote. (User-defined tokens, which are text, are still found.)
    AsText,
}

#[derive(Debug)]
enum Model {
    ByteLevel(ByteLevel),
    Spm(Spm),
}

/// A model's tokenizer. Immutable; share it behind an `Arc`.
#[derive(Debug)]
pub struct Tokenizer {
    vocab: Vocab,
    model: Model,
    specials: Specials,
    ids: SpecialIds,
    stop_ids: Vec<u32>,
    add_bos: bool,
    add_eos: bool,
}

impl Tokenizer {
    /// Builds a tokenizer from its parts.
    ///
    /// # Errors
    /// Whatever of the parts does not hold together: see [`TokenizerError`].
    pub fn new(parts: &Parts<'_>) -> Result<Self, TokenizerError> {
        let kinds = parts.check()?;
        let ids = parts.ids;
        let (vocab, model, bos_by_default) = match parts.model {
            "gpt2" => {
                let pre = PreTokenizer::new(parts.pre)?;
                let bos_by_default = pre.add_bos();
                let vocab = byte_level::vocab(&parts.tokens, &kinds);
                let model = ByteLevel::new(parts, &vocab, pre, ids.unknown)?;
                (vocab, Model::ByteLevel(model), bos_by_default)
            }
            "llama" => {
                let vocab = spm::vocab(&parts.tokens, &kinds)?;
                let model = Spm::new(parts, &vocab, ids.unknown)?;
                (vocab, Model::Spm(model), true)
            }
            other => return Err(TokenizerError::UnknownModel(other.to_owned())),
        };
        Ok(Self {
            specials: Specials::new(&vocab)?,
            stop_ids: gguf::stop_ids(&vocab, &ids),
            add_bos: parts.add_bos.unwrap_or(bos_by_default) && ids.bos.is_some(),
            add_eos: parts.add_eos.unwrap_or(false) && ids.eos.is_some(),
            vocab,
            model,
            ids,
        })
    }

    /// The ids of `text`, with the begin-of-text token in front if `add_bos` says so and there is one.
    ///
    /// Pass [`adds_bos()`](Self::adds_bos) for plain text, and `false` for a rendered chat template, which writes it itself.
    pub fn encode(&self, text: &str, special: Special, add_bos: bool) -> Vec<u32> {
        let mut out = Vec::with_capacity(text.len() / 4 + 1);
        out.extend(self.ids.bos.filter(|_| add_bos));
        self.specials.split(&self.vocab, text, special, |piece| match piece {
            Piece::Token(id) => out.push(id),
            Piece::Text(text) => parts_of(text, MAX_PART).for_each(|part| match &self.model {
                Model::ByteLevel(model) => model.encode(&self.vocab, part, &mut out),
                Model::Spm(model) => model.encode(&self.vocab, part, &mut out),
            }),
        });
        out
    }

    /// Number of tokens of a text, special look-alikes taken as plain text, without a begin-of-text token.
    pub fn count_tokens(&self, text: &str) -> usize {
        self.encode(text, Special::AsText, false).len()
    }

    /// The text of `ids`, control tokens left out. Bytes that are not UTF-8 become U+FFFD.
    pub fn decode(&self, ids: &[u32]) -> String {
        let mut bytes = Vec::new();
        for &id in ids.iter().filter(|&&id| !self.is_control(id)) {
            bytes.extend_from_slice(self.token_bytes(id));
        }
        let text = if self.strips_leading_space() { bytes.strip_prefix(b" ").unwrap_or(&bytes) } else { &bytes };
        String::from_utf8_lossy(text).into_owned()
    }

    /// The bytes a token stands for: of a control token its name, of an id outside the vocabulary none. May be a part of a
    /// UTF-8 character.
    pub fn token_bytes(&self, id: u32) -> &[u8] {
        self.vocab.bytes(id)
    }

    /// What a token is for; none outside the vocabulary.
    pub fn token_kind(&self, id: u32) -> Option<TokenKind> {
        self.vocab.kind(id)
    }

    /// Whether a token steers the model and is no part of the text.
    pub fn is_control(&self, id: u32) -> bool {
        matches!(self.vocab.kind(id), Some(TokenKind::Control | TokenKind::Unknown) | None)
    }

    /// Number of tokens. (A model may have more logits than that.)
    pub fn vocab_size(&self) -> usize {
        self.vocab.len()
    }

    /// The special tokens that the file names.
    pub fn special_ids(&self) -> &SpecialIds {
        &self.ids
    }

    /// The tokens at which generation ends, sorted: end of text, of turn, of message, and what else the family ends a turn with.
    pub fn stop_ids(&self) -> &[u32] {
        &self.stop_ids
    }

    /// Whether the model wants begin-of-text in front of a text.
    pub fn adds_bos(&self) -> bool {
        self.add_bos
    }

    /// Whether the model wants end-of-text behind a text (embedding models do).
    pub fn adds_eos(&self) -> bool {
        self.add_eos
    }

    /// Whether decoding takes away the space that encoding put in front.
    pub(super) fn strips_leading_space(&self) -> bool {
        matches!(&self.model, Model::Spm(model) if model.adds_space_prefix())
    }
}

/// Cuts a text into parts of at most `max` bytes (at least 4), between characters.
fn parts_of(mut text: &str, max: usize) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let end = text.floor_char_boundary(max);
        let part;
        (part, text) = text.split_at(end);
        (!part.is_empty()).then_some(part)
    })
}
