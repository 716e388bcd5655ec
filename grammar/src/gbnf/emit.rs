//! Writing a grammar as Lark: regular rules as terminals `T1`, others as rules `r1`, and runs of regular items within those as
//! terminals `X1`.

use std::fmt::Write;

use super::grammar::{Atom, Grammar, Item};
use crate::lark;

/// The grammar in Lark.
pub fn emit(grammar: &Grammar) -> String {
    let regular = grammar.regular();
    let reached = grammar.reached();
    let mut writer = Writer { regular: &regular, joined: Vec::new() };
    let mut text = format!("start: {}\n", writer.name(0));
    for (number, rule) in grammar.rules.iter().enumerate().filter(|(number, _)| reached[*number]) {
        let alternatives: Vec<String> = rule
            .iter()
            .map(|items| if regular[number] { writer.sequence(items) } else { writer.mixed(items) })
            .collect();
        writeln!(text, "{}: {}", writer.name(number), alternatives.join(" | ")).ok();
    }
    for (number, joined) in writer.joined.iter().enumerate() {
        writeln!(text, "X{number}: {joined}").ok();
    }
    text
}

struct Writer<'a> {
    regular: &'a [bool],
    /// What the terminals `X0`, `X1`, … stand for.
    joined: Vec<String>,
}

impl Writer<'_> {
    fn name(&self, rule: usize) -> String {
        format!("{}{rule}", if self.regular[rule] { 'T' } else { 'r' })
    }

    /// An alternative with something in it that is not regular: what is, is joined with its neighbours.
    fn mixed(&mut self, items: &[Item]) -> String {
        let regular = self.regular;
        let runs = items.chunk_by(|one, next| is_regular(one, regular) && is_regular(next, regular));
        or_empty(runs.map(|run| self.run(run)).collect())
    }

    fn run(&mut self, items: &[Item]) -> String {
        match items {
            [Item { atom: Atom::Literal(_) | Atom::Token(_), least: 1, most: Some(1) }] => self.sequence(items),
            [item] if !is_regular(item, self.regular) => self.item(item),
            _ => {
                let joined = self.sequence(items);
                let number = self.joined.iter().position(|known| *known == joined).unwrap_or(self.joined.len());
                if number == self.joined.len() {
                    self.joined.push(joined);
                }
                format!("X{number}")
            }
        }
    }

    fn sequence(&self, items: &[Item]) -> String {
        or_empty(items.iter().map(|item| self.item(item)).collect())
    }

    fn item(&self, item: &Item) -> String {
        let atom = match &item.atom {
            Atom::Literal(text) => lark::quote(text),
            Atom::Class(class) => format!("/{class}/"),
            Atom::Rule(rule) => self.name(*rule),
            Atom::Token(token) => token.clone(),
        };
        match (item.least, item.most) {
            (1, Some(1)) => atom,
            (0, Some(1)) => format!("{atom}?"),
            (0, None) => format!("{atom}*"),
            (1, None) => format!("{atom}+"),
            (least, None) => format!("{atom}{{{least},}}"),
            (least, Some(most)) => format!("{atom}{{{least},{most}}}"),
        }
    }
}

fn is_regular(item: &Item, regular: &[bool]) -> bool {
    match item.atom {
        Atom::Rule(rule) => regular[rule],
        Atom::Token(_) => false,
        Atom::Literal(_) | Atom::Class(_) => true,
    }
}

fn or_empty(words: Vec<String>) -> String {
    if words.is_empty() { "\"\"".to_owned() } else { words.join(" ") }
}
