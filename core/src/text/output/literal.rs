//! Python's literals, turned into JSON as they come: `{'a': (1, None)}` becomes `{"a":[1,null]}`.
//!
//! JSON's own `true`, `false` and `null` are taken as well, since models mix the two.

use super::json::{MAX_DEPTH, Progress, push_quoted};

/// The text is not a literal, or one that JSON has no form for, or nested deeper than JSON may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotLiteral;

/// Longer numbers and words are refused.
const MAX_WORD: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// A value has to come.
    Value,
    /// A value or the end of the list or tuple.
    ValueOrEnd,
    /// A key or the end of the dictionary.
    KeyOrEnd,
    Colon,
    AfterValue,
    /// A number or a name, in `word`.
    Word,
    /// Quotes that open a string: one or two have come.
    Quotes(char, u8),
    Text(Quote),
    /// Inside a string: so many of the three quotes that would end it have come.
    Closing(Quote, u8),
    /// After a backslash inside a string.
    Escape(Quote),
    /// An escape that gives a character's number: digits still to come, the number so far.
    Code(Quote, u8, u32),
}

/// How a string ends: the quote, and whether three of them do.
type Quote = (char, bool);

/// Reads one literal, a character at a time.
#[derive(Debug)]
pub(super) struct LiteralScanner {
    state: State,
    /// What closes each level that is open.
    closers: Vec<char>,
    word: String,
    /// Whether an element of the innermost level has come, so that the next one needs a comma before it.
    comma: bool,
    in_key: bool,
    /// The first half of a surrogate pair that was written as two escapes.
    high: Option<u32>,
}

impl LiteralScanner {
    pub fn new() -> Self {
        Self { state: State::Value, closers: Vec::new(), word: String::new(), comma: false, in_key: false, high: None }
    }

    /// Takes the next character and appends the JSON that is sure to `out`.
    pub fn push(&mut self, c: char, out: &mut String) -> Result<Progress, NotLiteral> {
        match self.state {
            State::Text(quote) => self.text(quote, c, out),
            State::Closing(quote, seen) => self.closing(quote, seen, c, out),
            State::Escape(quote) => self.escape(quote, c, out),
            State::Code(quote, left, code) => self.code(quote, left, code, c, out),
            State::Quotes(quote, seen) => self.quotes(quote, seen, c, out),
            State::Word if is_word(c) => {
                self.word.push(c);
                if self.word.len() > MAX_WORD { Err(NotLiteral) } else { Ok(Progress::More) }
            }
            State::Word => {
                self.end_word(out)?;
                self.after_end(c, out)
            }
            _ if c.is_whitespace() => Ok(Progress::More),
            State::Value | State::ValueOrEnd | State::KeyOrEnd => self.value(c, out),
            State::Colon if c == ':' => {
                out.push(':');
                self.go(State::Value)
            }
            State::Colon => Err(NotLiteral),
            State::AfterValue => self.after_value(c, out),
        }
    }

    /// Whether the literal is whole if nothing more comes; appends what was held back.
    pub fn finish(&mut self, out: &mut String) -> bool {
        match self.state {
            State::Word => self.end_word(out).is_ok() && self.closers.is_empty(),
            State::Quotes(_, 2) => {
                out.push('"');
                self.closers.is_empty()
            }
            _ => false,
        }
    }

    fn go(&mut self, state: State) -> Result<Progress, NotLiteral> {
        self.state = state;
        Ok(Progress::More)
    }

    fn value(&mut self, c: char, out: &mut String) -> Result<Progress, NotLiteral> {
        let key = self.state == State::KeyOrEnd;
        if self.state != State::Value && self.closers.last() == Some(&c) {
            return self.close(out);
        }
        if key && !matches!(c, '"' | '\'') {
            return Err(NotLiteral);
        }
        // The value of a key has its colon; every other element but the first needs a comma.
        if self.state != State::Value && self.comma {
            out.push(',');
        }
        match c {
            '[' => self.open('[', ']', State::ValueOrEnd, out),
            '(' => self.open('[', ')', State::ValueOrEnd, out),
            '{' => self.open('{', '}', State::KeyOrEnd, out),
            '"' | '\'' => {
                self.in_key = key;
                out.push('"');
                self.go(State::Quotes(c, 1))
            }
            _ if is_word(c) => {
                self.word.clear();
                self.word.push(c);
                self.go(State::Word)
            }
            _ => Err(NotLiteral),
        }
    }

