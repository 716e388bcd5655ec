//! Reading GBNF, in one pass over its characters.

use std::collections::HashMap;

use crate::GrammarError;
use crate::cfg::{Atom, Grammar, Item, Rule};

/// Longest grammar that is taken, in bytes.
const MAX_BYTES: usize = 256 << 10;

/// Most rules, counting groups.
const MAX_RULES: usize = 10_000;

/// Most repetitions that may be asked for by number: llama.cpp's limit.
const MAX_REPETITIONS: u32 = 2_000;

/// The grammar's rules.
pub fn parse(text: &str) -> Result<Grammar, GrammarError> {
    if text.len() > MAX_BYTES {
        return Err(GrammarError::TooLarge { what: format!("{} bytes of GBNF", text.len()), limit: MAX_BYTES });
    }
    let mut parser = Parser { text, at: 0, grammar: Grammar::default(), names: HashMap::new() };
    parser.number("root", 0);
    parser.space(true);
    while parser.peek().is_some() {
        parser.definition()?;
        parser.space(true);
    }
    parser.finish()
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    grammar: Grammar,
    /// The number of each named rule, where it was named first, and whether it has been defined.
    names: HashMap<&'a str, (usize, usize, bool)>,
}

/// A group that is being read: the alternatives so far, of which the last is not yet complete.
struct Open {
    alternatives: Rule,
    /// Where its parenthesis stands.
    at: usize,
}

impl Open {
    fn new(at: usize) -> Open {
        Open { alternatives: vec![Vec::new()], at }
    }

    fn items(&mut self) -> &mut Vec<Item> {
        if self.alternatives.is_empty() {
            self.alternatives.push(Vec::new());
        }
        let last = self.alternatives.len() - 1;
        &mut self.alternatives[last]
    }
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn eat(&mut self, expected: &str) -> bool {
        let found = self.rest().starts_with(expected);
        self.at += if found { expected.len() } else { 0 };
        found
    }

    /// Skip white space and comments; line ends, too, where they end nothing.
    fn space(&mut self, lines: bool) {
        while let Some(next) = self.peek() {
            match next {
                ' ' | '\t' => self.at += 1,
                '\n' | '\r' if lines => self.at += 1,
                '#' => self.at += self.rest().find(['\n', '\r']).unwrap_or(self.rest().len()),
                _ => break,
            }
        }
    }

    fn wrong(&self, at: usize, reason: impl Into<String>) -> GrammarError {
        let before = &self.text[..at];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        GrammarError::Syntax { notation: "GBNF", line, column, reason: reason.into() }
    }

    /// What stands at a place, for messages.
    fn found(&self) -> String {
        self.peek().map_or_else(|| "the end".to_owned(), |next| format!("{next:?}"))
    }

