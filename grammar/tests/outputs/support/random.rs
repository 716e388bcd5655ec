//! Random small grammars, each in GBNF and in Lark.

use fastrand::Rng;

/// What grammars are made of: few characters, so that runs overlap, and two whose first bytes are the same.
pub const ALPHABET: [char; 6] = ['a', 'b', 'x', ' ', '(', 'é'];

/// A grammar by its rules; the first is where texts begin.
pub struct Random {
    rules: Vec<Vec<Vec<Item>>>,
    /// Which rules are terminals in Lark: they name terminals alone.
    terminals: Vec<bool>,
}

struct Item {
    atom: Atom,
    repetition: &'static str,
}

enum Atom {
    Text(String),
    Class(&'static str),
    Rule(usize),
    Group(Vec<Vec<Item>>),
}

impl Random {
    /// The grammar of a seed.
    pub fn new(seed: u64) -> Random {
        let mut random = Rng::with_seed(seed);
        let count = 1 + random.usize(..5);
        // Half of the grammars have rules that only name later ones at their ends, which are regular.
        let regular: Vec<bool> = (0..count).map(|rule| rule > 0 && random.u8(..3) == 0).collect();
        let rules = (0..count)
            .map(|rule| {
                alternatives(&mut random, 0, &|random| {
                    let named = if regular[rule] { rule + 1 + random.usize(..2) } else { random.usize(..count) };
                    (named < count && (!regular[rule] || regular[named])).then_some(named)
                })
            })
            .collect();
        Random { rules, terminals: regular }
    }

    /// In llama.cpp's notation.
    pub fn gbnf(&self) -> String {
        let name = |rule: usize| if rule == 0 { "root".to_owned() } else { format!("r{rule}") };
        let write = |rule: usize| format!("{} ::= {}\n", name(rule), write(&self.rules[rule], &name, false));
        (0..self.rules.len()).map(write).collect()
    }

    /// In Lark's notation.
    pub fn lark(&self) -> String {
        let name = |rule: usize| match (rule, self.terminals[rule]) {
            (0, _) => "start".to_owned(),
            (_, true) => format!("R{rule}"),
            (_, false) => format!("r{rule}"),
        };
        let write = |rule: usize| format!("{}: {}\n", name(rule), write(&self.rules[rule], &name, true));
        (0..self.rules.len()).map(write).collect()
    }
}

fn alternatives(random: &mut Rng, depth: usize, rule: &dyn Fn(&mut Rng) -> Option<usize>) -> Vec<Vec<Item>> {
    let count = [1, 1, 2, 2, 3][random.usize(..5)];
    (0..count)
        .map(|_| {
            let length = [0, 1, 1, 2, 2, 3, 3, 4][random.usize(..8)];
            (0..length).map(|_| item(random, depth, rule)).collect()
        })
        .collect()
}

fn item(random: &mut Rng, depth: usize, rule: &dyn Fn(&mut Rng) -> Option<usize>) -> Item {
    let text = |random: &mut Rng| {
        (0..1 + random.usize(..3)).map(|_| ALPHABET[random.usize(..ALPHABET.len())]).collect::<String>()
    };
    let atom = match random.usize(..10) {
        0..4 => Atom::Text(text(random)),
        4 | 5 => Atom::Class(["[ab]", "[a-x]", "[^x]", "[ (]", "[aé]", "[^ -b]"][random.usize(..6)]),
        6 if depth < 2 => Atom::Group(alternatives(random, depth + 1, rule)),
        _ => match rule(random) {
            Some(rule) => Atom::Rule(rule),
            None => Atom::Text(text(random)),
        },
    };
    let repetition = ["", "", "", "", "?", "*", "*", "+", "{2}", "{1,2}", "{0,2}"][random.usize(..11)];
    Item { atom, repetition }
}

fn write(alternatives: &[Vec<Item>], name: &dyn Fn(usize) -> String, lark: bool) -> String {
    let item = |item: &Item| {
        let atom = match &item.atom {
            Atom::Text(text) => format!("{text:?}"),
            Atom::Class(class) if lark => format!("/{class}/"),
            Atom::Class(class) => (*class).to_owned(),
            Atom::Rule(rule) => name(*rule),
            Atom::Group(inner) => format!("({})", write(inner, name, lark)),
        };
        atom + item.repetition
    };
    let sequence = |items: &Vec<Item>| match items.as_slice() {
        [] => "\"\"".to_owned(),
        items => items.iter().map(item).collect::<Vec<_>>().join(" "),
    };
    alternatives.iter().map(sequence).collect::<Vec<_>>().join(" | ")
}