    fn open(&mut self, json: char, closer: char, state: State, out: &mut String) -> Result<Progress, NotLiteral> {
        if self.closers.len() as u32 == MAX_DEPTH {
            return Err(NotLiteral);
        }
        self.closers.push(closer);
        self.comma = false;
        out.push(json);
        self.go(state)
    }

    fn close(&mut self, out: &mut String) -> Result<Progress, NotLiteral> {
        out.push(if self.closers.pop() == Some('}') { '}' } else { ']' });
        Ok(self.end_value())
    }

    fn end_value(&mut self) -> Progress {
        self.comma = true;
        self.state = State::AfterValue;
        if self.closers.is_empty() { Progress::End } else { Progress::More }
    }

    fn after_value(&mut self, c: char, out: &mut String) -> Result<Progress, NotLiteral> {
        match self.closers.last() {
            Some(closer) if *closer == c => self.close(out),
            Some('}') if c == ',' => self.go(State::KeyOrEnd),
            Some(_) if c == ',' => self.go(State::ValueOrEnd),
            _ => Err(NotLiteral),
        }
    }

    /// `c` came right after a value that did not end with a character of its own.
    fn after_end(&mut self, c: char, out: &mut String) -> Result<Progress, NotLiteral> {
        match self.end_value() {
            Progress::More => self.push(c, out),
            _ => Ok(Progress::EndBefore),
        }
    }

    fn end_word(&mut self, out: &mut String) -> Result<(), NotLiteral> {
        match self.word.as_str() {
            "True" | "true" => out.push_str("true"),
            "False" | "false" => out.push_str("false"),
            "None" | "null" => out.push_str("null"),
            word => out.push_str(&number(word).ok_or(NotLiteral)?),
        }
        Ok(())
    }

    fn quotes(&mut self, quote: char, seen: u8, c: char, out: &mut String) -> Result<Progress, NotLiteral> {
        match (seen, c == quote) {
            (1, true) => self.go(State::Quotes(quote, 2)),
            (1, false) => {
                self.state = State::Text((quote, false));
                self.push(c, out)
            }
            (_, true) => self.go(State::Text((quote, true))),
            // Two quotes were an empty string.
            (_, false) => {
                self.end_text(out);
                if self.state == State::Colon { self.push(c, out) } else { self.after_end(c, out) }
            }
        }
    }

    /// Closes the string and, if it was a key, waits for its colon.
    fn end_text(&mut self, out: &mut String) {
        self.drop_half_pair(out);
        out.push('"');
        self.state = if self.in_key { State::Colon } else { State::AfterValue };
    }

    fn text(&mut self, quote: Quote, c: char, out: &mut String) -> Result<Progress, NotLiteral> {
        match c {
            '\\' => self.go(State::Escape(quote)),
            _ if c == quote.0 && quote.1 => self.go(State::Closing(quote, 1)),
            _ if c == quote.0 => {
                self.end_text(out);
                Ok(if self.state == State::Colon { Progress::More } else { self.end_value() })
            }
            '\n' if !quote.1 => Err(NotLiteral),
            _ => {
                self.character(c, out);
                Ok(Progress::More)
            }
        }
    }

    fn closing(&mut self, quote: Quote, seen: u8, c: char, out: &mut String) -> Result<Progress, NotLiteral> {
        if c != quote.0 {
            for _ in 0..seen {
                self.character(quote.0, out);
            }
            self.state = State::Text(quote);
            return self.text(quote, c, out);
        }
        if seen == 1 {
            return self.go(State::Closing(quote, 2));
        }
        self.end_text(out);
        Ok(if self.state == State::Colon { Progress::More } else { self.end_value() })
    }

