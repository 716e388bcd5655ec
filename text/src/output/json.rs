//! JSON that comes in pieces: passed on as it comes, checked as it goes.
//!
//! The text stays as the model wrote it, except for two things that models write and JSON forbids or readers refuse: a control
//! character inside a string becomes its escape, and half of a surrogate pair becomes `\ufffd`.

use std::fmt::Write;

/// Arrays and objects within one another: more is refused. What reads the arguments later has limits of its own (`serde_json`: 128).
pub(super) const MAX_DEPTH: u32 = 100;

/// The text is not JSON, or nested deeper than [`MAX_DEPTH`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotJson;

/// How far a value is after another character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    More,
    /// The character was the value's last.
    End,
    /// The value ended before the character, which is not part of it: so numbers end.
    EndBefore,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Value,
    /// After `[`: a value or `]`.
    FirstElement,
    /// After `{`: a key or `}`.
    FirstKey,
    /// After `,` in an object.
    Key,
    Colon,
    AfterValue,
    Text,
    /// Inside an escape, of which so much has come.
    Escape(usize),
    Number(Number),
    /// Inside `true`, `false` or `null`: what is still to come.
    Word(&'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Number {
    Minus,
    Zero,
    Whole,
    Point,
    Fraction,
    E,
    Sign,
    Exponent,
}

impl Number {
    /// The state after `c`, or `None` if the number cannot go on with it.
    fn next(self, c: char) -> Option<Self> {
        Some(match (self, c) {
            (Self::Minus, '0') => Self::Zero,
            (Self::Minus, '1'..='9') | (Self::Whole, '0'..='9') => Self::Whole,
            (Self::Zero | Self::Whole, '.') => Self::Point,
            (Self::Point | Self::Fraction, '0'..='9') => Self::Fraction,
            (Self::Zero | Self::Whole | Self::Fraction, 'e' | 'E') => Self::E,
            (Self::E, '+' | '-') => Self::Sign,
            (Self::E | Self::Sign | Self::Exponent, '0'..='9') => Self::Exponent,
            _ => return None,
        })
    }

    fn may_end(self) -> bool {
        matches!(self, Self::Zero | Self::Whole | Self::Fraction | Self::Exponent)
    }
}

/// Reads one JSON value, a character at a time, in constant memory.
#[derive(Debug)]
pub(super) struct JsonScanner {
    state: State,
    /// One bit for each level that is open, the innermost lowest: 1 for an object.
    objects: u128,
    depth: u32,
    /// Whether the string under way is a key.
    in_key: bool,
    /// The escape under way, without its backslash.
    escape: [u8; 5],
    /// The first half of a surrogate pair, whose second half has to follow.
    high: Option<[u8; 5]>,
}

impl JsonScanner {
    pub fn new() -> Self {
        Self { state: State::Value, objects: 0, depth: 0, in_key: false, escape: [0; 5], high: None }
    }

    /// Takes the next character and appends what can be passed on to `out`.
    pub fn push(&mut self, c: char, out: &mut String) -> Result<Progress, NotJson> {
        match self.state {
            State::Text => return self.text(c, out),
            State::Escape(len) => return self.escape(len, c, out),
            State::Word(rest) => return self.word(rest, c, out),
            State::Number(number) => return self.number(number, c, out),
            _ => {}
        }
        if matches!(c, ' ' | '\n' | '\r' | '\t') {
            out.push(c);
            return Ok(Progress::More);
        }
        out.push(c);
        match (self.state, c) {
            (State::Value | State::FirstElement, _) if c != ']' => self.value(c),
            (State::FirstKey | State::Key, '"') => {
                self.in_key = true;
                self.state = State::Text;
                Ok(Progress::More)
            }
            (State::Colon, ':') => self.go(State::Value),
            (State::AfterValue, ',') if self.in_object() => self.go(State::Key),
            (State::AfterValue, ',') => self.go(State::Value),
            (State::FirstElement, ']') => self.close(false),
            (State::AfterValue, ']') => self.close(false),
            (State::FirstKey | State::AfterValue, '}') => self.close(true),
            _ => Err(NotJson),
        }
    }

    fn go(&mut self, state: State) -> Result<Progress, NotJson> {
        self.state = state;
        Ok(Progress::More)
    }