    fn name(&mut self) -> Option<&'a str> {
        let rest = self.rest();
        let length = rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))).unwrap_or(rest.len());
        self.at += length;
        (length > 0).then(|| &rest[..length])
    }

    fn number(&mut self, name: &'a str, at: usize) -> usize {
        if let Some((number, ..)) = self.names.get(name) {
            return *number;
        }
        self.grammar.rules.push(Rule::new());
        let number = self.grammar.rules.len() - 1;
        self.names.insert(name, (number, at, false));
        number
    }

    /// `name ::= alternatives`, up to the end of the line.
    fn definition(&mut self) -> Result<(), GrammarError> {
        let at = self.at;
        let name = self
            .name()
            .ok_or_else(|| self.wrong(at, format!("expected the name of a rule, found {}", self.found())))?;
        let number = self.number(name, at);
        self.space(false);
        if !self.eat("::=") {
            return Err(self.wrong(self.at, format!("expected `::=` after {name:?}, found {}", self.found())));
        }
        let defined = self.names.get_mut(name).map(|(_, _, defined)| std::mem::replace(defined, true));
        if defined == Some(true) {
            return Err(self.wrong(at, format!("the rule {name:?} is defined twice")));
        }
        self.space(true);
        let alternatives = self.alternatives()?;
        self.grammar.rules[number] = alternatives;
        Ok(())
    }

    /// Alternatives of a rule. Groups are kept on a stack of our own, so that their depth costs nothing.
    fn alternatives(&mut self) -> Result<Rule, GrammarError> {
        let mut open = vec![Open::new(self.at)];
        loop {
            let nested = open.len() > 1;
            let Some(top) = open.last_mut() else { break };
            match self.peek() {
                Some('(') => {
                    open.push(Open::new(self.at));
                    self.at += 1;
                    self.space(true);
                    continue;
                }
                Some(')') if nested => {
                    self.at += 1;
                    let rule = std::mem::take(&mut top.alternatives);
                    open.pop();
                    self.grammar.rules.push(rule);
                    let group = Atom::Rule(self.grammar.rules.len() - 1);
                    let Some(top) = open.last_mut() else { break };
                    let item = self.repeated(group)?;
                    top.items().push(item);
                }
                Some('|') => {
                    self.at += 1;
                    top.alternatives.push(Vec::new());
                    self.space(true);
                    continue;
                }
                None | Some('\n' | '\r') if !nested => break,
                None => return Err(self.wrong(top.at, "this parenthesis is never closed")),
                Some(_) => {
                    let atom = self.atom()?;
                    let item = self.repeated(atom)?;
                    top.items().push(item);
                }
            }
            if self.grammar.rules.len() > MAX_RULES {
                return Err(GrammarError::TooLarge {
                    what: "the number of rules and groups".to_owned(),
                    limit: MAX_RULES,
                });
            }
            self.space(open.len() > 1);
        }
        Ok(open.pop().map(|open| open.alternatives).unwrap_or_default())
    }

    fn atom(&mut self) -> Result<Atom, GrammarError> {
        let at = self.at;
        match self.peek() {
            Some('"') => self.literal(),
            Some('[') => self.class(),
            Some('.') => {
                self.at += 1;
                Ok(Atom::Class("(?s:.)".to_owned()))
            }
            Some('<') => self.token(),
            Some('!') => Err(self.wrong(at, "`!` before a token is not supported; list what is allowed")),
            _ => match self.name() {
                Some(name) => Ok(Atom::Rule(self.number(name, at))),
                None => Err(self.wrong(at, format!("expected a rule, a text or a class, found {}", self.found()))),
            },
        }
    }

    fn literal(&mut self) -> Result<Atom, GrammarError> {
        let at = self.at;
        self.at += 1;
        let mut text = String::new();
        loop {
            match self.peek() {
                Some('"') => break,
                None | Some('\n') => return Err(self.wrong(at, "this text is never closed")),
                Some(_) => text.push(self.character()?),
            }
        }
        self.at += 1;
        Ok(Atom::Literal(text))
    }

    /// A class as Rust writes it.
    fn class(&mut self) -> Result<Atom, GrammarError> {
        let at = self.at;
        self.at += 1;
        let mut class = String::from(if self.eat("^") { "[^" } else { "[" });
        let empty = class.len();
        while self.peek() != Some(']') {
            if matches!(self.peek(), None | Some('\n')) {
                return Err(self.wrong(at, "this class is never closed"));
            }
            let from_at = self.at;
            let from = self.character()?;
            class.push_str(&escape(from));
            if self.rest().starts_with('-') && !self.rest().starts_with("-]") {
                self.at += 1;
                let to = self.character()?;
                if to < from {
                    return Err(self.wrong(from_at, "this range ends before it begins"));
                }
                class.push('-');
                class.push_str(&escape(to));
            }
        }
        self.at += 1;
        if class.len() == empty {
            return Err(self.wrong(at, "this class is empty"));
        }
        class.push(']');
        Ok(Atom::Class(class))
    }

    /// A character of a text or a class, which may be escaped.
    fn character(&mut self) -> Result<char, GrammarError> {
        let at = self.at;
        let next = self.next();
        if next != Some('\\') {
            return next.ok_or_else(|| self.wrong(at, "the grammar ends in the middle of a text or a class"));
        }
        let escaped = self.next();
        match escaped {
            Some('n') => Ok('\n'),
            Some('r') => Ok('\r'),
            Some('t') => Ok('\t'),
            Some('x') => self.hexadecimal(at, 2),
            Some('u') => self.hexadecimal(at, 4),
            Some('U') => self.hexadecimal(at, 8),
            Some(known @ ('\\' | '"' | '[' | ']' | '-' | '^' | '/' | '.')) => Ok(known),
            _ => {
                Err(self
                    .wrong(at, "unknown escape; there are \\n \\r \\t \\\\ \\\" \\[ \\] \\x00 \\u0000 and \\U00000000"))
            }
        }
    }

    fn hexadecimal(&mut self, at: usize, digits: usize) -> Result<char, GrammarError> {
        let hexadecimal = self.rest().get(..digits).filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let code = hexadecimal.and_then(|text| u32::from_str_radix(text, 16).ok());
        let character = code.and_then(char::from_u32);
        let reason = || self.wrong(at, format!("this escape needs {digits} hexadecimal digits that name a character"));
        let character = character.ok_or_else(reason)?;
        self.at += digits;
        Ok(character)
    }

    /// `<name>` or `<[7]>`.
    fn token(&mut self) -> Result<Atom, GrammarError> {
        let rest = self.rest();
        let end = rest[1..].find(|c: char| matches!(c, '<' | '>') || c.is_whitespace()).map(|end| end + 1);
        match end.filter(|&end| end > 1 && rest.as_bytes()[end] == b'>') {
            Some(end) => {
                self.at += end + 1;
                Ok(Atom::Token(rest[..=end].to_owned()))
            }
            None => Err(self.wrong(self.at, "this token is never closed by `>`")),
        }
    }

    /// An atom with what follows it: `*`, `+`, `?`, `{2}`, `{2,}` or `{2,3}`.
    fn repeated(&mut self, atom: Atom) -> Result<Item, GrammarError> {
        let at = self.at;
        let (least, most) = match self.peek() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            Some('{') => return self.counted(atom),
            _ => return Ok(Item::once(atom)),
        };
        self.at += 1;
        if matches!(self.peek(), Some('*' | '+' | '?' | '{')) {
            return Err(self.wrong(at, "one repetition after another; put the first in parentheses"));
        }
        Ok(Item { atom, least, most })
    }

    fn counted(&mut self, atom: Atom) -> Result<Item, GrammarError> {
        let at = self.at;
        self.at += 1;
        let least = self.count(at)?;
        let most = if self.eat(",") {
            self.space(false);
            if self.peek() == Some('}') { None } else { Some(self.count(at)?) }
        } else {
            Some(least)
        };
        if !self.eat("}") || most.is_some_and(|most| most < least) {
            return Err(self.wrong(at, "this repetition must read {2}, {2,} or {2,3}"));
        }
        Ok(Item { atom, least, most })
    }

    fn count(&mut self, at: usize) -> Result<u32, GrammarError> {
        self.space(false);
        let rest = self.rest();
        let length = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let count = rest[..length].parse().ok().filter(|&count: &u32| count <= MAX_REPETITIONS);
        let reason = || self.wrong(at, format!("a repetition needs a number of at most {MAX_REPETITIONS}"));
        let count = count.ok_or_else(reason)?;
        self.at += length;
        self.space(false);
        Ok(count)
    }

    fn finish(self) -> Result<Grammar, GrammarError> {
        let undefined = self.names.iter().filter(|(_, (_, _, defined))| !defined).min_by_key(|(_, (_, at, _))| *at);
        match undefined {
            Some((name, (_, at, _))) => Err(self.wrong(*at, format!("the rule {name:?} is not defined"))),
            None => Ok(self.grammar),
        }
    }
}

