//! Cuts a template into text and tokens, with jinja2's rules for white space (`trim_blocks` and `lstrip_blocks` on).

use std::sync::Arc;

use super::super::TemplateError;
use super::decimal;
use super::text::is_space;

#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    /// Literal text of the template.
    Text(Arc<str>),
    /// `{{` and `}}`
    PrintBegin,
    PrintEnd,
    /// `{%` and `%}`
    BlockBegin,
    BlockEnd,
    Name(Arc<str>),
    String(String),
    Int(i128),
    Float(f64),
    /// An operator or a bracket.
    Op(&'static str),
    End,
}

impl Token {
    /// What an error calls it.
    pub fn describe(&self) -> String {
        match self {
            Self::Text(_) => "text".into(),
            Self::PrintBegin => "'{{'".into(),
            Self::PrintEnd => "'}}'".into(),
            Self::BlockBegin => "'{%'".into(),
            Self::BlockEnd => "'%}'".into(),
            Self::Name(name) => format!("'{name}'"),
            Self::String(_) => "a string".into(),
            Self::Int(_) | Self::Float(_) => "a number".into(),
            Self::Op(op) => format!("'{op}'"),
            Self::End => "the end of the template".into(),
        }
    }
}

/// Longest first, so that the first that fits is the one meant.
const OPERATORS: [&str; 25] = [
    "**", "//", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".",
    ":", "|", ",",
];

pub fn syntax(message: impl Into<String>, line: usize) -> TemplateError {
    TemplateError::Syntax { message: message.into(), line }
}

/// All tokens with their lines, the last one [`Token::End`].
pub fn tokenize(source: &str) -> Result<Vec<(Token, usize)>, TemplateError> {
    let source = source.replace("\r\n", "\n").replace('\r', "\n");
    let source = source.strip_suffix('\n').unwrap_or(&source);
    let mut lexer = Lexer { rest: source, line: 1, line_starts: true, tokens: Vec::new() };
    lexer.run()?;
    lexer.tokens.push((Token::End, lexer.line));
    Ok(lexer.tokens)
}

struct Lexer<'a> {
    rest: &'a str,
    line: usize,
    /// Whether the last thing read ended with a line break, so that a tag now would be the first on its line.
    line_starts: bool,
    tokens: Vec<(Token, usize)>,
}

impl<'a> Lexer<'a> {
    fn run(&mut self) -> Result<(), TemplateError> {
        while let Some(at) = find_tag(self.rest) {
            let (text, tag) = self.rest.split_at(at);
            let (opening, inside) = tag.split_at(2);
            let (sign, inside) = split_sign(inside);
            self.text(text, sign, opening != "{{");
            self.advance(text.len() + opening.len() + sign.len());
            self.line_starts = false;
            match opening {
                "{#" => self.comment(inside)?,
                "{%" if raw_begin(inside).is_some() => self.raw(inside)?,
                "{%" => self.tag(Token::BlockBegin, Token::BlockEnd)?,
                _ => self.tag(Token::PrintBegin, Token::PrintEnd)?,
            }
        }
        self.text(self.rest, "+", false);
        self.advance(self.rest.len());
        Ok(())
    }

    fn push(&mut self, token: Token) {
        self.tokens.push((token, self.line));
    }

    fn advance(&mut self, bytes: usize) {
        let (passed, rest) = self.rest.split_at(bytes);
        self.line += passed.matches('\n').count();
        self.rest = rest;
    }

    /// Text before a tag, which may lose white space at its end: all for `-`; for a block or comment also what indents the tag.
    fn text(&mut self, text: &str, sign: &str, may_strip_indent: bool) {
        let text = if sign == "-" {
            text.trim_end_matches(is_space)
        } else if sign.is_empty() && may_strip_indent {
            let line = text.rfind('\n').map_or(0, |at| at + 1);
            let begins_line = line > 0 || self.line_starts;
            if begins_line && text[line..].chars().all(is_space) { &text[..line] } else { text }
        } else {
            text
        };
        if !text.is_empty() {
            self.push(Token::Text(text.into()));
        }
    }

    /// Passes a tag's end and the white space that goes with it.
    fn end_tag(&mut self, skipped: usize, closing: &str) {
        self.advance(skipped);
        let sign = if self.rest.starts_with('-') { "-" } else { "" };
        let signed = self.rest.starts_with(['-', '+']);
        self.advance(usize::from(signed) + closing.len());
        let passed = match sign {
            "-" => self.rest.len() - self.rest.trim_start_matches(is_space).len(),
            _ if signed || closing == "}}" => 0,
            _ => usize::from(self.rest.starts_with('\n')),
        };
        self.line_starts = self.rest[..passed].ends_with('\n');
        self.advance(passed);
    }

    fn comment(&mut self, inside: &str) -> Result<(), TemplateError> {
        let end = inside.find("#}").ok_or_else(|| syntax("a comment has no end", self.line))?;
        let signed = usize::from(inside[..end].ends_with(['-', '+']));
        self.end_tag(end - signed, "#}");
        Ok(())
    }

