//! Python's literals, turned into JSON as they come: `{'a': (1, None)}` becomes `{"a":[1,null]}`.
//!
//! JSON's own `true`, `false` and `null` are taken as well, since models mix the two. Sets and tuples become arrays. What a bracket
//! opens is known only behind its first element, which is held back so long: `(1)` is a number and `(1,)` a tuple, `{1}` a set.

use super::json::{MAX_DEPTH, Progress};
use super::quotes::QuotedScanner;

/// The text is not a literal, or one that JSON has no form for, or nested deeper than JSON may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotLiteral;

/// Longer numbers and words are refused.
const MAX_WORD: usize = 64;

#[derive(Debug)]
enum State {
    /// A value has to come.
    Value,
    /// An element, a key, or the end of the level.
    ElementOrEnd,
    Colon,
    AfterValue,
    /// A number or a name, in `word`.
    Word,
    Text(QuotedScanner),
    /// After a string, to which Python joins another one that follows.
    AfterText,
}

/// What a bracket has opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    List,
    Tuple,
    Set,
    Dictionary,
    /// A tuple or a value in parentheses. Its bracket stands at this place in `held`.
    Parenthesis(usize),
    /// A dictionary or a set; the same.
    Brace(usize),
}

impl Level {
    fn closer(self) -> char {
        match self {
            Self::List => ']',
            Self::Tuple | Self::Parenthesis(_) => ')',
            Self::Set | Self::Dictionary | Self::Brace(_) => '}',
        }
    }
}

/// Reads one literal, a character at a time.
#[derive(Debug)]
pub(super) struct LiteralScanner {
    state: State,
    /// The levels that are open.
    levels: Vec<Level>,
    /// JSON that is not passed on while a level is undecided.
    held: String,
    word: String,
    /// Whether an element of the innermost level has come, so that the next one needs a comma before it.
    comma: bool,
    /// Whether the last element of a dictionary has its key.
    behind_key: bool,
    /// Whether the last value was a string, as keys must be.
    was_text: bool,
}

impl LiteralScanner {
    pub fn new() -> Self {
        let (levels, held, word) = (Vec::new(), String::new(), String::new());
        Self { state: State::Value, levels, held, word, comma: false, behind_key: false, was_text: false }
    }

    /// Takes the next character and appends the JSON that is sure to `out`.
    pub fn push(&mut self, c: char, out: &mut String) -> Result<Progress, NotLiteral> {
        let progress = self.take(c)?;
        self.pass_on(out);
        Ok(progress)
    }

    /// Whether the literal is whole if nothing more comes; appends what was held back.
    pub fn finish(&mut self, out: &mut String) -> bool {
        let whole = match &self.state {
            State::Word => self.end_word().is_ok(),
            State::Text(text) => text.may_end(),
            State::AfterText => true,
            _ => false,
        };
        if matches!(self.state, State::Text(_) | State::AfterText) {
            self.held.push('"');
        }
        self.pass_on(out);
        whole && self.levels.is_empty()
    }

    fn pass_on(&mut self, out: &mut String) {
        if !self.levels.iter().any(|level| matches!(level, Level::Parenthesis(_) | Level::Brace(_))) {
            out.push_str(&self.held);
            self.held.clear();
        }
    }

    fn take(&mut self, c: char) -> Result<Progress, NotLiteral> {
        match &mut self.state {
            State::Text(text) => {
                let progress = text.push(c, &mut self.held)?;
                if progress != Progress::More {
                    self.state = State::AfterText;
                }
                if progress == Progress::EndBefore { self.take(c) } else { Ok(Progress::More) }
            }
            State::Word if is_word(c) => {
                self.word.push(c);
                if self.word.len() > MAX_WORD { Err(NotLiteral) } else { Ok(Progress::More) }
            }
            State::Word if matches!(c, '"' | '\'') => self.prefixed(c),
            State::Word => {
                self.end_word()?;
                self.was_text = false;
                self.after_end(c)
            }
            _ if c.is_whitespace() => Ok(Progress::More),
            State::AfterText if matches!(c, '"' | '\'') => self.go(State::Text(QuotedScanner::new(c, false))),
            State::AfterText => {
                self.held.push('"');
                self.was_text = true;
                self.after_end(c)
            }
            State::Value => self.value(c),
            State::ElementOrEnd => self.element(c),
            State::Colon if c == ':' => self.colon(),
            State::Colon => Err(NotLiteral),
            State::AfterValue => self.after_value(c),
        }
    }

    fn go(&mut self, state: State) -> Result<Progress, NotLiteral> {
        self.state = state;
        Ok(Progress::More)
    }

    fn element(&mut self, c: char) -> Result<Progress, NotLiteral> {
        let level = self.levels.last().copied().ok_or(NotLiteral)?;
        if level.closer() == c {
            return self.close();
        }
        if level == Level::Dictionary && !matches!(c, '"' | '\'') {
            return Err(NotLiteral);
        }
        if self.comma {
            self.held.push(',');
        }
        self.behind_key = false;
        self.value(c)
    }

    fn value(&mut self, c: char) -> Result<Progress, NotLiteral> {
        match c {
            '[' => self.open('[', Level::List),
            '(' => self.open('[', Level::Parenthesis(self.held.len())),
            '{' => self.open('{', Level::Brace(self.held.len())),
            '"' | '\'' => self.open_text(c, false),
            _ if is_word(c) => {
                self.word.clear();
                self.word.push(c);
                self.go(State::Word)
            }
            _ => Err(NotLiteral),
        }
    }

