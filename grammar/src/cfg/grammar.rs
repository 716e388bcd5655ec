//! A grammar as its notation was read, and what can be told of its rules.

use std::collections::HashMap;

use super::automaton::Bytes;
use crate::GrammarError;

/// How long a regular rule may be with all that it names, and with its repetitions, written out.
const MAX_EXPANDED: u64 = 50_000;

/// How deep regular rules may lie within one another: they are followed by recursion.
const MAX_DEPTH: usize = 100;

/// Rules by their numbers; groups in parentheses are rules, too. The first is where outputs begin.
#[derive(Debug, Default)]
pub struct Grammar {
    pub rules: Vec<Rule>,
    /// Names of rules by their numbers, for messages; not all have one.
    pub names: HashMap<usize, String>,
}

/// The alternatives of a rule.
pub type Rule = Vec<Vec<Item>>;

/// An atom, so and so often.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    pub atom: Atom,
    pub least: u32,
    /// `None` for any number.
    pub most: Option<u32>,
}

/// What an item repeats.
#[derive(Clone, Debug, PartialEq)]
pub enum Atom {
    /// This text.
    Literal(String),
    /// One character, as a class of Rust's regular expressions.
    Class(String),
    /// The rule of this number.
    Rule(usize),
    /// A control token, with its angle brackets.
    Token(String),
    /// What only the compiler can read.
    Opaque(Opaque),
}

/// A part in the compiler's own words.
#[derive(Clone, Debug, PartialEq)]
pub struct Opaque {
    /// How it is written.
    pub text: String,
    /// The bytes that its texts may begin with.
    pub first: Bytes,
    /// The bytes by which one of its texts may go on as another.
    pub extends: Bytes,
}

impl Item {
    /// The atom once.
    pub fn once(atom: Atom) -> Item {
        Item { atom, least: 1, most: Some(1) }
    }

    /// How many characters it is long, its repetitions written out.
    fn size(&self, rules: &[(u64, usize)]) -> u64 {
        let once = match &self.atom {
            Atom::Literal(text) => text.len() as u64,
            Atom::Class(_) | Atom::Token(_) | Atom::Opaque(_) => 1,
            Atom::Rule(rule) => rules[*rule].0,
        };
        once.max(1).saturating_mul(u64::from(self.most.unwrap_or(self.least).max(1)))
    }

    /// Whether it is a terminal, given which rules are.
    pub fn is_regular(&self, regular: &[bool]) -> bool {
        match self.atom {
            Atom::Rule(rule) => regular[rule],
            Atom::Literal(_) | Atom::Class(_) => true,
            Atom::Token(_) | Atom::Opaque(_) => false,
        }
    }

    /// Whether the empty text is one of it, given the rules of which that is true.
    pub fn is_nullable(&self, nullable: &[bool]) -> bool {
        self.least == 0
            || match &self.atom {
                Atom::Rule(rule) => nullable[*rule],
                Atom::Literal(text) => text.is_empty(),
                Atom::Class(_) | Atom::Token(_) | Atom::Opaque(_) => false,
            }
    }

    /// The rule that is repeated, if it is one.
    pub fn rule(&self) -> Option<usize> {
        match self.atom {
            Atom::Rule(rule) => Some(rule),
            _ => None,
        }
    }
}

impl Grammar {
    /// A rule's name, for messages.
    pub fn name(&self, rule: usize) -> String {
        self.names.get(&rule).map_or_else(|| "a group".to_owned(), |name| format!("`{name}`"))
    }

    /// Leave out what no finite text satisfies: a model that entered it could never come to an end.
    ///
    /// # Errors
    /// When nothing is left.
    pub fn prune(&mut self) -> Result<(), GrammarError> {
        // A rule ends if, in one of its alternatives, all that must be there ends.
        let ends = self.closure(|rule, known| {
            let item_ends = |item: &Item| item.least == 0 || item.rule().is_none_or(|rule| known[rule]);
            rule.iter().any(|alternative| alternative.iter().all(item_ends))
        });
        if !ends.first().copied().unwrap_or(false) {
            return Err(GrammarError::Unsatisfiable(
                "no finite text satisfies the grammar: `root` always needs more".to_owned(),
            ));
        }
        let lost = |item: &Item| item.rule().is_some_and(|rule| !ends[rule]);
        for rule in &mut self.rules {
            rule.retain(|alternative| !alternative.iter().any(|item| item.least > 0 && lost(item)));
            rule.iter_mut().for_each(|alternative| alternative.retain(|item| !lost(item) && item.most != Some(0)));
        }
        Ok(())
    }

    /// Which rules are regular: they lead to no rule that leads to itself, and to no control token.
    pub fn regular(&self) -> Vec<bool> {
        self.closure(|rule, known| rule.iter().flatten().all(|item| item.is_regular(known)))
    }

    /// Which rules have the empty text.
    pub fn nullable(&self) -> Vec<bool> {
        self.closure(|rule, known| rule.iter().any(|items| items.iter().all(|item| item.is_nullable(known))))
    }

    /// Refuse regular rules that are too long when written out, or too deep: a terminal is a regular expression.
    pub fn check_size(&self) -> Result<(), GrammarError> {
        let mut sizes = vec![(0u64, 0usize); self.rules.len()];
        let regular = self.regular();
        // Sizes and levels only grow, and both are bounded.
        loop {
            let mut grown = false;
            for (number, rule) in self.rules.iter().enumerate().filter(|(number, _)| regular[*number]) {
                let size = rule.iter().flatten().fold(1u64, |sum, item| sum.saturating_add(item.size(&sizes)));
                let levels =
                    rule.iter().flatten().filter_map(Item::rule).map(|rule| sizes[rule].1 + 1).max().unwrap_or(0);
                if size > MAX_EXPANDED {
                    let what = "a rule and what it names written out, in characters".to_owned();
                    return Err(GrammarError::TooLarge { what, limit: MAX_EXPANDED as usize });
                }
                if levels > MAX_DEPTH {
                    let what = "rules and groups within one another".to_owned();
                    return Err(GrammarError::TooLarge { what, limit: MAX_DEPTH });
                }
                grown |= std::mem::replace(&mut sizes[number], (size, levels)) != (size, levels);
            }
            if !grown {
                return Ok(());
            }
        }
    }

    /// The rules of which `holds` is true, given those of which it is already known. Each rule is looked at once, and again when one that it
    /// names has become known.
    fn closure(&self, holds: impl Fn(&Rule, &[bool]) -> bool) -> Vec<bool> {
        let mut users = vec![Vec::new(); self.rules.len()];
        for (number, rule) in self.rules.iter().enumerate() {
            rule.iter().flatten().filter_map(Item::rule).for_each(|used: usize| users[used].push(number));
        }
        let mut known = vec![false; self.rules.len()];
        let mut pending: Vec<usize> = (0..self.rules.len()).collect();
        while let Some(rule) = pending.pop() {
            if !known[rule] && holds(&self.rules[rule], &known) {
                known[rule] = true;
                pending.extend(&users[rule]);
            }
        }
        known
    }
}