    fn raw(&mut self, inside: &str) -> Result<(), TemplateError> {
        let (begin, strips) = raw_begin(inside).unwrap_or((0, false));
        let begin_line = self.line;
        self.advance(begin);
        if strips {
            self.advance(self.rest.len() - self.rest.trim_start_matches(is_space).len());
        }
        let mut from = 0;
        while let Some(at) = self.rest[from..].find("{%") {
            let at = from + at;
            let (sign, tag) = split_sign(&self.rest[at + 2..]);
            let name = tag.trim_start_matches(is_space);
            let after = name.strip_prefix("endraw").map(|after| after.trim_start_matches(is_space));
            let closing = after.filter(|after| after.trim_start_matches(['-', '+']).starts_with("%}"));
            if let Some(closing) = closing {
                let (text, _) = self.rest.split_at(at);
                let skipped = self.rest.len() - closing.len() - at;
                self.text(text, sign, true);
                self.end_tag(at + skipped, "%}");
                return Ok(());
            }
            from = at + 2;
        }
        Err(syntax("'raw' has no 'endraw'", begin_line))
    }

    /// The tokens of a tag up to its end.
    fn tag(&mut self, begin: Token, end: Token) -> Result<(), TemplateError> {
        let closing = if begin == Token::PrintBegin { "}}" } else { "%}" };
        self.push(begin);
        let mut brackets: Vec<char> = Vec::new();
        loop {
            let spaces = self.rest.len() - self.rest.trim_start_matches(is_space).len();
            self.advance(spaces);
            let unsigned =
                self.rest.strip_prefix('-').or_else(|| self.rest.strip_prefix('+').filter(|_| closing == "%}"));
            if brackets.is_empty() && unsigned.unwrap_or(self.rest).starts_with(closing) {
                self.push(end);
                self.end_tag(0, closing);
                return Ok(());
            }
            let (token, len) = self.token()?;
            match &token {
                Token::Op("(") => brackets.push(')'),
                Token::Op("[") => brackets.push(']'),
                Token::Op("{") => brackets.push('}'),
                Token::Op(op @ (")" | "]" | "}")) => match brackets.pop() {
                    Some(wanted) if op.starts_with(wanted) => {}
                    Some(wanted) => return Err(syntax(format!("unexpected '{op}', expected '{wanted}'"), self.line)),
                    None => return Err(syntax(format!("unexpected '{op}'"), self.line)),
                },
                _ => {}
            }
            self.push(token);
            self.advance(len);
        }
    }

    /// The next token within a tag, and its length.
    fn token(&self) -> Result<(Token, usize), TemplateError> {
        let first = self.rest.chars().next().ok_or_else(|| syntax("a tag has no end", self.line))?;
        if first.is_ascii_digit() {
            return self.number();
        }
        if first.is_alphabetic() || first == '_' {
            let end = self.rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(self.rest.len());
            return Ok((Token::Name(self.rest[..end].into()), end));
        }
        if matches!(first, '\'' | '"') {
            let end = string_end(self.rest, first).ok_or_else(|| syntax("a string has no end", self.line))?;
            return Ok((Token::String(unescape(&self.rest[1..end], self.line)?), end + 1));
        }
        let operator = OPERATORS.into_iter().find(|op| self.rest.starts_with(op));
        let operator = operator.ok_or_else(|| syntax(format!("unexpected character {first:?}"), self.line))?;
        Ok((Token::Op(operator), operator.len()))
    }

    fn number(&self) -> Result<(Token, usize), TemplateError> {
        let too_large = || syntax("a number is too large", self.line);
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        for (prefix, radix) in [("0x", 16), ("0b", 2), ("0o", 8)] {
            if self.rest.get(..2).is_some_and(|start| start.eq_ignore_ascii_case(prefix)) {
                let end = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
                let digits = self.rest[2..end].replace('_', "");
                return Ok((Token::Int(i128::from_str_radix(&digits, radix).map_err(|_| too_large())?), end));
            }
        }
        // One `_` may stand between two digits.
        let digits = |text: &str| {
            let bytes = text.as_bytes();
            let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
            let mut end = 0;
            while is_digit(end) || (end > 0 && bytes.get(end) == Some(&b'_') && is_digit(end + 1)) {
                end += 1;
            }
            end
        };
        let mut end = digits(self.rest);
        let whole = end;
        let starts_digit = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
        // `x.0.1` is two items of x, and no float.
        let follows_dot = matches!(self.tokens.last(), Some((Token::Op("."), _)));
        if !follows_dot && self.rest[end..].strip_prefix('.').is_some_and(starts_digit) {
            end += 1 + digits(&self.rest[end + 1..]);
        }
        if let Some(exponent) = self.rest[end..].strip_prefix(['e', 'E']) {
            let unsigned = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            if starts_digit(unsigned) {
                end += 1 + exponent.len() - unsigned.len() + digits(unsigned);
            }
        }
        let text = self.rest[..end].replace('_', "");
        let token = if end == whole {
            if text.starts_with('0') && text.contains(|c| c != '0') {
                return Err(syntax("a number begins with 0", self.line));
            }
            Token::Int(text.parse().map_err(|_| too_large())?)
        } else {
            Token::Float(decimal::parse(&text).ok_or_else(too_large)?)
        };
        Ok((token, end))
    }
}

