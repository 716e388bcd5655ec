//! SentencePiece's byte-pair encoding (GGUF's "llama"): Llama 2, Mistral 7B, Gemma, TinyLlama.
//!
//! The whole text is one word: neighbours are joined where their joint text is a token, best score first. Spaces are
//! ordinary text ("▁" in files, undone at load). What no token spells is written in byte tokens.

use super::merge::{Merger, NO_TOKEN};
use super::vocab::{TokenKind, Vocab, WordIndex};
use super::{Parts, TokenizerError};

/// How SentencePiece writes a space.
const SPACE_MARK: char = '\u{2581}';

/// The byte of a token `<0xNN>`.
fn byte_token(text: &str) -> Option<u8> {
    let digits = text.strip_prefix("<0x")?.strip_suffix('>')?;
    let is_hex = digits.len() == 2 && digits.bytes().all(|c| c.is_ascii_hexdigit());
    if is_hex { u8::from_str_radix(digits, 16).ok() } else { None }
}

/// The token bytes of a "llama" vocabulary.
pub(super) fn vocab(tokens: &[&str], kinds: &[TokenKind]) -> Result<Vocab, TokenizerError> {
    let mut vocab = Vocab::with_capacity(tokens.len(), tokens.iter().map(|text| text.len()).sum());
    let mut seen = [false; 256];
    for (id, (&text, &kind)) in tokens.iter().zip(kinds).enumerate() {
        match kind {
            TokenKind::Byte => match byte_token(text) {
                Some(byte) if !seen[usize::from(byte)] => {
                    seen[usize::from(byte)] = true;
                    vocab.push([byte], kind);
                }
                _ => return Err(TokenizerError::BadByteToken { id, text: text.to_owned() }),
            },
            TokenKind::Control | TokenKind::Unknown => vocab.push(text.bytes(), kind),
            _ => vocab.push(text.replace(SPACE_MARK, " ").into_bytes(), kind),
        }
    }
    Ok(vocab)
}

/// The encoder.
#[derive(Debug)]
pub(super) struct Spm {
    words: WordIndex,
    /// For each token its place among all scores, best first; equal scores share a place.
    ranks: Vec<u32>,
    bytes: Vec<Option<u32>>,
    unknown: Option<u32>,
    add_space_prefix: bool,
}

impl Spm {
    /// Builds the encoder for `vocab`, which came from the same `parts`.
    pub fn new(parts: &Parts<'_>, vocab: &Vocab, unknown: Option<u32>) -> Result<Self, TokenizerError> {
        let mut bytes = vec![None; 256];
        for (id, kind) in vocab.kinds() {
            if let (TokenKind::Byte, &[byte]) = (kind, vocab.bytes(id)) {
                bytes[usize::from(byte)] = Some(id);
            }
        }
        Ok(Self {
            words: WordIndex::new(vocab, |kind| matches!(kind, TokenKind::Normal | TokenKind::UserDefined)),
            ranks: ranks(&parts.scores)?,
            bytes,
            unknown,
            add_space_prefix: parts.add_space_prefix.unwrap_or(true),
        })
    }

    /// Whether a space is put in front of a text, and so taken away again when it is decoded.
    pub fn adds_space_prefix(&self) -> bool {
        self.add_space_prefix
    }

    /// Appends the tokens of `text` to `out`.
    pub fn encode(&self, vocab: &Vocab, text: &str, out: &mut Vec<u32>) {
        let prefix = if self.add_space_prefix { " " } else { "" };
        let text = [prefix, text].concat().replace(SPACE_MARK, " ");
        let mut merger = Merger::default();
        for c in text.chars() {
            merger.push(NO_TOKEN, c.len_utf8());
        }
        merger.run(|left, right| {
            let joint = left.range().start..right.range().end;
            let id = self.words.get(vocab, &text.as_bytes()[joint])?;
            Some((self.ranks[id as usize], id))
        });
        let mut after_unknown = false;
        for symbol in merger.symbols() {
            let bytes = &text.as_bytes()[symbol.range()];
            let id = if symbol.id == NO_TOKEN { self.words.get(vocab, bytes) } else { Some(symbol.id) };
            after_unknown = match id {
                Some(id) => {
                    out.push(id);
                    false
                }
                None => self.encode_bytes(bytes, after_unknown, out),
            };
        }
    }

    /// Spells a character with byte tokens or, where the vocabulary lacks one, with the unknown token, one for a whole run of
    /// such characters. Returns whether it was unknown.
    fn encode_bytes(&self, bytes: &[u8], after_unknown: bool, out: &mut Vec<u32>) -> bool {
        let spelled: Option<Vec<u32>> = bytes.iter().map(|&byte| self.bytes[usize::from(byte)]).collect();
        match spelled {
            Some(ids) => {
                out.extend(ids);
                false
            }
            None => {
                if !after_unknown {
                    out.extend(self.unknown);
                }
                true
            }
        }
    }
}

/// Turns scores (higher is better) into ranks (lower is better), keeping ties.
fn ranks(scores: &[f32]) -> Result<Vec<u32>, TokenizerError> {
    if let Some(id) = scores.iter().position(|score| score.is_nan()) {
        return Err(TokenizerError::BadScore(id));
    }
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_unstable_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let mut ranks = vec![0; scores.len()];
    let mut rank = 0;
    for pair in 1..order.len() {
        // -0.0 and 0.0 are the same score.
        if scores[order[pair]] != scores[order[pair - 1]] {
            rank += 1;
        }
        ranks[order[pair]] = rank;
    }
    Ok(ranks)
}
