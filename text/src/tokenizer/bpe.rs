//! Byte-pair encoding by ranked merges: GPT-2, Llama 3, Qwen, Mistral's Tekken and most others over bytes; Gemma and, in
//! `tokenizer.json`, Llama 2 over characters.
//!
//! A word is split into bytes or characters, and those are joined by ranked merges.

use std::collections::HashMap;
use std::ops::Range;

use super::TokenizerError;
use super::bytes::ByteTokens;
use super::merge::Merger;
use super::vocab::{TokenKind, Vocab, WordIndex};

/// Ranked merges, found by their left and right token. Rows are sorted, so that a look-up is a binary search among the
/// merges of one left token: compact, and with no hash that a file could attack.
#[derive(Debug)]
pub(super) struct MergeTable {
    /// Rows `starts[left]..starts[left + 1]` have this left token.
    starts: Vec<u32>,
    /// (right, rank), sorted by left and right.
    rows: Vec<(u32, u32)>,
    /// What the merge of each rank gives.
    joined: Vec<u32>,
}

impl MergeTable {
    /// From pairs of texts, best first, over tokens with these texts and kinds. `prefix`: how many bytes of the right text the
    /// joint text leaves out. A merge that would make a control token is left out: no text becomes one.
    ///
    /// # Errors
    /// A text, or a joint text, is no token.
    pub fn new<'a>(
        tokens: &HashMap<&str, u32>,
        kinds: &[TokenKind],
        merges: impl Iterator<Item = (&'a str, &'a str)>,
        prefix: usize,
    ) -> Result<Self, TokenizerError> {
        let id_of = |index: usize, text: &str| {
            tokens.get(text).copied().ok_or_else(|| TokenizerError::UnknownMergeToken { index, token: text.to_owned() })
        };
        let mut text = String::new();
        let (mut sorted, mut joined) = (Vec::new(), Vec::new());
        for (rank, (index, (left, right))) in (0u32..).zip(merges.enumerate()) {
            text.clear();
            text.push_str(left);
            text.push_str(right.get(prefix..).unwrap_or(right));
            let (left, right, whole) = (id_of(index, left)?, id_of(index, right)?, id_of(index, &text)?);
            if !matches!(kinds[whole as usize], TokenKind::Control | TokenKind::Unknown) {
                sorted.push((left, right, u32::MAX - rank));
            }
            joined.push(whole);
        }
        // Of the same merge given twice, the later counts, as in the reference.
        sorted.sort_unstable();
        sorted.dedup_by_key(|row| (row.0, row.1));

        let size = kinds.len();
        let mut starts = vec![0u32; size + 1];
        for row in &sorted {
            starts[row.0 as usize + 1] += 1;
        }
        for left in 0..size {
            starts[left + 1] += starts[left];
        }
        let rows = sorted.into_iter().map(|(_, right, rank)| (right, u32::MAX - rank)).collect();
        Ok(Self { starts, rows, joined })
    }

    /// The rank of a pair.
    fn rank(&self, left: u32, right: u32) -> Option<u32> {
        let left = left as usize;
        let rows = &self.rows[self.starts[left] as usize..self.starts[left + 1] as usize];
        let at = rows.binary_search_by_key(&right, |row| row.0).ok()?;
        Some(rows[at].1)
    }

    /// What a pair becomes that was offered at `rank`, if it still becomes that.
    fn joined(&self, rank: u32, left: u32, right: u32) -> Option<u32> {
        let id = self.joined[rank as usize];
        self.rank(left, right).filter(|&now| self.joined[now as usize] == id).map(|_| id)
    }
}

/// Splits "left right" at the first space that leaves something on both sides.
pub(super) fn halves(merge: &str) -> Option<(&str, &str)> {
    let first = merge.chars().next()?.len_utf8();
    let space = first + merge[first..].find(' ')?;
    let right = &merge[space + 1..];
    (!right.is_empty()).then_some((&merge[..space], right))
}

/// What words are made of before merging.
#[derive(Debug)]
pub(super) enum Units {
    /// Bytes: the token of each, where the vocabulary has one.
    Bytes(Vec<Option<u32>>),
    /// Characters.
    Chars(Chars),
}

/// How characters are written.
#[derive(Debug)]
pub(super) struct Chars {
    /// The tokens as the file spells them.
    pub spellings: Vocab,
    /// From spellings to tokens.
    pub index: WordIndex,
    /// Byte tokens for characters that are none.
    pub bytes: Option<ByteTokens>,
    /// What marks a character that does not begin a word.
    pub prefix: String,
    /// What marks a character that ends a word.
    pub suffix: String,
}

