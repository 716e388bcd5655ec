//! The `decoder` of a `tokenizer.json`: what each token adds to a text.
//!
//! All steps but the last ones of a sequence work on tokens one by one, so they are done once, at load.

use std::borrow::Cow;

use serde_json::Value;

use super::super::TokenizerError;
use super::super::alphabet::spelled;
use super::super::bytes::byte_token;
use super::super::decoding::Decoding;
use super::super::pattern::Finder;
use super::super::vocab::{TokenKind, Vocab};
use super::normalizer::finder;
use super::{check_steps, damaged, member, member_or, type_of, unsupported};

/// The decoded tokens may be so many times as long as the spelled ones, and [`SLACK`] bytes more.
const GROWTH: usize = 4;
const SLACK: usize = 1 << 16;

/// Longer than any sound token becomes.
const MAX_LEN: usize = 1 << 20;

/// What happens to one token.
#[derive(Debug)]
enum Step {
    /// GPT-2's alphabet is read.
    Alphabet,
    /// `<0xNN>` is a byte.
    Bytes,
    /// Something in place of all that is found.
    Replace(Finder, String),
    /// A character off the ends, at most so many times.
    Strip { content: char, start: usize, stop: usize },
    /// A space in front, unless the mark says that the token goes on; then the mark goes. `cleanup`: no space before punctuation.
    Words { mark: String, cleanup: bool },
}

/// How tokens become a text.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    steps: Vec<Step>,
    /// Spaces that the text loses at its beginning.
    leading: usize,
    /// Whether the first token loses its spaces.
    strips_first: bool,
    /// Whether tokens have been joined: what comes behind is about the whole text.
    fused: bool,
}

impl Decoder {
    /// Reads a decoder. Without one, tokens are joined with spaces, as in the reference.
    pub fn parse(value: Option<&Value>) -> Result<Self, TokenizerError> {
        let mut decoder = Self::default();
        match value {
            Some(value) => decoder.append(value)?,
            None => decoder.steps.push(Step::Words { mark: String::new(), cleanup: false }),
        }
        Ok(decoder)
    }

