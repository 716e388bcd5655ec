//! Reading Lark as far as its language is plain: rules and terminals of texts, expressions, groups and repetitions, `%ignore`, `%import common`,
//! `%json` and control tokens. What the compiler alone understands (`&`, `~`, `%regex`, `%lark`, parameters) is not read, and neither is
//! what is wrong: the compiler says so.

use std::collections::HashMap;

use regex_syntax::hir::{Class, Hir, HirKind};
use serde_json::Value;

use crate::cfg::{Atom, Bytes, Given, Grammar, Item, Opaque, Rule};
use crate::regex::escape_for_lark;

/// Deepest nesting of groups that is read.
const MAX_DEPTH: usize = 50;

/// Most rules and groups that are read.
const MAX_RULES: usize = 10_000;

/// What may begin a JSON document, and by what a number goes on.
const JSON_STARTS: &str = "{[\"-0123456789tfn";
const JSON_DIGITS: &str = "0123456789.eE+-";

/// A grammar that was read, and how its lexemes are given.
pub struct Read {
    pub grammar: Grammar,
    pub given: Given,
}

/// Reads a grammar whose control tokens are ids already; `None` where that is left to the compiler.
pub fn read(text: &str) -> Option<Read> {
    let mut reader = Reader {
        text,
        at: 0,
        grammar: Grammar::default(),
        terminals: Vec::new(),
        numbers: HashMap::new(),
        defined: Vec::new(),
        ignored: Rule::new(),
        has_attributes: false,
    };
    reader.number("start");
    loop {
        reader.blank(true);
        if reader.rest().is_empty() {
            break;
        }
        reader.statement()?;
    }
    reader.finish()
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    grammar: Grammar,
    /// Which rules are terminals.
    terminals: Vec<bool>,
    numbers: HashMap<&'a str, usize>,
    defined: Vec<bool>,
    /// What may stand between terminals.
    ignored: Rule,
    has_attributes: bool,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn eat(&mut self, expected: &str) -> bool {
        let found = self.rest().starts_with(expected);
        self.at += if found { expected.len() } else { 0 };
        found
    }

    /// Skip blanks and comments; line ends, too, where they end nothing.
    fn blank(&mut self, lines: bool) {
        loop {
            let rest = self.rest();
            match rest.chars().next() {
                Some(' ' | '\t') => self.at += 1,
                Some('\n' | '\r') if lines => self.at += 1,
                Some('#') => self.at += rest.find('\n').unwrap_or(rest.len()),
                Some('/') if rest.starts_with("//") => self.at += rest.find('\n').unwrap_or(rest.len()),
                _ => return,
            }
        }
    }

    fn name(&mut self) -> Option<&'a str> {
        let rest = self.rest();
        let length = rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))).unwrap_or(rest.len());
        self.at += length;
        (length > 0 && !rest.starts_with(|c: char| c.is_ascii_digit() || c == '-')).then(|| &rest[..length])
    }

    fn rule(&mut self, terminal: bool) -> usize {
        self.grammar.rules.push(Rule::new());
        self.terminals.push(terminal);
        self.defined.push(false);
        self.grammar.rules.len() - 1
    }

    fn number(&mut self, name: &'a str) -> usize {
        if let Some(&number) = self.numbers.get(name) {
            return number;
        }
        let number = self.rule(is_terminal(name));
        self.grammar.names.insert(number, name.to_owned());
        self.numbers.insert(name, number);
        number
    }

    fn define(&mut self, name: &'a str, rule: Rule) -> Option<()> {
        let number = self.number(name);
        self.grammar.rules[number] = rule;
        (!std::mem::replace(&mut self.defined[number], true)).then_some(())
    }

    fn statement(&mut self) -> Option<()> {
        if self.eat("%ignore") {
            let ignored = self.alternatives(true, 0)?;
            self.ignored.extend(ignored);
            return self.line_end();
        }
        if self.eat("%import") {
            self.import()?;
            return self.line_end();
        }
        self.at += self.rest().len() - self.rest().trim_start_matches(['?', '!']).len();
        let name = self.name()?;
        let ends = self.attributes()?;
        self.blank(false);
        if !self.eat(":") || self.rest().starts_with(':') {
            return None;
        }
        let mut rule = self.alternatives(is_terminal(name), 0)?;
        if ends {
            // It ends as soon as it can, so that it never goes on.
            let opaque = Opaque { text: name.to_owned(), first: Bytes::ALL, extends: Bytes::default() };
            rule = vec![vec![Item::once(Atom::Opaque(opaque))]];
        }
        self.define(name, rule)?;
        self.line_end()
    }

    fn line_end(&mut self) -> Option<()> {
        self.blank(false);
        (self.rest().is_empty() || self.rest().starts_with(['\n', '\r'])).then_some(())
    }

    /// `%import common.NAME -> OTHER`.
    fn import(&mut self) -> Option<()> {
        self.blank(false);
        if !self.eat("common.") {
            return None;
        }
        let common = self.name()?;
        self.blank(false);
        let name = if self.eat("->") {
            self.blank(false);
            self.name()?
        } else {
            common
        };
        let (_, regex) = COMMON.iter().find(|(known, _)| *known == common)?;
        let items = self.expression(regex)?;
        self.define(name, vec![items])
    }

    /// `[capture, suffix="x"]`: whether they say where the rule ends.
    fn attributes(&mut self) -> Option<bool> {
        if !self.rest().starts_with('[') {
            return Some(false);
        }
        let length = self.rest().find("]:").or(self.rest().find("] :"))?;
        let attributes = &self.rest()[1..length];
        self.at += length + 1;
        self.has_attributes = true;
        let says = |word: &str| attributes.split(',').any(|attribute| attribute.trim().starts_with(word));
        (!says("max_tokens") && !says("temperature")).then_some(says("suffix") || says("stop") || says("lazy"))
    }

    fn alternatives(&mut self, terminal: bool, depth: usize) -> Option<Rule> {
        if depth > MAX_DEPTH || self.grammar.rules.len() > MAX_RULES {
            return None;
        }
        let mut alternatives = vec![Vec::new()];
        loop {
            self.blank(depth > 0);
            let rest = self.rest();
            let before = self.at;
            match rest.chars().next() {
                Some('|') => {
                    self.at += 1;
                    alternatives.push(Vec::new());
                }
                Some(')' | ']') if depth > 0 => return Some(alternatives),
                None if depth == 0 => return Some(alternatives),
                Some('\n' | '\r') => {
                    // A line that begins with a bar goes on with the rule.
                    self.blank(true);
                    if !self.rest().starts_with('|') {
                        self.at = before;
                        return Some(alternatives);
                    }
                }
                Some('-') if rest.starts_with("->") => {
                    self.at += 2;
                    self.blank(false);
                    self.name()?;
                }
                Some(_) => {
                    let items = self.item(terminal, depth)?;
                    alternatives.last_mut()?.extend(items);
                }
                None => return None,
            }
        }
    }

    fn item(&mut self, terminal: bool, depth: usize) -> Option<Vec<Item>> {
        let rest = self.rest();
        let items = match rest.chars().next()? {
            '(' | '[' => {
                let maybe = rest.starts_with('[');
                self.at += 1;
                let inner = self.alternatives(terminal, depth + 1)?;
                if !self.eat(if maybe { "]" } else { ")" }) {
                    return None;
                }
                let rule = self.rule(terminal);
                self.grammar.rules[rule] = inner;
                self.defined[rule] = true;
                let group = Item::once(Atom::Rule(rule));
                if maybe {
                    return Some(vec![Item { least: 0, ..group }]);
                }
                vec![group]
            }
            '"' => {
                let text = self.string()?;
                let fold = self.eat("i");
                self.blank(false);
                if self.eat("..") {
                    self.blank(false);
                    let (first, last) = (regex_syntax::escape(&text), regex_syntax::escape(&self.string()?));
                    self.expression(&format!("[{first}-{last}]"))?
                } else if fold {
                    self.expression(&format!("(?i){}", regex_syntax::escape(&text)))?
                } else if text.is_empty() {
                    Vec::new()
                } else {
                    vec![Item::once(Atom::Literal(text))]
                }
            }
            '/' => {
                let length = super::delimited(rest, '/');
                let body = rest[..length].strip_prefix('/')?.strip_suffix('/')?;
                self.at += length;
                let flags: String = self.rest().chars().take_while(|c| "imslux".contains(*c)).collect();
                self.at += flags.len();
                let flags = if flags.is_empty() { flags } else { format!("(?{flags})") };
                self.expression(&format!("{flags}{body}"))?
            }
            '<' => {
                let end = rest.find('>')? + 1;
                self.at += end;
                vec![Item::once(Atom::Token(rest[..end].to_owned()))]
            }
            '%' if self.eat("%json") => vec![Item::once(Atom::Opaque(self.json()?))],
            _ => {
                let name = self.name()?;
                if terminal && !is_terminal(name) || self.rest().starts_with([':', '{']) && !self.is_counted() {
                    return None;
                }
                vec![Item::once(Atom::Rule(self.number(name)))]
            }
        };
        if terminal && items.iter().any(|item| matches!(item.atom, Atom::Token(_) | Atom::Opaque(_))) {
            return None;
        }
        // A terminal's own parts stay together where they are repeated, and as a terminal of a rule.
        let items = match items.as_slice() {
            [] => return self.repeated(Item::once(Atom::Literal(String::new()))).map(|_| Vec::new()),
            [Item { least: 1, most: Some(1), .. }] => items,
            _ => {
                let rule = self.rule(true);
                self.grammar.rules[rule] = vec![items];
                self.defined[rule] = true;
                vec![Item::once(Atom::Rule(rule))]
            }
        };
        let item = self.repeated(items.into_iter().next()?)?;
        Some(if item.most == Some(0) { Vec::new() } else { vec![item] })
    }

    fn is_counted(&self) -> bool {
        self.rest()
            .strip_prefix('{')
            .is_some_and(|rest| rest.trim_start().starts_with(|c: char| c.is_ascii_digit() || c == ','))
    }

    fn repeated(&mut self, item: Item) -> Option<Item> {
        self.blank(false);
        let (least, most) = match self.rest().chars().next() {
            Some('?') => (0, Some(1)),
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('~') => {
                self.at += 1;
                let least = self.count()?;
                let most = if self.eat("..") { self.count()? } else { least };
                return (least <= most).then_some(Item { least, most: Some(most), ..item });
            }
            Some('{') => {
                self.at += 1;
                self.blank(false);
                let least = if self.rest().starts_with(',') { 0 } else { self.count()? };
                self.blank(false);
                let most = if self.eat(",") {
                    self.blank(false);
                    if self.rest().starts_with('}') { None } else { Some(self.count()?) }
                } else {
                    Some(least)
                };
                self.blank(false);
                let right = self.eat("}") && most.is_none_or(|most| least <= most && most > 0);
                return right.then_some(Item { least, most, ..item });
            }
            _ => return Some(item),
        };
        self.at += 1;
        Some(Item { least, most, ..item })
    }

    fn count(&mut self) -> Option<u32> {
        self.blank(false);
        let rest = self.rest();
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        self.at += digits;
        rest[..digits].parse().ok().filter(|count| *count <= 10_000)
    }

    fn string(&mut self) -> Option<String> {
        let rest = self.rest();
        let length = super::delimited(rest, '"');
        self.at += length;
        serde_json::from_str(&rest[..length].replace("\\x", "\\u00")).ok()
    }

    /// A JSON schema, which the compiler reads.
    fn json(&mut self) -> Option<Opaque> {
        let rest = self.rest();
        let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
        let schema = stream.next()?.ok()?;
        self.at += stream.byte_offset();
        let (first, is_number) = begins(&schema);
        let extends = if is_number { Bytes::of(JSON_DIGITS) } else { Bytes::default() };
        Some(Opaque { text: format!("%json {schema}"), first, extends })
    }

    /// A regular expression.
    fn expression(&mut self, regex: &str) -> Option<Vec<Item>> {
        let hir = regex_syntax::ParserBuilder::new().nest_limit(MAX_DEPTH as u32).build().parse(regex).ok()?;
        self.hir(&hir)
    }

    fn hir(&mut self, hir: &Hir) -> Option<Vec<Item>> {
        if self.grammar.rules.len() > MAX_RULES {
            return None;
        }
        match hir.kind() {
            HirKind::Empty => Some(Vec::new()),
            HirKind::Literal(literal) => {
                Some(vec![Item::once(Atom::Literal(String::from_utf8(literal.0.to_vec()).ok()?))])
            }
            HirKind::Class(Class::Unicode(class)) if !class.ranges().is_empty() => {
                Some(vec![Item::once(Atom::Class(escape_for_lark(&hir.to_string())))])
            }
            HirKind::Class(_) | HirKind::Look(_) => None,
            HirKind::Capture(capture) => self.hir(&capture.sub),
            HirKind::Repetition(repetition) => {
                let items = self.hir(&repetition.sub)?;
                let atom = match items.as_slice() {
                    [Item { atom, least: 1, most: Some(1) }] => atom.clone(),
                    _ => self.group(vec![items]),
                };
                Some(vec![Item { atom, least: repetition.min, most: repetition.max }])
            }
            HirKind::Concat(parts) => {
                let mut items = Vec::new();
                for part in parts {
                    items.extend(self.hir(part)?);
                }
                Some(items)
            }
            HirKind::Alternation(parts) => {
                let alternatives = parts.iter().map(|part| self.hir(part)).collect::<Option<Rule>>()?;
                Some(vec![Item::once(self.group(alternatives))])
            }
        }
    }

    fn group(&mut self, alternatives: Rule) -> Atom {
        let rule = self.rule(true);
        self.grammar.rules[rule] = alternatives;
        self.defined[rule] = true;
        Atom::Rule(rule)
    }

    fn finish(mut self) -> Option<Read> {
        if self.defined.iter().any(|defined| !defined) {
            return None;
        }
        let skip = (!self.ignored.is_empty()).then(|| {
            let rule = self.rule(true);
            self.grammar.rules[rule] = std::mem::take(&mut self.ignored);
            rule
        });
        // A terminal that leads to itself is the compiler's to refuse.
        let regular = self.grammar.regular();
        if self.terminals.iter().zip(&regular).any(|(terminal, regular)| *terminal && !regular) {
            return None;
        }
        let given = if skip.is_some() || self.has_attributes {
            Given::Fixed(self.terminals, skip)
        } else {
            Given::Terminals(self.terminals)
        };
        Some(Read { grammar: self.grammar, given })
    }
}

