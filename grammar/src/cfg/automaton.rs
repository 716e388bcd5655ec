//! The byte automaton of a lexeme, and how the texts of two lexemes overlap.

use std::collections::{HashMap, HashSet};

use regex_syntax::hir::{Class, HirKind};
use regex_syntax::utf8::Utf8Sequences;

use super::grammar::{Atom, Grammar, Item};

/// Most states of an automaton, before and after it is made deterministic. A lexeme that needs more is not looked into.
const MAX_STATES: usize = 200_000;
const MAX_SETS: usize = 20_000;

/// Most work that is spent on one lexeme, or on one pair of them, in states visited.
const MAX_WORK: usize = 4_000_000;

/// A set of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bytes([u64; 4]);

impl Bytes {
    /// All bytes.
    pub const ALL: Bytes = Bytes([u64::MAX; 4]);

    /// Add the bytes from `first` to `last`.
    pub fn add(&mut self, first: u8, last: u8) {
        (first..=last).for_each(|byte| self.0[usize::from(byte) / 64] |= 1 << (byte % 64));
    }

    /// The bytes of a text.
    pub fn of(text: &str) -> Bytes {
        let mut bytes = Bytes::default();
        text.bytes().for_each(|byte| bytes.add(byte, byte));
        bytes
    }

    /// All bytes of `other`, too.
    pub fn join(&mut self, other: Bytes) {
        self.0.iter_mut().zip(other.0).for_each(|(mine, theirs)| *mine |= theirs);
    }

    /// Whether both have a byte in common.
    pub fn meets(self, other: Bytes) -> bool {
        self.0.iter().zip(other.0).any(|(mine, theirs)| mine & theirs != 0)
    }
}

/// A deterministic automaton over bytes, from whose every state an accepting one can be reached. State 0 is the first.
#[derive(Debug)]
pub struct Automaton {
    /// Ranges of bytes and the states they lead to, in ascending order and without overlap.
    moves: Vec<Vec<(u8, u8, u32)>>,
    accepts: Vec<bool>,
}

impl Automaton {
    /// The automaton of a run of regular items; `None` where it has too many states.
    pub fn new(grammar: &Grammar, items: &[Item]) -> Option<Automaton> {
        let mut builder = Builder { grammar, states: vec![State::default()], classes: HashMap::new() };
        let end = builder.items(items, 0)?;
        determine(&builder.states, end)
    }

    /// Whether the empty text is accepted.
    pub fn is_nullable(&self) -> bool {
        self.accepts[0]
    }

    /// The bytes that its texts begin with.
    pub fn first(&self) -> Bytes {
        self.next(0)
    }

    /// Whether every text of `other` is one of this automaton's.
    pub fn includes(&self, other: &Automaton) -> bool {
        let mut seen = HashSet::from([(0, 0)]);
        let mut pending = vec![(0, 0)];
        while let Some((mine, theirs)) = pending.pop() {
            if other.accepts[theirs] && !self.accepts[mine] {
                return false;
            }
            for &(first, last, next) in &other.moves[theirs] {
                for byte in first..=last {
                    let within = |&&(from, to, _): &&(u8, u8, u32)| (from..=to).contains(&byte);
                    let Some(&(_, _, follows)) = self.moves[mine].iter().find(within) else { return false };
                    if seen.insert((follows as usize, next as usize)) {
                        pending.push((follows as usize, next as usize));
                    }
                }
            }
        }
        true
    }

    fn next(&self, state: usize) -> Bytes {
        let mut bytes = Bytes::default();
        self.moves[state].iter().for_each(|&(first, last, _)| bytes.add(first, last));
        bytes
    }
}

/// How two lexemes overlap that may come at the same place.
#[derive(Clone, Copy, Debug)]
pub struct Overlap {
    /// The bytes by which a text of the first goes on as a text of the second.
    pub extends: Bytes,
    /// Whether some text that is not empty belongs to both.
    pub meets: bool,
}

impl Overlap {
    /// What is assumed where one is not looked into.
    pub const UNKNOWN: Overlap = Overlap { extends: Bytes::ALL, meets: true };

    /// How the texts of `one` and `other` overlap.
    pub fn new(one: &Automaton, other: &Automaton) -> Overlap {
        let mut overlap = Overlap { extends: Bytes::default(), meets: false };
        let mut seen = HashSet::from([(0, 0)]);
        let mut pending = vec![(0, 0)];
        let mut work = 0;
        while let Some((a, b)) = pending.pop() {
            let (mut left, mut right) = (one.moves[a].iter().peekable(), other.moves[b].iter().peekable());
            while let (Some(&&(from, to, next)), Some(&&(other_from, other_to, other_next))) =
                (left.peek(), right.peek())
            {
                work += 1;
                if from.max(other_from) <= to.min(other_to) {
                    let (next, other_next) = (next as usize, other_next as usize);
                    if seen.insert((next, other_next)) {
                        pending.push((next, other_next));
                        if one.accepts[next] {
                            overlap.meets |= other.accepts[other_next];
                            overlap.extends.join(other.next(other_next));
                        }
                    }
                }
                if to <= other_to {
                    left.next()
                } else {
                    right.next()
                };
            }
            if work > MAX_WORK {
                return Overlap::UNKNOWN;
            }
        }
        overlap
    }
}

#[derive(Default)]
struct State {
    silent: Vec<u32>,
    moves: Vec<(u8, u8, u32)>,
}

/// Builds the automaton that is not yet deterministic.
struct Builder<'a> {
    grammar: &'a Grammar,
    states: Vec<State>,
    /// The byte sequences of classes that were met.
    classes: HashMap<&'a str, Vec<Vec<(u8, u8)>>>,
}

