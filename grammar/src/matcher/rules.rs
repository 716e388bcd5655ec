//! A grammar as llguidance compiled it, with the shortest text that each of its symbols stands for.

use std::collections::HashMap;
use std::sync::Mutex;

use llguidance::derivre::{NextByte, StateID};
use llguidance::earley::lexerspec::{LexemeIdx, LexerSpec};
use llguidance::earley::regexvec::{LexemeSet, MatchingLexemes, RegexVec};
use llguidance::earley::{CGrammar, CSymIdx, Parser};
use llguidance::toktrie::TokTrie;

use super::Vocabulary;
use super::compiler::limits;

/// The length of what is never written; half of all numbers, so that a few can be added.
pub const NEVER: u32 = u32::MAX / 4;

/// Most states of the lexer that are gone through for the end of a lexeme. A text of a least length has one for each character.
const MAX_STATES: usize = 12_000;

/// What the lexer may spend on a search, in llguidance's units, and on the shortest texts of all lexemes: many times what formats of
/// addresses and dates take. A lexer that has spent it is of no further use.
const FUEL: u64 = 20_000_000;

/// Bytes in the order in which texts are made of them, where any would do. A year or a number begins with no 0.
const PREFERRED: &[u8] = b"123456789abcdefghijklmnopqrstuvwxyz0\" }],:ABCDEFGHIJKLMNOPQRSTUVWXYZ.-_/@";

/// A symbol of the grammar.
pub type Symbol = u32;

/// What a symbol stands for.
pub enum Meaning {
    /// A lexeme, with its shortest text.
    Lexeme(LexemeIdx, Vec<u8>),
    /// Any of these rules, the one with the shortest text first.
    Rules(Vec<u32>),
}

/// A rule: a symbol is these in a row.
struct Rule {
    symbol: Symbol,
    parts: Vec<Symbol>,
    /// The length of the shortest text from each part on, and 0 behind the last.
    rest: Vec<u32>,
}

/// The rules of a grammar.
pub struct Rules {
    rules: Vec<Rule>,
    meanings: Vec<Meaning>,
    /// The length of each symbol's shortest text.
    lengths: Vec<u32>,
    spec: LexerSpec,
    lexer: Mutex<RegexVec>,
    /// One byte of each class that the lexer tells apart.
    bytes: Vec<u8>,
}

/// The symbol that a whole output is.
pub const START: Symbol = 0;

impl Rules {
    /// Those of a parser; none where its lexer cannot be built again.
    pub fn of(parser: &Parser, vocabulary: &Vocabulary) -> Option<Rules> {
        let grammar = parser.grammar();
        let spec = grammar.lexer_spec().clone();
        let mut lexer = spec.to_regex_vec(&mut limits()).ok()?;
        lexer.set_fuel(FUEL);
        let mut classes = vec![false; lexer.alpha().len().max(256)];
        let marker = TokTrie::SPECIAL_TOKEN_MARKER;
        let mut bytes: Vec<u8> = PREFERRED.iter().copied().chain(0..marker).collect();
        bytes.retain(|byte| !std::mem::replace(&mut classes[lexer.alpha().map(*byte)], true));
        let (symbols, rules) = (Vec::new(), Vec::new());
        let lengths = Vec::new();
        let mut all = Rules { rules, meanings: symbols, lengths, spec, lexer: Mutex::new(lexer), bytes };
        all.collect(grammar, vocabulary);
        all.measure();
        Some(all)
    }

    /// Numbers the symbols from the start on, and takes their rules.
    fn collect(&mut self, grammar: &CGrammar, vocabulary: &Vocabulary) {
        let mut found: Vec<CSymIdx> = vec![grammar.start()];
        let mut numbers: HashMap<CSymIdx, Symbol> = HashMap::from([(grammar.start(), START)]);
        let mut next = 0;
        while let Some(&index) = found.get(next) {
            let (symbol, data) = (next as Symbol, grammar.sym_data(index));
            next += 1;
            if let Some(lexeme) = data.lexeme {
                let text = self.lexeme_text(lexeme, vocabulary);
                self.lengths.push(text.as_ref().map_or(NEVER, |text| text.len() as u32));
                self.meanings.push(Meaning::Lexeme(lexeme, text.unwrap_or_default()));
                continue;
            }
            let first = self.rules.len() as u32;
            for &rule in grammar.rules_of(index) {
                let mut number = |part: &CSymIdx| {
                    *numbers.entry(*part).or_insert_with(|| {
                        found.push(*part);
                        found.len() as Symbol - 1
                    })
                };
                let parts = grammar.rule_rhs(rule).0.iter().map(&mut number).collect();
                self.rules.push(Rule { symbol, parts, rest: Vec::new() });
            }
            if data.is_nullable {
                self.rules.push(Rule { symbol, parts: Vec::new(), rest: Vec::new() });
            }
            self.lengths.push(NEVER);
            self.meanings.push(Meaning::Rules((first..self.rules.len() as u32).collect()));
        }
    }

