//! Regular expressions: what can be enforced of them, in Rust's and in JSON Schema's (ECMAScript's) syntax.
//!
//! They are parsed here, so that what the matcher cannot follow (look-around, back-references, word boundaries) is refused by name, and
//! printed anew in the plain subset that it reads the same way.

mod ahead;
mod ecma;

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, Hir, HirKind, Look, Repetition};

use crate::GrammarError;

/// Longest expression that is taken, in bytes.
const MAX_BYTES: usize = 32 << 10;

/// Deepest nesting of groups.
const MAX_DEPTH: u32 = 64;

/// How long an expression may be with its counted repetitions written out, in characters.
const MAX_EXPANDED: u64 = 50_000;

/// How the expression that matches nothing but the empty text is printed.
const EMPTY: &str = "(?:)";

/// A Lark grammar of the texts that the whole expression (Rust's syntax) matches.
pub fn to_lark(pattern: &str) -> Result<String, GrammarError> {
    match print(pattern, &parse(pattern, pattern)?, &Class::clone)?.as_str() {
        EMPTY => Ok("start: \"\"".to_owned()),
        regex => Ok(format!("start: TEXT\nTEXT: /{}/", escape_for_lark(regex))),
    }
}

/// The searches in Rust's syntax that together are the one for an expression of a JSON schema: one, or more where it has look-ahead. Where
/// the two languages differ in what `\s` or `.` match, the result matches what both do, so that whichever a validator uses accepts it.
pub fn from_schema(pattern: &str) -> Result<Vec<String>, GrammarError> {
    let rust = ecma::to_rust(pattern).map_err(|reason| refused(pattern, reason))?;
    let has_ahead = ["(?=", "(?!"].iter().any(|ahead| rust.contains(ahead));
    let parts = if has_ahead { ahead::parts(&rust) } else { None };
    let print = |rust: &String| print(pattern, &parse(pattern, rust)?, &writable);
    parts.unwrap_or_else(|| vec![rust]).iter().map(print).collect()
}

/// Inside `/…/`, a slash must be escaped and a line must not end.
pub fn escape_for_lark(regex: &str) -> String {
    regex.replace('/', r"\/").replace('\n', r"\n").replace('\r', r"\r")
}

fn parse(pattern: &str, rust: &str) -> Result<Hir, GrammarError> {
    if pattern.len() > MAX_BYTES {
        let what = format!("a regular expression of {} bytes", pattern.len());
        return Err(GrammarError::TooLarge { what, limit: MAX_BYTES });
    }
    let parsed = ParserBuilder::new().nest_limit(MAX_DEPTH).build().parse(rust);
    let hir = parsed.map_err(|error| refused(pattern, regex_problem(&error)))?;
    if expanded(&hir) > MAX_EXPANDED {
        let what = format!("the repetitions of {:?} written out", beginning(pattern));
        return Err(GrammarError::TooLarge { what, limit: MAX_EXPANDED as usize });
    }
    Ok(hir)
}

/// Why an expression cannot be read: the error without the listing that regex-syntax puts around it, which a page would have to download.
pub fn regex_problem(error: &regex_syntax::Error) -> String {
    match error {
        regex_syntax::Error::Parse(error) => error.kind().to_string(),
        regex_syntax::Error::Translate(error) => error.kind().to_string(),
        _ => "it cannot be read".into(),
    }
}

fn refused(pattern: &str, reason: impl Into<String>) -> GrammarError {
    GrammarError::Regex { pattern: beginning(pattern), reason: reason.into() }
}

fn beginning(pattern: &str) -> String {
    pattern.chars().take(80).collect()
}

/// How many characters long it is with its repetitions written out.
fn expanded(hir: &Hir) -> u64 {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 0,
        HirKind::Literal(literal) => literal.0.len() as u64,
        HirKind::Class(_) => 1,
        HirKind::Repetition(repetition) => {
            let times = repetition.max.unwrap_or(repetition.min).max(1);
            expanded(&repetition.sub).max(1).saturating_mul(u64::from(times))
        }
        HirKind::Capture(capture) => expanded(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().fold(0, |sum, part| u64::saturating_add(sum, expanded(part)))
        }
    }
}