impl<'a> Builder<'a> {
    fn state(&mut self) -> Option<u32> {
        self.states.push(State::default());
        (self.states.len() <= MAX_STATES).then_some(self.states.len() as u32 - 1)
    }

    /// From `at` by all items, to the state behind them.
    fn items(&mut self, items: &'a [Item], mut at: u32) -> Option<u32> {
        for item in items {
            for _ in 0..item.least {
                at = self.atom(&item.atom, at)?;
            }
            let end = self.state()?;
            match item.most {
                None => {
                    let start = self.state()?;
                    self.states[at as usize].silent.push(start);
                    let behind = self.atom(&item.atom, start)?;
                    self.states[behind as usize].silent.push(start);
                    self.states[start as usize].silent.push(end);
                }
                Some(most) => {
                    for _ in item.least..most {
                        self.states[at as usize].silent.push(end);
                        at = self.atom(&item.atom, at)?;
                    }
                    self.states[at as usize].silent.push(end);
                }
            }
            at = end;
        }
        Some(at)
    }

    fn atom(&mut self, atom: &'a Atom, mut at: u32) -> Option<u32> {
        match atom {
            Atom::Literal(text) => {
                for byte in text.bytes() {
                    at = self.step(byte, byte, at)?;
                }
                Some(at)
            }
            Atom::Class(class) => {
                let sequences = self.classes.entry(class).or_insert_with(|| sequences(class)).clone();
                let end = self.state()?;
                for sequence in sequences {
                    let (last, begin) = sequence.split_last()?;
                    let mut within = at;
                    for &(first, last) in begin {
                        within = self.step(first, last, within)?;
                    }
                    self.states[within as usize].moves.push((last.0, last.1, end));
                }
                Some(end)
            }
            Atom::Rule(rule) => {
                let end = self.state()?;
                for alternative in &self.grammar.rules[*rule] {
                    let start = self.state()?;
                    self.states[at as usize].silent.push(start);
                    let behind = self.items(alternative, start)?;
                    self.states[behind as usize].silent.push(end);
                }
                Some(end)
            }
            Atom::Token(_) | Atom::Opaque(_) => None,
        }
    }

    fn step(&mut self, first: u8, last: u8, at: u32) -> Option<u32> {
        let next = self.state()?;
        self.states[at as usize].moves.push((first, last, next));
        Some(next)
    }
}

/// The UTF-8 of a class's characters.
fn sequences(class: &str) -> Vec<Vec<(u8, u8)>> {
    let Ok(hir) = regex_syntax::parse(class) else { return Vec::new() };
    match hir.kind() {
        HirKind::Class(Class::Unicode(class)) => {
            let ranges = class.ranges().iter().flat_map(|range| Utf8Sequences::new(range.start(), range.end()));
            ranges.map(|sequence| sequence.as_slice().iter().map(|range| (range.start, range.end)).collect()).collect()
        }
        HirKind::Class(Class::Bytes(class)) => {
            class.ranges().iter().map(|range| vec![(range.start(), range.end())]).collect()
        }
        HirKind::Literal(literal) => vec![literal.0.iter().map(|&byte| (byte, byte)).collect()],
        _ => Vec::new(),
    }
}

/// Sets of states as states.
fn determine(states: &[State], end: u32) -> Option<Automaton> {
    let mut numbers: HashMap<Vec<u32>, u32> = HashMap::new();
    let mut sets = vec![closed(states, vec![0])];
    numbers.insert(sets[0].clone(), 0);
    let mut automaton = Automaton { moves: Vec::new(), accepts: Vec::new() };
    let mut work = 0;
    while automaton.moves.len() < sets.len() {
        let set = sets[automaton.moves.len()].clone();
        automaton.accepts.push(set.contains(&end));
        let all: Vec<(u8, u8, u32)> =
            set.iter().flat_map(|&state| states[state as usize].moves.iter().copied()).collect();
        let mut borders: Vec<u16> =
            all.iter().flat_map(|&(first, last, _)| [u16::from(first), u16::from(last) + 1]).collect();
        borders.sort_unstable();
        borders.dedup();
        let mut moves: Vec<(u8, u8, u32)> = Vec::new();
        for pair in borders.windows(2) {
            let (first, last) = (pair[0] as u8, (pair[1] - 1) as u8);
            let within = all.iter().filter(|&&(from, to, _)| from <= first && last <= to);
            let next: Vec<u32> = within.map(|&(_, _, next)| next).collect();
            if next.is_empty() {
                continue;
            }
            let next = closed(states, next);
            work += all.len() + next.len();
            let number = *numbers.entry(next).or_insert_with_key(|set| {
                sets.push(set.clone());
                sets.len() as u32 - 1
            });
            match moves.last_mut() {
                Some((_, to, target)) if *target == number && u16::from(*to) + 1 == u16::from(first) => *to = last,
                _ => moves.push((first, last, number)),
            }
        }
        automaton.moves.push(moves);
        if sets.len() > MAX_SETS || work > MAX_WORK {
            return None;
        }
    }
    Some(automaton)
}

/// The states with those that are reached silently, in ascending order.
fn closed(states: &[State], mut pending: Vec<u32>) -> Vec<u32> {
    let mut set = Vec::new();
    let mut seen = HashSet::new();
    while let Some(state) = pending.pop() {
        if seen.insert(state) {
            set.push(state);
            pending.extend(&states[state as usize].silent);
        }
    }
    set.sort_unstable();
    set
}
