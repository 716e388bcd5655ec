//! Lark grammars before they are compiled: control tokens become ids, schemas inside are checked and rewritten like any other,
//! the depth of what the compiler must follow is bounded, and what it would hold wrongly is written anew or refused.
//!
//! The notation is llguidance's: <https://github.com/guidance-ai/llguidance/blob/main/docs/syntax.md>. The language of a grammar is the
//! context-free one, each terminal standing for every text of its expression, however an output could be cut into them; what `%ignore`
//! names may stand between two terminals. [`resolve`] reads no more than strings, expressions, comments, names and `<…>`; [`read()`] reads
//! grammars whole, and leaves those that use more of the notation to the compiler.

mod read;

use std::collections::HashMap;

use serde_json::Value;

use crate::cfg::{self, Given};
use crate::{GrammarError, schema};
use read::{Read, read};

/// Longest Lark grammar that is taken, in bytes.
const MAX_BYTES: usize = 256 << 10;

/// How many rules may lead to one another in a row: the compiler follows them by recursion.
const MAX_DEPTH: usize = 100;

/// A grammar that is ready to be compiled. `control` gives the ids of control tokens by name.
///
/// `<name>` stands for the control token of that name, or for the text `<name>` where the vocabulary has none, and `<[name]>` is
/// tried as a control token called `[name]` (ranges of ids, `<[1-3]>`, stay what they are). `%json {…}` takes a JSON schema.
///
/// Where the compiler would cut an output so that a text of the grammar is lost, the grammar is written anew with other terminals, or refused.
pub fn prepare(grammar: &str, control: &dyn Fn(&str) -> Option<u32>) -> Result<String, GrammarError> {
    hold(resolve(grammar, control)?)
}

/// The grammar as it is held: as it is written, if that will do.
fn hold(resolved: String) -> Result<String, GrammarError> {
    let Some(Read { mut grammar, mut given }) = read(&resolved) else { return Ok(resolved) };
    let written = grammar.rules.clone();
    grammar.prune()?;
    let is_pruned = grammar.rules != written;
    if matches!(given, Given::Terminals(_)) && cfg::join(&mut grammar) {
        given = Given::Not;
    }
    grammar.check_size()?;
    let (lexemes, is_changed) = cfg::lexemes(&mut grammar, &given)?;
    let is_fixed = matches!(given, Given::Fixed(..));
    Ok(if is_changed || is_pruned && !is_fixed { cfg::emit(&grammar, &lexemes) } else { resolved })
}

/// The grammar with control tokens as ids and schemas as they are compiled.
pub fn resolve(grammar: &str, control: &dyn Fn(&str) -> Option<u32>) -> Result<String, GrammarError> {
    if grammar.len() > MAX_BYTES {
        return Err(GrammarError::TooLarge { what: format!("{} bytes of Lark", grammar.len()), limit: MAX_BYTES });
    }
    let mut scan = Scan { source: grammar, at: 0, out: String::with_capacity(grammar.len()), rules: Rules::default() };
    while scan.at < grammar.len() {
        scan.step(control)?;
    }
    scan.rules.check_depth()?;
    Ok(scan.out)
}

/// A Lark string literal of this text.
pub fn quote(text: &str) -> String {
    // JSON's escapes are Lark's; DEL, which JSON leaves alone, Lark does not take.
    Value::from(text).to_string().replace('\x7f', "\\u007f")
}

struct Scan<'a> {
    source: &'a str,
    at: usize,
    out: String,
    rules: Rules,
}

