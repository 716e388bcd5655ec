//! The `model` of a `tokenizer.json`. It is most of the file, so it is read straight into what it becomes.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::super::alphabet::spelled;
use super::super::bpe::{self, Bpe, MergeTable, Units};
use super::super::bytes::{ByteTokens, byte_token};
use super::super::spelling::chars;
use super::super::unigram::{Candidate, Unigram, UnigramOptions};
use super::super::vocab::{TokenKind, Vocab, WordIndex, ids_by_text};
use super::super::wordpiece::WordPiece;
use super::super::{Model, TokenizerError};
use super::score::Score;
use super::{damaged, unsupported};

/// The longest mark of where words begin or end, in bytes: it is written with each character of a text. Published ones have 4 (`</w>`).
const MAX_MARK: usize = 64;

/// A model as it was read: its tokens, with their ids, and the rest.
pub(super) struct Parsed<'a> {
    /// The tokens; [`build`](Self::build) does not need them.
    pub tokens: Vec<(Cow<'a, str>, u32)>,
    /// Whether tokens `<0xNN>` are bytes.
    pub has_bytes: bool,
    pub kind: Kind<'a>,
}

/// The rest of a model.
pub(super) enum Kind<'a> {
    Bpe(BpeFile<'a>),
    Unigram { unk_id: Option<u32>, scores: Vec<f64> },
    WordPiece(WordPieceFile<'a>),
    WordLevel { unk_token: Cow<'a, str> },
}

/// Enough to tell what kind of model it is; old files do not name it.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    merges: Option<IgnoredAny>,
    unk_id: Option<IgnoredAny>,
    max_input_chars_per_word: Option<IgnoredAny>,
}

/// Byte-pair encoding.
#[derive(Deserialize)]
pub(super) struct BpeFile<'a> {
    #[serde(borrow)]
    vocab: Words<'a>,
    #[serde(borrow)]
    pub merges: Vec<Merge<'a>>,
    #[serde(borrow)]
    unk_token: Option<Cow<'a, str>>,
    continuing_subword_prefix: Option<String>,
    end_of_word_suffix: Option<String>,
    dropout: Option<f32>,
    #[serde(default)]
    fuse_unk: bool,
    #[serde(default)]
    byte_fallback: bool,
    #[serde(default)]
    pub ignore_merges: bool,
}

#[derive(Deserialize)]
struct UnigramFile<'a> {
    #[serde(borrow)]
    vocab: Vec<(Cow<'a, str>, Score)>,
    unk_id: Option<u32>,
    #[serde(default)]
    byte_fallback: bool,
}

/// BERT's WordPiece.
#[derive(Deserialize)]
pub(super) struct WordPieceFile<'a> {
    #[serde(borrow)]
    vocab: Words<'a>,
    #[serde(borrow)]
    unk_token: Cow<'a, str>,
    #[serde(default = "word_piece_mark")]
    pub continuing_subword_prefix: String,
    #[serde(default = "word_piece_limit")]
    max_input_chars_per_word: usize,
}

#[derive(Deserialize)]
struct WordLevelFile<'a> {
    #[serde(borrow)]
    vocab: Words<'a>,
    #[serde(borrow)]
    unk_token: Cow<'a, str>,
}

fn word_piece_mark() -> String {
    "##".into()
}

fn word_piece_limit() -> usize {
    100
}

/// Tokens with their ids.
struct Words<'a>(Vec<(Cow<'a, str>, u32)>);

impl<'de: 'a, 'a> Deserialize<'de> for Words<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Vec<(Cow<'de, str>, u32)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tokens and ids")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut words = Vec::new();
                while let Some((Text(text), id)) = map.next_entry()? {
                    words.push((text, id));
                }
                Ok(words)
            }
        }
        deserializer.deserialize_map(Entries).map(Words)
    }
}

/// A string, borrowed where it can be.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// A merge: "left right", or the two apart.
pub(super) struct Merge<'a>(Cow<'a, str>, Option<Cow<'a, str>>);

