//! Oniguruma's dialect of regular expressions, in which `tokenizer.json` is written, put into the one that our engine reads.
//!
//! The engine is an automaton: it knows no look-around, no back-references and no possessive quantifiers. What published
//! patterns use of these is put differently, without a change of meaning; anything else is refused by name. The differences:
//!
//! * `\s+(?!\S)` as an alternative becomes `\s+`, with the note that it gives its last character back if text follows.
//! * `(?i:'s|…)` is written out; K (Kelvin) and ſ (long s), which fold to k and s, too.
//! * `$` and `^` stand at the ends of lines, as in Ruby.
//! * `X++` and `X?+` are greedy where nothing that may follow can begin with an X: then there is nothing to give back.

use regex_automata::util::syntax;

/// An alternative of a pattern.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Alternative {
    /// In the engine's dialect.
    pub pattern: String,
    /// Whether a match gives up its last character if text follows.
    pub gives_back: bool,
}

/// A run of white space that does not end before text.
const SPACES_BUT_LAST: &str = r"\s+(?!\S)";

/// The Han script (Unicode 16), for `\p{Han}`: the engine carries no table of scripts.
const HAN: &str = r"\u2E80-\u2E99\u2E9B-\u2EF3\u2F00-\u2FD5\u3005\u3007\u3021-\u3029\u3038-\u303B\u3400-\u4DBF\u4E00-\u9FFF\uF900-\uFA6D\uFA70-\uFAD9\U00016FE2\U00016FE3\U00016FF0\U00016FF1\U00020000-\U0002A6DF\U0002A700-\U0002B739\U0002B740-\U0002B81D\U0002B820-\U0002CEA1\U0002CEB0-\U0002EBE0\U0002EBF0-\U0002EE5D\U0002F800-\U0002FA1D\U00030000-\U0003134A\U00031350-\U000323AF";

/// How deep groups and classes may nest.
const MAX_DEPTH: usize = 32;

/// Translates a pattern. Neighbouring alternatives that need no note stay together.
///
/// # Errors
/// Names the part of the pattern that an automaton cannot run, or that the two dialects may read differently.
pub(super) fn translate(pattern: &str) -> Result<Vec<Alternative>, String> {
    let mut translator = Translator { rest: pattern, ..Translator::default() };
    while translator.step()? {}
    if !translator.groups.is_empty() {
        return Err("an open group".into());
    }
    translator.end_alternative();
    Ok(translator.done)
}

#[derive(Default)]
struct Translator<'p> {
    rest: &'p str,
    done: Vec<Alternative>,
    /// The alternatives that have not been handed to `done`, in the new dialect.
    out: String,
    /// Where in `out` the alternative begins.
    alternative: usize,
    /// Where in `out` the last atom begins; none where a quantifier would have nothing to repeat.
    atom: Option<usize>,
    /// Atoms with possessive quantifiers that what comes next must not begin with.
    possessive: Vec<String>,
    /// For each open group, whether its letters match both cases outside of it.
    groups: Vec<bool>,
    ignore_case: bool,
}

impl<'p> Translator<'p> {
    /// Reads one element. False at the end.
    fn step(&mut self) -> Result<bool, String> {
        let Some(c) = self.rest.chars().next() else { return Ok(false) };
        if self.rest.starts_with(SPACES_BUT_LAST) && self.stands_alone(SPACES_BUT_LAST.len()) {
            self.rest = &self.rest[SPACES_BUT_LAST.len()..];
            self.flush();
            self.done.push(Alternative { pattern: r"\s+".into(), gives_back: true });
            self.rest = self.rest.strip_prefix('|').unwrap_or("");
            return Ok(true);
        }
        match c {
            '(' => self.open_group()?,
            ')' => self.close_group()?,
            '[' => {
                let class = self.class()?;
                self.push_atom(&class)?;
            }
            '|' => {
                self.skip(1);
                self.end_branch();
                if self.groups.is_empty() {
                    self.end_alternative();
                }
                self.out.push('|');
                self.alternative = self.out.len();
            }
            '?' | '*' | '+' | '{' => self.quantifier(c)?,
            '$' | '^' => {
                self.skip(1);
                self.out.push_str(if c == '$' { "(?m:$)" } else { "(?m:^)" });
                self.atom = None;
                self.no_possessive_before("an anchor")?;
            }
            '.' => {
                self.skip(1);
                self.push_atom(r"[^\n]")?;
            }
            '\\' => {
                let (escape, _) = self.escape()?;
                self.push_atom(&escape)?;
            }
            c => {
                self.skip(c.len_utf8());
                let atom = if self.ignore_case { both_cases(c) } else { literal(c) };
                self.push_atom(&atom)?;
            }
        }
        Ok(true)
    }

