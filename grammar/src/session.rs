//! An output under way, as an engine asks of it from another thread: one message takes what a decode step has chosen and gives all that
//! the next one needs, since each message costs a round trip.

use crate::{GrammarError, Match};

/// What is asked of an output under way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// Tokens to go on by, in order.
    pub tokens: Vec<u32>,
    /// At most so many tokens may still come, the first of `tokens` included.
    pub budget: usize,
    /// Whether the output is brought to its end before the budget runs out.
    pub closes: bool,
    /// What is asked of the position behind the tokens.
    pub asks: Asks,
}

/// What is asked of a position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Asks {
    /// Only whether the output may end there, or must. Where the tokens were not taken as they are, as [`Asks::Next`].
    #[default]
    Nothing,
    /// The tokens that may come next.
    Mask,
    /// The tokens that must come next; where there are none, those that may.
    Next,
}

/// What became of a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// What became of its tokens.
    pub taken: Taken,
    /// Whether the output may end here.
    pub is_complete: bool,
    /// Whether nothing but its end may follow.
    pub must_stop: bool,
    /// The tokens that must come next.
    pub forced: Vec<u32>,
    /// The tokens that may come next: bit `t % 32` of word `t / 32` for token `t`.
    pub mask: Option<Vec<u32>>,
}

/// What became of a step's tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Those that the output went on by: the first of the step's. The last may be another in the place of the step's, which brings the
    /// output to its end. Fewer than the step's where one was refused or replaced, or nothing may follow.
    pub tokens: Vec<u32>,
    /// Whether the one behind them may not come.
    pub is_refused: bool,
}

/// An output under way, and when it is brought to its end.
pub struct Session {
    matcher: Box<dyn Match>,
    /// Length of a mask, in units of 32 tokens.
    words: usize,
    /// How many tokens may be left when it is looked at again how the output can be brought to its end; at first, as many as there are.
    closing_at: usize,
    /// Whether it is being brought to its end.
    is_closing: bool,
}

impl Session {
    /// An output at its beginning, over a vocabulary of `words` times 32 tokens at most.
    pub fn new(matcher: Box<dyn Match>, words: usize) -> Session {
        Session { matcher, words, closing_at: usize::MAX, is_closing: false }
    }

    /// Goes on by a step, and looks at where that leads.
    ///
    /// # Errors
    /// When the grammar is too complex to be followed. A token that is refused is no error.
    pub fn step(&mut self, step: &Step) -> Result<Position, GrammarError> {
        let taken = self.take(step)?;
        self.look(step, taken)
    }

    /// Whether taking a step looks for a way to the output's end.
    pub fn searches(&self, step: &Step) -> bool {
        step.closes && !step.tokens.is_empty() && (self.is_closing || step.budget <= self.closing_at)
    }

    /// The same output, which goes on by itself.
    #[must_use]
    pub fn fork(&self) -> Session {
        Session { matcher: self.matcher.fork(), ..*self }
    }

    /// Goes on by a step's tokens.
    ///
    /// # Errors
    /// As [`Session::step`].
    pub fn take(&mut self, step: &Step) -> Result<Taken, GrammarError> {
        let mut taken = Taken::default();
        for (&token, budget) in step.tokens.iter().zip((0..=step.budget).rev()) {
            if !taken.tokens.is_empty() && self.matcher.must_stop() {
                break;
            }
            match self.take_one(token, budget, step.closes) {
                Ok(instead) => {
                    taken.tokens.push(instead);
                    if instead != token {
                        break;
                    }
                }
                Err(GrammarError::Refused { .. }) => {
                    taken.is_refused = true;
                    break;
                }
                Err(error) if taken.tokens.is_empty() => return Err(error),
                // Told when it is asked for what comes behind those that stand.
                Err(_) => break,
            }
        }
        Ok(taken)
    }

    fn take_one(&mut self, token: u32, budget: usize, closes: bool) -> Result<u32, GrammarError> {
        if closes && !self.is_closing && budget <= self.closing_at {
            self.closing_at = self.matcher.landing(budget);
            self.is_closing = self.closing_at >= budget;
        }
        if closes && self.is_closing {
            return self.matcher.land(token, budget);
        }
        self.matcher.accept(token)?;
        Ok(token)
    }

    /// Looks at where a step has led. Changes nothing.
    ///
    /// # Errors
    /// As [`Session::step`].
    pub fn look(&mut self, step: &Step, taken: Taken) -> Result<Position, GrammarError> {
        let asks = if step.tokens.starts_with(&taken.tokens) && !taken.is_refused { step.asks } else { Asks::Next };
        let must_stop = self.matcher.must_stop();
        let mut position =
            Position { is_complete: self.matcher.is_complete(), must_stop, taken, ..Position::default() };
        if asks == Asks::Next && !must_stop {
            position.forced = self.matcher.forced()?;
        }
        if asks != Asks::Nothing && !must_stop && position.forced.is_empty() {
            let mut mask = vec![0; self.words];
            self.matcher.mask(&mut mask)?;
            position.mask = Some(mask);
        }
        Ok(position)
    }
}

/// Bits of the first word of a position's words.
const REFUSED: u32 = 1;
const COMPLETE: u32 = 2;
const MUST_STOP: u32 = 4;
const MASKED: u32 = 8;

