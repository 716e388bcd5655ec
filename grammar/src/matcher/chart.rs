//! What an output has gone through of its grammar (an Earley chart over lexemes), and the shortest texts that complete it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use llguidance::derivre::StateID;
use llguidance::earley::lexerspec::LexemeIdx;
use llguidance::toktrie::{TokTrie, TokenizerEnv};

use super::Vocabulary;
use super::rules::{Meaning, NEVER, Rules, START, Symbol, accepted};

/// Most items of a row.
const MAX_ITEMS: usize = 20_000;

/// The longest text that is written. A grammar's shortest may be of any length.
const MAX_TEXT: u32 = 1 << 15;

/// How many bytes longer than the shortest one a completion may be that is tried after it.
const LONGER: u32 = 24;

/// A rule of which the parts before `at` stand, from row `origin` on.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Item {
    rule: u32,
    at: u32,
    origin: u32,
}

impl Item {
    fn advanced(self) -> Item {
        Item { at: self.at + 1, ..self }
    }
}

/// Items that wait for a symbol.
struct Waiting {
    items: Vec<Item>,
    /// The length of the shortest text that completes the output once the symbol stands, and the item that goes on with it; none where
    /// the output is complete then.
    rest: u32,
    shortest: Option<Item>,
}

/// What may stand between two lexemes.
struct Row {
    waiting: HashMap<Symbol, Waiting>,
    /// Where the lexer begins here.
    start: StateID,
}

/// How far an output has gone.
#[derive(Clone)]
pub struct Chart {
    rows: Vec<Arc<Row>>,
    state: StateID,
    /// Whether bytes of a lexeme that may go on stand behind the last row.
    is_within: bool,
    /// Tokens taken.
    pub tokens: usize,
}

impl Chart {
    /// At the beginning; none where the grammar is too large.
    pub fn new(rules: &Rules) -> Option<Chart> {
        let Meaning::Rules(starts) = rules.meaning(START) else { return None };
        let items = starts.iter().map(|rule| Item { rule: *rule, at: 0, origin: 0 }).collect();
        let mut chart = Chart { rows: Vec::new(), state: StateID::DEAD, is_within: false, tokens: 0 };
        chart.push_row(rules, items)?;
        Some(chart)
    }

    /// Goes on by a token; none where the grammar is followed otherwise than here.
    pub fn push(&mut self, rules: &Rules, vocabulary: &Vocabulary, token: u32) -> Option<()> {
        self.tokens += 1;
        let bytes = vocabulary.tok_trie().token(token);
        if bytes.is_empty() {
            self.end_lexeme(rules)?;
            return self.scan(rules, &|lexeme| rules.is_token(lexeme, token));
        }
        bytes.iter().try_for_each(|byte| self.push_byte(rules, *byte))
    }

    fn push_byte(&mut self, rules: &Rules, byte: u8) -> Option<()> {
        let mut next = rules.with_lexer(|lexer| lexer.transition(self.state, byte));
        if next.is_dead() {
            self.end_lexeme(rules)?;
            next = rules.with_lexer(|lexer| lexer.transition(self.state, byte));
        }
        if next.is_dead() {
            return None;
        }
        (self.state, self.is_within) = (next, true);
        if next.has_lowest_match() { self.end_lexeme(rules) } else { Some(()) }
    }

    /// Ends the lexeme that is under way.
    fn end_lexeme(&mut self, rules: &Rules) -> Option<()> {
        if !self.is_within {
            return Some(());
        }
        let ended = rules.with_lexer(|lexer| accepted(lexer, self.state).as_slice().to_vec());
        if ended.iter().any(|lexeme| rules.is_skipped(*lexeme)) {
            (self.state, self.is_within) = (self.rows.last()?.start, false);
            return Some(());
        }
        self.scan(rules, &|lexeme| ended.contains(&lexeme))
    }

    fn scan(&mut self, rules: &Rules, stands: &dyn Fn(LexemeIdx) -> bool) -> Option<()> {
        let last = self.rows.last()?;
        let waiting = last
            .waiting
            .iter()
            .filter(|(symbol, _)| matches!(rules.meaning(**symbol), Meaning::Lexeme(lexeme, _) if stands(*lexeme)));
        let items: Vec<Item> = waiting.flat_map(|(_, waiting)| &waiting.items).map(|item| item.advanced()).collect();
        if items.is_empty() { None } else { self.push_row(rules, items) }
    }

    fn push_row(&mut self, rules: &Rules, mut items: Vec<Item>) -> Option<()> {
        let index = self.rows.len() as u32;
        let mut known: HashSet<Item> = items.iter().copied().collect();
        let mut waiting: HashMap<Symbol, Waiting> = HashMap::new();
        let mut next = 0;
        while let Some(&item) = items.get(next) {
            next += 1;
            let mut add = |item: Item| {
                if known.insert(item) {
                    items.push(item);
                }
            };
            let Some(&symbol) = rules.parts(item.rule, item.at).first() else {
                // What began here and stands for nothing was passed over when it was begun.
                let begun = self.rows.get(item.origin as usize);
                let parents = begun.and_then(|row| row.waiting.get(&rules.symbol(item.rule)));
                parents.into_iter().flat_map(|parents| &parents.items).for_each(|item| add(item.advanced()));
                continue;
            };
            let begins = !waiting.contains_key(&symbol);
            let entry = waiting.entry(symbol);
            entry.or_insert(Waiting { items: Vec::new(), rest: NEVER, shortest: None }).items.push(item);
            if let (true, Meaning::Rules(rules)) = (begins, rules.meaning(symbol)) {
                rules.iter().for_each(|rule| add(Item { rule: *rule, at: 0, origin: index }));
            }
            if rules.is_nullable(symbol) {
                add(item.advanced());
            }
            if items.len() > MAX_ITEMS {
                return None;
            }
        }
        items.retain(|item| !rules.parts(item.rule, item.at).is_empty());
        self.measure(rules, &items, &mut waiting);
        let lexemes: Vec<LexemeIdx> = waiting
            .keys()
            .filter_map(|symbol| match rules.meaning(*symbol) {
                Meaning::Lexeme(lexeme, _) => Some(*lexeme),
                Meaning::Rules(_) => None,
            })
            .collect();
        let start = rules.start_state(&lexemes, index > 0 || rules.skips_at_start());
        (self.state, self.is_within) = (start, false);
        self.rows.push(Arc::new(Row { waiting, start }));
        Some(())
    }

