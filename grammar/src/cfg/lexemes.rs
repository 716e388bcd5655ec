//! Which runs of a grammar's items are lexemes.
//!
//! The compiler's lexer cuts an output into lexemes in one way only: from each place it follows all lexemes that may come there together,
//! and cuts where none of them goes on. So a lexeme may be left where it could go on only if nothing behind it could begin with the
//! same byte. Runs of regular items begin as one lexeme each, since nothing is cut within one; wherever the lexer could go
//! past an end that it must find, the lexeme that goes on is taken apart: a run into its items, an item into what it
//! repeats, a text into its characters. Single characters never go on, so this ends.
//!
//! A repetition taken apart costs a step for each character of each token. Where the lexeme that ends within it stands before a rule, the two
//! are told apart if that lexeme goes on with what the rule begins with: `"if" name` is longer than any name that is followed as an `if` is.

use std::collections::{BTreeMap, HashMap};

use super::automaton::{Automaton, Bytes, Overlap};
use super::grammar::{Atom, Grammar, Item, Opaque};
use super::places::{self, Conflict};
use crate::GrammarError;

/// Most rounds in which lexemes are taken apart: a level of nesting, or an item beside others, in each.
const MAX_ROUNDS: usize = 300;

/// Most rules that are put where they are named, and most alternatives of one.
const MAX_INLINED: usize = 8;
const MAX_ALTERNATIVES: usize = 16;

/// An element of a rule, so and so often.
#[derive(Clone, Debug, PartialEq)]
pub struct Element {
    pub part: Part,
    pub least: u32,
    /// `None` for any number.
    pub most: Option<u32>,
}

/// What an element repeats.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Neighbours that are one lexeme.
    Lexeme(Vec<Item>),
    /// A rule that is no lexeme.
    Rule(usize),
}

impl Element {
    fn once(part: Part) -> Element {
        Element { part, least: 1, most: Some(1) }
    }
}

/// The rules that are no lexemes, by their numbers, each with its alternatives. A grammar whose first rule is not among them is one lexeme.
pub type Layout = BTreeMap<usize, Vec<Vec<Element>>>;

/// How a grammar's lexemes are given.
#[derive(Clone, Debug)]
pub enum Given {
    /// Not at all: what is regular is joined.
    Not,
    /// By these rules, which are terminals.
    Terminals(Vec<bool>),
    /// The same, and they cannot be taken apart; with the rule of what may stand between any two of them.
    Fixed(Vec<bool>, Option<usize>),
}

/// The lexemes by which a grammar is held, and whether they are others than were given.
///
/// # Errors
/// When finding them takes more than is spent on it, or what cannot be taken apart is in the way.
pub fn lexemes(grammar: &mut Grammar, given: &Given) -> Result<(Layout, bool), GrammarError> {
    let mut known = Lexemes::default();
    let (regular, skip) = match given {
        Given::Not => (grammar.regular(), None),
        Given::Terminals(terminals) => (terminals.clone(), None),
        Given::Fixed(terminals, skip) => (terminals.clone(), *skip),
    };
    if !matches!(given, Given::Not) {
        let mut maker = Maker::new(regular, false, 0);
        maker.open(grammar, 0);
        let conflicts = places::conflicts(&maker.layout, grammar, &mut known, skip)?;
        return match (conflicts.first(), given) {
            (None, _) => Ok((maker.layout, false)),
            (Some(conflict), Given::Fixed(..)) => Err(conflict.refused()),
            _ => lexemes(grammar, &Given::Not),
        };
    }
    if regular.first() == Some(&true) {
        return Ok((Layout::new(), true));
    }
    let mut maker = Maker::new(regular, true, MAX_INLINED);
    let made = maker.make(grammar, &mut known);
    // Where that was in vain, the grammar is not to be larger, and to have more ways to read a text, for it.
    if maker.inlined > 0 && (made.is_err() || maker.is_lost) {
        maker = Maker::new(grammar.regular(), true, 0);
        maker.make(grammar, &mut known)?;
    } else {
        made?;
    }
    Ok((maker.layout, true))
}

struct Maker {
    /// Which rules are regular.
    regular: Vec<bool>,
    /// Whether neighbours are joined in all rules, or only in those that were regular.
    joins: bool,
    layout: Layout,
    /// How many rules may be put where they are named, and how many were.
    inlines: usize,
    inlined: usize,
    /// Whether a repetition was taken apart.
    is_lost: bool,
}

impl Maker {
    fn new(regular: Vec<bool>, joins: bool, inlines: usize) -> Maker {
        Maker { regular, joins, layout: Layout::new(), inlines, inlined: 0, is_lost: false }
    }

