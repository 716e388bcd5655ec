//! Text to token ids, and ids to bytes, for the vocabulary that a model comes with.
//!
//! A tokenizer is read from a GGUF file's metadata ([`Tokenizer::from_gguf`]), from `tokenizer.json`
//! ([`Tokenizer::from_json`]) or from SentencePiece's `tokenizer.model` ([`Tokenizer::from_sentencepiece`]). All three come down
//! to the same pipeline: added tokens are found, the text between is normalised, split into words, and each word is spelled
//! by the model. Encoding takes time linear in the text but for a logarithm within a word, whatever the text; a vocabulary that
//! does not hold together is refused when it is loaded, so that encoding cannot fail.

mod added;
mod aligned;
mod alphabet;
mod bpe;
mod bytes;
mod charsmap;
mod decoding;
mod error;
mod gguf;
mod json;
mod merge;
mod normal_forms;
mod normalize;
mod pattern;
mod pre_tokenizer;
mod sentencepiece;
mod spelling;
mod split;
mod spm;
mod stops;
mod trie;
mod unigram;
mod vocab;
mod wordpiece;

#[cfg(test)]
mod plain_text;
#[cfg(test)]
mod tests;

use std::ops::Range;

use added::AddedTokens;
use aligned::Aligned;
use bpe::Bpe;
use decoding::Decoding;
use merge::Merger;
use split::{Piece, Pieces};
use spm::Spm;
use unigram::Unigram;
use vocab::{Vocab, WordIndex};
use wordpiece::WordPiece;

pub(super) use decoding::Beginning;
pub use error::TokenizerError;
pub use gguf::Parts;
#[cfg(feature = "hf")]
pub use json::gguf_keys;
pub use json::{NamedTemplate, TokenizerConfig};
pub use pre_tokenizer::names as pre_tokenizers;
pub use stops::SpecialIds;
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

/// How a word is spelled.
#[derive(Debug)]
enum Model {
    Bpe(Bpe),
    Spm(Spm),
    Unigram(Unigram),
    WordPiece(WordPiece),
    /// Every word is a token or unknown.
    Words {
        spellings: Vocab,
        index: WordIndex,
        unknown: Option<u32>,
    },
}

/// A model's tokenizer. Immutable; share it behind an `Arc`.
#[derive(Debug)]
pub struct Tokenizer {
    vocab: Vocab,
    /// Tokens that are found in a text as it is written.
    added: AddedTokens,
    normalizer: Vec<normalize::Step>,
    /// Tokens that are found in the normalised text.
    added_normal: AddedTokens,
    splitter: Vec<split::Step>,
    model: Model,
    decoding: Decoding,
    ids: SpecialIds,
    /// What goes in front of a text, and behind it.
    affixes: (Vec<u32>, Vec<u32>),
    stop_ids: Vec<u32>,
    add_bos: bool,
    add_eos: bool,
}

impl Tokenizer {
    /// The ids of `text`, with the begin-of-text token in front if `add_bos` says so and there is one.
    ///
    /// Pass [`adds_bos()`](Self::adds_bos) for plain text, and `false` for a rendered chat template, which writes it itself.
    pub fn encode(&self, text: &str, special: Special, add_bos: bool) -> Vec<u32> {
        let mut out = Vec::with_capacity(text.len() / 4 + 1);
        if add_bos {
            out.extend_from_slice(self.prefix());
        }
        self.run(text, special, false, &mut |id, _| out.push(id));
        out
    }

    /// The ids of a whole text as the model was trained to see it: with what goes in front and behind (begin of text, end of
    /// text, `[CLS]`, `[SEP]`), if anything does.
    pub fn encode_whole(&self, text: &str, special: Special) -> Vec<u32> {
        let mut out = if self.add_bos { self.prefix().to_vec() } else { Vec::new() };
        self.run(text, special, false, &mut |id, _| out.push(id));
        out.extend_from_slice(self.suffix());
        out
    }

