//! Pre-tokenizers: how a byte-level vocabulary splits text into words before it merges.
//!
//! GGUF names them in `tokenizer.ggml.pre`. The patterns are those of the models' published `tokenizer.json` files with two
//! changes that keep matching linear and the engine small:
//!
//! * `\s+(?!\S)|\s+`, with which every pattern ends, is done by [`Stage::next`]: a run of white space gives up its last
//!   character if text follows.
//! * `(?i:'s|…)` is written out (with ſ, which folds to s).
//!
//! One lazy DFA (regex-automata) runs the rest, the same natively and in the browser, and never backtracks.

use std::borrow::Cow;
use std::fmt;
use std::sync::Mutex;

use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::{Anchored, Input, MatchKind};
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use super::TokenizerError;

/// What the names in one row mean.
#[derive(Debug)]
struct Row {
    /// Values of `tokenizer.ggml.pre`.
    names: &'static [&'static str],
    /// Patterns applied one after the other, each to the pieces the one before left.
    stages: &'static [&'static str],
    /// Whether the text is brought into Unicode's normal form C first.
    nfc: bool,
    /// Whether a word that is a token is taken whole, whatever the merges say (`ignore_merges`).
    whole_words: bool,
    /// Whether BOS goes in front when the file does not say.
    add_bos: bool,
}

const GPT2: &str = r"'(?:s|t|re|ve|m|ll|d)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+";
const LLAMA3: &str =
    r"'(?:[sSſtTmMdD]|[rRvV][eE]|[lL][lL])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+";
const QWEN2: &str =
    r"'(?:[sSſtTmMdD]|[rRvV][eE]|[lL][lL])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+";
const QWEN35: &str = r"'(?:[sSſtTmMdD]|[rRvV][eE]|[lL][lL])|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+";
const TEKKEN: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+";
const O200K: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?:'(?:[sSſtTmMdD]|[rRvV][eE]|[lL][lL]))?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?:'(?:[sSſtTmMdD]|[rRvV][eE]|[lL][lL]))?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+";

/// Matches nothing but white space, which [`Stage::next`] handles: the second pattern of every stage.
const SPACE: &str = r"\s+";

/// What most rows say.
const PLAIN: Row = Row { names: &[], stages: &[], nfc: false, whole_words: false, add_bos: false };

/// The names are llama.cpp's, which the files carry; how each splits and normalises is as in the models' own `tokenizer.json`.
const TABLE: &[Row] = &[
    Row { names: &["gpt-2", "default", "phi-2"], stages: &[GPT2], ..PLAIN },
    Row { names: &["olmo", "mpt"], stages: &[GPT2], nfc: true, ..PLAIN },
    Row {
        names: &["llama-bpe", "llama3", "llama-v3", "falcon3", "pixtral", "lfm2"],
        stages: &[LLAMA3],
        whole_words: true,
        add_bos: true,
        ..PLAIN
    },
    Row { names: &["chatglm-bpe", "glm4", "dbrx", "smaug-bpe"], stages: &[LLAMA3], ..PLAIN },
    Row { names: &["qwen2"], stages: &[QWEN2], nfc: true, ..PLAIN },
    Row { names: &["deepseek-r1-qwen", "stablelm2"], stages: &[QWEN2], ..PLAIN },
    Row { names: &["qwen35"], stages: &[QWEN35], nfc: true, ..PLAIN },
    Row { names: &["smollm", "starcoder", "refact", "codeshell"], stages: &[r"\p{N}", GPT2], ..PLAIN },
    Row { names: &["command-r"], stages: &[r"\p{N}", GPT2], nfc: true, ..PLAIN },
    Row { names: &["tekken"], stages: &[TEKKEN], whole_words: true, add_bos: true, ..PLAIN },
    Row { names: &["gpt-4o", "llama4"], stages: &[O200K], ..PLAIN },
];

/// All names in the table.
#[cfg(test)]
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().flat_map(|row| row.names.iter().copied())
}

/// Splits text into words.
#[derive(Debug)]
pub(super) struct PreTokenizer {
    stages: Vec<Stage>,
    row: &'static Row,
}

