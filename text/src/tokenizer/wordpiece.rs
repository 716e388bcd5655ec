//! WordPiece (GGUF's "bert") and word-level vocabularies.
//!
//! WordPiece spells a word with the longest token that it begins with, then with the longest continuing token, and so on; a word
//! that cannot be spelled to its end, or is too long, is unknown as a whole.

use std::ops::Range;

use super::TokenizerError;
use super::trie::Trie;

/// The longest token, in bytes: it bounds the work at each place of a text.
const MAX_TOKEN: usize = 1024;

/// The encoder.
#[derive(Debug)]
pub(super) struct WordPiece {
    /// Tokens that begin a word.
    initial: Trie,
    /// Tokens that go on, without the mark that says so.
    continuing: Trie,
    unknown: Option<u32>,
    max_chars: usize,
}

impl WordPiece {
    /// Builds the encoder over tokens that begin words and tokens that continue them. A word of more than `max_chars` characters
    /// is unknown.
    pub fn new<'a>(
        initial: impl Iterator<Item = (&'a [u8], u32)> + Clone,
        continuing: impl Iterator<Item = (&'a [u8], u32)> + Clone,
        unknown: Option<u32>,
        max_chars: usize,
    ) -> Result<Self, TokenizerError> {
        let mut all = initial.clone().chain(continuing.clone());
        if let Some((bytes, id)) = all.find(|(bytes, _)| bytes.len() > MAX_TOKEN) {
            return Err(TokenizerError::TokenTooLong { id: id as usize, len: bytes.len(), max: MAX_TOKEN });
        }
        Ok(Self { initial: Trie::new(initial), continuing: Trie::new(continuing), unknown, max_chars })
    }

    /// Calls `emit` with each token of `word` and the bytes that it spells.
    pub fn encode(&self, word: &str, emit: &mut dyn FnMut(u32, Range<usize>)) {
        match self.spell(word) {
            Some(tokens) => tokens.into_iter().for_each(|(id, range)| emit(id, range)),
            None => self.unknown.into_iter().for_each(|id| emit(id, 0..word.len())),
        }
    }

    fn spell(&self, word: &str) -> Option<Vec<(u32, Range<usize>)>> {
        if word.chars().nth(self.max_chars).is_some() {
            return None;
        }
        let mut tokens = Vec::new();
        let mut at = 0;
        while at < word.len() {
            let trie = if at == 0 { &self.initial } else { &self.continuing };
            let (len, id) = trie.longest(&word.as_bytes()[at..])?;
            tokens.push((id, at..at + len));
            at += len;
        }
        Some(tokens)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_spelled_greedily_or_not_at_all() {
        let initial = [(&b"un"[..], 1), (b"u", 2), (b"unaff", 3)];
        let continuing = [(&b"aff"[..], 4), (b"able", 5), (b"affa", 6)];
        let model = WordPiece::new(initial.into_iter(), continuing.into_iter(), Some(0), 9).unwrap();
        let encode = |word: &str| {
            let mut found = Vec::new();
            model.encode(word, &mut |id, range| found.push((id, range)));
            found
        };
        assert_eq!(encode("unaffable"), [(3, 0..5), (5, 5..9)]);
        // Greed loses: "affa" leaves "ble", which no token begins.
        assert_eq!(encode("uaffable"), [(0, 0..8)]);
        assert_eq!(encode("unaffablex"), [(0, 0..10)]);
    }
}