    /// Lay out the grammar, and take apart what is in the way.
    fn make(&mut self, grammar: &mut Grammar, known: &mut Lexemes) -> Result<(), GrammarError> {
        self.open(grammar, 0);
        for _ in 0..=MAX_ROUNDS {
            let conflicts = places::conflicts(&self.layout, grammar, known, None)?;
            if conflicts.is_empty() {
                return Ok(());
            }
            if self.inlined < self.inlines && conflicts.iter().any(|conflict| self.go_on(conflict)) {
                self.inlined += 1;
                continue;
            }
            for conflict in conflicts {
                self.take_apart(grammar, &conflict)?;
            }
        }
        Err(GrammarError::TooLarge { what: "rounds of taking terminals apart".to_owned(), limit: MAX_ROUNDS })
    }

    /// Where a repetition would be taken apart: let one of the lexemes that end within it go on with what the rule behind it begins with.
    fn go_on(&mut self, conflict: &Conflict) -> bool {
        let longer = &self.layout[&conflict.rule][conflict.alternative][conflict.index].part;
        let is_repeated =
            matches!(longer, Part::Lexeme(items) if matches!(items.as_slice(), [item] if item.most != Some(1)));
        is_repeated && conflict.ends.iter().any(|&at| self.inline(at))
    }

    /// Put the alternatives of the rule behind a lexeme in its place, if any begins with a lexeme that can be joined to the one before.
    fn inline(&mut self, (rule, alternative, index): (usize, usize, usize)) -> bool {
        let Some(elements) = self.layout.get(&rule).map(|rule| &rule[alternative]) else { return false };
        let Some(Element { part: Part::Rule(inner), least: 1, most: Some(1) }) = elements.get(index + 1) else {
            return false;
        };
        let inner = &self.layout[inner];
        let is_joined = |elements: &Vec<Element>| elements.first().is_some_and(|first| self.run(first).is_some());
        if self.run(&elements[index]).is_none() || inner.len() > MAX_ALTERNATIVES || !inner.iter().any(is_joined) {
            return false;
        }
        let (begin, end) = (&elements[..=index], &elements[index + 2..]);
        let inlined: Vec<Vec<Element>> = inner.iter().map(|inner| self.joined(&[begin, inner, end].concat())).collect();
        if let Some(alternatives) = self.layout.get_mut(&rule) {
            alternatives.splice(alternative..=alternative, inlined);
        }
        true
    }

    /// The items of a lexeme that can be joined to others.
    fn run<'a>(&self, element: &'a Element) -> Option<&'a [Item]> {
        match element {
            Element { part: Part::Lexeme(items), least: 1, most: Some(1) } => {
                items.iter().all(|item| item.is_regular(&self.regular)).then_some(items)
            }
            _ => None,
        }
    }

    /// Elements whose neighbouring lexemes are one.
    fn joined(&self, elements: &[Element]) -> Vec<Element> {
        let is_run = |one: &Element, next: &Element| self.run(one).is_some() && self.run(next).is_some();
        let join = |run: &[Element]| match run {
            [element] => element.clone(),
            _ => {
                let items = run.iter().filter_map(|element| self.run(element)).flatten().cloned().collect();
                Element::once(Part::Lexeme(items))
            }
        };
        elements.chunk_by(is_run).map(join).collect()
    }

    /// Lay out a rule, and what it leads to that is no lexeme.
    fn open(&mut self, grammar: &Grammar, first: usize) {
        let mut pending = vec![first];
        while let Some(rule) = pending.pop() {
            if self.layout.contains_key(&rule) {
                continue;
            }
            let alternatives: Vec<Vec<Element>> = grammar.rules[rule]
                .iter()
                .map(|items| self.elements(items, self.joins || self.regular[rule]))
                .collect();
            pending.extend(alternatives.iter().flatten().filter_map(|element| match element.part {
                Part::Rule(rule) => Some(rule),
                Part::Lexeme(_) => None,
            }));
            self.layout.insert(rule, alternatives);
        }
    }

    fn elements(&self, items: &[Item], joins: bool) -> Vec<Element> {
        let regular = &self.regular;
        let joined = |one: &Item, next: &Item| joins && one.is_regular(regular) && next.is_regular(regular);
        let element = |run: &[Item]| match run {
            [item] if !(joins && item.is_regular(regular)) => apart(item, regular),
            _ => Element::once(Part::Lexeme(run.to_vec())),
        };
        items.chunk_by(joined).map(element).collect()
    }

    /// Take apart a lexeme that goes on where another ends.
    fn take_apart(&mut self, grammar: &mut Grammar, conflict: &Conflict) -> Result<(), GrammarError> {
        let Conflict { rule, alternative, index, .. } = *conflict;
        let Element { part: Part::Lexeme(items), least, most } = self.layout[&rule][alternative][index].clone() else {
            return Err(conflict.refused());
        };
        let parts = match items.as_slice() {
            [Item { atom, least: 1, most: Some(1) }] => {
                let part = Part::Rule(self.atom_apart(grammar, atom).ok_or_else(|| conflict.refused())?);
                vec![Element { part, least, most }]
            }
            [item] => {
                self.is_lost |= item.most != Some(1);
                vec![apart(item, &vec![true; grammar.rules.len()])]
            }
            items => items.iter().map(|item| Element::once(Part::Lexeme(vec![item.clone()]))).collect(),
        };
        if let Some(alternatives) = self.layout.get_mut(&rule) {
            alternatives[alternative].splice(index..=index, parts);
        }
        Ok(())
    }

    /// The rule that an atom becomes, if it is more than a character.
    fn atom_apart(&mut self, grammar: &mut Grammar, atom: &Atom) -> Option<usize> {
        match atom {
            Atom::Rule(rule) => {
                self.open(grammar, *rule);
                Some(*rule)
            }
            Atom::Literal(text) if text.chars().count() > 1 => {
                let characters: Vec<Item> = text.chars().map(|c| Item::once(Atom::Literal(c.to_string()))).collect();
                let alternative =
                    characters.iter().map(|item| Element::once(Part::Lexeme(vec![item.clone()]))).collect();
                let rule = grammar.rules.len();
                grammar.rules.push(vec![characters]);
                self.regular.push(true);
                self.layout.insert(rule, vec![alternative]);
                Some(rule)
            }
            _ => None,
        }
    }
}