impl PreTokenizer {
    /// The pre-tokenizer called `name`; files from before the key existed are split as GPT-2 does.
    pub fn new(name: Option<&str>) -> Result<Self, TokenizerError> {
        let name = name.unwrap_or("default");
        let unknown = || TokenizerError::UnknownPre(name.to_owned());
        let row = TABLE.iter().find(|row| row.names.contains(&name)).ok_or_else(unknown)?;
        let last = row.stages.len() - 1;
        let stages = row.stages.iter().enumerate();
        let stages =
            stages.map(|(i, pattern)| Stage::new(pattern, i == last)).collect::<Option<_>>().ok_or_else(unknown)?;
        Ok(Self { stages, row })
    }

    /// Whether a word that is a token is taken whole, whatever the merges say.
    pub fn whole_words(&self) -> bool {
        self.row.whole_words
    }

    /// Whether BOS goes in front when the file does not say.
    pub fn add_bos(&self) -> bool {
        self.row.add_bos
    }

    /// The text as the vocabulary's training text was written.
    pub fn normalize<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.row.nfc && is_nfc_quick(text.chars()) != IsNormalized::Yes {
            Cow::Owned(text.nfc().collect())
        } else {
            Cow::Borrowed(text)
        }
    }

    /// Calls `word` with each word of `text`, in order; together they are the text.
    pub fn split<'t>(&self, text: &'t str, word: &mut dyn FnMut(&'t str)) {
        split_by(&self.stages, text, word);
    }
}

fn split_by<'t>(stages: &[Stage], text: &'t str, word: &mut dyn FnMut(&'t str)) {
    match stages {
        [] => word(text),
        [stage, rest @ ..] => stage.split(text, &mut |piece| split_by(rest, piece, word)),
    }
}

/// One pattern. What it does not match is a piece too.
struct Stage {
    dfa: DFA,
    /// The automaton's states as far as texts have needed them. A caller who finds it taken starts an own one.
    cache: Mutex<Cache>,
    /// Whether the pattern ends with the rule for white space.
    has_space_rule: bool,
}

impl Stage {
    /// None if the pattern cannot be compiled, which a test rules out for every row of the table.
    fn new(pattern: &str, has_space_rule: bool) -> Option<Self> {
        let patterns: &[&str] = if has_space_rule { &[pattern, SPACE] } else { &[pattern] };
        let config = DFA::config().match_kind(MatchKind::LeftmostFirst).skip_cache_capacity_check(true);
        let dfa = DFA::builder().configure(config).build_many(patterns).ok()?;
        let cache = Mutex::new(dfa.create_cache());
        Some(Self { dfa, cache, has_space_rule })
    }

    fn split<'t>(&self, text: &'t str, piece: &mut dyn FnMut(&'t str)) {
        let mut own;
        let mut shared = self.cache.try_lock();
        let cache = match &mut shared {
            Ok(cache) => &mut **cache,
            Err(_) => {
                own = self.dfa.create_cache();
                &mut own
            }
        };
        let mut unmatched = 0;
        let mut at = 0;
        while at < text.len() {
            match self.next(cache, text, at) {
                Some(end) => {
                    if unmatched < at {
                        piece(&text[unmatched..at]);
                    }
                    piece(&text[at..end]);
                    at = end;
                    unmatched = end;
                }
                None => at += text[at..].chars().next().map_or(1, char::len_utf8),
            }
        }
        if unmatched < at {
            piece(&text[unmatched..at]);
        }
    }

    /// The end of the match that begins at byte `at`.
    fn next(&self, cache: &mut Cache, text: &str, at: usize) -> Option<usize> {
        let input = Input::new(text).range(at..).anchored(Anchored::Yes);
        // The search fails only for look-around on bytes and for limits, of which none is set.
        let found = self.dfa.try_search_fwd(cache, &input).ok().flatten()?;
        let end = found.offset();
        if end <= at {
            return None;
        }
        let is_space = self.has_space_rule && found.pattern().as_usize() == 1;
        if is_space && end < text.len() {
            let last = text[at..end].chars().next_back().map_or(0, char::len_utf8);
            if at + last < end {
                return Some(end - last);
            }
        }
        Some(end)
    }
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stage").field("has_space_rule", &self.has_space_rule).finish_non_exhaustive()
    }
}
