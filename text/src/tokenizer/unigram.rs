//! SentencePiece's unigram model (GGUF's "t5"): T5, XLM-RoBERTa, ALBERT, many embedding models.
//!
//! Of all ways to spell a word, the one whose tokens' scores (logarithms of probabilities) have the largest sum. One pass over
//! the word keeps the best spelling of each beginning.

use std::ops::Range;

use super::TokenizerError;
use super::bytes::ByteTokens;
use super::trie::Trie;

/// The longest token, in bytes: it bounds the work at each place of a text.
const MAX_TOKEN: usize = 1024;

/// How much worse an unknown character is than the worst token. Source: SentencePiece's unigram_model.cc.
const UNKNOWN_PENALTY: f64 = 10.0;

/// The encoder.
#[derive(Debug)]
pub(super) struct Unigram {
    trie: Trie,
    scores: Vec<f64>,
    unknown_score: f64,
    options: UnigramOptions,
}

/// What the encoder needs beside the tokens.
#[derive(Debug)]
pub(super) struct UnigramOptions {
    /// Byte tokens, if text may be spelled with them.
    pub bytes: Option<ByteTokens>,
    /// Stands for what cannot be spelled.
    pub unknown: Option<u32>,
    /// Whether sums are rounded to single precision, as in SentencePiece; HF's tokenizers use double.
    pub single: bool,
}

impl UnigramOptions {
    /// A sum as it is kept.
    fn kept(&self, sum: f64) -> f64 {
        if self.single { f64::from(sum as f32) } else { sum }
    }
}

/// A token that takes part.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate<'a> {
    /// Its id.
    pub id: u32,
    /// What it spells.
    pub bytes: &'a [u8],
    /// Whether it is preferred to any other spelling.
    pub user_defined: bool,
}

/// The best spelling of a text's beginning.
#[derive(Clone, Copy)]
struct Best {
    score: f64,
    /// Where its last token begins, and which that is; none if it is unknown.
    start: usize,
    token: Option<u32>,
}

impl Unigram {
    /// Builds the encoder over `tokens`; `scores` has one entry a token of the vocabulary.
    pub fn new<'a>(
        tokens: impl Iterator<Item = Candidate<'a>> + Clone,
        mut scores: Vec<f64>,
        options: UnigramOptions,
    ) -> Result<Self, TokenizerError> {
        if let Some(id) = scores.iter().position(|score| !score.is_finite()) {
            return Err(TokenizerError::BadScore(id));
        }
        if let Some(long) = tokens.clone().find(|token| token.bytes.len() > MAX_TOKEN) {
            return Err(TokenizerError::TokenTooLong { id: long.id as usize, len: long.bytes.len(), max: MAX_TOKEN });
        }
        let plain = || tokens.clone().filter(|token| !token.user_defined).map(|token| scores[token.id as usize]);
        let worst = plain().fold(f64::INFINITY, f64::min);
        let best = plain().fold(f64::NEG_INFINITY, f64::max);
        let (worst, best) = if worst <= best { (worst, best) } else { (0.0, 0.0) };
        for token in tokens.clone().filter(|token| token.user_defined) {
            scores[token.id as usize] = token.bytes.len() as f64 * best - 0.1;
        }
        let trie = Trie::new(tokens.map(|token| (token.bytes, token.id)));
        let unknown_score = options.kept(worst - UNKNOWN_PENALTY);
        Ok(Self { trie, scores, unknown_score, options })
    }

    /// Calls `emit` with each token of `word` and the bytes that it spells.
    pub fn encode(&self, word: &str, emit: &mut dyn FnMut(u32, Range<usize>)) {
        let best = self.best_spellings(word);
        let mut path = Vec::new();
        let mut end = word.len();
        while end > 0 {
            let Some(Best { start, token, .. }) = best[end] else { break };
            path.push((token, start..end));
            end = start;
        }
        let mut unknown: Option<Range<usize>> = None;
        for (token, range) in path.into_iter().rev() {
            match (token, &mut unknown) {
                (None, Some(run)) => run.end = range.end,
                (None, None) => unknown = Some(range),
                (Some(id), run) => {
                    self.spell_unknown(word, run.take(), emit);
                    emit(id, range);
                }
            }
        }
        self.spell_unknown(word, unknown, emit);
    }

    /// For each place between characters the best spelling of what is before it.
    fn best_spellings(&self, word: &str) -> Vec<Option<Best>> {
        let mut best: Vec<Option<Best>> = vec![None; word.len() + 1];
        for (start, c) in word.char_indices() {
            let before = best[start].map_or(0.0, |best| best.score);
            let mut has_single = false;
            let mut offer = |len: usize, score: f64, token| {
                let place = &mut best[start + len];
                let score = self.options.kept(before + score);
                if place.is_none_or(|best| score > best.score) {
                    *place = Some(Best { score, start, token });
                }
            };
            self.trie.prefixes(&word.as_bytes()[start..], |len, id| {
                offer(len, self.scores[id as usize], Some(id));
                has_single |= len == c.len_utf8();
            });
            if !has_single {
                offer(c.len_utf8(), self.unknown_score, None);
            }
        }
        best
    }

    /// Spells a run of unknown characters with byte tokens, or with the unknown token.
    fn spell_unknown(&self, word: &str, run: Option<Range<usize>>, emit: &mut dyn FnMut(u32, Range<usize>)) {
        let Some(run) = run else { return };
        match self.options.bytes.as_ref().and_then(|bytes| bytes.spell(&word[run.clone()])) {
            Some(ids) => (run.start..).zip(ids).for_each(|(at, id)| emit(id, at..at + 1)),
            None => self.options.unknown.into_iter().for_each(|id| emit(id, run.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_sum_wins_and_unknowns_join() {
        let words: &[(&str, f64)] =
            &[("<unk>", 0.0), ("a", -1.0), ("b", -1.5), ("ab", -2.0), ("abb", -4.5), ("<x>", -9.0)];
        let tokens = words.iter().zip(0..).skip(1).map(|((text, _), id)| Candidate {
            id,
            bytes: text.as_bytes(),
            user_defined: *text == "<x>",
        });
        let scores = words.iter().map(|(_, score)| *score).collect();
        let options = UnigramOptions { bytes: None, unknown: Some(0), single: false };
        let model = Unigram::new(tokens, scores, options).unwrap();
        let encode = |word: &str| {
            let mut found = Vec::new();
            model.encode(word, &mut |id, range| found.push((id, range)));
            found
        };
        // ab + b is -3.5, abb -4.5, a + b + b -4.
        assert_eq!(encode("abb"), [(3, 0..2), (2, 2..3)]);
        assert_eq!(encode("éüa"), [(0, 0..4), (1, 4..5)]);
        assert_eq!(encode("<x>"), [(5, 0..3)]);
        assert_eq!(encode(""), []);
    }
}
