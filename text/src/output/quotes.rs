//! Python's strings, turned into JSON's as they come.
//!
//! A line break between single quotes is Python's error and is taken all the same: models write commands and files into them.

use super::json::{Progress, push_quoted};
use super::literal::NotLiteral;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// One or two of the quotes that open the string have come.
    Opening(u8),
    Text,
    /// So many of the three quotes that would end the string have come.
    Closing(u8),
    /// After a backslash.
    Escape,
    /// An escape that gives a character's number to the base 16: digits still to come, the number so far.
    Hexadecimal(u8, u32),
    /// The same to the base 8, which may end earlier.
    Octal(u8, u32),
}

/// Reads one string, a character at a time, behind the first of its quotes.
#[derive(Debug)]
pub(super) struct QuotedScanner {
    quote: char,
    /// Whether three quotes end it.
    triple: bool,
    /// Whether backslashes stand for themselves.
    raw: bool,
    state: State,
    /// The first half of a surrogate pair that was written as two escapes.
    high: Option<u32>,
}

impl QuotedScanner {
    pub fn new(quote: char, raw: bool) -> Self {
        Self { quote, triple: false, raw, state: State::Opening(1), high: None }
    }

    /// Takes the next character and appends what it says, as it stands inside a JSON string, to `out`.
    pub fn push(&mut self, c: char, out: &mut String) -> Result<Progress, NotLiteral> {
        match self.state {
            State::Opening(seen) => self.opening(seen, c, out),
            State::Text => self.text(c, out),
            State::Closing(seen) => self.closing(seen, c, out),
            State::Escape => self.escape(c, out),
            State::Hexadecimal(left, code) => self.hexadecimal(left, code, c, out),
            State::Octal(left, code) => self.octal(left, code, c, out),
        }
    }

    /// Whether the string is whole if nothing more comes: two quotes may be an empty one.
    pub fn may_end(&self) -> bool {
        self.state == State::Opening(2)
    }

    fn go(&mut self, state: State) -> Result<Progress, NotLiteral> {
        self.state = state;
        Ok(Progress::More)
    }

    fn opening(&mut self, seen: u8, c: char, out: &mut String) -> Result<Progress, NotLiteral> {
        match (seen, c == self.quote) {
            (1, true) => self.go(State::Opening(2)),
            (1, false) => {
                self.state = State::Text;
                self.text(c, out)
            }
            (_, true) => {
                self.triple = true;
                self.go(State::Text)
            }
            (_, false) => Ok(Progress::EndBefore),
        }
    }

    fn text(&mut self, c: char, out: &mut String) -> Result<Progress, NotLiteral> {
        match c {
            '\\' => self.go(State::Escape),
            _ if c == self.quote && self.triple => self.go(State::Closing(1)),
            _ if c == self.quote => {
                self.drop_half_pair(out);
                Ok(Progress::End)
            }
            _ => {
                self.character(c, out);
                Ok(Progress::More)
            }
        }
    }

    fn closing(&mut self, seen: u8, c: char, out: &mut String) -> Result<Progress, NotLiteral> {
        if c != self.quote {
            for _ in 0..seen {
                self.character(self.quote, out);
            }
            self.state = State::Text;
            return self.text(c, out);
        }
        if seen == 1 {
            return self.go(State::Closing(2));
        }
        self.drop_half_pair(out);
        Ok(Progress::End)
    }

    fn escape(&mut self, c: char, out: &mut String) -> Result<Progress, NotLiteral> {
        if self.raw {
            self.character('\\', out);
            self.character(c, out);
            return self.go(State::Text);
        }
        let plain = match c {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'a' => '\u{7}',
            'v' => '\u{b}',
            '\\' | '\'' | '"' | '/' => c,
            '\n' => return self.go(State::Text),
            'x' => return self.go(State::Hexadecimal(2, 0)),
            'u' => return self.go(State::Hexadecimal(4, 0)),
            'U' => return self.go(State::Hexadecimal(8, 0)),
            '0'..='7' => return self.go(State::Octal(2, c as u32 - '0' as u32)),
            // A character by its Unicode name, of which there is no table here.
            'N' => return Err(NotLiteral),
            // Python keeps the backslash of an escape that it does not know.
            _ => {
                self.character('\\', out);
                c
            }
        };
        self.character(plain, out);
        self.go(State::Text)
    }

    fn hexadecimal(&mut self, left: u8, code: u32, c: char, out: &mut String) -> Result<Progress, NotLiteral> {
        let digit = c.to_digit(16).ok_or(NotLiteral)?;
        let code = code.checked_mul(16).ok_or(NotLiteral)? + digit;
        if left > 1 {
            return self.go(State::Hexadecimal(left - 1, code));
        }
        match (code, self.high.take()) {
            (0xd800..=0xdbff, high) => {
                if high.is_some() {
                    self.character('\u{fffd}', out);
                }
                self.high = Some(code);
            }
            (0xdc00..=0xdfff, Some(high)) => {
                let whole = 0x10000 + ((high - 0xd800) << 10) + (code - 0xdc00);
                self.character(char::from_u32(whole).unwrap_or('\u{fffd}'), out);
            }
            (0xdc00..=0xdfff, None) => self.character('\u{fffd}', out),
            (_, high) => {
                self.high = high;
                self.character(char::from_u32(code).ok_or(NotLiteral)?, out);
            }
        }
        self.go(State::Text)
    }

    fn octal(&mut self, left: u8, code: u32, c: char, out: &mut String) -> Result<Progress, NotLiteral> {
        match c.to_digit(8) {
            Some(digit) if left > 0 => self.go(State::Octal(left - 1, code * 8 + digit)),
            _ => {
                self.character(char::from_u32(code).ok_or(NotLiteral)?, out);
                self.state = State::Text;
                self.text(c, out)
            }
        }
    }

    fn character(&mut self, c: char, out: &mut String) {
        self.drop_half_pair(out);
        push_quoted(c.encode_utf8(&mut [0; 4]), out);
    }

    fn drop_half_pair(&mut self, out: &mut String) {
        if self.high.take().is_some() {
            out.push('\u{fffd}');
        }
    }
}