/// The nearest `{{`, `{%` or `{#`.
fn find_tag(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    (0..bytes.len().saturating_sub(1)).find(|&at| bytes[at] == b'{' && matches!(bytes[at + 1], b'{' | b'%' | b'#'))
}

/// A tag's white space mark, if any, and the rest.
fn split_sign(inside: &str) -> (&str, &str) {
    inside.split_at(usize::from(inside.starts_with(['-', '+'])))
}

/// For what follows `{%`: the bytes of `raw %}` or `raw -%}`, and whether white space after it goes.
fn raw_begin(inside: &str) -> Option<(usize, bool)> {
    let after = inside.trim_start_matches(is_space).strip_prefix("raw")?.trim_start_matches(is_space);
    let strips = after.starts_with("-%}");
    let rest = after.strip_prefix("-%}").or_else(|| after.strip_prefix("%}"))?;
    Some((inside.len() - rest.len(), strips))
}

/// Where the quote is that ends the string which `text` begins with.
fn string_end(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().skip(1).find_map(|(at, c)| {
        let ends = c == quote && !escaped;
        escaped = c == '\\' && !escaped;
        ends.then_some(at)
    })
}

/// Python's escapes (`unicode-escape`). Unknown ones stay as they are.
fn unescape(text: &str, line: usize) -> Result<String, TemplateError> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let escape = rest[at + 1..].chars().next();
        let after = &rest[at + 1 + escape.map_or(0, char::len_utf8)..];
        rest = after;
        let digits = match escape {
            Some('x') => 2,
            Some('u') => 4,
            Some('U') => 8,
            Some('0'..='7') => {
                let octal = &text[text.len() - after.len() - 1..];
                let len = octal.chars().take(3).take_while(|c| c.is_digit(8)).count();
                let code = u32::from_str_radix(&octal[..len], 8).unwrap_or(0);
                out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                rest = &octal[len..];
                continue;
            }
            _ => 0,
        };
        if digits > 0 {
            let code = after.get(..digits).and_then(|hex| u32::from_str_radix(hex, 16).ok());
            let c = code.and_then(char::from_u32).ok_or_else(|| syntax("a string has a broken escape", line))?;
            out.push(c);
            rest = &after[digits..];
            continue;
        }
        match escape {
            Some('N') if after.starts_with('{') => {
                return Err(TemplateError::unknown(r"characters by their names, as in '\N{BULLET}'").at(line));
            }
            Some('\n') => {}
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('a') => out.push('\u{7}'),
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('v') => out.push('\u{b}'),
            Some(c @ ('\\' | '\'' | '"')) => out.push(c),
            Some(c) => out.extend(['\\', c]),
            None => out.push('\\'),
        }
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The template's own text, with tags left out.
    fn texts(source: &str) -> String {
        let tokens = tokenize(source).unwrap();
        tokens
            .iter()
            .filter_map(|(token, _)| if let Token::Text(text) = token { Some(&**text) } else { None })
            .collect()
    }

    #[test]
    fn white_space_goes_as_in_jinja2() {
        for (source, text) in [
            ("a\n  {% x %}\n b\n", "a\n b"),
            ("a\n  {%+ x %}\nb", "a\n  b"),
            ("a  {%- x -%} \n\n b", "ab"),
            ("a {{ x }}\nb", "a \nb"),
            ("a {{- x -}} \nb", "ab"),
            ("a{% x +%}\nb", "a\nb"),
            ("  {# c #}\n  {#- d -#}\n e", "e"),
            ("{% raw %}{{ a }}{% endraw %}\nb", "{{ a }}b"),
            ("{%- raw -%} \n{% x %} {%- endraw -%} b", "{% x %}b"),
            ("a\r\nb\rc\n\n", "a\nb\nc\n"),
        ] {
            assert_eq!(texts(source), text, "{source:?}");
        }
    }

    #[test]
    fn strings_have_pythons_escapes() {
        for (text, value) in [("\\x41\\u00e9\\U0001F600\\101", "Aé😀A"), ("\\q\\\n\\'", "\\q'"), ("a\\", "a\\")] {
            assert_eq!(unescape(text, 1).unwrap(), value);
        }
        assert_eq!(unescape("\\ud800", 3), Err(syntax("a string has a broken escape", 3)));
    }

    #[test]
    fn what_has_no_end_is_an_error_on_its_line() {
        for source in ["\n{{ 'a }}", "\n{# x", "\n{% raw %} {% endra %}", "\n{{ [1 }}", "\n{{ 1"] {
            assert!(matches!(tokenize(source), Err(TemplateError::Syntax { line: 2, .. })), "{source:?}");
        }
    }
}
