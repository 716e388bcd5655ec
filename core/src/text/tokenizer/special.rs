//! Finds special tokens in a text, before anything else looks at it.

use super::vocab::{TokenKind, Vocab};
use super::{Special, TokenizerError};

/// The longest special token that is looked for. Real ones are at most about 100 bytes (Gemma's runs of spaces); the bound
/// keeps the search linear in the text.
pub(super) const MAX_BYTES: usize = 256;

/// A stretch of text, or a special token found in it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'t> {
    /// Ordinary text, not empty.
    Text(&'t str),
    /// A special token.
    Token(u32),
}

/// The special tokens, sorted by their bytes: a prefix is a range of the list.
#[derive(Debug, Default)]
struct Sorted {
    ids: Vec<u32>,
    /// Whether some token begins with this byte.
    first: Vec<bool>,
}

impl Sorted {
    fn new(vocab: &Vocab, wanted: impl Fn(TokenKind) -> bool) -> Self {
        let mut ids: Vec<u32> =
            vocab.kinds().filter(|&(id, kind)| wanted(kind) && !vocab.bytes(id).is_empty()).map(|(id, _)| id).collect();
        ids.sort_by_key(|&id| vocab.bytes(id));
        ids.dedup_by_key(|id| vocab.bytes(*id));
        let mut first = vec![false; 256];
        for &id in &ids {
            first[usize::from(vocab.bytes(id)[0])] = true;
        }
        Self { ids, first }
    }

    /// The longest token that `text` begins with.
    fn longest(&self, vocab: &Vocab, text: &[u8]) -> Option<u32> {
        let mut range = &self.ids[..];
        let mut found = None;
        for (depth, &byte) in text.iter().enumerate() {
            // Of those that agree so far, only the first can end here; it sorts before the longer ones.
            let at = |id: &u32| vocab.bytes(*id).get(depth).copied();
            let from = range.partition_point(|id| at(id) < Some(byte));
            let to = range.partition_point(|id| at(id) <= Some(byte));
            range = &range[from..to];
            match range.first() {
                None => break,
                Some(&id) if vocab.bytes(id).len() == depth + 1 => found = Some(id),
                Some(_) => {}
            }
        }
        found
    }
}

/// The special tokens of a vocabulary.
#[derive(Debug)]
pub(super) struct Specials {
    /// Control, unknown and user-defined tokens.
    all: Sorted,
    /// User-defined tokens alone: text that is never split, whoever wrote it.
    in_text: Sorted,
}

impl Specials {
    /// Collects them.
    pub fn new(vocab: &Vocab) -> Result<Self, TokenizerError> {
        let is_special = |kind| matches!(kind, TokenKind::Control | TokenKind::Unknown | TokenKind::UserDefined);
        for (id, kind) in vocab.kinds() {
            let len = vocab.bytes(id).len();
            if is_special(kind) && len > MAX_BYTES {
                return Err(TokenizerError::SpecialTooLong { id: id as usize, len });
            }
        }
        Ok(Self {
            all: Sorted::new(vocab, is_special),
            in_text: Sorted::new(vocab, |kind| kind == TokenKind::UserDefined),
        })
    }

    /// Splits `text` at its special tokens, leftmost first and of those at one place the longest.
    pub fn split<'t>(&self, vocab: &Vocab, text: &'t str, special: Special, mut piece: impl FnMut(Piece<'t>)) {
        let sorted = match special {
            Special::Parse => &self.all,
            Special::AsText => &self.in_text,
        };
        let bytes = text.as_bytes();
        let (mut at, mut start) = (0, 0);
        while !sorted.ids.is_empty() && at < bytes.len() {
            let found = sorted.first[usize::from(bytes[at])].then(|| sorted.longest(vocab, &bytes[at..])).flatten();
            let Some(id) = found else {
                at += 1;
                continue;
            };
            if start < at {
                piece(Piece::Text(&text[start..at]));
            }
            piece(Piece::Token(id));
            at += vocab.bytes(id).len();
            start = at;
        }
        if start < text.len() {
            piece(Piece::Text(&text[start..]));
        }
    }
}