impl Position {
    /// As one block of words, to cross to another module: flags, how many tokens were taken, how many are forced, these, the mask.
    pub fn to_words(&self) -> Vec<u32> {
        let flags = [
            (REFUSED, self.taken.is_refused),
            (COMPLETE, self.is_complete),
            (MUST_STOP, self.must_stop),
            (MASKED, self.mask.is_some()),
        ];
        let flags = flags.iter().filter(|(_, is_set)| *is_set).map(|(flag, _)| flag).sum();
        let mut words = vec![flags, self.taken.tokens.len() as u32, self.forced.len() as u32];
        words.extend(&self.taken.tokens);
        words.extend(&self.forced);
        words.extend(self.mask.iter().flatten());
        words
    }

    /// The position that was made such words; none where they are others.
    pub fn from_words(words: &[u32]) -> Option<Position> {
        let (&[flags, taken, forced], rest) = words.split_first_chunk()?;
        let (taken, rest) = rest.split_at_checked(taken as usize)?;
        let (forced, mask) = rest.split_at_checked(forced as usize)?;
        Some(Position {
            taken: Taken { tokens: taken.to_vec(), is_refused: flags & REFUSED != 0 },
            is_complete: flags & COMPLETE != 0,
            must_stop: flags & MUST_STOP != 0,
            forced: forced.to_vec(),
            mask: (flags & MASKED != 0).then(|| mask.to_vec()),
        })
    }
}

impl Asks {
    /// As a number, to cross to another module.
    pub fn to_word(self) -> u32 {
        self as u32
    }

    /// What was made such a number.
    pub fn from_word(word: u32) -> Asks {
        match word {
            0 => Asks::Nothing,
            1 => Asks::Mask,
            _ => Asks::Next,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn position_crosses_as_words() {
        let taken = Taken { tokens: vec![7, 8], is_refused: true };
        let full = Position { taken, is_complete: true, must_stop: false, forced: vec![9], mask: Some(vec![1, 2]) };
        for position in [full, Position { must_stop: true, ..Position::default() }] {
            assert_eq!(Position::from_words(&position.to_words()), Some(position));
        }
        for broken in [&[][..], &[0, 1], &[0, 1, 0], &[0, 0, u32::MAX, 1]] {
            assert_eq!(Position::from_words(broken), None, "{broken:?}");
        }
        for asks in [Asks::Nothing, Asks::Mask, Asks::Next] {
            assert_eq!(Asks::from_word(asks.to_word()), asks);
        }
    }
}

#[cfg(all(test, feature = "matcher"))]
mod with_matcher {
    use std::sync::Arc;

    use super::*;
    use crate::{Compiler, Grammars, Spec, Token, Vocabulary};

    const WORDS: usize = 8;

    fn session(regex: &str) -> Session {
        let tokens: Vec<Token> = (0..=255u8).map(|byte| Token { bytes: vec![byte], control: false }).collect();
        let tokenize = |text: &[u8]| text.iter().map(|byte| u32::from(*byte)).collect();
        let vocabulary = Vocabulary::new(&tokens, &[0], Box::new(tokenize)).unwrap();
        let spec = Spec::Regex { regex: regex.to_owned() }.to_json();
        Session::new(Grammars::compile(&mut Compiler::new(Arc::new(vocabulary)).unwrap(), &spec).unwrap(), WORDS)
    }

    fn step(text: &str, asks: Asks) -> Step {
        Step { tokens: text.bytes().map(u32::from).collect(), budget: 100, closes: false, asks }
    }

    #[test]
    fn step_goes_on_up_to_the_token_that_is_refused() {
        let mut session = session("[a-z]{4}[0-9]");
        let position = session.step(&step("ab9c", Asks::Nothing)).unwrap();
        assert_eq!(position.taken, Taken { tokens: vec![97, 98], is_refused: true });
        let mask = position.mask.expect("what may come in its place");
        assert_eq!((mask.len(), mask[3].count_ones()), (WORDS, 26));
        let rest = session.step(&step("cd", Asks::Next)).unwrap();
        assert_eq!((rest.taken.tokens.len(), rest.mask.map(|mask| mask[1].count_ones())), (2, Some(10)));
    }

    #[test]
    fn step_tells_what_must_come_or_else_what_may() {
        let mut session = session("a(bcd|bce)[0-9]");
        let position = session.step(&step("", Asks::Next)).unwrap();
        assert!(position.forced.starts_with(&[97]) && position.mask.is_none(), "{position:?}");
        let position = session.step(&step("abc", Asks::Next)).unwrap();
        assert_eq!((position.forced.len(), position.mask.map(|mask| mask[3].count_ones())), (0, Some(2)));
        let position = session.step(&step("d", Asks::Nothing)).unwrap();
        assert_eq!((position.mask, position.is_complete), (None, false));
        assert!(session.step(&step("1", Asks::Next)).unwrap().must_stop);
    }

    #[test]
    fn step_ends_with_the_output() {
        let position = session("ab").step(&step("abab", Asks::Nothing)).unwrap();
        assert_eq!(position.taken, Taken { tokens: vec![97, 98], is_refused: false });
        assert!(position.must_stop);
    }

    #[test]
    fn step_is_brought_to_its_end_within_its_budget() {
        let mut session = session("\"[a-z]*\"");
        let text = Step { budget: 6, closes: true, ..step("\"abcdefgh", Asks::Nothing) };
        assert!(session.searches(&text));
        let position = session.step(&text).unwrap();
        let end = position.taken.tokens.last();
        assert!(position.taken.tokens.len() <= 6 && position.is_complete && end == Some(&34), "{position:?}");
    }

    #[test]
    fn fork_goes_on_by_itself() {
        let mut session = session("[ab]c");
        let mut fork = session.fork();
        assert!(!fork.step(&step("a", Asks::Nothing)).unwrap().taken.is_refused);
        assert!(session.step(&step("c", Asks::Nothing)).unwrap().taken.is_refused);
    }
}