/// An item whose repetitions are no part of the lexeme.
fn apart(item: &Item, regular: &[bool]) -> Element {
    let part = match item.atom {
        Atom::Rule(rule) if !regular[rule] => Part::Rule(rule),
        _ => Part::Lexeme(vec![Item::once(item.atom.clone())]),
    };
    Element { part, least: item.least, most: item.most }
}

/// The lexemes of a grammar by their items, with what is known of them.
#[derive(Default)]
pub struct Lexemes {
    numbers: HashMap<String, usize>,
    known: Vec<Lexeme>,
    overlaps: HashMap<(usize, usize), Overlap>,
}

struct Lexeme {
    first: Bytes,
    is_nullable: bool,
    kind: Kind,
}

enum Kind {
    Text(Automaton),
    /// Too large an automaton.
    Unknown,
    Opaque(Bytes),
    /// A control token, which the lexer tells from everything else.
    Token,
}

impl Lexemes {
    /// The number of a lexeme.
    pub fn number(&mut self, grammar: &Grammar, items: &[Item]) -> usize {
        let next = self.known.len();
        let number = *self.numbers.entry(format!("{items:?}")).or_insert(next);
        if number == next {
            self.known.push(Lexeme::new(grammar, items));
        }
        number
    }

    /// The bytes that its texts may begin with.
    pub fn first(&self, lexeme: usize) -> Bytes {
        self.known[lexeme].first
    }

    /// Whether the empty text is one of it.
    pub fn is_nullable(&self, lexeme: usize) -> bool {
        self.known[lexeme].is_nullable
    }

    /// Whether it is too large to be looked into.
    pub fn is_unknown(&self, lexeme: usize) -> bool {
        matches!(self.known[lexeme].kind, Kind::Unknown)
    }

    /// Whether it is the compiler's to read.
    pub fn is_opaque(&self, lexeme: usize) -> bool {
        matches!(self.known[lexeme].kind, Kind::Opaque(_))
    }

    /// How two lexemes overlap.
    pub fn overlap(&mut self, one: usize, other: usize) -> Overlap {
        let known = &self.known;
        let of = || match (&known[one].kind, &known[other].kind) {
            (Kind::Token, _) | (_, Kind::Token) => Overlap { extends: Bytes::default(), meets: false },
            (Kind::Text(a), Kind::Text(b)) => Overlap::new(a, b),
            // Two parts in the compiler's own words are taken to be of the same kind, which it tells apart itself.
            (Kind::Opaque(extends), Kind::Opaque(_)) => Overlap { extends: *extends, meets: true },
            _ if known[one].first.meets(known[other].first) => Overlap::UNKNOWN,
            _ => Overlap { extends: Bytes::default(), meets: false },
        };
        *self.overlaps.entry((one, other)).or_insert_with(of)
    }
}

impl Lexeme {
    fn new(grammar: &Grammar, items: &[Item]) -> Lexeme {
        match items {
            [Item { atom: Atom::Token(_), .. }] => {
                Lexeme { first: Bytes::default(), is_nullable: false, kind: Kind::Token }
            }
            [Item { atom: Atom::Opaque(Opaque { first, extends, .. }), .. }] => {
                Lexeme { first: *first, is_nullable: false, kind: Kind::Opaque(*extends) }
            }
            _ => match Automaton::new(grammar, items) {
                Some(text) => Lexeme { first: text.first(), is_nullable: text.is_nullable(), kind: Kind::Text(text) },
                None => Lexeme { first: Bytes::ALL, is_nullable: true, kind: Kind::Unknown },
            },
        }
    }
}