    /// Whether the next `len` bytes are a whole alternative of the pattern.
    fn stands_alone(&self, len: usize) -> bool {
        let ends = matches!(self.rest.as_bytes().get(len), None | Some(b'|'));
        self.groups.is_empty() && self.out.len() == self.alternative && ends
    }

    fn skip(&mut self, len: usize) {
        self.rest = &self.rest[len..];
    }

    fn push_atom(&mut self, atom: &str) -> Result<(), String> {
        for possessive in &self.possessive {
            if !disjoint(possessive, atom) {
                return Err(format!("the possessive quantifier of {possessive}"));
            }
        }
        self.possessive.clear();
        self.atom = Some(self.out.len());
        self.out.push_str(atom);
        Ok(())
    }

    fn no_possessive_before(&self, what: &str) -> Result<(), String> {
        if self.possessive.is_empty() { Ok(()) } else { Err(format!("a possessive quantifier before {what}")) }
    }

    /// The end of a branch: nothing follows in it that a possessive quantifier could have left something for.
    fn end_branch(&mut self) {
        if self.groups.is_empty() {
            self.possessive.clear();
        }
        self.atom = None;
    }

    /// Joins the alternative that ends here to those before it.
    fn end_alternative(&mut self) {
        self.possessive.clear();
        if self.rest.is_empty() {
            self.flush();
        }
    }

    /// Hands over the alternatives collected so far.
    fn flush(&mut self) {
        let pattern = std::mem::take(&mut self.out);
        let pattern = pattern.strip_suffix('|').unwrap_or(&pattern);
        if !pattern.is_empty() {
            self.done.push(Alternative { pattern: pattern.to_owned(), gives_back: false });
        }
        self.alternative = 0;
        self.atom = None;
    }

    fn open_group(&mut self) -> Result<(), String> {
        self.no_possessive_before("a group")?;
        let (len, ignore_case) = match self.rest.get(..4) {
            Some("(?i:") => (4, true),
            _ if self.rest.starts_with("(?:") => (3, self.ignore_case),
            _ if self.rest.starts_with("(?") => {
                let end = self.rest.find(')').map_or(self.rest.len(), |at| at + 1);
                return Err(format!("the group {}", &self.rest[..end]));
            }
            _ => (1, self.ignore_case),
        };
        if self.groups.len() >= MAX_DEPTH {
            return Err(format!("groups more than {MAX_DEPTH} deep"));
        }
        self.skip(len);
        self.groups.push(std::mem::replace(&mut self.ignore_case, ignore_case));
        self.out.push_str("(?:");
        self.atom = None;
        Ok(())
    }

    fn close_group(&mut self) -> Result<(), String> {
        self.no_possessive_before("the end of a group")?;
        self.skip(1);
        self.ignore_case = self.groups.pop().ok_or("a ) without a (")?;
        self.out.push(')');
        // A group may be repeated, but not possessively.
        self.atom = Some(self.out.len());
        Ok(())
    }

    fn quantifier(&mut self, c: char) -> Result<(), String> {
        let atom = self.atom.ok_or("a quantifier that repeats nothing")?;
        let text = self.out[atom..].to_owned();
        if c == '{' {
            let end = self.rest.find('}').ok_or("a { without a }")?;
            let counts = &self.rest[1..end];
            if !counts.starts_with(|c: char| c.is_ascii_digit())
                || counts.contains(|c: char| !c.is_ascii_digit() && c != ',')
            {
                return Err(format!("the quantifier {{{counts}}}"));
            }
            self.out.push_str(&self.rest[..=end]);
            self.skip(end + 1);
            if self.rest.starts_with(['+', '?', '*']) {
                return Err(format!("a quantifier after {{{counts}}}"));
            }
            self.atom = None;
            return Ok(());
        }
        self.skip(1);
        self.out.push(c);
        self.atom = None;
        if self.rest.starts_with('?') {
            self.skip(1);
            self.out.push('?');
        } else if self.rest.starts_with('+') {
            if text.is_empty() {
                return Err("a possessive quantifier of a group".into());
            }
            self.skip(1);
            self.possessive.push(text);
        }
        Ok(())
    }