    /// Finds what completes the output behind each symbol that a new row waits for.
    fn measure(&self, rules: &Rules, items: &[Item], waiting: &mut HashMap<Symbol, Waiting>) {
        let mut has_changed = true;
        while has_changed {
            has_changed = false;
            for item in items {
                let rest = self.rest(rules, item.advanced(), waiting);
                let symbol = rules.parts(item.rule, item.at)[0];
                if let Some(known) = waiting.get_mut(&symbol).filter(|known| rest < known.rest) {
                    (known.rest, known.shortest, has_changed) = (rest, Some(item.advanced()), true);
                }
            }
        }
    }

    /// The length of the shortest text that completes the output from an item on. `newest`: what the row that is made waits for.
    fn rest(&self, rules: &Rules, item: Item, newest: &HashMap<Symbol, Waiting>) -> u32 {
        let parent = match self.parent(rules, item, newest) {
            None => 0,
            Some(parent) => parent.map_or(NEVER, |waiting| waiting.rest),
        };
        (rules.rest(item.rule, item.at) + parent).min(NEVER)
    }

    /// What waits for the symbol of an item's rule: `None` if that is the whole output, `Some(None)` if nothing does.
    fn parent<'w>(
        &'w self,
        rules: &Rules,
        item: Item,
        newest: &'w HashMap<Symbol, Waiting>,
    ) -> Option<Option<&'w Waiting>> {
        let symbol = rules.symbol(item.rule);
        if symbol == START && item.origin == 0 {
            return None;
        }
        let row = self.rows.get(item.origin as usize).map_or(newest, |row| &row.waiting);
        Some(row.get(&symbol))
    }

    /// Texts that complete the output, the shortest first, and at most `most` in all. Special tokens stand in them as their
    /// marker and id.
    pub fn completions(&self, rules: &Rules, most: usize) -> Vec<Vec<u8>> {
        let Some(last) = self.rows.last() else { return Vec::new() };
        let (mut found, mut shortest) = (Vec::new(), NEVER);
        // No lexeme that ends farther away is part of a completion that is wanted.
        let is_lexeme = |symbol: &&Symbol| matches!(rules.meaning(**symbol), Meaning::Lexeme(..));
        let least =
            last.waiting.keys().filter(is_lexeme).map(|symbol| last.waiting[symbol].rest).min().unwrap_or(NEVER);
        let mut take = |length: u32, text: &dyn Fn() -> Vec<u8>, stands: &dyn Fn(LexemeIdx) -> bool| {
            for (symbol, waiting) in &last.waiting {
                if matches!(rules.meaning(*symbol), Meaning::Lexeme(lexeme, _) if stands(*lexeme))
                    && length + waiting.rest < MAX_TEXT
                {
                    shortest = shortest.min(length + waiting.rest);
                    found.push((length + waiting.rest, text(), waiting.shortest));
                }
            }
            length + least <= shortest.saturating_add(LONGER)
        };
        let mut states = vec![self.state];
        if !self.is_within {
            for symbol in last.waiting.keys() {
                if let Meaning::Lexeme(lexeme, text) = rules.meaning(*symbol)
                    && text.first() == Some(&TokTrie::SPECIAL_TOKEN_MARKER)
                {
                    take(text.len() as u32, &|| text.clone(), &|other| other == *lexeme);
                }
            }
        } else if rules
            .with_lexer(|lexer| accepted(lexer, self.state).as_slice().to_vec())
            .iter()
            .any(|l| rules.is_skipped(*l))
        {
            states.push(last.start);
        }
        let is_within = self.is_within;
        rules.ends(&states, &mut |end, lexemes| {
            let is_begun = is_within || end.len() > 0;
            !is_begun || take(end.len(), &|| end.text(), &|lexeme| lexemes.contains(&lexeme))
        });
        found.sort_by_key(|(length, ..)| *length);
        found.truncate(most);
        found.into_iter().map(|(_, text, item)| self.write(rules, text, item)).collect()
    }

    /// Writes what completes the output from an item on.
    fn write(&self, rules: &Rules, mut text: Vec<u8>, mut item: Option<Item>) -> Vec<u8> {
        let nothing = HashMap::new();
        while let Some(open) = item {
            rules.parts(open.rule, open.at).iter().for_each(|part| rules.write(*part, &mut text));
            item = self.parent(rules, open, &nothing).flatten().and_then(|waiting| waiting.shortest);
        }
        text
    }
}
