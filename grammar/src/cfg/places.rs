//! Where the lexer might go past the end of a lexeme: which lexemes may come at the same place, and what may come behind each.
//!
//! Rules are followed without remembering who called them, so what is found may come is at least what may come.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};

use super::automaton::{Automaton, Bytes};
use super::grammar::{Atom, Grammar, Item};
use super::lexemes::{Element, Layout, Lexemes, Part};
use crate::GrammarError;

/// Most places of lexemes that are looked into.
const MAX_PLACES: usize = 8_000;

/// Most pairs of places that are compared in one round.
const MAX_PAIRS: usize = 4_000_000;

/// A lexeme that may go on where another one must end.
#[derive(Debug)]
pub struct Conflict {
    pub rule: usize,
    pub alternative: usize,
    pub index: usize,
    /// The places of those that must end: rule, alternative, and index within it.
    pub ends: Vec<(usize, usize, usize)>,
    /// What goes on, and what ends, for messages.
    names: (String, String),
}

impl Conflict {
    /// That this cannot be held.
    pub fn refused(&self) -> GrammarError {
        let (longer, shorter) = &self.names;
        GrammarError::Ambiguous { longer: longer.clone(), shorter: shorter.clone() }
    }
}

/// A lexeme at one place of the grammar.
struct Place {
    lexeme: usize,
    /// Rule, alternative, and index within it.
    at: (usize, usize, usize),
    /// What may come behind it.
    next: Set,
}

/// Every lexeme that goes on where another must end. `skip` is the rule of a lexeme that may come between any two others.
pub fn conflicts(
    layout: &Layout,
    grammar: &Grammar,
    lexemes: &mut Lexemes,
    skip: Option<usize>,
) -> Result<Vec<Conflict>, GrammarError> {
    let map = Map::new(layout, grammar, lexemes, skip)?;
    let mut found: BTreeMap<(usize, usize, Reverse<usize>), Conflict> = BTreeMap::new();
    let begins: Vec<Bytes> = (0..map.places.len()).map(|place| map.begins(place, lexemes)).collect();
    for (one, other) in map.together(lexemes)? {
        for (shorter, longer) in [(one, other), (other, one)] {
            let overlap = lexemes.overlap(map.places[shorter].lexeme, map.places[longer].lexeme);
            // What is ignored is all that the lexer sees where a terminal matches the same text.
            let is_hidden = one != other && Some(longer) == map.skip && overlap.meets;
            // What the compiler reads may end a lexeme at any place within.
            let is_within = lexemes.is_opaque(map.places[shorter].lexeme) && overlap.extends == Bytes::ALL;
            if overlap.extends.meets(begins[shorter]) || is_hidden || is_within {
                let apart = if lexemes.is_unknown(map.places[shorter].lexeme) { shorter } else { longer };
                let (rule, alternative, index) = map.places[apart].at;
                let names = (map.name(longer), map.name(shorter));
                let conflict = || Conflict { rule, alternative, index, ends: Vec::new(), names };
                let conflict = found.entry((rule, alternative, Reverse(index))).or_insert_with(conflict);
                conflict.ends.push(map.places[shorter].at);
            }
        }
    }
    // Within an alternative the last comes first, so that taking it apart moves none of the others.
    Ok(found.into_values().collect())
}

/// The places of a layout.
struct Map<'a> {
    layout: &'a Layout,
    grammar: &'a Grammar,
    places: Vec<Place>,
    numbers: HashMap<(usize, usize, usize), usize>,
    nullable: HashMap<usize, bool>,
    /// What each rule may begin with, and what may come behind it.
    first: HashMap<usize, Set>,
    behind: HashMap<usize, Set>,
    skip: Option<usize>,
    /// Whether what is skipped twice in a row is skipped at once, too.
    joins: bool,
}

