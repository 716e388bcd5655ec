//! Finds added tokens (special and user-defined ones) in a text, before anything else looks at it.

use std::ops::Range;

use super::pattern::Finder;
use super::pre_tokenizer::regex;
use super::trie::Trie;
use super::{Special, TokenizerError};

/// The longest added token that is looked for. Real ones are at most about 100 bytes (Gemma's runs of spaces); the bound
/// keeps the search linear in the text.
pub(super) const MAX_BYTES: usize = 256;

/// A token that is found in text as a whole.
#[derive(Clone, Debug)]
pub(super) struct Added {
    /// Its id.
    pub id: u32,
    /// What is looked for.
    pub content: String,
    /// Whether it is looked for only where special tokens are wanted.
    pub special: bool,
    /// Whether it must not touch a letter, digit or the like.
    pub single_word: bool,
    /// Whether white space before it belongs to it.
    pub lstrip: bool,
    /// Whether white space behind it belongs to it.
    pub rstrip: bool,
}

impl Added {
    /// A token without conditions.
    pub fn new(id: u32, content: impl Into<String>, special: bool) -> Self {
        Self { id, content: content.into(), special, single_word: false, lstrip: false, rstrip: false }
    }

    /// Refuses a token that is too long to be looked for.
    pub fn check(&self) -> Result<(), TokenizerError> {
        match self.content.len() {
            len if len > MAX_BYTES => Err(TokenizerError::SpecialTooLong { id: self.id as usize, len }),
            _ => Ok(()),
        }
    }
}

/// A set of added tokens.
#[derive(Debug)]
pub(super) struct AddedTokens {
    /// From contents to places in `list`.
    trie: Trie,
    list: Vec<Added>,
    /// What a single word must not touch; only where some token asks.
    word: Option<Finder>,
}

impl AddedTokens {
    /// Collects tokens. Empty ones are never found; of two with the same content the first counts.
    pub fn new(list: Vec<Added>) -> Result<Self, TokenizerError> {
        list.iter().try_for_each(Added::check)?;
        let word = if list.iter().any(|added| added.single_word) { Some(regex(r"\w")?) } else { None };
        let trie = Trie::new(list.iter().zip(0..).map(|(added, at)| (added.content.as_bytes(), at)));
        Ok(Self { trie, list, word })
    }

    /// Whether none is ever found.
    pub fn is_empty(&self) -> bool {
        self.trie.is_empty()
    }

    /// Cuts `text` at its added tokens, leftmost first and of those at one place the longest, as HF's tokenizers do: what is a
    /// special token by its looks but is not wanted as one stays text as a whole. `user`: what users wrote of the text, in order; no
    /// special token has a byte of it.
    pub fn cut(
        &self,
        text: &str,
        special: Special,
        user: &[Range<usize>],
        mut piece: impl FnMut(Range<usize>, Option<u32>),
    ) {
        let (mut at, mut start) = (0, 0);
        let mut user = user.iter().peekable();
        while !self.is_empty() && at < text.len() {
            while user.next_if(|span| span.end <= at).is_some() {}
            let (is_user, border) = match user.peek() {
                Some(span) if span.start <= at => (true, span.end),
                Some(span) => (false, span.start),
                None => (false, text.len()),
            };
            let Some((added, found)) = self.longest(text, at, is_user, border) else {
                at += 1;
                continue;
            };
            if is_user && added.special {
                at = found.end.min(border);
                continue;
            }
            at = found.end;
            if !self.counts(added, text, &found, special) {
                continue;
            }
            let (before, after) = (&text[start..found.start.max(start)], &text[found.end..]);
            let from = if added.lstrip { start + before.trim_end().len() } else { found.start.max(start) };
            let to = if added.rstrip { text.len() - after.trim_start().len() } else { found.end };
            if start < from {
                piece(start..from, None);
            }
            piece(from..to, Some(added.id));
            (at, start) = (to, to);
        }
        if start < text.len() {
            piece(start..text.len(), None);
        }
    }