    /// Whether tokens `<0xNN>` are bytes.
    pub fn has_bytes(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Bytes))
    }

    fn append(&mut self, value: &Value) -> Result<(), TokenizerError> {
        let name = type_of(value);
        if self.fused && !matches!(name, "Strip" | "Fuse") {
            return Err(unsupported("behind Fuse, the decoder", name));
        }
        match name {
            "Sequence" => {
                let parts: Vec<Value> = member(value, "decoders")?;
                for part in &parts {
                    self.append(part)?;
                    check_steps("decoder", self.steps.len())?;
                }
            }
            "ByteLevel" => {
                self.steps.push(Step::Alphabet);
                self.fused = true;
            }
            "ByteFallback" => self.steps.push(Step::Bytes),
            "Fuse" => self.fused = true,
            "Replace" => self.steps.push(Step::Replace(finder(value)?, member(value, "content")?)),
            "Strip" => self.append_strip(value)?,
            "Metaspace" => {
                let mark: char = member_or(value, "replacement", '\u{2581}')?;
                self.steps.push(Step::Replace(Finder::Literal(mark.into()), " ".into()));
                let adds: bool = member_or(value, "add_prefix_space", true)?;
                let scheme: &str = member_or(value, "prepend_scheme", if adds { "always" } else { "never" })?;
                self.strips_first |= scheme != "never";
            }
            "WordPiece" => {
                let mark = member_or(value, "prefix", "##".to_owned())?;
                self.steps.push(Step::Words { mark, cleanup: member_or(value, "cleanup", true)? });
            }
            other => return Err(unsupported("the decoder", other)),
        }
        Ok(())
    }

    fn append_strip(&mut self, value: &Value) -> Result<(), TokenizerError> {
        let (content, start, stop) =
            (member(value, "content")?, member_or(value, "start", 0)?, member_or(value, "stop", 0)?);
        match (self.fused, content, stop) {
            (false, ..) => self.steps.push(Step::Strip { content, start, stop }),
            (true, ' ', 0) => self.leading = self.leading.saturating_add(start),
            _ => return Err(unsupported("behind Fuse, the decoder", "Strip of other than leading spaces")),
        }
        Ok(())
    }

    /// What each token adds, and what is special about the beginning.
    pub fn vocab(&self, texts: &[&str], kinds: &[TokenKind]) -> Result<(Vocab, Decoding), TokenizerError> {
        let words =
            self.steps.iter().find_map(|step| if let Step::Words { mark, .. } = step { Some(mark) } else { None });
        if words.is_some() && (self.steps.len() > 1 || self.leading > 0 || self.strips_first) {
            return Err(damaged("words are decoded together with something else"));
        }
        let spelled: usize = texts.iter().map(|text| text.len()).sum();
        let mut vocab = Vocab::with_capacity(texts.len(), spelled);
        let mut decoded = 0;
        for (&text, &kind) in texts.iter().zip(kinds) {
            let bytes = match kind {
                TokenKind::Control | TokenKind::Unknown => text.as_bytes().to_vec(),
                _ => self.bytes(text, kind),
            };
            decoded += bytes.len();
            if decoded > GROWTH * spelled + SLACK {
                return Err(damaged(format!("the decoder makes more than {GROWTH} bytes of one")));
            }
            vocab.push(bytes, kind);
        }
        let decoding = match words {
            Some(mark) => {
                let continues = texts.iter().map(|text| !mark.is_empty() && text.starts_with(mark.as_str())).collect();
                Decoding::Words { mark: mark.clone(), continues }
            }
            None if self.strips_first && self.leading > 0 => {
                return Err(unsupported("behind Metaspace, the decoder", "Strip"));
            }
            None if self.strips_first => Decoding::FirstWithoutSpaces,
            None if self.leading > 0 => Decoding::Spaces(self.leading),
            None => Decoding::Plain,
        };
        Ok((vocab, decoding))
    }

    /// What one token adds, unless it is the first.
    fn bytes(&self, text: &str, kind: TokenKind) -> Vec<u8> {
        let mut text = Cow::Borrowed(text);
        for step in &self.steps {
            match step {
                // User-defined tokens are written plainly.
                Step::Alphabet if kind == TokenKind::UserDefined => {}
                Step::Alphabet => {
                    if let Some(bytes) = spelled(&text) {
                        return bytes;
                    }
                }
                Step::Bytes => {
                    if let Some(byte) = byte_token(&text).filter(|_| kind == TokenKind::Byte) {
                        return vec![byte];
                    }
                }
                Step::Replace(finder, with) => {
                    let mut replaced = String::with_capacity(text.len());
                    finder.cut(&text, |range, found| {
                        // What is longer is refused when it has been counted.
                        if replaced.len() <= MAX_LEN {
                            replaced.push_str(if found { with } else { &text[range] });
                        }
                    });
                    text = Cow::Owned(replaced);
                }
                Step::Strip { content, start, stop } => {
                    text = Cow::Owned(strip(&text, *content, *start, *stop).to_owned())
                }
                Step::Words { mark, cleanup } => {
                    let rest = text.strip_prefix(mark.as_str()).filter(|_| !mark.is_empty());
                    let word = rest.map_or_else(|| format!(" {text}"), str::to_owned);
                    text = if *cleanup {
                        Cow::Owned(without_space_before_marks(&word).into_owned())
                    } else {
                        Cow::Owned(word)
                    };
                }
            }
        }
        text.into_owned().into_bytes()
    }
}

/// `text` without up to `start` leading and `stop` trailing `content`s.
fn strip(text: &str, content: char, start: usize, stop: usize) -> &str {
    let mut text = text;
    for _ in 0..start {
        text = match text.strip_prefix(content) {
            Some(rest) => rest,
            None => break,
        };
    }
    for _ in 0..stop {
        text = match text.strip_suffix(content) {
            Some(rest) => rest,
            None => break,
        };
    }
    text
}

/// What WordPiece decoders do about spaces before punctuation and contractions, in this order.
const CLEANUP: &[(&str, &str)] = &[
    (" .", "."),
    (" ?", "?"),
    (" !", "!"),
    (" ,", ","),
    (" ' ", "'"),
    (" n't", "n't"),
    (" 'm", "'m"),
    (" do not", " don't"),
    (" 's", "'s"),
    (" 've", "'ve"),
    (" 're", "'re"),
];

/// A word with a space in front as WordPiece decoders write it.
pub fn without_space_before_marks(word: &str) -> Cow<'_, str> {
    let mut word = Cow::Borrowed(word);
    for (from, to) in CLEANUP {
        if word.contains(from) {
            word = Cow::Owned(word.replace(from, to));
        }
    }
    word
}