fn is_terminal(name: &str) -> bool {
    name.trim_start_matches('_').starts_with(|c: char| c.is_ascii_uppercase())
}

/// The bytes that a schema's documents begin with, and whether they may be numbers.
fn begins(schema: &Value) -> (Bytes, bool) {
    let of = |kind: &Value| match kind.as_str() {
        Some("object") => "{",
        Some("array") => "[",
        Some("string") => "\"",
        Some("boolean") => "tf",
        Some("null") => "n",
        Some("number" | "integer") => "-0123456789",
        _ => JSON_STARTS,
    };
    let starts: String = match (schema.get("type"), schema.get("const"), schema.get("enum")) {
        (Some(Value::Array(kinds)), ..) => kinds.iter().map(of).collect(),
        (Some(kind), ..) => of(kind).to_owned(),
        (None, Some(value), _) => value.to_string().chars().take(1).collect(),
        (None, None, Some(Value::Array(values))) => {
            values.iter().filter_map(|value| value.to_string().chars().next()).collect()
        }
        _ => JSON_STARTS.to_owned(),
    };
    (Bytes::of(&starts), starts.contains(|c: char| c.is_ascii_digit()))
}

/// The terminals of `common` as the compiler knows them.
const COMMON: [(&str, &str); 24] = [
    ("DIGIT", "[0-9]"),
    ("HEXDIGIT", "[a-fA-F0-9]"),
    ("INT", "[0-9]+"),
    ("SIGNED_INT", r"(\+|-)?[0-9]+"),
    ("DECIMAL", r"([0-9]+\.[0-9]*)|(\.[0-9]+)"),
    ("_EXP", r"[eE](\+|-)?[0-9]+"),
    ("FLOAT", r"([0-9]+\.[0-9]*|\.[0-9]+)([eE](\+|-)?[0-9]+)?|[0-9]+[eE](\+|-)?[0-9]+"),
    ("SIGNED_FLOAT", r"(\+|-)?(([0-9]+\.[0-9]*|\.[0-9]+)([eE](\+|-)?[0-9]+)?|[0-9]+[eE](\+|-)?[0-9]+)"),
    ("NUMBER", r"([0-9]+)|([0-9]+\.[0-9]*|\.[0-9]+)([eE](\+|-)?[0-9]+)?|[0-9]+[eE](\+|-)?[0-9]+"),
    ("SIGNED_NUMBER", r"(\+|-)?(([0-9]+)|([0-9]+\.[0-9]*|\.[0-9]+)([eE](\+|-)?[0-9]+)?|[0-9]+[eE](\+|-)?[0-9]+)"),
    ("ESCAPED_STRING", r#""([^"\\]|\\.)*""#),
    ("LCASE_LETTER", "[a-z]"),
    ("UCASE_LETTER", "[A-Z]"),
    ("LETTER", "[A-Za-z]"),
    ("WORD", "[A-Za-z]+"),
    ("CNAME", "[_A-Za-z][_A-Za-z0-9]*"),
    ("WS_INLINE", r"[ \t]+"),
    ("WS", r"[ \t\f\r\n]+"),
    ("CR", r"\r"),
    ("LF", r"\n"),
    ("NEWLINE", r"(\r?\n)+"),
    ("SH_COMMENT", r"#[^\n]*"),
    ("CPP_COMMENT", r"//[^\n]*"),
    ("SQL_COMMENT", r"--[^\n]*"),
];
