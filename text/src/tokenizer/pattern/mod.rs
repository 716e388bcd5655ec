//! Patterns that split or change a text: strings, and regular expressions run by an automaton.
//!
//! A lazy DFA (regex-automata) never backtracks: one search takes time linear in what it reads, the same natively and in the
//! browser. A hostile pattern can make every search read to the end of the text (`a*b|a`); then cutting ends early, and what is left of
//! the text stays one piece.

mod dialect;

use std::fmt;
use std::ops::Range;
use std::sync::Mutex;

use inglenook_grammar::regex_problem;
use regex_automata::hybrid::dfa::DFA;
use regex_automata::hybrid::regex::{Cache as Caches, Regex};
use regex_automata::nfa::thompson;
use regex_automata::util::syntax;
use regex_automata::{Anchored, HalfMatch, Input, MatchKind, PatternID};

/// The longest regular expression that is compiled, in bytes. Published ones have up to about 1,200.
const MAX_LEN: usize = 8 << 10;

/// The largest automaton that is built, in bytes. Published ones take up to about a quarter of it.
const MAX_NFA: usize = 2 << 20;

/// A text is read at most so many times. Published patterns read it two or three times.
const READS: usize = 64;

/// Something to look for in a text.
#[derive(Debug)]
pub(super) enum Finder {
    /// A string. An empty one is found nowhere.
    Literal(String),
    /// A regular expression.
    Regex(Box<Pattern>),
}

impl Finder {
    /// Cuts `text` into what is found (`true`) and what lies between (`false`), in order, without a gap. None is empty.
    pub fn cut(&self, text: &str, mut piece: impl FnMut(Range<usize>, bool)) {
        let mut at = 0;
        let mut found = |range: Range<usize>| {
            if at < range.start {
                piece(at..range.start, false);
            }
            at = range.end;
            piece(range, true);
        };
        match self {
            Finder::Literal(literal) if literal.is_empty() => {}
            Finder::Literal(literal) => {
                text.match_indices(literal.as_str()).for_each(|(start, _)| found(start..start + literal.len()));
            }
            Finder::Regex(pattern) => pattern.find(text, found),
        }
        if at < text.len() {
            piece(at..text.len(), false);
        }
    }
}

/// A compiled regular expression.
pub(super) struct Pattern {
    regex: Regex,
    /// The automata's states as far as texts have needed them. A caller who finds them taken starts own ones.
    caches: Mutex<Caches>,
    /// For each alternative that is a pattern of its own, whether a match gives up its last character if text follows.
    gives_back: Vec<bool>,
}

impl Pattern {
    /// Compiles a pattern written in Oniguruma's dialect.
    ///
    /// # Errors
    /// Names what of the pattern cannot be run.
    pub fn new(pattern: &str) -> Result<Self, String> {
        if pattern.len() > MAX_LEN {
            return Err(format!("{} bytes, more than {MAX_LEN}", pattern.len()));
        }
        let alternatives = dialect::translate(pattern)?;
        let patterns: Vec<&str> = alternatives.iter().map(|alternative| alternative.pattern.as_str()).collect();
        let config = DFA::config()
            .match_kind(MatchKind::LeftmostFirst)
            .starts_for_each_pattern(true)
            .skip_cache_capacity_check(true);
        for pattern in &patterns {
            let hir = syntax::parse(pattern).map_err(|error| regex_problem(&error))?;
            if hir.properties().minimum_len() == Some(0) {
                return Err("a match that is empty".into());
            }
        }
        let regex = Regex::builder()
            .dfa(config)
            .thompson(thompson::Config::new().nfa_size_limit(Some(MAX_NFA)))
            .build_many(&patterns)
            .map_err(|_| format!("an automaton of more than {MAX_NFA} bytes"))?;
        let caches = Mutex::new(regex.create_cache());
        Ok(Self { regex, caches, gives_back: alternatives.iter().map(|alternative| alternative.gives_back).collect() })
    }

    /// Calls `found` with each match, in order. No two overlap, and none is empty.
    fn find(&self, text: &str, mut found: impl FnMut(Range<usize>)) {
        let mut own;
        let mut shared = self.caches.try_lock();
        let caches = match &mut shared {
            Ok(caches) => &mut **caches,
            Err(_) => {
                own = self.regex.create_cache();
                &mut own
            }
        };
        let mut search =
            Search { pattern: self, caches, text, reads: text.len().saturating_mul(READS).saturating_add(MAX_LEN) };
        let mut at = 0;
        while at < text.len() {
            // Most patterns match wherever one looks. Only where this one does not, the next match is searched for.
            let start = match search.end_of_match(at) {
                Some(end) => {
                    found(at..end);
                    at = end;
                    continue;
                }
                None => search.next_start(at),
            };
            let Some(start) = start else { return };
            match search.end_of_match(start) {
                Some(end) => {
                    found(start..end);
                    at = end;
                }
                None => at = start + text[start..].chars().next().map_or(1, char::len_utf8),
            }
        }
    }
}

