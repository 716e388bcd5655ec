//! Texts, rules and cuts by chance, the same for the same seed.

use crate::oracle::{Ast, Rule};

/// A generator of all that a case needs.
pub struct Random(fastrand::Rng);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.0.usize(..end)
    }

    /// One of these.
    pub fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// A text of up to `max` of these letters.
    pub fn text(&mut self, letters: &[char], max: usize) -> String {
        (0..self.below(max + 1)).map(|_| self.of(letters)).collect()
    }

    /// `text` in pieces, empty ones among them.
    pub fn cuts<'t>(&mut self, mut text: &'t str) -> Vec<&'t str> {
        let mut pieces = Vec::new();
        while !text.is_empty() {
            let (piece, rest) = text.split_at(text.floor_char_boundary(self.below(8)));
            pieces.push(piece);
            text = rest;
        }
        pieces
    }

    /// Up to five rules, and how many of them, the first, are stop strings.
    pub fn rules(&mut self, letters: &[char]) -> (usize, Vec<Rule>) {
        self.rules_of(letters, 5)
    }

    /// Up to three rules whose matches are short, unless they repeat without end.
    pub fn short_rules(&mut self, letters: &[char]) -> (usize, Vec<Rule>) {
        self.rules_of(letters, 3)
    }

    fn rules_of(&mut self, letters: &[char], leaves: usize) -> (usize, Vec<Rule>) {
        // Stops end most texts before masks are tried; so many sets have none.
        let stops = if self.below(2) == 0 { 0 } else { self.below(3) };
        let strings =
            (0..stops).map(|_| Rule { pattern: self.string(letters, leaves), mask: None }).collect::<Vec<_>>();
        let count = 1 + self.below(3);
        let others = (0..count).map(|i| {
            let pattern = if self.below(3) == 0 { self.string(letters, leaves) } else { self.pattern(letters, leaves) };
            Rule { pattern, mask: (self.below(5) > 0).then(|| format!("<{i}>")) }
        });
        let rules = strings.iter().cloned().chain(others).collect();
        (stops, rules)
    }

    fn string(&mut self, letters: &[char], max: usize) -> Ast {
        // Some strings are longer than most texts' repetitions of their beginning, and find what is wrong with borders.
        let max = if max > 3 && self.below(3) == 0 { max * 2 } else { max };
        Ast::Sequence((0..1 + self.below(max)).map(|_| Ast::Any(vec![self.of(letters)])).collect())
    }

    /// A pattern that matches no empty text, of up to `leaves` characters that are not repeated.
    fn pattern(&mut self, letters: &[char], leaves: usize) -> Ast {
        if leaves <= 1 {
            return self.leaf(letters);
        }
        let first = 1 + self.below(leaves - 1);
        let [one, other] = [first, leaves - first].map(|leaves| self.pattern(letters, leaves));
        // `a*a|a*b` is read as `a*(?:a|b)`, here and in Rust's `regex`, which prefers another match than its alternatives do.
        let alike = [&one, &other].iter().all(|pattern| matches!(pattern.head(), Ast::Repeat { .. }));
        match self.below(6) {
            0 | 1 if !alike => Ast::Either(vec![one, other]),
            2 => Ast::Sequence(vec![one, self.repeat(other, 0)]),
            3 => Ast::Sequence(vec![self.repeat(one, 0), other]),
            4 => self.repeat(one, 1),
            _ => Ast::Sequence(vec![one, other]),
        }
    }

    fn repeat(&mut self, what: Ast, min: usize) -> Ast {
        let max = self.of(&[None, Some(1), Some(2)]);
        Ast::Repeat { what: Box::new(what), min, max, greedy: self.below(2) == 0 }
    }

    fn leaf(&mut self, letters: &[char]) -> Ast {
        match self.below(3) {
            0 => Ast::Any(letters[..2].to_vec()),
            _ => Ast::Any(vec![self.of(letters)]),
        }
    }
}

/// All texts of up to `max` of these letters.
pub fn all_texts(letters: &[char], max: usize) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut begin = 0;
    for _ in 0..max {
        let end = all.len();
        for i in begin..end {
            let longer: Vec<String> = letters.iter().map(|c| format!("{}{c}", all[i])).collect();
            all.extend(longer);
        }
        begin = end;
    }
    all
}