    fn open(&mut self, json: char, level: Level) -> Result<Progress, NotLiteral> {
        if self.levels.len() as u32 == MAX_DEPTH {
            return Err(NotLiteral);
        }
        self.levels.push(level);
        self.comma = false;
        self.held.push(json);
        self.go(State::ElementOrEnd)
    }

    fn open_text(&mut self, quote: char, raw: bool) -> Result<Progress, NotLiteral> {
        self.held.push('"');
        self.go(State::Text(QuotedScanner::new(quote, raw)))
    }

    /// A string with a letter before its quote. Bytes are no text, and what an f-string says cannot be known.
    fn prefixed(&mut self, quote: char) -> Result<Progress, NotLiteral> {
        match self.word.as_str() {
            "r" | "R" => self.open_text(quote, true),
            "u" | "U" => self.open_text(quote, false),
            _ => Err(NotLiteral),
        }
    }

    fn close(&mut self) -> Result<Progress, NotLiteral> {
        match self.levels.pop() {
            // A value in parentheses is the value.
            Some(Level::Parenthesis(at)) if self.comma => drop(self.held.remove(at)),
            Some(Level::Brace(at)) if self.comma => {
                self.held.replace_range(at..=at, "[");
                self.held.push(']');
            }
            Some(Level::Brace(_) | Level::Dictionary) => self.held.push('}'),
            _ => self.held.push(']'),
        }
        (self.was_text, self.behind_key) = (false, true);
        Ok(self.end_value())
    }

    fn end_value(&mut self) -> Progress {
        self.comma = true;
        let is_key = self.levels.last() == Some(&Level::Dictionary) && !self.behind_key;
        self.state = if is_key { State::Colon } else { State::AfterValue };
        if self.levels.is_empty() { Progress::End } else { Progress::More }
    }

    fn colon(&mut self) -> Result<Progress, NotLiteral> {
        self.held.push(':');
        self.behind_key = true;
        self.go(State::Value)
    }

    fn after_value(&mut self, c: char) -> Result<Progress, NotLiteral> {
        let level = self.levels.last_mut().ok_or(NotLiteral)?;
        match (*level, c) {
            (level, _) if level.closer() == c => return self.close(),
            (Level::Brace(_), ':') if self.was_text => {
                *level = Level::Dictionary;
                return self.colon();
            }
            (Level::Brace(at), ',') => {
                *level = Level::Set;
                self.held.replace_range(at..=at, "[");
            }
            (Level::Parenthesis(_), ',') => *level = Level::Tuple,
            (_, ',') => {}
            _ => return Err(NotLiteral),
        }
        self.go(State::ElementOrEnd)
    }

    /// `c` came right after a value that did not end with a character of its own.
    fn after_end(&mut self, c: char) -> Result<Progress, NotLiteral> {
        match self.end_value() {
            Progress::More => self.take(c),
            _ => Ok(Progress::EndBefore),
        }
    }

    fn end_word(&mut self) -> Result<(), NotLiteral> {
        match self.word.as_str() {
            "True" | "true" => self.held.push_str("true"),
            "False" | "false" => self.held.push_str("false"),
            "None" | "null" => self.held.push_str("null"),
            word => {
                let number = number(word).ok_or(NotLiteral)?;
                self.held.push_str(&number);
            }
        }
        Ok(())
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
            ("'a\nb\tc'", r#""a\nb\tc""#),
            ("'a' \"b\"\n'''c'''", "\"abc\""),
            ("('a' 'b')", "\"ab\""),
            ("(1)", "1"),
            ("((1, 2),)", "[[1,2]]"),
            ("{1, 2}", "[1,2]"),
            ("{'a'}", "[\"a\"]"),
            ("{'a', ('b')}", "[\"a\",\"b\"]"),
            ("{'a': {'b': ()}, 'c': (1)}", "{\"a\":{\"b\":[]},\"c\":1}"),
            ("[{}, {'a': {1}}, -1, 1e5]", "[{},{\"a\":[1]},-1,1e5]"),
            (r"r'C:\new'", r#""C:\\new""#),
            (r"u'\033[1m\0'", r#""\u001b[1m\u0000""#),
        ] {
            assert_eq!(value(python).unwrap_or_default(), json, "{python}");
        }
    }

    #[test]
    fn what_json_cannot_say_is_refused() {
        for text in [
            "{1: 2}",
            "{'a': 1, 2}",
            "{'a', 'b': 1}",
            "{'a': 1, 'b'}",
            "f(x)",
            "nan",
            "1 + 2",
            "1+2",
            "[1 2]",
            "[,]",
            "(1]",
            "1__a",
            "",
            "inf",
            "--1",
            "f'{x}'",
            "b'x'",
            "'a' 1",
            "(1",
            "{'a': 'b': 'c'}",
            r"'\N{DASH}'",
            "'a",
        ] {
            assert_eq!(value(text), None, "{text}");
        }
        assert_eq!(value(&"[".repeat(1 << 20)), None);
        assert_eq!(value(&"1".repeat(1 << 20)), None);
    }
}