/// The encoder.
#[derive(Debug)]
pub(super) struct Bpe {
    /// What words are made of.
    pub units: Units,
    /// What is joined.
    pub merges: MergeTable,
    /// Whole words that are tokens whether or not merges lead to them; only for vocabularies made that way.
    pub whole_words: Option<WordIndex>,
    /// Stands for what the vocabulary lacks; where there is none, that is left out (as in the reference).
    pub unknown: Option<u32>,
    /// Whether neighbouring unknowns become one.
    pub fuse_unknown: bool,
}

/// The token of each single byte in a vocabulary of bytes. `spells`: whether a token's bytes are what it is spelled with.
pub(super) fn single_bytes(vocab: &Vocab, spells: impl Fn(u32) -> bool) -> Vec<Option<u32>> {
    let mut bytes = vec![None; 256];
    for (id, kind) in vocab.kinds() {
        match (kind, vocab.bytes(id)) {
            (TokenKind::Normal | TokenKind::Byte, &[byte]) if spells(id) => {
                bytes[usize::from(byte)].get_or_insert(id);
            }
            _ => {}
        }
    }
    bytes
}

impl Bpe {
    /// Calls `emit` with each token of `word` and the bytes that it spells.
    pub fn encode(&self, vocab: &Vocab, word: &str, merger: &mut Merger, emit: &mut dyn FnMut(u32, Range<usize>)) {
        let spellings = match &self.units {
            Units::Bytes(_) => vocab,
            Units::Chars(chars) => &chars.spellings,
        };
        if let Some(id) = self.whole_words.as_ref().and_then(|words| words.get(spellings, word.as_bytes())) {
            emit(id, 0..word.len());
            return;
        }
        merger.clear();
        match &self.units {
            Units::Bytes(bytes) => self.push_bytes(bytes, word, merger),
            Units::Chars(chars) => self.push_chars(chars, word, merger),
        }
        merger.run(
            |left, right| self.merges.rank(left.id, right.id),
            |rank, left, right| self.merges.joined(rank, left.id, right.id),
        );
        merger.symbols().for_each(|symbol| emit(symbol.id, symbol.range()));
    }

    fn push_bytes(&self, bytes: &[Option<u32>], word: &str, merger: &mut Merger) {
        let mut unknown = Unknown::default();
        for byte in word.bytes() {
            match bytes[usize::from(byte)] {
                Some(id) => {
                    unknown.end(merger);
                    merger.push(id, 1);
                }
                None => unknown.add(self, 1, merger),
            }
        }
        unknown.end(merger);
    }

    fn push_chars(&self, chars: &Chars, word: &str, merger: &mut Merger) {
        let mut unknown = Unknown::default();
        let mut marked = String::new();
        for (at, c) in word.char_indices() {
            let end = at + c.len_utf8();
            let mut spelling = &word[at..end];
            let prefix = if at > 0 { chars.prefix.as_str() } else { "" };
            let suffix = if end == word.len() { chars.suffix.as_str() } else { "" };
            if !prefix.is_empty() || !suffix.is_empty() {
                marked.clear();
                marked.extend([prefix, spelling, suffix]);
                spelling = &marked;
            }
            if let Some(id) = chars.index.get(&chars.spellings, spelling.as_bytes()) {
                unknown.end(merger);
                merger.push(id, c.len_utf8());
            } else if let Some(ids) = chars.bytes.as_ref().and_then(|bytes| bytes.spell(&word[at..end])) {
                // The reference leaves a run of unknowns open here; so do we.
                ids.into_iter().for_each(|id| merger.push(id, 1));
            } else {
                unknown.add(self, c.len_utf8(), merger);
            }
        }
        unknown.end(merger);
    }
}

/// A run of what the vocabulary lacks.
#[derive(Default)]
struct Unknown {
    len: usize,
    id: Option<u32>,
}

impl Unknown {
    fn add(&mut self, bpe: &Bpe, len: usize, merger: &mut Merger) {
        if !bpe.fuse_unknown {
            self.end(merger);
        }
        self.id = bpe.unknown;
        self.len += len;
    }

    fn end(&mut self, merger: &mut Merger) {
        match self.id.take() {
            Some(id) => merger.push(id, self.len),
            None => merger.skip(self.len),
        }
        self.len = 0;
    }
}
