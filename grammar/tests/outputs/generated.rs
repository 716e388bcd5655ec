//! Descriptions from strangers that are long and have little in them: made here, and not kept as files.

use std::fmt::Display;

/// `item` of each number below `count`, with `separator` between.
fn joined<T: Display>(count: usize, separator: &str, item: impl Fn(usize) -> T) -> String {
    (0..count).map(|at| item(at).to_string()).collect::<Vec<_>>().join(separator)
}

/// `inner` behind `depth` times `open` and before as many `close`.
fn nested(depth: usize, open: &str, inner: &str, close: &str) -> String {
    format!("{}{inner}{}", open.repeat(depth), close.repeat(depth))
}

fn schema(schema: &str) -> String {
    format!(r#"{{"type": "json_schema", "schema": {schema}}}"#)
}

fn choice(choices: &str) -> String {
    format!(r#"{{"type": "choice", "choices": [{choices}]}}"#)
}

/// A grammar of rules that each lead to the next: `first`, then `rule` with its own name and the next one's, then `last`.
fn chain(kind: &str, first: &str, rule: impl Fn(usize) -> String, last: &str) -> String {
    let rules = joined(3000, r"\n", rule);
    format!(r#"{{"type": "{kind}", "grammar": "{first}\n{rules}\n{last}"}}"#)
}

/// An object schema with these properties, each a key with its schema.
fn object(properties: &str, more: &str) -> String {
    schema(&format!(r#"{{"type": "object", "properties": {{{properties}}}{more}}}"#))
}

/// Names and descriptions.
pub fn descriptions() -> Vec<(&'static str, String)> {
    let tagged = |at, more: &str, required: &str| {
        let properties = format!(r#"{{"k": {{"const": {at}}}{more}}}"#);
        format!(r#"{{"type": "object", "properties": {properties}, "required": [{required}]}}"#)
    };
    let with_text = |at| tagged(at, r#", "v": {"type": "string"}"#, r#""k", "v""#);
    let keys = joined(1000, ", ", |at| format!(r#""p{at}""#));
    let references =
        joined(1000, ", ", |at| format!(r##""{at}": {{"type": "array", "items": {{"$ref": "#/$defs/{}"}}}}"##, at + 1));
    vec![
        ("enum-long-text", schema(&format!(r#"{{"enum": ["{}"]}}"#, "x".repeat(600_000)))),
        (
            "enum-large",
            schema(&format!(
                r#"{{"enum": [{}]}}"#,
                joined(5000, ", ", |at| format!(r#""value number {}""#, at * 7919))
            )),
        ),
        ("enum-huge", schema(&format!(r#"{{"enum": [{}]}}"#, joined(10_001, ", ", |at| format!(r#""v{at}""#))))),
        ("any-of-1000", schema(&format!(r#"{{"anyOf": [{}]}}"#, joined(1000, ", ", with_text)))),
        (
            "one-of-200-objects",
            schema(&format!(r#"{{"oneOf": [{}]}}"#, joined(200, ", ", |at| tagged(at, "", r#""k""#)))),
        ),
        (
            "ref-chain-1000",
            schema(&format!(r##"{{"$ref": "#/$defs/0", "$defs": {{{references}, "1000": {{"type": "null"}}}}}}"##)),
        ),
        ("deep-arrays-5000", schema(&nested(5000, r#"{"items":"#, "{}", "}"))),
        (
            "properties-1000",
            object(
                &joined(1000, ", ", |at| format!(r#""property_{at}": {{"type": "string"}}"#)),
                r#", "additionalProperties": false"#,
            ),
        ),
        (
            "properties-1000-required",
            object(
                &joined(1000, ", ", |at| format!(r#""p{at}": {{"type": "integer"}}"#)),
                &format!(r#", "required": [{keys}]"#),
            ),
        ),
        ("properties-1001", object(&joined(1001, ", ", |at| format!(r#""p{at}": true"#)), "")),
        ("choice-10000", choice(&joined(10_000, ", ", |at| format!(r#""c{}""#, at * 7919 % 10_007)))),
        ("choice-10001", choice(&joined(10_001, ", ", |_| r#""x""#))),
        ("choice-long", choice(&format!(r#""{}""#, "ab".repeat(30_000)))),
        (
            "regex-alternatives",
            format!(r#"{{"type": "regex", "regex": "{}"}}"#, joined(3000, "|", |at| format!("w{at}x*"))),
        ),
        ("gbnf-deep", format!(r#"{{"type": "gbnf", "grammar": "root ::= {}"}}"#, nested(5000, "(", r#"\"a\""#, ")"))),
        (
            "gbnf-deeper",
            format!(r#"{{"type": "gbnf", "grammar": "root ::= {}"}}"#, nested(20_000, "(", r#"\"a\""#, ")")),
        ),
        (
            "gbnf-chain",
            chain("gbnf", "root ::= r0", |at| format!(r#"r{at} ::= \"x\" r{}"#, at + 1), r#"r3000 ::= \"y\""#),
        ),
        ("lark-chain", chain("lark", "start: r0", |at| format!(r#"r{at}: \"x\" r{}"#, at + 1), r#"r3000: \"y\""#)),
        (
            "lark-terminal-chain",
            chain("lark", "start: T0", |at| format!(r#"T{at}: \"x\" T{}"#, at + 1), r#"T3000: \"y\""#),
        ),
        (
            "lark-regex-substring",
            format!(
                r#"{{"type": "lark", "grammar": "start: A\nA: %regex {{\"substring_chars\": \"{}\"}}"}}"#,
                "abc".repeat(3000)
            ),
        ),
    ]
}