/// A character within a class of Rust's regular expressions, in Lark's `/…/`.
fn escape(c: char) -> String {
    match c {
        '\n' => r"\n".to_owned(),
        '\r' => r"\r".to_owned(),
        '\t' => r"\t".to_owned(),
        _ if c.is_control() => format!(r"\x{{{:x}}}", c as u32),
        _ if regex_syntax::is_meta_character(c) || c == '/' => format!(r"\{c}"),
        _ => c.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(grammar: &str) -> (usize, usize) {
        match parse(grammar) {
            Err(GrammarError::Syntax { line, column, .. }) => (line, column),
            other => panic!("{grammar:?}: {other:?}"),
        }
    }

    #[test]
    fn errors_name_their_place() {
        for (grammar, expected) in [
            ("", (1, 1)),
            ("root ::= \"a", (1, 10)),
            ("root ::= [a", (1, 10)),
            ("root ::= []", (1, 10)),
            ("root ::= [z-a]", (1, 11)),
            ("root ::= (\"a\"\n", (1, 10)),
            ("root ::= \"a\")", (1, 13)),
            ("root ::= a\n", (1, 10)),
            ("root ::= \"a\"\nroot ::= \"b\"", (2, 1)),
            ("root ::= \"é\\q\"", (1, 12)),
            ("root ::= \"\\ud800\"", (1, 11)),
            ("root ::= \"a\"{3,2}", (1, 13)),
            ("root ::= \"a\"{2001}", (1, 13)),
            ("root ::= \"a\"**", (1, 13)),
            ("root = \"a\"", (1, 6)),
            ("root ::= <end", (1, 10)),
            ("root ::= !<end>", (1, 10)),
        ] {
            assert_eq!(place(grammar), expected, "{grammar:?}");
        }
    }

    #[test]
    fn lines_end_rules_only_outside_of_groups_and_after_bars_they_do_not() {
        let grammar = parse("# a comment\nroot ::= (\n \"a\" # and\n b\n) |\n \"c\"\n\nb ::=\n \"d\"").unwrap();
        assert_eq!(grammar.rules.len(), 3);
        assert_eq!(grammar.rules[0].len(), 2);
    }

    #[test]
    fn a_line_ends_after_a_group() {
        assert_eq!(parse("root ::= (a)*\na ::= \"x\"").unwrap().rules.len(), 3);
    }

    #[test]
    fn depth_costs_nothing() {
        let deep = format!("root ::= {}\"a\"{}", "(".repeat(9_000), ")".repeat(9_000));
        assert_eq!(parse(&deep).unwrap().rules.len(), 9_001);
        let deeper = format!("root ::= {}\"a\"{}", "(".repeat(20_000), ")".repeat(20_000));
        assert!(matches!(parse(&deeper), Err(GrammarError::TooLarge { .. })));
    }
}
