//! A second reading of GBNF, which shares nothing with the crate's: a small parser, and Earley's recogniser over characters.

use std::collections::{HashMap, HashSet};

/// A grammar by its rules' alternatives; the first rule is `root`.
pub struct Recogniser {
    rules: Vec<Vec<Vec<Symbol>>>,
}

#[derive(Clone)]
enum Symbol {
    Rule(usize),
    Class { ranges: Vec<(char, char)>, negated: bool },
}

impl Recogniser {
    /// Reads a grammar that is known to be good.
    pub fn new(text: &str) -> Recogniser {
        let mut reader = Reader { text: text.chars().collect(), at: 0, rules: vec![vec![]], names: HashMap::new() };
        reader.names.insert("root".to_owned(), 0);
        loop {
            reader.blank(true);
            let Some(name) = reader.name() else { break };
            let rule = reader.rule(name);
            reader.blank(false);
            reader.expect("::=");
            reader.rules[rule] = reader.alternatives(false);
        }
        assert_eq!(reader.at, reader.text.len(), "a grammar is read to its end");
        let mut recogniser = Recogniser { rules: reader.rules };
        recogniser.prune();
        recogniser
    }

    /// Leave out alternatives that no finite text satisfies, so that what is viable can be completed.
    fn prune(&mut self) {
        let mut ends = vec![false; self.rules.len()];
        let end = |symbol: &Symbol, ends: &[bool]| !matches!(symbol, Symbol::Rule(rule) if !ends[*rule]);
        loop {
            let next: Vec<bool> = self
                .rules
                .iter()
                .map(|rule| rule.iter().any(|all| all.iter().all(|symbol| end(symbol, &ends))))
                .collect();
            if next == ends {
                break;
            }
            ends = next;
        }
        for rule in &mut self.rules {
            rule.retain(|all| all.iter().all(|symbol| end(symbol, &ends)));
        }
    }

    /// Whether the text belongs to the grammar.
    pub fn accepts(&self, text: &str) -> bool {
        let mut chart = self.begin();
        text.chars().all(|c| self.push(&mut chart, c)) && self.is_complete(&chart)
    }

    /// The chart of the empty text.
    pub fn begin(&self) -> Chart {
        let mut chart = Chart { sets: Vec::new() };
        self.close(&mut chart, (0..self.rules[0].len()).map(|alternative| (0, alternative, 0, 0)).collect());
        chart
    }

    /// Go on by a character, if some text of the grammar does.
    pub fn push(&self, chart: &mut Chart, c: char) -> bool {
        let Some(set) = chart.sets.last() else { return false };
        let scan = |&(rule, alternative, dot, origin): &Item| match self.rules[rule][alternative].get(dot) {
            Some(Symbol::Class { ranges, negated }) => {
                let within = ranges.iter().any(|(from, to)| (*from..=*to).contains(&c)) != *negated;
                within.then_some((rule, alternative, dot + 1, origin))
            }
            _ => None,
        };
        let next: Vec<Item> = set.iter().filter_map(scan).collect();
        if next.is_empty() {
            return false;
        }
        self.close(chart, next);
        true
    }

    /// Whether the text so far belongs to the grammar.
    pub fn is_complete(&self, chart: &Chart) -> bool {
        let is_end = |item: &Item| item.0 == 0 && item.3 == 0 && item.2 == self.rules[0][item.1].len();
        chart.sets.last().is_some_and(|set| set.iter().any(is_end))
    }

    /// Predict and complete within a new set.
    fn close(&self, chart: &mut Chart, mut set: Vec<Item>) {
        let at = chart.sets.len();
        let mut known: HashSet<Item> = set.iter().copied().collect();
        let mut empty: HashSet<usize> = HashSet::new();
        let mut index = 0;
        while index < set.len() {
            let (rule, alternative, dot, origin) = set[index];
            index += 1;
            let mut add = |item: Item, set: &mut Vec<Item>| {
                if known.insert(item) {
                    set.push(item);
                }
            };
            match self.rules[rule][alternative].get(dot) {
                Some(Symbol::Rule(wanted)) => {
                    (0..self.rules[*wanted].len()).for_each(|choice| add((*wanted, choice, 0, at), &mut set));
                    if empty.contains(wanted) {
                        add((rule, alternative, dot + 1, origin), &mut set);
                    }
                }
                Some(Symbol::Class { .. }) => {}
                None => {
                    if origin == at {
                        empty.insert(rule);
                    }
                    let waiting = if origin == at { set.clone() } else { chart.sets[origin].clone() };
                    for (user, choice, dot, begun) in waiting {
                        if matches!(self.rules[user][choice].get(dot), Some(Symbol::Rule(wanted)) if *wanted == rule) {
                            add((user, choice, dot + 1, begun), &mut set);
                        }
                    }
                }
            }
        }
        chart.sets.push(set);
    }
}

/// A rule, an alternative, how far it has come, and where it began.
type Item = (usize, usize, usize, usize);

