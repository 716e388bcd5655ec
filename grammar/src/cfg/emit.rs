//! Writing a grammar as Lark: what is no lexeme as rules `r1`, lexemes as terminals `X1`, and the rules within those as terminals `T1`.

use std::fmt::Write;

use super::grammar::{Atom, Grammar, Item};
use super::lexemes::{Element, Layout, Part};
use crate::lark;

/// The grammar in Lark.
pub fn emit(grammar: &Grammar, layout: &Layout) -> String {
    let mut writer = Writer { grammar, joined: Vec::new(), terminals: vec![false; grammar.rules.len()] };
    let mut text = String::new();
    if layout.is_empty() {
        text.push_str("start: T0\n");
        writer.reach(0);
    } else {
        text.push_str("start: r0\n");
    }
    for (number, rule) in layout {
        let alternatives: Vec<String> = rule.iter().map(|elements| writer.elements(elements)).collect();
        writeln!(text, "r{number}: {}", alternatives.join(" | ")).ok();
    }
    for number in (0..grammar.rules.len()).filter(|&number| writer.terminals[number]) {
        let alternatives: Vec<String> = grammar.rules[number].iter().map(|items| sequence(items)).collect();
        writeln!(text, "T{number}: {}", alternatives.join(" | ")).ok();
    }
    for (number, joined) in writer.joined.iter().enumerate() {
        writeln!(text, "X{number}: {joined}").ok();
    }
    text
}

struct Writer<'a> {
    grammar: &'a Grammar,
    /// What the terminals `X0`, `X1`, … stand for.
    joined: Vec<String>,
    /// Which rules are within lexemes.
    terminals: Vec<bool>,
}

impl Writer<'_> {
    fn elements(&mut self, elements: &[Element]) -> String {
        let words = elements.iter().map(|element| {
            let part = match &element.part {
                Part::Rule(rule) => format!("r{rule}"),
                Part::Lexeme(items) => self.lexeme(items),
            };
            repeated(part, element.least, element.most)
        });
        or_empty(words.collect())
    }

    fn lexeme(&mut self, items: &[Item]) -> String {
        if let [Item { atom: Atom::Literal(_) | Atom::Token(_) | Atom::Opaque(_), least: 1, most: Some(1) }] = items {
            return sequence(items);
        }
        items.iter().filter_map(Item::rule).for_each(|rule| self.reach(rule));
        let joined = sequence(items);
        let number = self.joined.iter().position(|known| *known == joined).unwrap_or(self.joined.len());
        if number == self.joined.len() {
            self.joined.push(joined);
        }
        format!("X{number}")
    }

    /// Note that a rule is within a lexeme, with all that it names.
    fn reach(&mut self, rule: usize) {
        let mut pending = vec![rule];
        while let Some(rule) = pending.pop() {
            if !std::mem::replace(&mut self.terminals[rule], true) {
                pending.extend(self.grammar.rules[rule].iter().flatten().filter_map(Item::rule));
            }
        }
    }
}

fn sequence(items: &[Item]) -> String {
    or_empty(items.iter().map(item).collect())
}

fn item(item: &Item) -> String {
    let atom = match &item.atom {
        Atom::Literal(text) => lark::quote(text),
        Atom::Class(class) => format!("/{class}/"),
        Atom::Rule(rule) => format!("T{rule}"),
        Atom::Token(token) => token.clone(),
        Atom::Opaque(opaque) => opaque.text.clone(),
    };
    repeated(atom, item.least, item.most)
}

fn repeated(atom: String, least: u32, most: Option<u32>) -> String {
    match (least, most) {
        (1, Some(1)) => atom,
        (0, Some(1)) => format!("{atom}?"),
        (0, None) => format!("{atom}*"),
        (1, None) => format!("{atom}+"),
        (least, None) => format!("{atom}{{{least},}}"),
        (least, Some(most)) => format!("{atom}{{{least},{most}}}"),
    }
}

fn or_empty(words: Vec<String>) -> String {
    if words.is_empty() { "\"\"".to_owned() } else { words.join(" ") }
}
