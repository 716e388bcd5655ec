//! A parsed grammar, and what can be told of its rules.

use crate::GrammarError;

/// How long a regular rule may be with all that it names, and with its repetitions, written out.
const MAX_EXPANDED: u64 = 50_000;

/// Rules by their numbers; groups in parentheses are rules, too. The first is `root`.
#[derive(Debug, Default)]
pub struct Grammar {
    pub rules: Vec<Rule>,
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
}

impl Item {
    /// The atom once.
    pub fn once(atom: Atom) -> Item {
        Item { atom, least: 1, most: Some(1) }
    }

    /// How many characters it is long, its repetitions written out.
    fn size(&self, rules: &[u64]) -> u64 {
        let once = match &self.atom {
            Atom::Literal(text) => text.len() as u64,
            Atom::Class(_) | Atom::Token(_) => 1,
            Atom::Rule(rule) => rules[*rule],
        };
        once.max(1).saturating_mul(u64::from(self.most.unwrap_or(self.least).max(1)))
    }

    fn rule(&self) -> Option<usize> {
        match self.atom {
            Atom::Rule(rule) => Some(rule),
            _ => None,
        }
    }
}

impl Grammar {
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
        self.closure(|rule, known| {
            rule.iter().flatten().all(|item| match item.atom {
                Atom::Rule(rule) => known[rule],
                Atom::Token(_) => false,
                Atom::Literal(_) | Atom::Class(_) => true,
            })
        })
    }

    /// Refuse regular rules that are too long when written out: a terminal is a regular expression.
    pub fn check_size(&self) -> Result<(), GrammarError> {
        let mut sizes = vec![0u64; self.rules.len()];
        let regular = self.regular();
        // Each round gets one level further; sizes only grow, and levels are bounded by the number of rules.
        loop {
            let mut grown = false;
            for (number, rule) in self.rules.iter().enumerate().filter(|(number, _)| regular[*number]) {
                let size = rule.iter().flatten().fold(1u64, |sum, item| sum.saturating_add(item.size(&sizes)));
                if size > MAX_EXPANDED {
                    let what = "a rule and what it names written out, in characters".to_owned();
                    return Err(GrammarError::TooLarge { what, limit: MAX_EXPANDED as usize });
                }
                grown |= std::mem::replace(&mut sizes[number], size) != size;
            }
            if !grown {
                return Ok(());
            }
        }
    }

    /// Which rules can be reached from the first.
    pub fn reached(&self) -> Vec<bool> {
        let mut reached = vec![false; self.rules.len()];
        let mut pending = vec![0];
        while let Some(rule) = pending.pop() {
            if !std::mem::replace(&mut reached[rule], true) {
                pending.extend(self.rules[rule].iter().flatten().filter_map(Item::rule));
            }
        }
        reached
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