    /// The shortest text of a lexeme; a special token's is its marker with its id.
    fn lexeme_text(&mut self, lexeme: LexemeIdx, vocabulary: &Vocabulary) -> Option<Vec<u8>> {
        let mut alone = self.spec.alloc_lexeme_set();
        alone.add(lexeme);
        if !self.spec.token_range_lexemes(&alone).is_empty() {
            let spec = self.spec.lexeme_spec(lexeme);
            let token = (0..vocabulary.len() as u32).find(|token| spec.contains_token(*token))?;
            return Some([&[TokTrie::SPECIAL_TOKEN_MARKER], format!("[{token}]").as_bytes()].concat());
        }
        let lexer = self.lexer.get_mut().ok()?;
        let start = lexer.initial_state(&alone);
        let mut text = None;
        ends(lexer, &self.bytes, &[start], &mut |end, _| {
            text = Some(end.text());
            false
        });
        text
    }

    /// Finds the shortest text of each symbol (Knuth's generalisation of Dijkstra's algorithm, by repetition until nothing changes).
    fn measure(&mut self) {
        let mut has_changed = true;
        while has_changed {
            has_changed = false;
            for rule in self.rules.iter().rev() {
                let length = rule.parts.iter().fold(0u32, |sum, part| sum.saturating_add(self.lengths[*part as usize]));
                let known = &mut self.lengths[rule.symbol as usize];
                has_changed |= length < *known;
                *known = length.min(*known);
            }
        }
        for rule in &mut self.rules {
            rule.rest = vec![0; rule.parts.len() + 1];
            for (at, part) in rule.parts.iter().enumerate().rev() {
                rule.rest[at] = rule.rest[at + 1].saturating_add(self.lengths[*part as usize]).min(NEVER);
            }
        }
        for meaning in &mut self.meanings {
            if let Meaning::Rules(rules) = meaning {
                rules.sort_by_key(|rule| self.rules[*rule as usize].rest[0]);
            }
        }
    }

    /// What a symbol stands for.
    pub fn meaning(&self, symbol: Symbol) -> &Meaning {
        &self.meanings[symbol as usize]
    }

    /// Whether a symbol may stand for nothing.
    pub fn is_nullable(&self, symbol: Symbol) -> bool {
        self.lengths[symbol as usize] == 0
    }

    /// The symbol that a rule is of.
    pub fn symbol(&self, rule: u32) -> Symbol {
        self.rules[rule as usize].symbol
    }

    /// A rule's parts from one on.
    pub fn parts(&self, rule: u32, from: u32) -> &[Symbol] {
        &self.rules[rule as usize].parts[from as usize..]
    }

    /// The length of the shortest text of a rule's parts from one on.
    pub fn rest(&self, rule: u32, from: u32) -> u32 {
        self.rules[rule as usize].rest[from as usize]
    }

    /// The length of the longest of the shortest texts: what a step may add to what is open, as far as it is finite.
    pub fn longest_rest(&self) -> u32 {
        self.rules.iter().map(|rule| rule.rest[0]).filter(|length| *length < NEVER).max().unwrap_or(0)
    }

    /// Writes the shortest text of a symbol.
    pub fn write(&self, symbol: Symbol, text: &mut Vec<u8>) {
        let mut open = vec![symbol];
        while let Some(symbol) = open.pop() {
            match self.meaning(symbol) {
                Meaning::Lexeme(_, lexeme) => text.extend_from_slice(lexeme),
                Meaning::Rules(rules) => open.extend(rules.first().into_iter().flat_map(|r| self.parts(*r, 0)).rev()),
            }
        }
    }