    /// A class in brackets, in the new dialect.
    fn class(&mut self) -> Result<String, String> {
        let mut out = String::new();
        let mut depth = 0;
        // Whether a member may begin a range here.
        let mut last: Option<char> = None;
        loop {
            let c = self.rest.chars().next().ok_or("an open class")?;
            match c {
                '[' => {
                    if self.rest.starts_with("[:") {
                        return Err("a POSIX class".into());
                    }
                    depth += 1;
                    if depth > MAX_DEPTH {
                        return Err(format!("classes more than {MAX_DEPTH} deep"));
                    }
                    let negated = self.rest.starts_with("[^");
                    self.skip(if negated { 2 } else { 1 });
                    out.push_str(if negated { "[^" } else { "[" });
                    if self.rest.starts_with(']') {
                        return Err("a class that begins with ]".into());
                    }
                    last = None;
                }
                ']' => {
                    self.skip(1);
                    out.push(']');
                    depth -= 1;
                    last = None;
                    if depth == 0 {
                        return Ok(out);
                    }
                }
                '\\' => {
                    let (escape, c) = self.escape()?;
                    out.push_str(&escape);
                    last = c;
                }
                '&' if self.rest.starts_with("&&") => {
                    self.skip(2);
                    out.push_str("&&");
                    last = None;
                }
                '-' => {
                    self.skip(1);
                    let to = self.rest.chars().next().ok_or("an open class")?;
                    match (last, to) {
                        (Some(from), to) if !matches!(to, ']' | '[' | '\\') => {
                            self.skip(to.len_utf8());
                            out.push_str(&format!("-{}", literal(to)));
                            if self.ignore_case {
                                out.push_str(&other_case_range(from, to)?);
                            }
                            last = None;
                        }
                        (Some(_), '\\') if !self.ignore_case => {
                            out.push_str(&format!("-{}", self.escape()?.0));
                            last = None;
                        }
                        (Some(from), '\\') => {
                            return Err(format!("a range from {from} to an escape where case is ignored"));
                        }
                        _ => out.push_str(r"\-"),
                    }
                }
                c => {
                    self.skip(c.len_utf8());
                    if self.ignore_case && self.rest.as_bytes().first() != Some(&b'-') {
                        out.push_str(&both_cases(c).replace(['[', ']'], ""));
                    } else {
                        out.push_str(&literal(c));
                    }
                    last = Some(c);
                }
            }
        }
    }

    /// An escape, outside a class or in one, and the character it stands for, if that is one.
    fn escape(&mut self) -> Result<(String, Option<char>), String> {
        let mut chars = self.rest[1..].chars();
        let c = chars.next().ok_or("a \\ at the end")?;
        let hex = |digits: usize| {
            let code = self.rest.get(2..2 + digits).filter(|code| code.bytes().all(|byte| byte.is_ascii_hexdigit()));
            let c = code.and_then(|code| char::from_u32(u32::from_str_radix(code, 16).ok()?));
            code.map(|code| (format!(r"\x{{{code}}}"), 2 + digits, c))
        };
        let (out, len, c) = match c {
            's' | 'S' | 'd' | 'D' | 'w' | 'W' => (format!("\\{c}"), 2, None),
            'r' | 'n' | 't' | 'f' | 'v' | 'a' => (format!("\\{c}"), 2, Some(c)),
            'p' | 'P' => {
                let (property, len) = property(self.rest).ok_or_else(|| unknown_property(self.rest))?;
                (property, len, None)
            }
            'u' => hex(4).ok_or("a \\u without four digits")?,
            'x' => hex(2).ok_or("a \\x without two digits")?,
            c if c.is_ascii_alphanumeric() => return Err(format!("\\{c}")),
            c => (literal(c), 1 + c.len_utf8(), Some(c)),
        };
        self.skip(len);
        Ok((out, c))
    }
}

/// `\p{…}` or `\P{…}` at the beginning of `text`, with its length. General categories mean the same in both dialects.
fn property(text: &str) -> Option<(String, usize)> {
    let name = text.get(2..)?.strip_prefix('{')?;
    let name = &name[..name.find('}')?];
    let len = name.len() + 4;
    let negated = text.starts_with(r"\P") != name.starts_with('^');
    let bare = name.trim_start_matches('^');
    let is_category = matches!(bare.len(), 1 | 2) && bare.bytes().all(|byte| byte.is_ascii_alphabetic());
    match bare {
        "Han" if negated => Some((format!("[^{HAN}]"), len)),
        "Han" => Some((format!("[{HAN}]"), len)),
        _ if is_category => Some((format!(r"\{}{{{bare}}}", if negated { 'P' } else { 'p' }), len)),
        _ => None,
    }
}

