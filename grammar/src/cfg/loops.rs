//! Loops over what is regular in part, so that what is regular is repeated as one lexeme.
//!
//! `(A | x)*`, where `x` alone is regular, is `x* (A x*)*`: the same texts, but no `x` stands behind another, so a run of them can be a lexeme.
//! An `x` at a time would cost the compiler a step for each byte of each token.

use std::collections::{HashMap, HashSet};

use super::automaton::{Automaton, Bytes};
use super::grammar::{Atom, Grammar, Item, Rule};

/// Most alternatives of a loop that is written anew.
const MAX_ALTERNATIVES: usize = 100;

/// Write such loops anew; whether there were any.
pub fn join(grammar: &mut Grammar) -> bool {
    let written = grammar.rules.len();
    let mut loops = Loops { regular: grammar.regular(), nullable: grammar.nullable(), known: HashMap::new(), grammar };
    let mut rule = 0;
    // What is added is looked at, too: it may have loops within. It is no such loop itself, so this ends.
    while rule < loops.grammar.rules.len() {
        for alternative in 0..loops.grammar.rules[rule].len() {
            let items = loops.grammar.rules[rule][alternative].clone();
            let items = items.into_iter().flat_map(|item| loops.item(item)).collect();
            loops.grammar.rules[rule][alternative] = items;
        }
        rule += 1;
    }
    rule > written
}

struct Loops<'a> {
    grammar: &'a mut Grammar,
    /// Which rules are regular.
    regular: Vec<bool>,
    /// Which rules have the empty text.
    nullable: Vec<bool>,
    /// Of each rule that is repeated, what is regular, and what is not with any number of the former behind it.
    known: HashMap<usize, Option<(usize, usize)>>,
}

impl Loops<'_> {
    fn item(&mut self, item: Item) -> Vec<Item> {
        let (Some(rule), 0 | 1, None) = (item.rule(), item.least, item.most) else { return vec![item] };
        let known = self.known.get(&rule).copied();
        let Some((regular, other)) = known.unwrap_or_else(|| self.parts(rule)) else { return vec![item] };
        if item.least == 0 {
            return vec![many(regular, 0), many(other, 0)];
        }
        let alternatives = vec![vec![many(regular, 1), many(other, 0)], vec![many(other, 1)]];
        vec![Item::once(Atom::Rule(self.add(alternatives, false)))]
    }

    fn parts(&mut self, rule: usize) -> Option<(usize, usize)> {
        let (regular, other) = self.split(self.alternatives(rule).unwrap_or_default());
        let is_mixed = !regular.is_empty() && !other.is_empty();
        let parts = is_mixed.then(|| {
            let regular = self.add(regular, true);
            let other = self.add(other, false);
            (regular, self.add(vec![vec![Item::once(Atom::Rule(other)), many(regular, 0)]], false))
        });
        self.known.insert(rule, parts);
        parts
    }

    /// What is regular and begins otherwise than all the rest, and the rest.
    fn split(&self, alternatives: Rule) -> (Rule, Rule) {
        let is_regular = |items: &Vec<Item>| items.iter().all(|item| item.is_regular(&self.regular));
        let (regular, mut other): (Rule, Rule) = alternatives.into_iter().partition(is_regular);
        if regular.is_empty() || other.is_empty() {
            return (regular, other);
        }
        let mut taken = self.first(&other);
        let mut regular: Vec<(Bytes, Vec<Item>)> =
            regular.into_iter().map(|items| (self.first(std::slice::from_ref(&items)), items)).collect();
        loop {
            let (meeting, left): (Vec<_>, Vec<_>) = regular.into_iter().partition(|(first, _)| first.meets(taken));
            regular = left;
            if meeting.is_empty() {
                return (regular.into_iter().map(|(_, items)| items).collect(), other);
            }
            for (first, items) in meeting {
                taken.join(first);
                other.push(items);
            }
        }
    }

    /// The bytes that texts of these alternatives may begin with.
    fn first(&self, alternatives: &[Vec<Item>]) -> Bytes {
        let mut bytes = Bytes::default();
        let mut seen = HashSet::new();
        let mut pending: Vec<&[Vec<Item>]> = vec![alternatives];
        while let Some(alternatives) = pending.pop() {
            for item in alternatives.iter().flat_map(|items| self.leading(items)) {
                match &item.atom {
                    Atom::Rule(rule) if !seen.insert(*rule) => (),
                    Atom::Rule(rule) => pending.push(&self.grammar.rules[*rule]),
                    Atom::Opaque(opaque) => bytes.join(opaque.first),
                    Atom::Token(_) => (),
                    Atom::Literal(_) | Atom::Class(_) => {
                        let item = Item::once(item.atom.clone());
                        bytes.join(Automaton::new(self.grammar, &[item]).map_or(Bytes::ALL, |text| text.first()));
                    }
                }
            }
        }
        bytes
    }

    /// The items that a text may begin with: all up to the first that is never empty.
    fn leading<'b>(&'b self, items: &'b [Item]) -> impl Iterator<Item = &'b Item> {
        let end = items.iter().position(|item| !item.is_nullable(&self.nullable)).map_or(items.len(), |at| at + 1);
        items[..end].iter()
    }

    /// The alternatives of a rule, and of the rules that are alternatives by themselves, if they are not too many.
    fn alternatives(&self, rule: usize) -> Option<Rule> {
        let mut rules = vec![rule];
        let mut found = Rule::new();
        let mut at = 0;
        while let Some(&rule) = rules.get(at) {
            at += 1;
            for items in &self.grammar.rules[rule] {
                match items.as_slice() {
                    &[Item { atom: Atom::Rule(inner), least: 1, most: Some(1) }] if !self.regular[inner] => {
                        if !rules.contains(&inner) {
                            rules.push(inner);
                        }
                    }
                    _ => found.push(items.clone()),
                }
                if found.len() + rules.len() > MAX_ALTERNATIVES {
                    return None;
                }
            }
        }
        Some(found)
    }

    fn add(&mut self, rule: Rule, is_regular: bool) -> usize {
        self.nullable.push(rule.iter().any(|items| items.iter().all(|item| item.is_nullable(&self.nullable))));
        self.grammar.rules.push(rule);
        self.regular.push(is_regular);
        self.grammar.rules.len() - 1
    }
}

/// A rule at least so often.
fn many(rule: usize, least: u32) -> Item {
    Item { atom: Atom::Rule(rule), least, most: None }
}