impl Scan<'_> {
    fn rest(&self) -> &str {
        &self.source[self.at..]
    }

    /// Copy one piece of the grammar, or what replaces it.
    fn step(&mut self, control: &dyn Fn(&str) -> Option<u32>) -> Result<(), GrammarError> {
        let rest = self.rest();
        let next = rest.chars().next().unwrap_or('\n');
        match next {
            '"' => self.copy(delimited(rest, '"')),
            '#' => self.copy(line(rest)),
            '/' if rest.starts_with("//") => self.copy(line(rest)),
            '/' => self.copy(delimited(rest, '/')),
            '<' => self.special(control),
            '%' if keyword(rest) == "%json" => return self.schema(),
            '%' if keyword(rest) == "%llguidance" => return self.options(),
            '%' => self.copy(keyword(rest).len()),
            '\n' => {
                self.rules.end_line();
                self.copy(1);
            }
            '|' => {
                self.rules.go_on();
                self.copy(1);
            }
            _ if is_name(next) => {
                let length = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
                self.rules.name(&self.source[self.at..self.at + length]);
                self.copy(length);
            }
            _ => self.copy(next.len_utf8()),
        }
        Ok(())
    }

    fn copy(&mut self, length: usize) {
        let piece = &self.source[self.at..self.at + length];
        self.out.push_str(piece);
        self.at += length;
    }

    /// `<…>`: a control token, by its id.
    fn special(&mut self, control: &dyn Fn(&str) -> Option<u32>) {
        let rest = self.rest();
        let end = rest[1..].find(|c: char| matches!(c, '<' | '>') || c.is_whitespace()).map(|at| at + 1);
        let Some(end) = end.filter(|&end| end > 1 && rest.as_bytes()[end] == b'>') else { return self.copy(1) };
        let (name, inner) = (&rest[..=end], &rest[1..end]);
        if is_range(inner) {
            return self.copy(end + 1);
        }
        match control(name).or_else(|| control(inner)) {
            Some(id) => self.out.push_str(&format!("<[{id}]>")),
            None => self.out.push_str(&quote(name)),
        }
        self.at += end + 1;
    }

    /// `%json {…}`: the schema is checked and rewritten.
    fn schema(&mut self) -> Result<(), GrammarError> {
        let value = self.json("%json")?;
        let ready = schema::prepare(&value, false)?;
        self.out.push_str(&format!("%json {ready}"));
        Ok(())
    }

    /// `%llguidance {…}`: every option but the one that lets an output be no text.
    fn options(&mut self) -> Result<(), GrammarError> {
        let start = self.at;
        let value = self.json("%llguidance")?;
        if value.get("allow_invalid_utf8").is_some_and(|allowed| allowed != &Value::Bool(false)) {
            return Err(self.wrong(start, "allow_invalid_utf8 is not supported, since outputs are text"));
        }
        self.out.push_str(&format!("%llguidance {value}"));
        Ok(())
    }

    fn json(&mut self, keyword: &str) -> Result<Value, GrammarError> {
        let text = &self.rest()[keyword.len()..];
        let mut stream = serde_json::Deserializer::from_str(text).into_iter::<Value>();
        let value = match stream.next() {
            Some(Ok(value)) => value,
            Some(Err(error)) => return Err(self.wrong(self.at, &format!("no JSON after {keyword}: {error}"))),
            None => return Err(self.wrong(self.at, &format!("no JSON after {keyword}"))),
        };
        self.at += keyword.len() + stream.byte_offset();
        Ok(value)
    }

    fn wrong(&self, at: usize, reason: &str) -> GrammarError {
        let before = &self.source[..at];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        GrammarError::Syntax { notation: "Lark", line, column, reason: reason.to_owned() }
    }
}

/// The length of what begins and ends with `delimiter`, or of all there is.
fn delimited(text: &str, delimiter: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '\n' => return at,
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == delimiter => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn line(text: &str) -> usize {
    text.find('\n').unwrap_or(text.len())
}

fn keyword(text: &str) -> &str {
    let end = text[1..].find(|c: char| !c.is_ascii_alphabetic()).map_or(text.len(), |at| at + 1);
    &text[..end]
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '?' | '!')
}

/// `[1-3,7]`, `[^5]` or `[*]`.
fn is_range(inner: &str) -> bool {
    let ids = inner.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    ids.is_some_and(|ids| ids.chars().all(|c| c.is_ascii_digit() || matches!(c, ',' | '-' | '^' | '*')))
}

/// Which rule names which, in the order of the text.
#[derive(Default)]
struct Rules {
    names: HashMap<String, usize>,
    /// What each rule names.
    uses: Vec<Vec<usize>>,
    current: Option<usize>,
    at_line_start: bool,
}

impl Rules {
    fn end_line(&mut self) {
        self.at_line_start = true;
    }

    /// A line that begins with `|` continues the rule before it.
    fn go_on(&mut self) {
        self.at_line_start = false;
    }

    fn name(&mut self, name: &str) {
        let name = name.trim_start_matches(['?', '!']);
        let next = self.names.len();
        let id = *self.names.entry(name.to_owned()).or_insert(next);
        if id == self.uses.len() {
            self.uses.push(Vec::new());
        }
        match self.current {
            Some(current) if !self.at_line_start => self.uses[current].push(id),
            _ => self.current = Some(id),
        }
        self.at_line_start = false;
    }

