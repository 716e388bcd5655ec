//! Tokenizers from SentencePiece's own file, `tokenizer.model`: a protocol buffer with the pieces, the kind of model and the
//! normalizer.
//!
//! Field numbers are those of `sentencepiece_model.proto`; unknown fields are passed over, as the format wants it.

use super::added::{Added, AddedTokens};
use super::charsmap::Charsmap;
use super::normalize::{SentencePiece, Step};
use super::spelling::{byte_tokens, candidates, marked_vocab};
use super::spm::{Spm, SpmOptions};
use super::trie::Trie;
use super::unigram::{Unigram, UnigramOptions};
use super::vocab::TokenKind;
use super::{MAX_TOKENS, Model, SpecialIds, Tokenizer, TokenizerError, stops};

/// What the file says.
#[derive(Debug)]
struct File<'a> {
    tokens: Vec<&'a str>,
    scores: Vec<f32>,
    kinds: Vec<TokenKind>,
    /// `TrainerSpec.ModelType`: 1 unigram, 2 byte pairs, 3 words, 4 characters.
    model: u64,
    /// Begin and end of text; a number that no control token has means that there is none.
    bos: u64,
    eos: u64,
    byte_fallback: bool,
    space_as_suffix: bool,
    charsmap: &'a [u8],
    add_prefix: bool,
    remove_extra: bool,
    escape_spaces: bool,
}

fn damaged(problem: impl Into<String>) -> TokenizerError {
    TokenizerError::BadFile { file: "tokenizer.model", problem: problem.into() }
}

fn unsupported(part: &'static str, name: impl Into<String>) -> TokenizerError {
    TokenizerError::Unsupported { part, name: name.into() }
}

impl Tokenizer {
    /// Builds the tokenizer that a `tokenizer.model` describes. User-defined pieces are part of the text, as SentencePiece has it.
    ///
    /// # Errors
    /// Whatever is missing or does not hold together: see [`TokenizerError`].
    pub fn from_sentencepiece(bytes: &[u8]) -> Result<Self, TokenizerError> {
        let file = File::read(bytes)?;
        if file.space_as_suffix || !file.escape_spaces {
            return Err(unsupported(
                "the way of marking spaces",
                "treat_whitespace_as_suffix or no escape_whitespaces",
            ));
        }
        let vocab = marked_vocab(&file.tokens, &file.kinds)?;
        let bytes = file.byte_fallback.then(|| byte_tokens(&vocab));
        let first = |wanted: TokenKind| file.kinds.iter().zip(0..).find(|&(&kind, _)| kind == wanted).map(|(_, id)| id);
        let control = |id: u64| {
            let id = usize::try_from(id).ok().filter(|&id| file.kinds.get(id) == Some(&TokenKind::Control))?;
            u32::try_from(id).ok()
        };
        let unknown = first(TokenKind::Unknown);
        let model = match file.model {
            1 => {
                let scores = file.scores.iter().map(|&score| f64::from(score)).collect();
                Model::Unigram(Unigram::new(
                    candidates(&vocab),
                    scores,
                    UnigramOptions { bytes, unknown, single: true },
                )?)
            }
            2 => {
                let options = SpmOptions { scores: &file.scores, bytes, unknown, finds_user_defined: true };
                Model::Spm(Spm::new(options, &vocab)?)
            }
            3 => return Err(unsupported("the kind of model", "word")),
            4 => return Err(unsupported("the kind of model", "char")),
            other => return Err(damaged(format!("the kind of model is {other}"))),
        };
        let protected = vocab.kinds().filter(|&(_, kind)| kind == TokenKind::UserDefined);
        let normalizer = SentencePiece {
            charsmap: if file.charsmap.is_empty() {
                None
            } else {
                Some(Charsmap::new(file.charsmap).ok_or(TokenizerError::BadCharsmap)?)
            },
            protected: Trie::new(protected.map(|(id, _)| (vocab.bytes(id), id))),
            add_prefix: file.add_prefix,
            remove_extra: file.remove_extra,
        };
        let added = vocab
            .kinds()
            .zip(&file.tokens)
            .filter(|((_, kind), _)| matches!(kind, TokenKind::Control | TokenKind::Unknown))
            .map(|((id, _), &text)| Added::new(id, text, true));
        let ids = SpecialIds { bos: control(file.bos), eos: control(file.eos), unknown, ..SpecialIds::default() };
        let decoding = normalizer.decoding();
        Ok(Self {
            added: AddedTokens::new(added.collect())?,
            normalizer: vec![Step::SentencePiece(normalizer)],
            added_normal: AddedTokens::new(Vec::new())?,
            splitter: Vec::new(),
            model,
            decoding,
            stop_ids: stops::stop_ids(&vocab, &ids),
            affixes: (ids.bos.into_iter().collect(), ids.eos.into_iter().collect()),
            // The file does not say; Llama, Mistral and Gemma put BOS in front, T5 has none.
            add_bos: ids.bos.is_some(),
            add_eos: ids.bos.is_none() && ids.eos.is_some(),
            vocab,
            ids,
        })
    }
}