impl<'de: 'a, 'a> Deserialize<'de> for Merge<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Merge<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("two tokens")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Merge(Cow::Borrowed(text), None))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Merge(Cow::Owned(text.to_owned()), None))
            }

            fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<Self::Value, S::Error> {
                let two: (Option<Text<'de>>, Option<Text<'de>>) = (seq.next_element()?, seq.next_element()?);
                match (two, seq.next_element::<IgnoredAny>()?) {
                    ((Some(Text(left)), Some(Text(right))), None) => Ok(Merge(left, Some(right))),
                    _ => Err(S::Error::custom("a merge that is not two tokens")),
                }
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl Merge<'_> {
    /// The two sides; none where there are not two.
    pub fn halves(&self) -> Option<(&str, &str)> {
        match &self.1 {
            Some(right) => Some((&self.0, right)),
            None => bpe::halves(&self.0),
        }
    }
}

/// Reads a model.
pub(super) fn parse(json: &str) -> Result<Parsed<'_>, TokenizerError> {
    fn read<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, TokenizerError> {
        serde_json::from_str(json).map_err(|error| damaged(format!("the model: {error}")))
    }
    let head: Head<'_> = read(json)?;
    let kind = match &head.kind {
        Some(kind) => kind.as_ref(),
        None if head.merges.is_some() => "BPE",
        None if head.unk_id.is_some() => "Unigram",
        None if head.max_input_chars_per_word.is_some() => "WordPiece",
        None => "WordLevel",
    };
    match kind {
        "BPE" => {
            let mut file: BpeFile<'_> = read(json)?;
            if file.dropout.is_some_and(|dropout| dropout > 0.0) {
                return Err(unsupported("the model's option", "dropout"));
            }
            let tokens = std::mem::take(&mut file.vocab.0);
            Ok(Parsed { tokens, has_bytes: file.byte_fallback, kind: Kind::Bpe(file) })
        }
        "Unigram" => {
            let file: UnigramFile<'_> = read(json)?;
            let scores = file.vocab.iter().map(|(_, score)| score.0).collect();
            let tokens = file.vocab.into_iter().zip(0u32..).map(|((text, _), id)| (text, id)).collect();
            Ok(Parsed { tokens, has_bytes: file.byte_fallback, kind: Kind::Unigram { unk_id: file.unk_id, scores } })
        }
        "WordPiece" => {
            let mut file: WordPieceFile<'_> = read(json)?;
            let tokens = std::mem::take(&mut file.vocab.0);
            Ok(Parsed { tokens, has_bytes: false, kind: Kind::WordPiece(file) })
        }
        "WordLevel" => {
            let file: WordLevelFile<'_> = read(json)?;
            let kind = Kind::WordLevel { unk_token: file.unk_token };
            Ok(Parsed { tokens: file.vocab.0, has_bytes: false, kind })
        }
        other => Err(unsupported("the model", other)),
    }
}

