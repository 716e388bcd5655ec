//! The vocabulary: each token's bytes and kind, and the way back from bytes to a token.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

use super::TokenizerError;

/// What a token is for (GGUF's `tokenizer.ggml.token_type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// A piece of text.
    Normal,
    /// Stands for text that the vocabulary cannot spell.
    Unknown,
    /// Steers the model (begin of text, end of turn); never part of the text.
    Control,
    /// A piece of text that is never split, wherever it occurs.
    UserDefined,
    /// Keeps a place.
    Unused,
    /// One byte, for text that no other token spells.
    Byte,
}

impl TokenKind {
    /// From GGUF's numbers 1–6; 0 ("undefined") is met in old files and means a normal token.
    pub(super) fn from_gguf(id: usize, kind: i32) -> Result<Self, TokenizerError> {
        Ok(match kind {
            0 | 1 => Self::Normal,
            2 => Self::Unknown,
            3 => Self::Control,
            4 => Self::UserDefined,
            5 => Self::Unused,
            6 => Self::Byte,
            _ => return Err(TokenizerError::BadTokenType { id, kind }),
        })
    }

    /// GGUF's number.
    #[cfg(feature = "hf")]
    pub(super) fn to_gguf(self) -> i32 {
        match self {
            Self::Normal => 1,
            Self::Unknown => 2,
            Self::Control => 3,
            Self::UserDefined => 4,
            Self::Unused => 5,
            Self::Byte => 6,
        }
    }
}

/// Every token's bytes, end to end in one allocation, and its kind.
#[derive(Debug, Default)]
pub(super) struct Vocab {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    kinds: Vec<TokenKind>,
}

impl Vocab {
    /// With room for `tokens` tokens of `bytes` bytes in all.
    pub fn with_capacity(tokens: usize, bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), ends: Vec::with_capacity(tokens), kinds: Vec::with_capacity(tokens) }
    }

    /// Adds the next token: what it contributes to the text, and its kind.
    pub fn push(&mut self, bytes: impl IntoIterator<Item = u8>, kind: TokenKind) {
        self.bytes.extend(bytes);
        self.ends.push(self.bytes.len());
        self.kinds.push(kind);
    }

    /// Number of tokens.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// The bytes of a token; none for an id outside the vocabulary.
    pub fn bytes(&self, id: u32) -> &[u8] {
        let id = id as usize;
        let Some(&end) = self.ends.get(id) else { return &[] };
        let start = if id == 0 { 0 } else { self.ends[id - 1] };
        &self.bytes[start..end]
    }

    /// The kind of a token, if it is one.
    pub fn kind(&self, id: u32) -> Option<TokenKind> {
        self.kinds.get(id as usize).copied()
    }

    /// All ids with their kinds.
    pub fn kinds(&self) -> impl Iterator<Item = (u32, TokenKind)> + Clone + '_ {
        (0u32..).zip(self.kinds.iter().copied())
    }
}

/// From bytes to the token that spells them. Holds ids only; the bytes stay in the [`Vocab`].
///
/// Hashed with std's keyed hash: a file cannot choose tokens that collide.
#[derive(Debug)]
pub(super) struct WordIndex {
    table: HashTable<u32>,
    hasher: RandomState,
    longest: usize,
}

impl WordIndex {
    /// Indexes the tokens that `wanted` names. Of two with the same bytes the first one counts.
    pub fn new(vocab: &Vocab, wanted: &dyn Fn(u32, TokenKind) -> bool) -> Self {
        let hasher = RandomState::new();
        let mut table = HashTable::with_capacity(vocab.len());
        let mut longest = 0;
        for (id, kind) in vocab.kinds() {
            let bytes = vocab.bytes(id);
            if bytes.is_empty() || !wanted(id, kind) {
                continue;
            }
            let hash = hasher.hash_one(bytes);
            if table.find(hash, |&other| vocab.bytes(other) == bytes).is_none() {
                table.insert_unique(hash, id, |&other| hasher.hash_one(vocab.bytes(other)));
                longest = longest.max(bytes.len());
            }
        }
        Self { table, hasher, longest }
    }

    /// The token that spells `bytes`.
    pub fn get(&self, vocab: &Vocab, bytes: &[u8]) -> Option<u32> {
        if bytes.len() > self.longest {
            return None;
        }
        self.table.find(self.hasher.hash_one(bytes), |&id| vocab.bytes(id) == bytes).copied()
    }
}

/// From texts to tokens; of two with the same text the first counts.
pub(super) fn ids_by_text<'a>(tokens: &[&'a str]) -> HashMap<&'a str, u32> {
    let mut ids = HashMap::with_capacity(tokens.len());
    for (id, &text) in (0u32..).zip(tokens) {
        ids.entry(text).or_insert(id);
    }
    ids
}
