//! A regular expression, run as its automaton with all the ways a match may go at once (Thompson's simulation, as in Pike's machine).
//!
//! A lazy DFA would be faster on a byte, but forgets where a match began, and that is what decides how much text is held back. Each
//! thread here knows it. Threads are in order of preference: those of an earlier beginning first, then as the pattern prefers, so
//! that the first to reach the end of the pattern silences all behind it. No two are in the same state, so that a byte costs at most
//! one step for each state, and none where no match can begin with it.

use std::ops::Range;

use inglenook_format::order::sort_by;
use inglenook_grammar::regex_problem;
use regex_automata::nfa::thompson::{Compiler, Config, NFA, State, WhichCaptures};
use regex_automata::util::primitives::StateID;
use regex_automata::util::syntax;

use super::RuleError;
use super::error::excerpt;

/// Deepest nesting of groups and repetitions in a regex.
const MAX_DEPTH: u32 = 100;

/// A way that a match may go.
#[derive(Debug, Clone, Copy)]
struct Thread {
    /// Waits here for a byte.
    state: StateID,
    /// Where its match began.
    start: usize,
}

/// A regex and the matches that are under way.
#[derive(Debug)]
pub(super) struct Regex {
    nfa: NFA,
    /// Whether the end of the pattern can be reached from a state.
    useful: Vec<bool>,
    /// The states in which a match begins, in order of preference.
    first: Vec<StateID>,
    /// Whether a match can begin with a byte.
    begins: Vec<bool>,
    threads: Vec<Thread>,
    /// Room for the threads after the next byte, and for states on the way to them.
    next: Vec<Thread>,
    stack: Vec<StateID>,
    /// The step in which a state was last reached.
    reached: Vec<u64>,
    steps: u64,
}

impl Regex {
    /// Compiles a regex. Its size is taken from `memory`, in bytes.
    ///
    /// # Errors
    /// [`RuleError`] where it is no regex, can match nothing at all, looks around, or takes too much memory.
    pub fn new(pattern: &str, memory: &mut usize) -> Result<Self, RuleError> {
        let rule = || excerpt(pattern);
        let hir = syntax::parse_with(pattern, &syntax::Config::new().nest_limit(MAX_DEPTH))
            .map_err(|error| RuleError::Syntax { rule: rule(), reason: regex_problem(&error) })?;
        if !hir.properties().look_set().is_empty() {
            return Err(RuleError::LookAround { rule: rule() });
        }
        if hir.properties().minimum_len() == Some(0) {
            return Err(RuleError::MatchesEmpty { rule: rule() });
        }
        let config = Config::new().which_captures(WhichCaptures::None).nfa_size_limit(Some(*memory));
        let nfa = Compiler::new().configure(config).build_from_hir(&hir);
        let nfa = nfa.map_err(|_| RuleError::TooLarge { rule: rule() })?;
        *memory = memory.saturating_sub(nfa.memory_usage());
        Ok(Self::of(nfa))
    }

    fn of(nfa: NFA) -> Self {
        let mut this = Self {
            useful: useful(&nfa),
            first: Vec::new(),
            begins: vec![false; 256],
            threads: Vec::new(),
            next: Vec::new(),
            stack: Vec::new(),
            reached: vec![0; nfa.states().len()],
            steps: 1,
            nfa,
        };
        this.follow(this.nfa.start_anchored(), 0);
        this.first = this.next.drain(..).map(|thread| thread.state).collect();
        for byte in 0..=255 {
            this.begins[usize::from(byte)] = this.first.iter().any(|&state| {
                let next = transition(this.nfa.state(state), byte);
                next.is_some_and(|next| this.useful[next.as_usize()])
            });
        }
        this
    }

