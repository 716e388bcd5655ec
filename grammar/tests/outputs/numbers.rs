//! Numbers in JSON schemas: texts are allowed only where their value keeps all bounds and is a multiple, as computed apart.

use inglenook_grammar::{Compiler, Match, Spec, Token};
use serde_json::{Map, Value, json};

use crate::support::{compiler, tokens, walk::walk};

/// Bounds that share their integer parts, or that differ by a fraction, by a sign, or by much.
const BOUNDS: [f64; 18] =
    [-100.0, -5.25, -5.0, -1.5, -1.0, -0.5, -0.01, -0.0, 0.0, 0.001, 0.01, 0.5, 1.0, 1.5, 5.0, 5.25, 99.0, 1000.001];

/// How a number may be written: as the bounds, near them and between them.
fn texts() -> Vec<String> {
    let mut texts = Vec::new();
    for bound in BOUNDS.into_iter().filter(|bound| bound.is_sign_positive()) {
        for offset in [0.0, 0.0001, -0.0001, 0.004, 0.2, -0.2, 3.0] {
            let value = bound + offset;
            if value >= 0.0 {
                texts.extend([format!("{value}"), format!("{value:.1}"), format!("{value:.4}")]);
            }
        }
    }
    texts.extend(texts.clone().into_iter().map(|text| format!("-{text}")));
    texts.sort_unstable();
    texts.dedup();
    texts
}

fn allows(matcher: &(impl Match + Clone), text: &str) -> bool {
    let mut matcher = matcher.clone();
    text.bytes().all(|byte| matcher.accept(byte.into()).is_ok()) && matcher.is_complete()
}

/// A schema of a number with these bounds, and whether a value keeps them.
fn bounded(lower: Option<(f64, bool)>, upper: Option<(f64, bool)>) -> (Value, impl Fn(f64) -> bool) {
    let mut schema = Map::from_iter([("type".to_owned(), json!("number"))]);
    let mut insert = |bound: Option<(f64, bool)>, names: [&str; 2]| {
        if let Some((bound, excluded)) = bound {
            schema.insert(names[usize::from(excluded)].to_owned(), json!(bound));
        }
    };
    insert(lower, ["minimum", "exclusiveMinimum"]);
    insert(upper, ["maximum", "exclusiveMaximum"]);
    let holds = move |value: f64| {
        lower.is_none_or(|(bound, excluded)| value > bound || !excluded && value == bound)
            && upper.is_none_or(|(bound, excluded)| value < bound || !excluded && value == bound)
    };
    (Value::Object(schema), holds)
}

