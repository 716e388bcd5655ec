//! Limits on JSON that grammars do not have: numbers and nesting that every reader takes.
//!
//! A schema's number may have any number of digits, and its exponent, too: `1e999` is JSON, and too large for every reader. A value may be
//! nested without end. Some readers stop at 128 levels. A hot model runs into both. So, where a document is being
//! written, tokens that would go beyond these limits are taken out of the mask, unless no other is left; and those that would leave no other:
//! what is nested as deep as it may be is closed where it can be, and the last digit of a number that its bound still excludes is no zero.

/// Deepest nesting of arrays and objects. A token may go a few levels beyond.
const MAX_DEPTH: u32 = 64;

/// Most digits of a number with a decimal point: so many survive in a 64-bit float, and a bound that excludes itself
/// cannot be met by rounding.
const MAX_DECIMALS: u32 = 15;

/// Most digits of a number without one.
const MAX_DIGITS: u32 = 40;

/// Most digits of an exponent.
const MAX_EXPONENT: u32 = 2;

/// Where in a JSON document the output is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Guard {
    place: Place,
    depth: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Between,
    Text,
    Escape,
    Number { digits: u32, point: bool },
    Exponent { digits: u32 },
}

impl Guard {
    /// At the beginning of a document.
    pub fn new() -> Guard {
        Guard { place: Place::Between, depth: 0 }
    }

    /// Whether a string has begun and not ended.
    pub fn is_in_text(&self) -> bool {
        matches!(self.place, Place::Text | Place::Escape)
    }

    /// Go on by these bytes; whether they stay within the limits.
    pub fn push(&mut self, bytes: &[u8]) -> bool {
        let mut within = true;
        for &byte in bytes {
            within &= self.step(byte);
        }
        within
    }

    /// Take the tokens out of `mask` that would go beyond the limits. `bytes` gives what a token writes.
    pub fn restrict<'a>(&self, mask: &mut [u32], bytes: impl Fn(u32) -> &'a [u8]) {
        // Within a text there is nothing to limit, and it is where most tokens are allowed.
        if self.is_in_text() {
            return;
        }
        let begins = |is: fn(u8) -> bool| move |token: &[u8]| token.first().is_some_and(|byte| is(*byte));
        let (closes, counts) = (begins(|byte| matches!(byte, b']' | b'}')), begins(|byte| byte.is_ascii_digit()));
        let must_close = self.depth >= MAX_DEPTH && tokens(mask).any(|token| closes(bytes(token)));
        let must_count = matches!(self.place, Place::Number { .. }) && tokens(mask).all(|token| counts(bytes(token)));
        let is_within = |token: &[u8]| {
            let mut next = *self;
            let within = next.push(token);
            let dead_end = must_count && next.is_full() && token.ends_with(b"0");
            within && !dead_end && (!must_close || closes(token))
        };
        let mut beyond: Vec<u32> = tokens(mask).filter(|&token| !is_within(bytes(token))).collect();
        if beyond.len() == tokens(mask).count() {
            // Where it has to go deeper, not at once into what could not be closed again.
            let leads = |token: u32| {
                let mut next = *self;
                next.push(bytes(token));
                (next.depth, next.is_in_text())
            };
            let least = tokens(mask).map(leads).min();
            beyond.retain(|&token| Some(leads(token)) != least);
        }
        for token in beyond {
            mask[token as usize / 32] &= !(1 << (token % 32));
        }
    }

    /// Whether a number has as many digits as it may have.
    fn is_full(&self) -> bool {
        matches!(self.place, Place::Number { digits: MAX_DECIMALS.., point: true })
    }

    fn step(&mut self, byte: u8) -> bool {
        let mut within = true;
        self.place = match (self.place, byte) {
            (Place::Text, b'"') => Place::Between,
            (Place::Text, b'\\') => Place::Escape,
            (Place::Text | Place::Escape, _) => Place::Text,
            (Place::Number { digits, point }, b'0'..=b'9') => {
                within = digits < if point { MAX_DECIMALS } else { MAX_DIGITS };
                Place::Number { digits: digits + 1, point }
            }
            (Place::Number { digits, .. }, b'.') => {
                within = digits < MAX_DECIMALS;
                Place::Number { digits, point: true }
            }
            (Place::Number { .. }, b'e' | b'E') => Place::Exponent { digits: 0 },
            (Place::Exponent { digits }, b'0'..=b'9') => {
                within = digits < MAX_EXPONENT;
                Place::Exponent { digits: digits + 1 }
            }
            (Place::Exponent { digits: 0 }, b'+' | b'-') => self.place,
            (_, b'"') => Place::Text,
            (_, b'0'..=b'9') => Place::Number { digits: 1, point: false },
            _ => Place::Between,
        };
        if self.place == Place::Between {
            within = self.nest(byte) && within;
        }
        within
    }

    fn nest(&mut self, byte: u8) -> bool {
        match byte {
            b'[' | b'{' => self.depth += 1,
            b']' | b'}' => self.depth = self.depth.saturating_sub(1),
            _ => return true,
        }
        self.depth <= MAX_DEPTH || matches!(byte, b']' | b'}')
    }
}

