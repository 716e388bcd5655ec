//! SentencePiece's byte-pair encoding (GGUF's "llama"): Llama 2, Mistral 7B, Gemma, TinyLlama.
//!
//! The whole text is one word: neighbours are joined where their joint text is a token, best score first. Spaces are
//! ordinary text ("▁" in files, undone at load). What no token spells is written in byte tokens.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;

use inglenook_format::order::sort_indices;

use super::TokenizerError;
use super::added::MAX_BYTES;
use super::bytes::ByteTokens;
use super::merge::{Merger, NO_TOKEN};
use super::trie::Trie;
use super::vocab::{TokenKind, Vocab, WordIndex};

/// The encoder.
#[derive(Debug)]
pub(super) struct Spm {
    words: WordIndex,
    /// For each token its place among all scores, best first; equal scores share a place.
    ranks: Vec<u32>,
    bytes: Option<ByteTokens>,
    unknown: Option<u32>,
    /// Pieces that are never joined with anything.
    frozen: Trie,
    has_unused: bool,
}

/// What the encoder needs beside the vocabulary.
#[derive(Debug)]
pub(super) struct SpmOptions<'a> {
    /// Each token's score.
    pub scores: &'a [f32],
    /// Byte tokens, if text may be spelled with them.
    pub bytes: Option<ByteTokens>,
    /// Stands for what cannot be spelled.
    pub unknown: Option<u32>,
    /// Whether user-defined pieces are found by this encoder, and not before it.
    pub finds_user_defined: bool,
}

/// Where the unused pieces that were offered lately can be split again: their left part's length in bytes.
type Splits = RefCell<HashMap<u32, usize>>;

impl Spm {
    /// Builds the encoder for `vocab`.
    pub fn new(options: SpmOptions<'_>, vocab: &Vocab) -> Result<Self, TokenizerError> {
        let user_defined =
            vocab.kinds().filter(|&(_, kind)| options.finds_user_defined && kind == TokenKind::UserDefined);
        // They are looked for at each place of a text.
        if let Some((id, _)) = user_defined.clone().find(|&(id, _)| vocab.bytes(id).len() > MAX_BYTES) {
            return Err(TokenizerError::SpecialTooLong { id: id as usize, len: vocab.bytes(id).len() });
        }
        Ok(Self {
            words: WordIndex::new(vocab, &|_, kind| {
                matches!(kind, TokenKind::Normal | TokenKind::UserDefined | TokenKind::Unused)
            }),
            ranks: ranks(options.scores)?,
            bytes: options.bytes,
            unknown: options.unknown,
            frozen: Trie::new(user_defined.map(|(id, _)| (vocab.bytes(id), id))),
            has_unused: vocab.kinds().any(|(_, kind)| kind == TokenKind::Unused),
        })
    }

    /// Calls `emit` with each token of `text` and the bytes that it spells.
    pub fn encode(&self, vocab: &Vocab, text: &str, merger: &mut Merger, emit: &mut dyn FnMut(u32, Range<usize>)) {
        let frozen = self.push_symbols(text, merger);
        let splits = Splits::default();
        let token = |left: Range<usize>, right: Range<usize>| {
            let is_frozen = |at: usize| frozen.binary_search(&at).is_ok();
            if is_frozen(left.start) || is_frozen(right.start) {
                return None;
            }
            self.words.get(vocab, &text.as_bytes()[left.start..right.end])
        };
        merger.run(
            |left, right| {
                let id = token(left.range(), right.range())?;
                if self.has_unused && vocab.kind(id) == Some(TokenKind::Unused) {
                    splits.borrow_mut().insert(id, left.range().len());
                }
                Some(self.ranks[id as usize])
            },
            |rank, left, right| token(left.range(), right.range()).filter(|&id| self.ranks[id as usize] == rank),
        );
        let mut writer = Writer { spm: self, text, after_unknown: false, emit };
        let splits = splits.into_inner();
        for symbol in merger.symbols() {
            let range = symbol.range();
            let known = if symbol.id == NO_TOKEN {
                self.words.get(vocab, &text.as_bytes()[range.clone()])
            } else {
                Some(symbol.id)
            };
            match known {
                Some(id) if splits.contains_key(&id) => writer.split_again(vocab, id, range, &splits),
                known => writer.write(known, range),
            }
        }
    }

    /// Makes a symbol of each character and frozen piece. Gives where the frozen ones begin.
    fn push_symbols(&self, text: &str, merger: &mut Merger) -> Vec<usize> {
        merger.clear();
        let mut frozen = Vec::new();
        let mut at = 0;
        while let Some(c) = text[at..].chars().next() {
            let len = match self.frozen.longest(&text.as_bytes()[at..]) {
                Some((len, id)) => {
                    frozen.push(at);
                    merger.push(id, len);
                    len
                }
                None => {
                    merger.push(NO_TOKEN, c.len_utf8());
                    c.len_utf8()
                }
            };
            at += len;
        }
        frozen
    }
}

/// Writes the tokens of one text.
struct Writer<'w> {
    spm: &'w Spm,
    text: &'w str,
    after_unknown: bool,
    emit: &'w mut dyn FnMut(u32, Range<usize>),
}

impl Writer<'_> {
    /// Writes a token, or spells a character with byte tokens or, where the vocabulary lacks one, with the unknown token, one for a
    /// whole run of such characters.
    fn write(&mut self, token: Option<u32>, range: Range<usize>) {
        if let Some(id) = token {
            (self.emit)(id, range);
            self.after_unknown = false;
            return;
        }
        match self.spm.bytes.as_ref().and_then(|bytes| bytes.spell(&self.text[range.clone()])) {
            Some(ids) => {
                for (at, id) in (range.start..).zip(ids) {
                    (self.emit)(id, at..at + 1);
                }
                self.after_unknown = false;
            }
            None => {
                if let Some(unknown) = self.spm.unknown.filter(|_| !self.after_unknown) {
                    (self.emit)(unknown, range);
                }
                self.after_unknown = true;
            }
        }
    }

    /// Writes the parts that an unused piece was joined from, and theirs.
    fn split_again(&mut self, vocab: &Vocab, id: u32, range: Range<usize>, splits: &HashMap<u32, usize>) {
        let mut open = vec![(Some(id), range)];
        while let Some((token, range)) = open.pop() {
            match token.and_then(|id| splits.get(&id)) {
                Some(&left) if left > 0 && left < range.len() => {
                    let middle = range.start + left;
                    let token =
                        |range: Range<usize>| (self.spm.words.get(vocab, &self.text.as_bytes()[range.clone()]), range);
                    open.push(token(middle..range.end));
                    open.push(token(range.start..middle));
                }
                _ => self.write(token, range),
            }
        }
    }
}

/// Turns scores (higher is better) into ranks (lower is better), keeping ties.
fn ranks(scores: &[f32]) -> Result<Vec<u32>, TokenizerError> {
    if let Some(id) = scores.iter().position(|score| !score.is_finite()) {
        return Err(TokenizerError::BadScore(id));
    }
    let mut order: Vec<u32> = (0..scores.len() as u32).collect();
    sort_indices(&mut order, &mut |a, b| scores[b as usize].total_cmp(&scores[a as usize]));
    let mut ranks = vec![0; scores.len()];
    let (mut rank, mut before) = (0, None);
    for id in order {
        let score = scores[id as usize];
        // -0.0 and 0.0 are the same score.
        if before.is_some_and(|before| before != score) {
            rank += 1;
        }
        before = Some(score);
        ranks[id as usize] = rank;
    }
    Ok(ranks)
}
