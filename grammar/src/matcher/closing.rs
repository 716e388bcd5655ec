//! The completion of an output, for when its tokens run out: the shortest that its grammar has, found by a chart of what it has gone
//! through and held to the matcher itself.

use llguidance::toktrie::TokenizerEnv;

use super::chart::Chart;
use super::rules::Rules;
use super::{Matcher, Vocabulary};

/// Completions that are tried. The shortest may join with what it follows to another lexeme than the grammar wants; that is rare.
const TRIES: usize = 8;

/// Tokens that complete the output, at most `limit` of them, if there are any. None are needed where it is complete.
pub fn completion(
    matcher: &Matcher,
    rules: &Rules,
    chart: &Chart,
    vocabulary: &Vocabulary,
    limit: usize,
) -> Option<Vec<u32>> {
    chart.completions(rules, TRIES).into_iter().find_map(|text| {
        let tokens = vocabulary.tokenize_bytes_marker(&text).0;
        (tokens.len() <= limit && matcher.ends_with(&tokens)).then_some(tokens)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::{Compiler, Match, Spec, Token};

    use super::*;

    /// One token a byte, of which 0 ends the output.
    fn vocabulary() -> Arc<Vocabulary> {
        let tokens: Vec<Token> = (0..=255u8).map(|byte| Token { bytes: vec![byte], control: false }).collect();
        let tokenize = |text: &[u8]| text.iter().map(|byte| u32::from(*byte)).collect();
        Arc::new(Vocabulary::new(&tokens, &[0], Box::new(tokenize)).unwrap())
    }

    /// What ends in a word, and how short it may be.
    fn descriptions() -> Vec<(Spec, usize)> {
        let regex = |text: &str| Spec::Regex { regex: text.to_owned() };
        let gbnf = |text: &str| Spec::Gbnf { grammar: text.to_owned() };
        let lark = |text: &str| Spec::Lark { grammar: text.to_owned() };
        vec![
            (regex("[0-9]*END"), 3),
            (regex("([0-9]+ )+(DONE|OK)"), 4),
            (regex("[a-z]+ Sincerely"), 11),
            (gbnf(r#"root ::= [a-z]+ "END""#), 4),
            (gbnf(r#"root ::= ([a-z]+ " ")* "END""#), 3),
            (gbnf(r#"root ::= "BEGIN" [0-9]* "END" [0-9]* "STOP""#), 12),
            (lark("start: (WORD \" \")* \"END\"\nWORD: /[a-z]+/\n"), 3),
            (lark("start: (WORD \" \")* \"END\"\nWORD: /[A-Za-z]+/\n"), 3),
        ]
    }

    /// Found where the three tokens of a word were counted as an end that fits into one.
    #[test]
    fn a_completion_is_never_longer_than_its_limit() {
        let vocabulary = vocabulary();
        for (spec, shortest) in descriptions() {
            let mut matcher = Compiler::new(Arc::clone(&vocabulary)).unwrap().compile(&spec).unwrap();
            for limit in 0..30 {
                let found = matcher.find_completion(limit);
                assert_eq!(found.is_some(), limit >= shortest, "{limit} tokens of {}", spec.to_json());
                assert!(found.is_none_or(|found| found.len() <= limit), "{limit} tokens of {}", spec.to_json());
            }
            assert!(!matcher.is_complete());
        }
    }

    /// Found where an answer ended in the first letter of the word that had to end it.
    #[test]
    fn a_word_at_the_end_of_an_answer_is_whole_when_its_tokens_run_out() {
        let vocabulary = vocabulary();
        for (spec, shortest) in descriptions() {
            for budget in shortest..shortest + 24 {
                let mut matcher = Compiler::new(Arc::clone(&vocabulary)).unwrap().compile(&spec).unwrap();
                let landing = matcher.landing(budget);
                let mut mask = [0; 8];
                let mut left = budget;
                while left > 0 && !matcher.must_stop() {
                    matcher.mask(&mut mask).unwrap();
                    // What goes on, rather than what ends.
                    let allowed = |token: &u32| mask[*token as usize / 32] >> (token % 32) & 1 == 1;
                    let token = (b'0'..=b'9').chain(b'a'..=b'z').chain(0..=255).map(u32::from).find(allowed).unwrap();
                    if left > landing {
                        matcher.accept(token).unwrap();
                    } else {
                        matcher.land(token, left).unwrap();
                    }
                    left -= 1;
                }
                assert!(matcher.is_complete(), "{budget} tokens of {}", spec.to_json());
            }
        }
    }
}