    /// The longest token at a place. A special one that begins before a user's words ends before them, too.
    fn longest(&self, text: &str, at: usize, is_user: bool, border: usize) -> Option<(&Added, Range<usize>)> {
        let longest = |end: usize| {
            let (len, place) = self.trie.longest(&text.as_bytes()[at..end])?;
            Some((self.list.get(place as usize)?, at..at + len))
        };
        longest(text.len()).and_then(|(added, found)| {
            if added.special && !is_user && found.end > border { longest(border) } else { Some((added, found)) }
        })
    }

    fn counts(&self, added: &Added, text: &str, found: &Range<usize>, special: Special) -> bool {
        if added.special && special == Special::AsText {
            return false;
        }
        if !added.single_word {
            return true;
        }
        let before = text[..found.start].chars().next_back();
        let after = text[found.end..].chars().next();
        !before.into_iter().chain(after).any(|c| self.is_word(c))
    }

    fn is_word(&self, c: char) -> bool {
        let mut is_word = false;
        if let Some(finder) = &self.word {
            finder.cut(c.encode_utf8(&mut [0; 4]), |_, found| is_word |= found);
        }
        is_word
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(list: Vec<Added>, text: &str, special: Special) -> Vec<(&str, Option<u32>)> {
        let mut pieces = Vec::new();
        AddedTokens::new(list).unwrap().cut(text, special, &[], |range, id| pieces.push((&text[range], id)));
        pieces
    }

    #[test]
    fn special_tokens_are_never_what_a_user_wrote() {
        let list = || vec![Added::new(1, "<s>", true), Added::new(2, "<s>>", true), Added::new(3, "<u>", false)];
        let cut = |text: &'static str, user: Range<usize>| {
            let mut found = Vec::new();
            let added = AddedTokens::new(list()).unwrap();
            added.cut(text, Special::Parse, std::slice::from_ref(&user), |range, id| {
                found.extend(id.map(|id| (range, id)))
            });
            found
        };
        assert_eq!(cut("<s><s>", 3..6), [(0..3, 1)]);
        assert_eq!(cut("<s><s>", 0..3), [(3..6, 1)]);
        // Half of a token's name is the user's, in front or behind.
        assert_eq!(cut("<s>", 0..1), []);
        assert_eq!(cut("<s>", 2..3), []);
        assert_eq!(cut("<s>", 1..2), []);
        // A user's letter behind a token makes no longer one of it.
        assert_eq!(cut("<s>>", 3..4), [(0..3, 1)]);
        assert_eq!(cut("<s>>", 4..4), [(0..4, 2)]);
        // A user's text that could begin a token does not hide the template's own.
        assert_eq!(cut("<s<s>", 0..2), [(2..5, 1)]);
        // User-defined tokens are text.
        assert_eq!(cut("<u><u>", 1..5), [(0..3, 3), (3..6, 3)]);
    }

    #[test]
    fn the_longest_counts_and_conditions_are_kept() {
        let plain = |id, content: &str| Added::new(id, content, false);
        let list = vec![plain(1, "<a>"), plain(2, "<a>b"), Added::new(3, "<s>", true)];
        assert_eq!(
            cut(list.clone(), "x<a>b<a><s>", Special::Parse),
            [("x", None), ("<a>b", Some(2)), ("<a>", Some(1)), ("<s>", Some(3))]
        );
        assert_eq!(cut(list, "<s><a>", Special::AsText), [("<s>", None), ("<a>", Some(1))]);
        let word = vec![Added { single_word: true, ..plain(1, "ab") }];
        assert_eq!(cut(word, "ab abc éab ab", Special::Parse), [("ab", Some(1)), (" abc éab ", None), ("ab", Some(1))]);
        let strips = vec![Added { lstrip: true, rstrip: true, ..plain(1, "|") }];
        assert_eq!(
            cut(strips, "a | | b", Special::Parse),
            [("a", None), (" | ", Some(1)), ("| ", Some(1)), ("b", None)]
        );
    }
}