    /// Where the lexer begins when these may come, and what may be skipped before them if `skips`.
    pub fn start_state(&self, lexemes: &[LexemeIdx], skips: bool) -> StateID {
        let mut allowed: LexemeSet = self.spec.alloc_lexeme_set();
        for lexeme in lexemes {
            allowed.add(*lexeme);
            if skips {
                allowed.add(self.spec.skip_id(self.spec.lexeme_spec(*lexeme).class()));
            }
        }
        self.with_lexer(|lexer| lexer.initial_state(&allowed))
    }

    /// Whether what is skipped may stand before the first lexeme.
    pub fn skips_at_start(&self) -> bool {
        self.spec.allow_initial_skip
    }

    /// Whether a lexeme is what is skipped between others.
    pub fn is_skipped(&self, lexeme: LexemeIdx) -> bool {
        self.spec.skip_by_class.contains(&lexeme)
    }

    /// Whether a lexeme is a special token, and this one.
    pub fn is_token(&self, lexeme: LexemeIdx, token: u32) -> bool {
        self.spec.lexeme_spec(lexeme).contains_token(token)
    }

    /// Does something with the lexer.
    pub fn with_lexer<T>(&self, act: impl FnOnce(&mut RegexVec) -> T) -> T {
        let mut lexer = self.lexer.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        lexer.set_fuel(FUEL);
        act(&mut lexer)
    }

    /// Goes through the ends of lexemes that are reached from `states`, nearest first, until `found` says false.
    pub fn ends(&self, states: &[StateID], found: &mut dyn FnMut(&End<'_>, &[LexemeIdx]) -> bool) {
        self.with_lexer(|lexer| ends(lexer, &self.bytes, states, found));
    }
}

/// The lexemes that may end in a state of the lexer.
pub fn accepted(lexer: &RegexVec, state: StateID) -> &MatchingLexemes {
    let described = lexer.state_desc(state);
    match state.has_lowest_match() {
        true => &described.lazy_accepting,
        false => &described.greedy_accepting,
    }
}

/// A state of the lexer that was reached.
struct Reached {
    state: StateID,
    from: usize,
    byte: u8,
    length: u32,
}

/// The end of a lexeme.
pub struct End<'r> {
    reached: &'r [Reached],
    last: usize,
}

impl End<'_> {
    /// The bytes up to here.
    pub fn text(&self) -> Vec<u8> {
        let mut text = Vec::new();
        let mut at = &self.reached[self.last];
        while at.length > 0 {
            text.push(at.byte);
            at = &self.reached[at.from];
        }
        text.reverse();
        text
    }

    /// How many bytes they are.
    pub fn len(&self) -> u32 {
        self.reached[self.last].length
    }
}

fn ends(lexer: &mut RegexVec, bytes: &[u8], states: &[StateID], found: &mut dyn FnMut(&End<'_>, &[LexemeIdx]) -> bool) {
    let mut known: std::collections::HashSet<StateID> = states.iter().copied().collect();
    let begun = |state: &StateID| Reached { state: *state, from: 0, byte: 0, length: 0 };
    let mut reached: Vec<Reached> = states.iter().map(begun).collect();
    let mut next = 0;
    while next < reached.len() && reached.len() < MAX_STATES && !lexer.has_error() {
        let Reached { state, length, .. } = reached[next];
        let lexemes = accepted(lexer, state).as_slice();
        if !lexemes.is_empty() && !found(&End { reached: &reached, last: next }, lexemes) {
            return;
        }
        let mut step = |lexer: &mut RegexVec, byte: u8| {
            let to = lexer.transition(state, byte);
            if !to.is_dead() && known.insert(to) {
                reached.push(Reached { state: to, from: next, byte, length: length + 1 });
            }
        };
        match (state.has_lowest_match(), lexer.next_byte(state)) {
            (true, _) => {}
            (false, NextByte::ForcedByte(byte)) if byte != TokTrie::SPECIAL_TOKEN_MARKER => step(lexer, byte),
            (false, NextByte::ForcedByte(_) | NextByte::ForcedEOI | NextByte::Dead) => {}
            (false, _) => bytes.iter().for_each(|byte| step(lexer, *byte)),
        }
        next += 1;
    }
}