/// The tokens of a mask.
fn tokens(mask: &[u32]) -> impl Iterator<Item = u32> {
    let word = |(index, &word): (usize, &u32)| {
        (0..32).filter(move |bit| word >> bit & 1 == 1).map(move |bit| index as u32 * 32 + bit)
    };
    mask.iter().enumerate().filter(|(_, word)| **word != 0).flat_map(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn within(text: &str) -> bool {
        Guard::new().push(text.as_bytes())
    }

    #[test]
    fn numbers_stay_readable() {
        for text in ["-12.5e-10", "123456789012.345", "1E+99", "[1,22,\"1e999\"]", "0.0", "\"\\\"1e999\""] {
            assert!(within(text), "{text}");
        }
        for text in ["1e999", "[1E-100", "0.1234567890123456", "1234567890123456.", &"9".repeat(41)] {
            assert!(!within(text), "{text}");
        }
    }

    #[test]
    fn nesting_is_counted_outside_of_texts_and_closing_is_always_within() {
        let deep = "[".repeat(64);
        assert!(within(&deep) && within(&format!("\"{deep}[[\"")) && within(&format!("{}[", "[]".repeat(100))));
        let mut guard = Guard::new();
        assert!(!guard.push(format!("{deep}{{").as_bytes()));
        assert!(guard.push(b"}]"));
    }

    #[test]
    fn the_last_tokens_are_left() {
        let bytes = |token: u32| if token == 33 { b"[".as_slice() } else { b"1e999".as_slice() };
        let mut mask = [0b1, 0b10];
        Guard::new().restrict(&mut mask, bytes);
        assert_eq!(mask, [0, 0b10]);
        let mut mask = [0b1, 0];
        Guard::new().restrict(&mut mask, bytes);
        assert_eq!(mask, [0b1, 0]);
    }

    /// What of `tokens` is left behind `text`.
    fn left<'t>(text: &str, tokens: &[&'t str]) -> Vec<&'t str> {
        let mut guard = Guard::new();
        guard.push(text.as_bytes());
        let mut mask = [(1 << tokens.len()) - 1];
        guard.restrict(&mut mask, |token| tokens[token as usize].as_bytes());
        super::tokens(&mask).map(|token| tokens[token as usize]).collect()
    }

    /// Found where a number above 0.1 was all zeros, to the end of its budget.
    #[test]
    fn the_last_digit_of_a_number_that_is_excluded_is_no_zero() {
        assert_eq!(left("0.1000000000000", &["0", "00", "7", "70", "07"]), ["7"]);
        assert_eq!(left("0.100000000000", &["0", "00", "7", "07"]), ["0", "7", "07"]);
        assert_eq!(left("0.1000000000000", &["0", "7", "}"]), ["0", "7", "}"], "it may end");
    }

    /// Found where two definitions that contain one another were nested by what had to follow their optional names.
    #[test]
    fn what_is_nested_too_deep_is_closed_where_it_can_be() {
        let deep = "[".repeat(64);
        assert_eq!(left(&deep, &["]", "1", "\"", "[", "]]"]), ["]", "]]"]);
        assert_eq!(left(&deep, &["1", "\"", "["]), ["1", "\""]);
        assert_eq!(left(&deep, &["{\"", "{", "[{"]), ["{"]);
        assert_eq!(left(&deep, &["{\"", "{", "{}"]), ["{}"]);
        assert_eq!(left(&deep[1..], &["]", "1", "\""]), ["]", "1", "\""]);
    }
}