    /// The ids of two texts as rerankers were trained to see them: `[CLS] first [SEP] second [SEP]`, and where texts end with `</s>`,
    /// `<s> first </s></s> second </s>`.
    pub fn encode_pair(&self, first: &str, second: &str, special: Special) -> Vec<u32> {
        let mut out = self.encode_whole(first, special);
        let suffix = self.suffix();
        if suffix.first().is_some_and(|id| self.token_bytes(*id) == b"</s>") {
            out.extend_from_slice(suffix);
        }
        self.run(second, special, false, &mut |id, _| out.push(id));
        out.extend_from_slice(suffix);
        out
    }

    /// What goes behind a whole text.
    pub fn suffix(&self) -> &[u32] {
        if self.add_eos { &self.affixes.1 } else { &[] }
    }

    /// The ids of `text`, each with the bytes of `text` that it stands for: whole characters, so that each range is a part of the
    /// text. Several tokens may share a character, and one that the normalizer dropped belongs to none.
    pub fn encode_with_offsets(&self, text: &str, special: Special) -> Vec<(u32, Range<usize>)> {
        let mut out = Vec::with_capacity(text.len() / 4 + 1);
        self.run(text, special, true, &mut |id, range| {
            out.push((id, text.floor_char_boundary(range.start)..text.ceil_char_boundary(range.end)));
        });
        out
    }

    /// [`encode_with_offsets`](Self::encode_with_offsets) in UTF-16 code units, as JavaScript counts them.
    pub fn encode_with_utf16_offsets(&self, text: &str, special: Special) -> Vec<(u32, Range<u32>)> {
        let mut units = vec![0; text.len() + 1];
        let mut before = 0;
        for (place, c) in text.char_indices() {
            units[place] = before;
            before += c.len_utf16() as u32;
        }
        units[text.len()] = before;
        let tokens = self.encode_with_offsets(text, special).into_iter();
        tokens.map(|(id, bytes)| (id, units[bytes.start]..units[bytes.end])).collect()
    }

    /// The ids of a prompt in which special tokens are wanted, but not in what users wrote of it (`user`: bytes, in order).
    pub fn encode_prompt(&self, text: &str, user: &[Range<usize>], add_bos: bool) -> Vec<u32> {
        let mut out = if add_bos { self.prefix().to_vec() } else { Vec::new() };
        self.run_prompt(text, Special::Parse, user, false, &mut |id, _| out.push(id));
        out
    }

    /// Number of tokens of a text, names of special tokens taken as plain text, without a begin-of-text token.
    pub fn count_tokens(&self, text: &str) -> usize {
        let mut count = 0;
        self.run(text, Special::AsText, false, &mut |_, _| count += 1);
        count
    }