impl<'a> Map<'a> {
    fn new(
        layout: &'a Layout,
        grammar: &'a Grammar,
        lexemes: &mut Lexemes,
        skip: Option<usize>,
    ) -> Result<Map<'a>, GrammarError> {
        let mut map = Map {
            layout,
            grammar,
            places: Vec::new(),
            numbers: HashMap::new(),
            nullable: layout.keys().map(|&rule| (rule, false)).collect(),
            first: HashMap::new(),
            behind: HashMap::new(),
            skip: None,
            joins: false,
        };
        for (at, element) in elements(layout) {
            if let Part::Lexeme(items) = &element.part {
                let lexeme = lexemes.number(grammar, items);
                map.numbers.insert(at, map.places.len());
                map.places.push(Place { lexeme, at, next: Set::default() });
            }
        }
        if let Some(rule) = skip {
            map.skip = Some(map.places.len());
            let [once, twice] = [1, 2].map(|times| Item { atom: Atom::Rule(rule), least: times, most: Some(times) });
            let automata = Automaton::new(grammar, &[once]).zip(Automaton::new(grammar, &[twice]));
            map.joins = automata.is_some_and(|(once, twice)| once.includes(&twice));
            let lexeme = lexemes.number(grammar, &[Item::once(Atom::Rule(rule))]);
            map.places.push(Place { lexeme, at: (usize::MAX, 0, 0), next: Set::default() });
        }
        if map.places.len() > MAX_PLACES {
            let what = format!("{} places of lexemes", map.places.len());
            return Err(GrammarError::TooLarge { what, limit: MAX_PLACES });
        }
        let empty = Set::new(map.places.len());
        map.places.iter_mut().for_each(|place| place.next = empty.clone());
        map.first = layout.keys().map(|&rule| (rule, empty.clone())).collect();
        map.behind = map.first.clone();
        while map.find_nullable(lexemes) {}
        while map.find_first(lexemes) {}
        while map.find_behind(lexemes) {}
        if let Some(skip) = map.skip {
            map.places.iter_mut().filter(|place| !place.next.is_empty()).for_each(|place| place.next.add(skip));
        }
        Ok(map)
    }

    fn is_nullable(&self, at: (usize, usize, usize), element: &Element, lexemes: &Lexemes) -> bool {
        element.least == 0
            || match &element.part {
                Part::Rule(rule) => self.nullable[rule],
                Part::Lexeme(_) => lexemes.is_nullable(self.places[self.numbers[&at]].lexeme),
            }
    }

    /// The places an element may begin with.
    fn first_of(&self, at: (usize, usize, usize), element: &Element) -> Set {
        match &element.part {
            Part::Rule(rule) => self.first[rule].clone(),
            Part::Lexeme(_) => {
                let mut set = Set::new(self.places.len());
                set.add(self.numbers[&at]);
                set
            }
        }
    }

    fn find_nullable(&mut self, lexemes: &Lexemes) -> bool {
        let mut changed = false;
        for (&rule, alternatives) in self.layout {
            let nullable = alternatives.iter().enumerate().any(|(alternative, elements)| {
                let all = |(index, element)| self.is_nullable((rule, alternative, index), element, lexemes);
                elements.iter().enumerate().all(all)
            });
            changed |= nullable && self.nullable.insert(rule, true) == Some(false);
        }
        changed
    }

    fn find_first(&mut self, lexemes: &Lexemes) -> bool {
        let mut changed = false;
        for (&rule, alternatives) in self.layout {
            let mut set = self.first[&rule].clone();
            for (alternative, elements) in alternatives.iter().enumerate() {
                for (index, element) in elements.iter().enumerate() {
                    set.join(&self.first_of((rule, alternative, index), element));
                    if !self.is_nullable((rule, alternative, index), element, lexemes) {
                        break;
                    }
                }
            }
            changed |= self.first[&rule] != set;
            self.first.insert(rule, set);
        }
        changed
    }

    /// What may come behind each rule and each place.
    fn find_behind(&mut self, lexemes: &Lexemes) -> bool {
        let mut changed = false;
        for (&rule, alternatives) in self.layout {
            for (alternative, elements) in alternatives.iter().enumerate() {
                let mut trail = self.behind[&rule].clone();
                for (index, element) in elements.iter().enumerate().rev() {
                    let at = (rule, alternative, index);
                    let first = self.first_of(at, element);
                    let mut next = trail.clone();
                    if element.most != Some(1) {
                        next.join(&first);
                    }
                    changed |= match &element.part {
                        Part::Rule(inner) => self.behind.get_mut(inner).is_some_and(|behind| behind.join(&next)),
                        Part::Lexeme(_) => self.places[self.numbers[&at]].next.join(&next),
                    };
                    if !self.is_nullable(at, element, lexemes) {
                        trail = Set::new(self.places.len());
                    }
                    trail.join(&first);
                }
            }
        }
        changed
    }

    /// The bytes by which an output may go on behind a place.
    fn begins(&self, place: usize, lexemes: &Lexemes) -> Bytes {
        let mut bytes = Bytes::default();
        let mut add = |place: usize| bytes.join(lexemes.first(self.places[place].lexeme));
        if Some(place) == self.skip {
            (0..self.places.len()).filter(|&other| other != place || !self.joins).for_each(&mut add);
        } else {
            self.places[place].next.iter().for_each(&mut add);
        }
        bytes
    }

    /// The pairs of places that the lexer may have to follow together.
    fn together(&self, lexemes: &mut Lexemes) -> Result<Vec<(usize, usize)>, GrammarError> {
        let mut found = HashSet::new();
        let mut pairs = Vec::new();
        let mut known: HashSet<(&Set, &Set)> = HashSet::new();
        let mut work = 0;
        let start = &self.first[&0];
        let mut pending: Vec<(&Set, &Set)> = vec![(start, start)];
        pending.extend(self.places.iter().map(|place| (&place.next, &place.next)));
        let mut done = 0;
        loop {
            while let Some((one, other)) = pending.pop() {
                if !known.insert((one, other)) {
                    continue;
                }
                for a in one.iter() {
                    for b in other.iter() {
                        let pair = (a.min(b), a.max(b));
                        if found.insert(pair) {
                            pairs.push(pair);
                        }
                        work += 1;
                    }
                    if work > MAX_PAIRS {
                        return Err(GrammarError::TooLarge { what: "pairs of lexemes".to_owned(), limit: MAX_PAIRS });
                    }
                }
            }
            let Some(&(a, b)) = pairs.get(done) else { return Ok(pairs) };
            done += 1;
            // What both may match leaves it open which of the two it was.
            if a != b && lexemes.overlap(self.places[a].lexeme, self.places[b].lexeme).meets {
                pending.push((&self.places[a].next, &self.places[b].next));
            }
        }
    }

    fn name(&self, place: usize) -> String {
        let (rule, alternative, index) = self.places[place].at;
        let Some(Part::Lexeme(items)) = self.layout.get(&rule).map(|rule| &rule[alternative][index].part) else {
            return "what is ignored".to_owned();
        };
        match items.as_slice() {
            [Item { atom: Atom::Literal(text), .. }] => format!("{text:?}"),
            [Item { atom: Atom::Class(class), .. }] => class.clone(),
            [Item { atom: Atom::Opaque(opaque), .. }] => opaque.text.chars().take(60).collect(),
            [Item { atom: Atom::Rule(rule), .. }] => self.grammar.name(*rule),
            _ => "a text".to_owned(),
        }
    }
}

/// All elements of a layout, with their places.
fn elements(layout: &Layout) -> impl Iterator<Item = ((usize, usize, usize), &Element)> {
    layout.iter().flat_map(|(&rule, alternatives)| {
        alternatives.iter().enumerate().flat_map(move |(alternative, elements)| {
            elements.iter().enumerate().map(move |(index, element)| ((rule, alternative, index), element))
        })
    })
}

/// A set of places.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Set(Vec<u64>);

impl Set {
    fn new(places: usize) -> Set {
        Set(vec![0; places.div_ceil(64)])
    }

    fn add(&mut self, place: usize) {
        self.0[place / 64] |= 1 << (place % 64);
    }

    /// All of `other`, too; whether that is more.
    fn join(&mut self, other: &Set) -> bool {
        let mut more = false;
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            more |= theirs & !*mine != 0;
            *mine |= theirs;
        }
        more
    }

    fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    fn iter(&self) -> impl Iterator<Item = usize> {
        let word = |(index, &word): (usize, &u64)| {
            (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| index * 64 + bit)
        };
        self.0.iter().enumerate().filter(|(_, word)| **word != 0).flat_map(word)
    }
}