/// Earley's sets, one behind each character.
#[derive(Clone)]
pub struct Chart {
    sets: Vec<Vec<Item>>,
}

struct Reader {
    text: Vec<char>,
    at: usize,
    rules: Vec<Vec<Vec<Symbol>>>,
    names: HashMap<String, usize>,
}

impl Reader {
    fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    fn take(&mut self) -> char {
        self.at += 1;
        self.text[self.at - 1]
    }

    fn eat(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, wanted: &str) {
        wanted.chars().for_each(|c| assert!(self.eat(c), "{wanted} at {}", self.at));
    }

    fn blank(&mut self, lines: bool) {
        while let Some(c) = self.peek() {
            if c == '#' {
                while self.peek().is_some_and(|c| c != '\n') {
                    self.at += 1;
                }
            } else if c == ' ' || (c == '\n' && lines) {
                self.at += 1;
            } else {
                break;
            }
        }
    }

    fn name(&mut self) -> Option<String> {
        let mut name = String::new();
        while let Some(c) = self.peek().filter(|c| c.is_ascii_alphanumeric() || *c == '-') {
            name.push(c);
            self.at += 1;
        }
        (!name.is_empty()).then_some(name)
    }

    fn rule(&mut self, name: String) -> usize {
        *self.names.entry(name).or_insert_with(|| {
            self.rules.push(vec![]);
            self.rules.len() - 1
        })
    }

    fn alternatives(&mut self, nested: bool) -> Vec<Vec<Symbol>> {
        let mut alternatives = vec![vec![]];
        loop {
            self.blank(nested);
            match self.peek() {
                Some('|') => {
                    self.at += 1;
                    self.blank(true);
                    alternatives.push(vec![]);
                }
                None | Some('\n' | ')') => return alternatives,
                Some(_) => {
                    let atom = self.atom();
                    let symbols = self.repeated(atom);
                    alternatives.last_mut().unwrap().extend(symbols);
                }
            }
        }
    }

    fn atom(&mut self) -> Vec<Symbol> {
        match self.take() {
            '"' => {
                let mut symbols = vec![];
                while !self.eat('"') {
                    let c = self.character();
                    symbols.push(Symbol::Class { ranges: vec![(c, c)], negated: false });
                }
                symbols
            }
            '[' => {
                let negated = self.eat('^');
                let mut ranges = vec![];
                while !self.eat(']') {
                    let from = self.character();
                    let is_range = self.peek() == Some('-') && self.text[self.at + 1] != ']';
                    self.at += usize::from(is_range);
                    let to = if is_range { self.character() } else { from };
                    ranges.push((from, to));
                }
                vec![Symbol::Class { ranges, negated }]
            }
            '.' => vec![Symbol::Class { ranges: vec![], negated: true }],
            '(' => {
                let group = self.alternatives(true);
                self.expect(")");
                vec![self.new_rule(group)]
            }
            _ => {
                self.at -= 1;
                let name = self.name().unwrap_or_else(|| panic!("an atom at {}", self.at));
                vec![Symbol::Rule(self.rule(name))]
            }
        }
    }

    fn new_rule(&mut self, alternatives: Vec<Vec<Symbol>>) -> Symbol {
        self.rules.push(alternatives);
        Symbol::Rule(self.rules.len() - 1)
    }

    fn character(&mut self) -> char {
        match self.take() {
            '\\' => match self.take() {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'x' => self.code(2),
                'u' => self.code(4),
                'U' => self.code(8),
                other => other,
            },
            other => other,
        }
    }

    fn code(&mut self, digits: usize) -> char {
        let text: String = (0..digits).map(|_| self.take()).collect();
        char::from_u32(u32::from_str_radix(&text, 16).unwrap()).unwrap()
    }

    fn repeated(&mut self, atom: Vec<Symbol>) -> Vec<Symbol> {
        let (least, most) = match self.peek() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            Some('{') => {
                let end = self.text[self.at..].iter().position(|c| *c == '}').unwrap() + self.at;
                let inner: String = self.text[self.at + 1..end].iter().collect();
                self.at = end;
                match inner.split_once(',') {
                    None => (inner.parse().unwrap(), Some(inner.parse().unwrap())),
                    Some((least, "")) => (least.parse().unwrap(), None),
                    Some((least, most)) => (least.parse().unwrap(), Some(most.parse().unwrap())),
                }
            }
            _ => return atom,
        };
        self.at += 1;
        let once = self.new_rule(vec![atom]);
        let mut symbols = vec![once.clone(); least];
        match most {
            None => {
                let many = self.new_rule(vec![]);
                let Symbol::Rule(number) = many else { unreachable!() };
                self.rules[number] = vec![vec![], vec![once, many.clone()]];
                symbols.push(many);
            }
            Some(most) => {
                let optional = self.new_rule(vec![vec![], vec![once]]);
                symbols.extend(vec![optional; most - least]);
            }
        }
        symbols
    }
}