impl Parsed<'_> {
    /// The token that stands for what cannot be spelled.
    pub fn unknown(&self, texts: &[&str]) -> Result<Option<u32>, TokenizerError> {
        let name = match &self.kind {
            Kind::Unigram { unk_id: Some(id), .. } if *id as usize >= texts.len() => {
                return Err(TokenizerError::IdOutOfRange { key: "unk_id", id: *id, size: texts.len() });
            }
            Kind::Unigram { unk_id, .. } => return Ok(*unk_id),
            Kind::Bpe(file) => match &file.unk_token {
                Some(name) => name,
                None => return Ok(None),
            },
            Kind::WordPiece(WordPieceFile { unk_token, .. }) | Kind::WordLevel { unk_token } => unk_token,
        };
        let missing = || TokenizerError::MissingToken { part: "the model", token: name.to_string() };
        let id = texts.iter().position(|text| text == name).ok_or_else(missing)?;
        Ok(u32::try_from(id).ok())
    }

    /// Builds the model. `vocab`: what each token stands for; `in_bytes`: whether words come as bytes.
    pub fn build(
        self,
        texts: &[&str],
        kinds: &[TokenKind],
        vocab: &Vocab,
        unknown: Option<u32>,
        in_bytes: bool,
    ) -> Result<Model, TokenizerError> {
        let bytes = self.has_bytes.then(|| {
            let tokens = texts.iter().zip(kinds).zip(0u32..).filter(|((_, kind), _)| **kind == TokenKind::Byte);
            ByteTokens::new(tokens.filter_map(|((text, _), id)| Some((byte_token(text)?, id))))
        });
        if in_bytes && !matches!(self.kind, Kind::Bpe(_)) {
            return Err(unsupported("for this model, the pre-tokenizer", "ByteLevel"));
        }
        match self.kind {
            Kind::Bpe(file) => file.build(texts, kinds, vocab, unknown, bytes, in_bytes),
            Kind::Unigram { scores, .. } => {
                let is_text =
                    |kind: TokenKind| matches!(kind, TokenKind::Normal | TokenKind::UserDefined | TokenKind::Byte);
                // Added tokens behind the model's own are none of its business.
                let own = texts.iter().zip(kinds).zip(0u32..).take(scores.len());
                let tokens = own.filter(|((_, kind), _)| is_text(**kind));
                let tokens =
                    tokens.map(|((text, _), id)| Candidate { id, bytes: text.as_bytes(), user_defined: false });
                Ok(Model::Unigram(Unigram::new(tokens, scores, UnigramOptions { bytes, unknown, single: false })?))
            }
            Kind::WordPiece(file) => {
                let mark = file.continuing_subword_prefix.as_str();
                let tokens = texts.iter().zip(kinds).zip(0u32..).filter(|((_, kind), _)| **kind == TokenKind::Normal);
                let initial = tokens.map(|((text, _), id)| (text.as_bytes(), id));
                let continuing =
                    initial.clone().filter_map(|(text, id)| Some((text.strip_prefix(mark.as_bytes())?, id)));
                let model = WordPiece::new(initial, continuing, unknown, file.max_input_chars_per_word)?;
                Ok(Model::WordPiece(model))
            }
            Kind::WordLevel { .. } => {
                let chars = chars(texts, kinds, None);
                Ok(Model::Words { spellings: chars.spellings, index: chars.index, unknown })
            }
        }
    }
}

impl BpeFile<'_> {
    fn build(
        self,
        texts: &[&str],
        kinds: &[TokenKind],
        vocab: &Vocab,
        unknown: Option<u32>,
        bytes: Option<ByteTokens>,
        in_bytes: bool,
    ) -> Result<Model, TokenizerError> {
        let prefix = self.continuing_subword_prefix.unwrap_or_default();
        let suffix = self.end_of_word_suffix.unwrap_or_default();
        if prefix.len().max(suffix.len()) > MAX_MARK {
            return Err(damaged(format!("the prefix or suffix of words has more than {MAX_MARK} bytes")));
        }
        if (in_bytes || bytes.is_some()) && !(prefix.is_empty() && suffix.is_empty()) {
            return Err(unsupported("together with bytes, the model's option", "a prefix or suffix of words"));
        }
        if let Some((index, merge)) = self.merges.iter().enumerate().find(|(_, merge)| merge.halves().is_none()) {
            return Err(TokenizerError::BadMerge { index, text: merge.0.to_string() });
        }
        let merges =
            MergeTable::new(&ids_by_text(texts), kinds, self.merges.iter().filter_map(Merge::halves), prefix.len())?;
        let spells = |id: u32| spelled(texts[id as usize]).is_some();
        let (units, whole_words) = if in_bytes {
            let words = WordIndex::new(vocab, &|id, kind| kind == TokenKind::Normal && spells(id));
            (Units::Bytes(bpe::single_bytes(vocab, spells)), words)
        } else {
            let mut chars = chars(texts, kinds, bytes);
            (chars.prefix, chars.suffix) = (prefix, suffix);
            let words = WordIndex::new(&chars.spellings, &|_, kind| kind == TokenKind::Normal);
            (Units::Chars(chars), words)
        };
        let whole_words = self.ignore_merges.then_some(whole_words);
        Ok(Model::Bpe(Bpe { units, merges, whole_words, unknown, fuse_unknown: self.fuse_unk }))
    }
}