    /// Takes the text's byte number `at`; a new match may `begin` with it. The match that ends with it, if one does that is preferred
    /// to all before; those still under way are preferred to it in turn.
    pub fn step(&mut self, byte: u8, at: usize, begin: bool) -> Option<Range<usize>> {
        let begin = begin && self.begins[usize::from(byte)];
        if self.threads.is_empty() && !begin {
            return None;
        }
        self.steps += 1;
        let begun = self.threads.len();
        for i in 0..begun + if begin { self.first.len() } else { 0 } {
            let thread = match i.checked_sub(begun) {
                None => self.threads[i],
                Some(new) => Thread { state: self.first[new], start: at },
            };
            let Some(next) = transition(self.nfa.state(thread.state), byte) else { continue };
            if self.follow(next, thread.start) {
                self.turn();
                return Some(thread.start..at + 1);
            }
        }
        self.turn();
        None
    }

    /// Where the earliest match begins that is under way.
    pub fn live(&self) -> Option<usize> {
        self.threads.first().map(|thread| thread.start)
    }

    /// Forgets the matches under way.
    pub fn clear(&mut self) {
        self.threads.clear();
    }

    fn turn(&mut self) {
        std::mem::swap(&mut self.threads, &mut self.next);
        self.next.clear();
    }

    /// Adds the states that wait for a byte and can be reached from `state` without one; whether the pattern's end can be, in which
    /// case what is less preferred is left out.
    fn follow(&mut self, state: StateID, start: usize) -> bool {
        self.stack.push(state);
        while let Some(state) = self.stack.pop() {
            let i = state.as_usize();
            if !self.useful[i] || self.reached[i] == self.steps {
                continue;
            }
            self.reached[i] = self.steps;
            match self.nfa.state(state) {
                State::Match { .. } => {
                    self.stack.clear();
                    return true;
                }
                State::ByteRange { .. } | State::Sparse(_) | State::Dense(_) => self.next.push(Thread { state, start }),
                state => {
                    // The most preferred is on top of the stack.
                    let below = self.stack.len();
                    free_successors(state, |next| self.stack.push(next));
                    self.stack[below..].reverse();
                }
            }
        }
        false
    }
}

/// Where `byte` leads.
fn transition(state: &State, byte: u8) -> Option<StateID> {
    match state {
        State::ByteRange { trans } => trans.matches_byte(byte).then_some(trans.next),
        State::Sparse(transitions) => transitions.matches_byte(byte),
        State::Dense(transitions) => transitions.matches_byte(byte),
        _ => None,
    }
}

/// Calls `next` with each state that can be reached from `state` without a byte, the most preferred first. (No state looks around:
/// such a regex is refused.)
fn free_successors(state: &State, mut next: impl FnMut(StateID)) {
    match state {
        State::Union { alternates } => alternates.iter().copied().for_each(next),
        State::BinaryUnion { alt1, alt2 } => {
            next(*alt1);
            next(*alt2);
        }
        State::Capture { next: only, .. } | State::Look { next: only, .. } => next(*only),
        _ => {}
    }
}

/// Calls `next` with each state that follows `state`, whatever comes.
fn successors(state: &State, mut next: impl FnMut(StateID)) {
    match state {
        State::ByteRange { trans } => next(trans.next),
        State::Sparse(sparse) => sparse.transitions.iter().for_each(|trans| next(trans.next)),
        State::Dense(dense) => (0..=255).filter_map(|byte| dense.matches_byte(byte)).for_each(next),
        state => free_successors(state, next),
    }
}

/// For each state, whether the end of the pattern can be reached from it. It cannot behind a class that is empty, such as `[a&&b]`,
/// and text must not be held back for that.
fn useful(nfa: &NFA) -> Vec<bool> {
    let states = nfa.states();
    let mut before: Vec<(StateID, StateID)> = Vec::new();
    let mut reached: Vec<StateID> = Vec::new();
    for (i, state) in states.iter().enumerate() {
        let Ok(id) = StateID::new(i) else { continue };
        successors(state, |next| before.push((next, id)));
        if matches!(state, State::Match { .. }) {
            reached.push(id);
        }
    }
    sort_by(&mut before, Ord::cmp);
    let mut useful = vec![false; states.len()];
    while let Some(id) = reached.pop() {
        if !std::mem::replace(&mut useful[id.as_usize()], true) {
            let from = before.partition_point(|(next, _)| *next < id);
            reached.extend(before[from..].iter().take_while(|(next, _)| *next == id).map(|(_, id)| *id));
        }
    }
    useful
}