    fn in_object(&self) -> bool {
        self.objects & 1 == 1
    }

    /// The first character of a value.
    fn value(&mut self, c: char) -> Result<Progress, NotJson> {
        match c {
            '{' => self.open(true),
            '[' => self.open(false),
            '"' => {
                self.in_key = false;
                self.go(State::Text)
            }
            't' => self.go(State::Word("rue")),
            'f' => self.go(State::Word("alse")),
            'n' => self.go(State::Word("ull")),
            '-' => self.go(State::Number(Number::Minus)),
            '0' => self.go(State::Number(Number::Zero)),
            '1'..='9' => self.go(State::Number(Number::Whole)),
            _ => Err(NotJson),
        }
    }

    fn open(&mut self, object: bool) -> Result<Progress, NotJson> {
        if self.depth == MAX_DEPTH {
            return Err(NotJson);
        }
        self.depth += 1;
        self.objects = self.objects << 1 | u128::from(object);
        self.go(if object { State::FirstKey } else { State::FirstElement })
    }

    fn close(&mut self, object: bool) -> Result<Progress, NotJson> {
        if self.depth == 0 || self.in_object() != object {
            return Err(NotJson);
        }
        self.depth -= 1;
        self.objects >>= 1;
        self.end_value()
    }

    fn end_value(&mut self) -> Result<Progress, NotJson> {
        self.state = State::AfterValue;
        Ok(if self.depth == 0 { Progress::End } else { Progress::More })
    }

    fn text(&mut self, c: char, out: &mut String) -> Result<Progress, NotJson> {
        if c == '\\' {
            return self.go(State::Escape(0));
        }
        self.drop_half_pair(out);
        match c {
            '"' => {
                out.push(c);
                if self.in_key { self.go(State::Colon) } else { self.end_value() }
            }
            _ => {
                push_escaped(c, out);
                Ok(Progress::More)
            }
        }
    }

    /// A character of an escape, of which `len` stand in `self.escape`. Escapes are passed on whole.
    fn escape(&mut self, len: usize, c: char, out: &mut String) -> Result<Progress, NotJson> {
        let valid = match len {
            0 => matches!(c, '"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't' | 'u'),
            _ => c.is_ascii_hexdigit(),
        };
        if !valid {
            return Err(NotJson);
        }
        self.escape[len] = c as u8;
        if self.escape[0] == b'u' && len < 4 {
            return self.go(State::Escape(len + 1));
        }
        let escape = self.escape;
        self.end_escape(&escape[..=len], out);
        self.go(State::Text)
    }

    fn end_escape(&mut self, escape: &[u8], out: &mut String) {
        let mut pass_on = |escape: &[u8]| {
            out.push('\\');
            out.extend(escape.iter().map(|byte| char::from(*byte)));
        };
        match surrogate(escape) {
            Some(Half::High) => {
                if self.high.replace(self.escape).is_some() {
                    pass_on(b"ufffd");
                }
            }
            Some(Half::Low) => match self.high.take() {
                Some(high) => {
                    pass_on(&high);
                    pass_on(escape);
                }
                None => pass_on(b"ufffd"),
            },
            None => {
                if self.high.take().is_some() {
                    pass_on(b"ufffd");
                }
                pass_on(escape);
            }
        }
    }

    fn drop_half_pair(&mut self, out: &mut String) {
        if self.high.take().is_some() {
            out.push_str("\\ufffd");
        }
    }

    fn word(&mut self, rest: &'static str, c: char, out: &mut String) -> Result<Progress, NotJson> {
        let rest = rest.strip_prefix(c).ok_or(NotJson)?;
        out.push(c);
        if rest.is_empty() { self.end_value() } else { self.go(State::Word(rest)) }
    }

    fn number(&mut self, number: Number, c: char, out: &mut String) -> Result<Progress, NotJson> {
        if let Some(next) = number.next(c) {
            out.push(c);
            return self.go(State::Number(next));
        }
        if !number.may_end() {
            return Err(NotJson);
        }
        self.state = State::AfterValue;
        if self.depth == 0 { Ok(Progress::EndBefore) } else { self.push(c, out) }
    }

    /// Whether the value is whole if nothing more comes: only of a number is that not told by its last character.
    pub fn may_end(&self) -> bool {
        matches!(self.state, State::Number(number) if self.depth == 0 && number.may_end())
    }
}

enum Half {
    High,
    Low,
}

/// Which half of a surrogate pair an escape (without its backslash) is.
fn surrogate(escape: &[u8]) -> Option<Half> {
    let [b'u', first, second, ..] = escape else { return None };
    match (first.to_ascii_lowercase(), second.to_ascii_lowercase()) {
        (b'd', b'8'..=b'9' | b'a'..=b'b') => Some(Half::High),
        (b'd', b'c'..=b'f') => Some(Half::Low),
        _ => None,
    }
}

/// Appends `c` as it may stand inside a JSON string; quotes and backslashes are passed on, since they belong to the JSON text.
fn push_escaped(c: char, out: &mut String) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\0'..='\u{1f}' => {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\u{:04x}", c as u32);
        }
        _ => out.push(c),
    }
}