fn unknown_property(text: &str) -> String {
    let end = text.find('}').map_or(text.len(), |at| at + 1);
    format!("the property {}", &text[..end])
}

/// A character that means itself, in a class or outside.
fn literal(c: char) -> String {
    if c.is_ascii_punctuation()
        && !matches!(c, '<' | '>' | '\'' | '"' | '/' | ',' | ':' | ';' | '@' | '`' | '_' | '%' | '!' | '=')
    {
        format!("\\{c}")
    } else {
        c.to_string()
    }
}

/// A class of what a character matches where case is ignored; characters beyond ASCII are taken as they are.
fn both_cases(c: char) -> String {
    match c.to_ascii_lowercase() {
        's' => "[sSſ]".into(),
        'k' => "[kK\u{212a}]".into(),
        lower @ 'a'..='z' => format!("[{lower}{}]", lower.to_ascii_uppercase()),
        _ => literal(c),
    }
}

/// The range of the other case of `from-to`.
fn other_case_range(from: char, to: char) -> Result<String, String> {
    let flip = |c: char| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
    match (from, to) {
        ('a'..='z', 'a'..='z') | ('A'..='Z', 'A'..='Z') => {
            let within = |c: char| (from..=to).contains(&c) || (flip(from)..=flip(to)).contains(&c);
            let long_s = if within('s') { "ſ" } else { "" };
            let kelvin = if within('k') { "\u{212a}" } else { "" };
            Ok(format!("{}-{}{long_s}{kelvin}", flip(from), flip(to)))
        }
        _ if !from.is_alphabetic() && !to.is_alphabetic() => Ok(String::new()),
        _ => Err(format!("the range {from}-{to} where case is ignored")),
    }
}

/// Whether two atoms (characters or classes) have no character in common.
fn disjoint(a: &str, b: &str) -> bool {
    syntax::parse(&format!("[{a}&&{b}]")).is_ok_and(|hir| hir.properties().minimum_len().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(pattern: &str) -> String {
        match translate(pattern).unwrap().as_slice() {
            [Alternative { pattern, gives_back: false }] => pattern.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_rule_for_white_space_is_taken_out_with_its_place() {
        let note = |pattern: &str, gives_back| Alternative { pattern: pattern.into(), gives_back };
        assert_eq!(
            translate(r" ?\p{L}+|\s*[\r\n]+|\s+(?!\S)|\s+").unwrap(),
            [note(r" ?\p{L}+|\s*[\r\n]+", false), note(r"\s+", true), note(r"\s+", false)]
        );
        assert_eq!(translate(r"\s+(?!\S)").unwrap(), [note(r"\s+", true)]);
    }

    #[test]
    fn case_possession_and_lines_are_written_out() {
        assert_eq!(plain("(?i:'s|'ll)"), "(?:'[sSſ]|'[lL][lL])");
        assert_eq!(plain("(?i:[sd-f])x"), "(?:[sSſd-fD-F])x");
        assert_eq!(
            plain(r"[^\r\n\p{L}\p{N}]?+\p{L}+| ?[^\s\p{L}]++[\r\n]*"),
            r"[^\r\n\p{L}\p{N}]?\p{L}+| ?[^\s\p{L}]+[\r\n]*"
        );
        assert_eq!(plain(r"\s+$"), r"\s+(?m:$)");
        assert_eq!(plain(r"[!-/:-~]"), r"[!-/:-\~]");
        assert_eq!(plain(r"[\u0001-\u0008\n-\r\-a-]"), r"[\x{0001}-\x{0008}\n-\r\-a\-]");
        assert_eq!(plain(r"(a|b)\/\ c"), r"(?:a|b)/ c");
    }

    #[test]
    fn what_an_automaton_cannot_run_is_named() {
        for (pattern, named) in [
            (r"\d{1,3}(?=(?:\d{3})*\b)", "(?=(?:\\d{3})"),
            (r"(?<!a)b", "(?<!a)"),
            (r"(?!\S)", "(?!\\S)"),
            (r"\s+(?!\S)x", "(?!\\S)"),
            (r"(a)\1", "\\1"),
            (r"a++a", "possessive quantifier of a"),
            (r"\bx", "\\b"),
            (r"[[:alpha:]]", "POSIX"),
            (r"\p{Greek}", "\\p{Greek}"),
            (r"(?m)x", "(?m)"),
            ("(", "open group"),
            ("[a", "open class"),
            ("*a", "repeats nothing"),
        ] {
            let error = translate(pattern).unwrap_err();
            assert!(error.contains(named), "{pattern}: {error}");
        }
    }
}