impl<'a> File<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, TokenizerError> {
        let mut file = Self {
            tokens: Vec::new(),
            scores: Vec::new(),
            kinds: Vec::new(),
            // The schema's defaults.
            model: 1,
            bos: 1,
            eos: 2,
            byte_fallback: false,
            space_as_suffix: false,
            charsmap: &[],
            add_prefix: true,
            remove_extra: true,
            escape_spaces: true,
        };
        for field in Fields(bytes) {
            match field? {
                (1, Wire::Bytes(piece)) => file.read_piece(piece)?,
                (2, Wire::Bytes(trainer)) => file.read_trainer(trainer)?,
                (3, Wire::Bytes(normalizer)) => file.read_normalizer(normalizer)?,
                _ => {}
            }
        }
        match file.tokens.len() {
            0 => Err(TokenizerError::Empty),
            _ => Ok(file),
        }
    }

    fn read_piece(&mut self, bytes: &'a [u8]) -> Result<(), TokenizerError> {
        let id = self.tokens.len();
        if id == MAX_TOKENS {
            return Err(TokenizerError::TooManyTokens(id + 1));
        }
        let (mut text, mut score, mut kind) = ("", 0.0, 1);
        for field in Fields(bytes) {
            match field? {
                (1, Wire::Bytes(bytes)) => {
                    text = std::str::from_utf8(bytes).map_err(|_| damaged(format!("piece {id} is not UTF-8")))?;
                }
                (2, Wire::Fixed32(bits)) => score = f32::from_bits(bits),
                (3, Wire::Varint(number)) => kind = number,
                _ => {}
            }
        }
        self.tokens.push(text);
        self.scores.push(score);
        // The numbers are those that GGUF took over.
        let kind = i32::try_from(kind).map_err(|_| damaged(format!("piece {id} has the type {kind}")))?;
        self.kinds.push(TokenKind::from_gguf(id, kind)?);
        Ok(())
    }

    fn read_trainer(&mut self, bytes: &'a [u8]) -> Result<(), TokenizerError> {
        for field in Fields(bytes) {
            match field? {
                (3, Wire::Varint(model)) => self.model = model,
                (24, Wire::Varint(flag)) => self.space_as_suffix = flag != 0,
                (41, Wire::Varint(id)) => self.bos = id,
                (42, Wire::Varint(id)) => self.eos = id,
                (35, Wire::Varint(flag)) => self.byte_fallback = flag != 0,
                _ => {}
            }
        }
        Ok(())
    }

    fn read_normalizer(&mut self, bytes: &'a [u8]) -> Result<(), TokenizerError> {
        for field in Fields(bytes) {
            match field? {
                (2, Wire::Bytes(charsmap)) => self.charsmap = charsmap,
                (3, Wire::Varint(flag)) => self.add_prefix = flag != 0,
                (4, Wire::Varint(flag)) => self.remove_extra = flag != 0,
                (5, Wire::Varint(flag)) => self.escape_spaces = flag != 0,
                _ => {}
            }
        }
        Ok(())
    }
}

/// A value as the wire has it.
#[derive(Debug, PartialEq, Eq)]
enum Wire<'a> {
    Varint(u64),
    Fixed32(u32),
    Fixed64,
    Bytes(&'a [u8]),
}

/// The fields of a message, with their numbers. Ends after the first that cannot be read.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Wire<'a>), TokenizerError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field().ok_or_else(|| damaged("a field is cut off or of an unknown type"));
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

impl<'a> Fields<'a> {
    fn field(&mut self) -> Option<(u64, Wire<'a>)> {
        let key = self.varint()?;
        let value = match key & 7 {
            0 => Wire::Varint(self.varint()?),
            1 => {
                self.take(8)?;
                Wire::Fixed64
            }
            2 => {
                let len = usize::try_from(self.varint()?).ok()?;
                Wire::Bytes(self.take(len)?)
            }
            5 => Wire::Fixed32(u32::from_le_bytes(self.take(4)?.try_into().ok()?)),
            _ => return None,
        };
        Some((key >> 3, value))
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let &byte = self.take(1)?.first()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_field_by_field() {
        let bytes = [0x0a, 2, b'h', b'i', 0x15, 0, 0, 0x80, 0x3f, 0x18, 0xac, 0x02, 0x21, 0, 0, 0, 0, 0, 0, 0, 0];
        let fields: Vec<_> = Fields(&bytes).map(Result::unwrap).collect();
        assert_eq!(
            fields,
            [(1, Wire::Bytes(b"hi")), (2, Wire::Fixed32(0x3f80_0000)), (3, Wire::Varint(300)), (4, Wire::Fixed64)]
        );
        for broken in [&[0x0a, 5, b'h'][..], &[0x80], &[0x0b], &[0xff; 11], &[0x15, 1]] {
            assert!(Fields(broken).any(|field| field.is_err()), "{broken:x?}");
        }
    }
}