/// Found where `exclusiveMinimum: 0` with `maximum: 0.5` allowed `0`.
#[test]
fn bounds_of_numbers_hold_wherever_they_lie_to_each_other() {
    let texts: Vec<(f64, String)> = texts().into_iter().map(|text| (text.parse().unwrap(), text)).collect();
    let mut compiler = compiler(&tokens());
    let mut wrong = Vec::new();
    let some = |bound: f64| [Some((bound, false)), Some((bound, true))];
    let bounds: Vec<_> = BOUNDS.into_iter().flat_map(some).chain([None]).collect();
    for &lower in &bounds {
        for &upper in &bounds {
            let (schema, holds) = bounded(lower, upper);
            match compiler.compile(&Spec::JsonSchema { schema: schema.clone(), strict: false }) {
                Ok(matcher) => {
                    for (value, text) in &texts {
                        // A value may have to be written otherwise: `0` for `-0`, `1` for `1.0`, `5.2000` for `5.2`.
                        let must = holds(*value) && *text == value.to_string() && *value != 0.0;
                        let allowed = allows(&matcher, text);
                        let written = || allowed || allows(&matcher, &format!("{value:.4}"));
                        if allowed && !holds(*value) || must && !written() {
                            wrong.push(format!("{schema}: {text} is {}", if allowed { "allowed" } else { "refused" }));
                        }
                    }
                }
                Err(error) if texts.iter().any(|(value, _)| holds(*value)) => wrong.push(format!("{schema}: {error}")),
                Err(_) => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// Bounds that meet in the compiler only.
#[test]
fn bounds_of_numbers_hold_where_they_are_said_apart() {
    let mut compiler = compiler(&tokens());
    for (schema, right, wrong) in [
        (json!({"allOf": [{"type": "number", "exclusiveMinimum": 0}, {"maximum": 0.5}]}), "0.5", "0"),
        (
            json!({"type": "number", "maximum": 1.5, "$ref": "#/$defs/a", "$defs": {"a": {"exclusiveMinimum": 1}}}),
            "1.5",
            "1",
        ),
        (json!({"allOf": [{"type": "number", "minimum": -0.5}, {"exclusiveMaximum": 0}]}), "-0.5", "-0"),
        (json!({"type": "number", "minimum": 5, "exclusiveMinimum": true, "maximum": 5.25}), "5.25", "5"),
        (json!({"type": "integer", "exclusiveMinimum": 5, "maximum": 6.5}), "6", "5"),
        (
            json!({"type": "integer", "exclusiveMinimum": 9_007_199_254_740_000u64}),
            "9007199254740001",
            "9007199254740000",
        ),
    ] {
        let matcher = compiler.compile(&Spec::JsonSchema { schema: schema.clone(), strict: false }).unwrap();
        assert!(allows(&matcher, right), "{schema}: {right} is refused");
        assert!(!allows(&matcher, wrong), "{schema}: {wrong} is allowed");
    }
    let close = json!({"properties": {"a": {"type": "number", "exclusiveMinimum": 5, "exclusiveMaximum": 5.000_000_000_000_002}}});
    let error = compiler.compile(&Spec::JsonSchema { schema: close, strict: false }).err().unwrap().to_string();
    assert!(error.contains("#/properties/a/exclusiveMinimum") && error.contains("too close"), "{error}");
}

/// The divisor's text in units of its last place, and how many places it has.
fn units(text: &str, places: usize) -> Option<i128> {
    let (whole, fraction) = text.trim_start_matches('-').split_once('.').unwrap_or((text.trim_start_matches('-'), ""));
    let fraction = fraction.trim_end_matches('0');
    (fraction.len() <= places).then(|| format!("{whole}{fraction:0<places$}").parse().ok()).flatten()
}

/// Walks with these divisors, judged in whole numbers.
fn check_multiples(compiler: &mut Compiler, tokens: &[Token], divisor: &str, kind: &str) {
    let schema = json!({"type": kind, "multipleOf": serde_json::from_str::<Value>(divisor).unwrap()});
    let spec = Spec::JsonSchema { schema: schema.clone(), strict: false };
    let places = divisor.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    for seed in 0..6 {
        let text = walk(compiler, tokens, &spec, seed, 12, 100).unwrap_or_else(|| panic!("{schema}: no end"));
        let is_multiple = units(&text, places).is_some_and(|value| value % units(divisor, places).unwrap() == 0);
        assert!(is_multiple, "{schema}: {text}");
    }
}

/// Found where 0.07 was refused by a number that nobody had written.
#[test]
fn multiples_of_decimals_are_held_exactly() {
    let tokens = tokens();
    let mut compiler = compiler(&tokens);
    for divisor in
        ["0.07", "1.005", "0.0007", "0.29", "0.58", "1.1", "4.35", "0.0001", "0.05", "0.25", "2.50", "0.00000001"]
    {
        check_multiples(&mut compiler, &tokens, divisor, "number");
    }
    for divisor in ["7", "997", "1000", "5000", "2.5"] {
        check_multiples(&mut compiler, &tokens, divisor, "integer");
        check_multiples(&mut compiler, &tokens, divisor, "number");
    }
}

/// Found where 123400000 was searched for 12 seconds, and 100000 failed in mid-answer.
#[test]
fn multiples_of_what_cannot_be_counted_are_refused_by_name() {
    let mut compiler = compiler(&tokens());
    for divisor in [
        "123400000",
        "0.57",
        "19.99",
        "100000",
        "1000000",
        "5001",
        "9999",
        "500.1",
        "123.456",
        "1e15",
        "0.000000001",
        "1.5e-8",
        "1e-300",
    ] {
        let schema = json!({"properties": {"a": {"type": "number", "multipleOf": serde_json::from_str::<Value>(divisor).unwrap()}}});
        let written = schema["properties"]["a"]["multipleOf"].to_string();
        let error = compiler.compile(&Spec::JsonSchema { schema, strict: false }).err().unwrap().to_string();
        assert!(error.contains("#/properties/a/multipleOf") && error.contains(&written), "{error}");
    }
}

/// Found where an array of multiples of 2000 failed in mid-answer: a vocabulary of all numbers of three digits leads to ever new remainders.
#[test]
fn an_array_of_multiples_comes_to_its_end_whatever_the_vocabulary() {
    let mut tokens = tokens();
    let number = |text: String| Token { bytes: text.into_bytes(), control: false };
    tokens.extend((0..1000).map(|value| number(format!("{value:03}"))));
    let mut compiler = compiler(&tokens);
    for (kind, divisor) in
        [("integer", 997.0), ("number", 997.0), ("integer", 5000.0), ("number", 5000.0), ("number", 9.97)]
    {
        let schema = json!({"type": "array", "minItems": 20, "items": {"type": kind, "multipleOf": divisor}});
        let spec = Spec::JsonSchema { schema: schema.clone(), strict: false };
        for seed in 0..2 {
            assert!(walk(&mut compiler, &tokens, &spec, seed, 200, 300).is_some(), "{schema}");
        }
    }
}