    fn escape(&mut self, quote: Quote, c: char, out: &mut String) -> Result<Progress, NotLiteral> {
        let plain = match c {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'a' => '\u{7}',
            'v' => '\u{b}',
            '0' => '\0',
            '\\' | '\'' | '"' | '/' => c,
            '\n' => return self.go(State::Text(quote)),
            'x' => return self.go(State::Code(quote, 2, 0)),
            'u' => return self.go(State::Code(quote, 4, 0)),
            'U' => return self.go(State::Code(quote, 8, 0)),
            // Python keeps the backslash of an escape that it does not know.
            _ => {
                self.character('\\', out);
                c
            }
        };
        self.character(plain, out);
        self.go(State::Text(quote))
    }

    fn code(&mut self, quote: Quote, left: u8, code: u32, c: char, out: &mut String) -> Result<Progress, NotLiteral> {
        let digit = c.to_digit(16).ok_or(NotLiteral)?;
        let code = code.checked_mul(16).ok_or(NotLiteral)? + digit;
        if left > 1 {
            return self.go(State::Code(quote, left - 1, code));
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
        self.go(State::Text(quote))
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

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.' | '+' | '-')
}

/// Python's number as JSON writes it.
fn number(word: &str) -> Option<String> {
    let (sign, digits) = match word.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", word.strip_prefix('+').unwrap_or(word)),
    };
    let digits = digits.replace('_', "");
    let lower = digits.to_ascii_lowercase();
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = lower.strip_prefix(prefix) {
            return u64::from_str_radix(digits, radix).ok().map(|number| format!("{sign}{number}"));
        }
    }
    let (mantissa, exponent) = match lower.split_once('e') {
        Some((mantissa, exponent)) => (mantissa, format!("e{exponent}")),
        None => (lower.as_str(), String::new()),
    };
    let mantissa = match (mantissa.strip_prefix('.'), mantissa.strip_suffix('.')) {
        (Some(fraction), _) => format!("0.{fraction}"),
        (_, Some(whole)) => format!("{whole}.0"),
        _ => mantissa.to_owned(),
    };
    super::json::value(&format!("{sign}{mantissa}{exponent}"))
        .filter(|text| text.ends_with(|c: char| c.is_ascii_digit()))
}

/// The JSON text of the literal that `text` is; `None` if it is none.
pub(super) fn value(text: &str) -> Option<String> {
    let mut scanner = LiteralScanner::new();
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match scanner.push(c, &mut out).ok()? {
            Progress::More => {}
            Progress::End => return chars.next().is_none().then_some(out),
            Progress::EndBefore => return None,
        }
    }
    scanner.finish(&mut out).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_become_json() {
        for (python, json) in [
            ("None", "null"),
            ("True", "true"),
            ("-1_000", "-1000"),
            (".5", "0.5"),
            ("1.", "1.0"),
            ("1.e3", "1.0e3"),
            ("0x1F", "31"),
            ("'it''", ""),
            ("''", "\"\""),
            (r"'it\'s'", "\"it's\""),
            ("\"a\\x41\\u00e9\\U0001F600\"", "\"aAé😀\""),
            (r"'\ud83d\ude00'", "\"😀\""),
            (r"'\ud83d'", "\"\u{fffd}\""),
            (r"'\d+'", r#""\\d+""#),
            ("'''a\n\"b\" 'c' ''d'''", "\"a\\n\\\"b\\\" 'c' ''d\""),
            ("\"\"\"\"\"\"", "\"\""),
            ("{'a': (1, 2,), \"b\": {'': []}}", "{\"a\":[1,2],\"b\":{\"\":[]}}"),
            ("[{}, (), 'x', -0.0]", "[{},[],\"x\",-0.0]"),
            ("['', '']", "[\"\",\"\"]"),
        ] {
            assert_eq!(value(python).unwrap_or_default(), json, "{python}");
        }
    }

    #[test]
    fn what_json_cannot_say_is_refused() {
        for text in [
            "{1, 2}", "{1: 2}", "f(x)", "nan", "1 + 2", "1+2", "'a\nb'", "[1 2]", "[,]", "(1]", "1__a", "", "inf",
            "--1",
        ] {
            assert_eq!(value(text), None, "{text}");
        }
        assert_eq!(value(&"[".repeat(1 << 20)), None);
        assert_eq!(value(&"1".repeat(1 << 20)), None);
    }
}