/// The expression as text, simplified by `simplify`.
fn print(pattern: &str, hir: &Hir, class: &dyn Fn(&Class) -> Class) -> Result<String, GrammarError> {
    Ok(simplify(hir, class).map_err(|look| refused(pattern, unsupported(look)))?.to_string())
}

fn unsupported(look: Look) -> &'static str {
    match look {
        Look::StartLF | Look::EndLF | Look::StartCRLF | Look::EndCRLF => {
            "multi-line anchors cannot be enforced; write the line breaks out"
        }
        _ => "word boundaries cannot be enforced; write out what stands around the word",
    }
}

/// The same with each class replaced, and with groups that capture nothing: llguidance gives a meaning of its own to the names of some.
fn simplify(hir: &Hir, class: &dyn Fn(&Class) -> Class) -> Result<Hir, Look> {
    let all = |parts: &[Hir]| parts.iter().map(|part| simplify(part, class)).collect::<Result<Vec<_>, _>>();
    match hir.kind() {
        HirKind::Look(Look::Start | Look::End) | HirKind::Empty | HirKind::Literal(_) => Ok(hir.clone()),
        HirKind::Look(look) => Err(*look),
        HirKind::Class(old) => Ok(Hir::class(class(old))),
        HirKind::Capture(capture) => simplify(&capture.sub, class),
        HirKind::Repetition(repetition) => {
            let sub = Box::new(simplify(&repetition.sub, class)?);
            Ok(Hir::repetition(Repetition { sub, ..repetition.clone() }))
        }
        HirKind::Concat(parts) => Ok(Hir::concat(all(parts)?)),
        HirKind::Alternation(parts) => Ok(Hir::alternation(all(parts)?)),
    }
}

/// The class without the control characters that a JSON string can only hold as `\u0000`, which documents do not use (see
/// `schema::layout`). Besides, llguidance 1.9.1 lets quotes and backslashes into a class that has all control characters.
fn writable(class: &Class) -> Class {
    let ranges = [('\u{8}', '\u{a}'), ('\u{c}', '\u{d}'), (' ', '~'), ('\u{80}', char::MAX)];
    let mut writable = ClassUnicode::new(ranges.map(|(first, last)| ClassUnicodeRange::new(first, last)));
    match class {
        Class::Unicode(class) => writable.intersect(class),
        Class::Bytes(bytes) => match bytes.to_unicode_class() {
            Some(class) => writable.intersect(&class),
            None => return class.clone(),
        },
    }
    Class::Unicode(writable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lark_grammar_has_the_expression_escaped() {
        assert_eq!(to_lark("(?P<stop>a/b)\n").unwrap(), "start: TEXT\nTEXT: /(?:a\\/b\\n)/");
        assert_eq!(to_lark("").unwrap(), "start: \"\"");
    }

    #[test]
    fn what_cannot_be_enforced_is_named() {
        for (pattern, word) in [
            ("a(?=b)", "look-around"),
            (r"(a)\1", "backreferences"),
            (r"\bword", "word boundaries"),
            ("(?m)^a", "multi-line"),
            ("a(", "unclosed group"),
        ] {
            let message = to_lark(pattern).unwrap_err().to_string();
            assert!(message.contains(word) && message.contains("regular expression"), "{message}");
        }
    }

    #[test]
    fn classes_in_schemas_have_no_characters_that_documents_cannot_hold() {
        assert_eq!(from_schema("[^\"]").unwrap(), ["[\u{8}-\n\u{c}\r !\\#-\\~\u{80}-\u{10ffff}]"]);
        assert_eq!(from_schema("(?-u)[\\x00-c]").unwrap(), from_schema("[\\x00-c]").unwrap());
    }

    #[test]
    fn what_is_too_large_is_refused_at_once() {
        for pattern in
            ["a".repeat(MAX_BYTES + 1), "(a{1000}){1000}".into(), "(a{1000,}){1000}".into(), "a{4000000000}".into()]
        {
            assert!(matches!(to_lark(&pattern), Err(GrammarError::TooLarge { .. })), "{}", beginning(&pattern));
        }
        assert!(matches!(
            to_lark(&format!("{}a{}", "(".repeat(100), ")".repeat(100))),
            Err(GrammarError::Regex { .. })
        ));
    }
}