    /// Follow the rules as the compiler does: depth first, each once.
    fn check_depth(&self) -> Result<(), GrammarError> {
        let mut seen = vec![false; self.uses.len()];
        let Some(&start) = self.names.get("start") else { return Ok(()) };
        let mut stack = vec![(start, 0)];
        seen[start] = true;
        while let Some((rule, next)) = stack.last_mut() {
            match self.uses[*rule].get(*next) {
                None => {
                    stack.pop();
                }
                Some(&used) => {
                    *next += 1;
                    if !std::mem::replace(&mut seen[used], true) {
                        stack.push((used, 0));
                    }
                }
            }
            if stack.len() > MAX_DEPTH {
                let what = format!("more than {MAX_DEPTH} rules lead to one another in a row");
                return Err(GrammarError::TooLarge { what, limit: MAX_DEPTH });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(grammar: &str) -> String {
        let control = |name: &str| ["<|call|>", "[TOOL_CALLS]"].iter().position(|known| *known == name);
        prepare(grammar, &|name| control(name).map(|id| id as u32)).unwrap()
    }

    #[test]
    fn control_tokens_become_ids_and_unknown_ones_text() {
        assert_eq!(ready("start: <|call|> <[TOOL_CALLS]> <call>"), r#"start: <[0]> <[1]> "<call>""#);
        assert_eq!(ready("start: <[7]> <[1-3,9]> <[^2]>"), "start: <[7]> <[1-3,9]> <[^2]>");
    }

    #[test]
    fn strings_expressions_and_comments_are_left_alone() {
        for text in
            [r#"start: "<|call|>\"<|call|>""#, r"start: /<|call|>\/<|call|>/", "# <|call|>\n// <|call|>", "a < b > c"]
        {
            assert_eq!(ready(text), text);
        }
    }

    #[test]
    fn schemas_inside_are_rewritten_and_errors_name_their_place() {
        assert!(ready("start: %json {\"type\": \"null\"} \"x\"").ends_with(" \"x\""));
        let error = prepare("start: \"a\"\n  %json {", &|_| None).unwrap_err();
        assert!(matches!(error, GrammarError::Syntax { line: 2, column: 3, .. }), "{error}");
        assert!(prepare("%llguidance {\"allow_invalid_utf8\": true}", &|_| None).is_err());
    }

    #[test]
    fn grammars_that_the_lexer_holds_are_left_as_they_are() {
        for grammar in [
            "start: NAME \"=\" NUMBER\nNAME: /[a-z]+/\nNUMBER: /[0-9]+/\n%ignore /\\s+/",
            "start: (WORD \",\")* WORD\n%import common.WORD\n%import common.WS\n%ignore WS",
            "?start: \"if\" \" \" x -> cond\n  | x // or so\n!x: /[a-z]+/i | \"a\"..\"z\" \"-\"",
            "start: \"<t>\" text\ntext[suffix=\"</t>\"]: /(.|\\n)*/",
            "start: <[7]> %json {\"type\":\"integer\",\"$defs\":{},\"x-guidance\":0} \"}\" A{2,3} | A~1..2\nA: \"a\" | \"\\x62\"",
        ] {
            assert_eq!(hold(grammar.to_owned()).as_deref(), Ok(grammar));
        }
    }

    #[test]
    fn terminals_that_go_on_where_another_ends_are_taken_apart_or_refused() {
        let apart = hold("start: t \" +\"\nt: X | OPEN t \")\"\nX: \"x\"\nOPEN: \"x (\"".to_owned()).unwrap();
        assert!(apart.contains("r0: r1 \" +\"") && apart.contains("\"x\" \" \" \"(\""), "{apart}");
        for (grammar, name) in [
            ("start: NAME \"b\"\nNAME: /[a-z]+/\n%ignore \" \"", "`NAME`"),
            ("start: A B\nA: \"a\"\nB: \"b\" | \" \"\n%ignore / +/", "ignored"),
            ("start: t %json {\"type\": \"object\"} | \"{(\"\nt: \"\"", "%json"),
        ] {
            let error = hold(grammar.to_owned()).unwrap_err();
            assert!(matches!(error, GrammarError::Ambiguous { .. }) && error.to_string().contains(name), "{error}");
        }
    }

    #[test]
    fn a_quoted_text_is_one_lark_string() {
        assert_eq!(quote("a\"\\\n\u{7f}é"), r#""a\"\\\n\u007fé""#);
    }

    #[test]
    fn long_chains_of_rules_are_refused_and_long_grammars_are_not() {
        let chain = |count: usize| {
            let rules: String = (0..count).map(|i| format!("r{i}: r{} \"x\"\n", i + 1)).collect();
            format!("start: r0\n{rules}r{count}: \"x\"")
        };
        assert!(prepare(&chain(50), &|_| None).is_ok());
        assert!(matches!(prepare(&chain(200), &|_| None), Err(GrammarError::TooLarge { .. })));
        let flat: String = (0..500).map(|i| format!("r{i}: \"x\"\n   | \"y\" r{}\n", i / 2)).collect();
        assert!(prepare(&format!("start: r499\n{flat}"), &|_| None).is_ok());
    }
}