/// Appends plain text as it stands inside a JSON string.
pub(super) fn push_quoted(text: &str, out: &mut String) {
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        push_escaped(c, out);
    }
}

/// `text` as a JSON string, with its quotes.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    push_quoted(text, &mut out);
    out.push('"');
    out
}

/// The one JSON value that `text` is, checked and repaired as [`JsonScanner`] does; `None` if it is none.
pub(super) fn value(text: &str) -> Option<String> {
    let mut scanner = JsonScanner::new();
    let mut out = String::with_capacity(text.len());
    let mut chars = text.trim().chars();
    while let Some(c) = chars.next() {
        match scanner.push(c, &mut out).ok()? {
            Progress::More => {}
            Progress::End => return chars.next().is_none().then_some(out),
            Progress::EndBefore => return None,
        }
    }
    scanner.may_end().then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_json_is_and_refuses_what_it_is_not() {
        for text in ["{}", "[]", "0", "-0.5e+7", "\"\\u00e9\\\\\"", "[1,[],{}]", r#"{"a":{"b":[true,false,null]}}"#] {
            assert_eq!(value(text).as_deref(), Some(text), "{text}");
            assert!(serde_json::from_str::<serde_json::Value>(text).is_ok());
        }
        for text in
            ["", "{", "01", "1.", ".5", "-", "1e", "{a:1}", "{'a':1}", "[1,]", "{\"a\":1,}", "[,1]", "tru", "True"]
        {
            assert_eq!(value(text), None, "{text}");
        }
        for text in
            ["{\"a\" 1}", "{\"a\":}", "[1 2]", "{]", "[}", "{} {}", "\"\\x41\"", "\"\\u12g4\"", "NaN", "]", "1]"]
        {
            assert_eq!(value(text), None, "{text}");
        }
    }

    #[test]
    fn control_characters_and_half_surrogates_become_what_every_reader_takes() {
        assert_eq!(value("\"a\nb\u{1}\"").as_deref(), Some("\"a\\nb\\u0001\""));
        assert_eq!(value(r#""\ud83d\ude00""#).as_deref(), Some(r#""\ud83d\ude00""#));
        assert_eq!(value(r#""\ud83dx""#).as_deref(), Some(r#""\ufffdx""#));
        assert_eq!(value(r#""\ud83d\n\udE00""#).as_deref(), Some(r#""\ufffd\n\ufffd""#));
        assert_eq!(value(r#""\ud83d\ud83d\ude00""#).as_deref(), Some(r#""\ufffd\ud83d\ude00""#));
        assert_eq!(value(r#""\ud83d""#).as_deref(), Some(r#""\ufffd""#));
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(value(&nested(MAX_DEPTH as usize)).is_some());
        assert!(value(&nested(MAX_DEPTH as usize + 1)).is_none());
    }

    #[test]
    fn every_delta_is_cut_between_escapes() {
        let mut scanner = JsonScanner::new();
        let mut out = String::new();
        for c in r#""a\u00e9"#.chars() {
            scanner.push(c, &mut out).unwrap();
            assert!(matches!(out.as_str(), "\"" | "\"a" | "\"a\\u00e9"), "{out}");
        }
    }
}