/// A search through one text.
struct Search<'s> {
    pattern: &'s Pattern,
    caches: &'s mut Caches,
    text: &'s str,
    /// How many bytes may still be read. When none is left, nothing more is found.
    reads: usize,
}

impl Search<'_> {
    /// The first match from byte `at` on, and of those that begin at one place the one that the pattern prefers: its end and
    /// alternative.
    fn forward(&mut self, at: usize, anchored: Anchored) -> Option<HalfMatch> {
        let dfa = self.pattern.regex.forward();
        let cache = self.caches.as_parts_mut().0;
        let input = Input::new(self.text).range(at..).anchored(anchored);
        // The automaton fails only for look-around on bytes and for limits, of which none is set.
        let mut state = dfa.start_state_forward(cache, &input).ok()?;
        let mut found = None;
        for (place, &byte) in (at..).zip(&self.text.as_bytes()[at..]) {
            self.reads = self.reads.checked_sub(1)?;
            state = dfa.next_state(cache, state, byte).ok()?;
            if state.is_match() {
                // A match is known one byte late.
                found = Some(HalfMatch::new(dfa.match_pattern(cache, state, 0), place));
            } else if state.is_dead() || state.is_quit() {
                return found;
            }
        }
        state = dfa.next_eoi_state(cache, state).ok()?;
        if state.is_match() {
            found = Some(HalfMatch::new(dfa.match_pattern(cache, state, 0), self.text.len()));
        }
        found
    }

    /// Where the next match from byte `at` on begins, before anything is given back.
    fn next_start(&mut self, at: usize) -> Option<usize> {
        let end = self.forward(at, Anchored::No)?.offset();
        self.reads = self.reads.checked_sub(end - at)?;
        let input = Input::new(self.text).range(at..end).anchored(Anchored::Yes);
        let reverse = self.pattern.regex.reverse();
        Some(reverse.try_search_rev(self.caches.as_parts_mut().1, &input).ok().flatten()?.offset())
    }

    /// The end of the match that begins at byte `at`.
    fn end_of_match(&mut self, at: usize) -> Option<usize> {
        let gives_back = &self.pattern.gives_back;
        let mut found = self.forward(at, Anchored::Yes)?;
        loop {
            let end = found.offset();
            let last = self.text[at..end].chars().next_back().map_or(0, char::len_utf8);
            if !gives_back[found.pattern().as_usize()] || end == self.text.len() {
                return Some(end);
            }
            if at + last < end {
                return Some(end - last);
            }
            // A single character before text: the alternative does not match after all, a later one may.
            let later = found.pattern().as_usize() + 1..gives_back.len();
            found = later
                .filter_map(|index| PatternID::new(index).ok())
                .find_map(|pattern| self.forward(at, Anchored::Pattern(pattern)))?;
        }
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pattern").field("gives_back", &self.gives_back).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(pattern: &str, text: &str) -> Vec<String> {
        let mut pieces = Vec::new();
        let finder = Finder::Regex(Box::new(Pattern::new(pattern).unwrap()));
        finder.cut(text, |range, found| pieces.push(format!("{}{}", if found { "" } else { "~" }, &text[range])));
        pieces
    }

    #[test]
    fn white_space_keeps_its_last_character_for_the_text() {
        assert_eq!(
            cut(r"\w+|\s+(?!\S)|\s+", "a   b \n"),
            ["a", "  ", "~ ", "b", " \n"].map(|piece| piece.replace('~', ""))
        );
        assert_eq!(cut(r"\s+(?!\S)", "a   b c "), ["~a", "  ", "~ b c", " "]);
        assert_eq!(cut(r"\s+$", "a  b  \n\n  c  "), ["~a  b", "  \n", "~\n  c", "  "]);
    }

    #[test]
    fn what_is_not_found_lies_between() {
        assert_eq!(cut(r"[0-9][0-9][0-9]", "12a3456b789"), ["~12a", "345", "~6b", "789"]);
        let mut pieces = Vec::new();
        Finder::Literal("aa".into()).cut("aaaab", |range, found| pieces.push((range, found)));
        assert_eq!(pieces, [(0..2, true), (2..4, true), (4..5, false)]);
    }

    #[test]
    fn a_pattern_that_reads_to_the_end_each_time_is_stopped() {
        let text = "a".repeat(1 << 18);
        let pieces = cut("a*b|a", &text);
        assert!((60..1000).contains(&pieces.len()), "{}", pieces.len());
        assert_eq!(pieces.concat().replace('~', ""), text);
    }

    #[test]
    fn hostile_patterns_are_refused() {
        for (pattern, named) in [
            ("a*", "empty"),
            (r"\p{L}{1000}", "automaton"),
            (r"(a{1000}){1000}", "automaton"),
            ("\\p{XX}", "property"),
            ("(((", "open group"),
        ] {
            let error = Pattern::new(pattern).unwrap_err();
            assert!(error.contains(named), "{pattern}: {error}");
        }
        assert!(Pattern::new(&"a".repeat(10_000)).is_err());
        let deep = format!("{}a{}", "(".repeat(5000), ")".repeat(5000));
        assert!(Pattern::new(&deep).is_err());
    }
}