    /// The text of `ids`, control tokens left out. Bytes that are not UTF-8 become U+FFFD.
    pub fn decode(&self, ids: &[u32]) -> String {
        let mut bytes = Vec::new();
        let mut beginning = self.beginning();
        for &id in ids {
            self.append_bytes(id, &mut beginning, &mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
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

    /// How many ids a model may choose among: all up to the last that ends an answer or is more than a place kept, since files fill
    /// a vocabulary up with `[PAD152000]` and the like.
    pub fn choosable(&self) -> usize {
        let used = self.vocab.kinds().filter(|&(id, kind)| kind != TokenKind::Unused || self.stop_ids.contains(&id));
        used.last().map_or(self.vocab.len(), |(id, _)| id as usize + 1)
    }

    /// The special tokens that the file names.
    pub fn special_ids(&self) -> &SpecialIds {
        &self.ids
    }

    /// The tokens at which generation ends, sorted: end of text, of turn, of message, and what else the family ends a turn with.
    pub fn stop_ids(&self) -> &[u32] {
        &self.stop_ids
    }

    /// Whether generation ends at a token.
    pub fn is_stop(&self, id: u32) -> bool {
        self.stop_ids.binary_search(&id).is_ok()
    }

    /// Whether the model wants begin-of-text in front of a text.
    pub fn adds_bos(&self) -> bool {
        self.add_bos
    }

    /// Whether the model wants end-of-text behind a text (embedding models do).
    pub fn adds_eos(&self) -> bool {
        self.add_eos
    }

    /// Whether the tokenizer itself puts a space in front of a text that follows a special token, as SentencePiece does.
    pub fn adds_space(&self) -> bool {
        let mut text = Vec::new();
        self.run_part("a", false, (Special::AsText, &[]), false, &mut Merger::default(), &mut |id, _| {
            text.extend_from_slice(self.vocab.bytes(id));
        });
        text.starts_with(b" ")
    }

    /// The state of decoding at the start of a text.
    pub(super) fn beginning(&self) -> Beginning {
        self.decoding.begin()
    }

    /// Appends what `id` adds to a decoded text.
    pub(super) fn append_bytes(&self, id: u32, beginning: &mut Beginning, out: &mut Vec<u8>) {
        if !self.is_control(id) {
            self.decoding.append(&self.vocab, id, beginning, out);
        }
    }

    /// What goes in front of a text: what the file says, or begin-of-text.
    fn prefix(&self) -> &[u32] {
        if self.affixes.0.is_empty() { self.ids.bos.as_slice() } else { &self.affixes.0 }
    }

    /// Calls `emit` with each token of `text` and, if `tracked`, the bytes of `text` that it stands for.
    fn run(&self, text: &str, special: Special, tracked: bool, emit: &mut dyn FnMut(u32, Range<usize>)) {
        self.run_prompt(text, special, &[], tracked, emit);
    }

    /// [`run`](Self::run), but no special token has a byte of `user`.
    fn run_prompt(
        &self,
        text: &str,
        special: Special,
        user: &[Range<usize>],
        tracked: bool,
        emit: &mut dyn FnMut(u32, Range<usize>),
    ) {
        let mut merger = Merger::default();
        self.added.cut(text, special, user, |range, token| match token {
            Some(id) => emit(id, range),
            None => {
                let mut start = range.start;
                for part in parts_of(&text[range], MAX_PART) {
                    let user = within(user, start..start + part.len());
                    self.run_part(part, start == 0, (special, &user), tracked, &mut merger, &mut |id, range| {
                        emit(id, start + range.start..start + range.end);
                    });
                    start += part.len();
                }
            }
        });
    }

    /// [`run_prompt`](Self::run_prompt) for a stretch without added tokens.
    fn run_part(
        &self,
        text: &str,
        at_start: bool,
        (special, user): (Special, &[Range<usize>]),
        tracked: bool,
        merger: &mut Merger,
        emit: &mut dyn FnMut(u32, Range<usize>),
    ) {
        let follows_user = special == Special::Parse && !user.is_empty() && !self.added_normal.is_empty();
        let mut text = Aligned::new(text, tracked || follows_user);
        normalize::run(&self.normalizer, &mut text);
        let user = if follows_user { text.made_of(user) } else { Vec::new() };
        let mut list = Vec::new();
        self.added_normal.cut(text.as_str(), special, &user, |range, token| list.push(Piece { range, token }));
        let mut pieces = Pieces { text, list, at_start };
        pieces.run(&self.splitter);
        for piece in &pieces.list {
            let start = piece.range.start;
            let mut found = |id, range: Range<usize>| {
                let range = start + range.start..start + range.end;
                emit(id, if tracked { pieces.text.origin(range) } else { range });
            };
            match piece.token {
                Some(id) => found(id, 0..piece.range.len()),
                None => self.spell(&pieces.text.as_str()[piece.range.clone()], merger, &mut found),
            }
        }
    }

    /// Spells a word.
    fn spell(&self, word: &str, merger: &mut Merger, emit: &mut dyn FnMut(u32, Range<usize>)) {
        match &self.model {
            Model::Bpe(model) => model.encode(&self.vocab, word, merger, emit),
            Model::Spm(model) => model.encode(&self.vocab, word, merger, emit),
            Model::Unigram(model) => model.encode(word, emit),
            Model::WordPiece(model) => model.encode(word, emit),
            Model::Words { spellings, index, unknown } => {
                let id = index.get(spellings, word.as_bytes()).or(*unknown);
                id.into_iter().for_each(|id| emit(id, 0..word.len()));
            }
        }
    }
}

/// The parts of spans that are within a range, counted from its beginning.
fn within(spans: &[Range<usize>], range: Range<usize>) -> Vec<Range<usize>> {
    let first = spans.partition_point(|span| span.end <= range.start);
    let spans = spans[first..].iter().take_while(|span| span.start < range.end);
    spans.map(|span| span.start.max(range.start) - range.start..span.end.min(range.end) - range.start).collect()
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
