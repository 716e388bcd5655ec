//! Types, numbers and strings.

use serde_json::{Map, Number, Value, json};

use super::rewrite::{check_limit, is_annotation};
use super::{Path, formats};
use crate::{GrammarError, regex};

const TYPES: [&str; 7] = ["null", "boolean", "integer", "number", "string", "array", "object"];

/// Longest string whose length a schema may count, in characters.
const MAX_LENGTH: u64 = 100_000;

/// Integers beyond this lose digits as 64-bit floats, which is what JavaScript and the compiler compute in.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// Largest number that must be a multiple of another.
const MAX_MULTIPLE: i64 = 1_000_000_000_000_000;

/// `type`, and `not` where it excludes types alone.
pub fn types(map: &Map<String, Value>, path: &Path, out: &mut Map<String, Value>) -> Result<(), GrammarError> {
    let excluded = excluded(map);
    let all = json!(TYPES.map(|kind| kind.to_owned()));
    let types = match map.get("type") {
        Some(types) => types,
        None if excluded.is_empty() => return Ok(()),
        None => &all,
    };
    let path = path.name("type");
    let names = match types {
        Value::Array(names) => names.as_slice(),
        name => std::slice::from_ref(name),
    };
    if names.is_empty() {
        return Err(path.wrong("it must name at least one type"));
    }
    let mut known: Vec<&str> = Vec::new();
    for name in names {
        match TYPES.iter().find(|known| name.as_str() == Some(known)) {
            Some(name) if !known.contains(name) => known.push(name),
            Some(_) => {}
            None => return Err(path.wrong(format!("{name} is no type; the types are {}", TYPES.join(", ")))),
        }
    }
    let is_excluded = |kind: &str| excluded.contains(&kind) || kind == "integer" && excluded.contains(&"number");
    known.retain(|kind| !is_excluded(kind));
    if known.is_empty() {
        return Err(path.wrong("`not` excludes all types"));
    }
    let rewritten = if known.len() == 1 { json!(known[0]) } else { json!(known) };
    out.insert("type".to_owned(), rewritten);
    Ok(())
}

/// The types that a `not` excludes, if that is all it does.
pub fn excluded(map: &Map<String, Value>) -> Vec<&str> {
    let Some(Value::Object(not)) = map.get("not") else { return Vec::new() };
    if not.keys().any(|key| key != "type" && !is_annotation(key)) {
        return Vec::new();
    }
    let names = match not.get("type") {
        Some(Value::Array(names)) => names.as_slice(),
        Some(name) => std::slice::from_ref(name),
        None => &[],
    };
    // A number that is no integer would have to be told from one.
    let known: Option<Vec<&str>> =
        names.iter().map(|name| name.as_str().filter(|name| *name != "integer" && TYPES.contains(name))).collect();
    known.unwrap_or_default()
}

/// `minimum` and its kin, and `multipleOf`.
pub fn numbers(map: &Map<String, Value>, path: &Path, out: &mut Map<String, Value>) -> Result<(), GrammarError> {
    for (inclusive, exclusive) in [("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")] {
        // Draft 4 says by a boolean whether the bound itself is excluded.
        let excluded = map.get(exclusive) == Some(&Value::Bool(true));
        if let Some(bound) = map.get(inclusive) {
            let name = if excluded { exclusive } else { inclusive };
            out.insert(name.to_owned(), number(&within(bound, inclusive), &path.name(inclusive))?);
        }
        if let Some(bound) = map.get(exclusive).filter(|bound| !bound.is_boolean()) {
            out.insert(exclusive.to_owned(), number(&within(bound, inclusive), &path.name(exclusive))?);
        }
    }
    if let Some(divisor) = map.get("multipleOf") {
        let path = path.name("multipleOf");
        number(divisor, &path)?;
        if divisor.as_f64().is_none_or(|divisor| divisor <= 0.0) {
            return Err(path.wrong("it must be a number above 0"));
        }
        if !is_simple(divisor) {
            return Err(path.unsupported(format!("multiples of {divisor}, which has more than four digits")));
        }
        out.insert("multipleOf".to_owned(), divisor.clone());
        // Beyond this it would depend on the reader's arithmetic whether a number is a multiple.
        for (bounds, limit) in
            [(["minimum", "exclusiveMinimum"], -MAX_MULTIPLE), (["maximum", "exclusiveMaximum"], MAX_MULTIPLE)]
        {
            if !bounds.iter().any(|bound| out.contains_key(*bound)) {
                out.insert(bounds[0].to_owned(), json!(limit));
            }
        }
    }
    Ok(())
}

/// Whether a number above 0 has at most four digits, wherever its point stands: the matcher counts remainders in as many states.
fn is_simple(number: &Value) -> bool {
    let text = number.to_string();
    let mantissa = text.split(['e', 'E']).next().unwrap_or_default().replace('.', "");
    let exponent = number.as_f64().map_or(f64::MAX, f64::log10);
    mantissa.trim_start_matches('0').trim_end_matches('0').len() <= 4 && exponent.abs() < 9.0
}

/// A bound that lies beyond the numbers that are computed with, as the last of those.
fn within(bound: &Value, inclusive: &str) -> Value {
    match (inclusive, bound.as_f64()) {
        ("minimum", Some(least)) if least < -MAX_EXACT => json!(-MAX_EXACT as i64),
        ("maximum", Some(most)) if most > MAX_EXACT => json!(MAX_EXACT as i64),
        _ => bound.clone(),
    }
}

fn number(value: &Value, path: &Path) -> Result<Value, GrammarError> {
    let Value::Number(number) = value else { return Err(path.wrong("it must be a number")) };
    check_number(number, path)?;
    Ok(value.clone())
}

/// Refuses a number that is not computed with exactly.
pub fn check_number(number: &Number, path: &Path) -> Result<(), GrammarError> {
    match number.as_f64() {
        Some(value) if value.abs() <= MAX_EXACT => Ok(()),
        _ => Err(path.unsupported(format!("{number} is beyond 2^53, where numbers lose digits; use a string"))),
    }
}

/// `minLength`, `maxLength`, `pattern`, `format` and `contentEncoding`, whose expressions beside `pattern` become schemas in `all`.
pub fn strings(
    map: &Map<String, Value>,
    path: &Path,
    out: &mut Map<String, Value>,
    all: &mut Vec<Value>,
) -> Result<(), GrammarError> {
    let least = count(map, "minLength", path)?;
    let most = count(map, "maxLength", path)?;
    check_limit("length of a string", least.max(most).unwrap_or(0), MAX_LENGTH as usize)?;
    if least.zip(most).is_some_and(|(least, most)| least > most) {
        return Err(path.wrong("`minLength` is greater than `maxLength`"));
    }
    for (name, length) in [("minLength", least), ("maxLength", most)] {
        if let Some(length) = length {
            out.insert(name.to_owned(), json!(length));
        }
    }
    if let Some(pattern) = map.get("pattern") {
        let mut parts = searches(pattern, &path.name("pattern"))?.into_iter();
        out.insert("pattern".to_owned(), json!(parts.next()));
        all.extend(parts.map(|part| json!({"pattern": part})));
    }
    // llguidance 1.9.1 finds nothing in common between the groups of base64url and the expression that libraries write for it.
    let has_own = |encoding: &&str| *encoding == "base64url" && map.contains_key("pattern");
    let encoding = map.get("contentEncoding").and_then(Value::as_str).filter(|encoding| !has_own(encoding));
    all.extend(encoding.and_then(formats::encoding).map(|pattern| json!({"pattern": pattern})));
    if let Some(format) = map.get("format") {
        let path = path.name("format");
        let name = format.as_str().ok_or_else(|| path.wrong("it must be a string"))?;
        if let Some(pattern) = formats::pattern(name, &path)? {
            all.push(json!({"pattern": pattern}));
        }
    }
    Ok(())
}

/// An expression for names of properties.
pub fn search(pattern: &Value, path: &Path) -> Result<String, GrammarError> {
    let parts = searches(pattern, path)?;
    match <[String; 1]>::try_from(parts) {
        Ok([part]) => Ok(part),
        Err(_) => Err(path.unsupported("look-ahead in an expression for names")),
    }
}

/// The expressions that all must find something where `pattern` does.
fn searches(pattern: &Value, path: &Path) -> Result<Vec<String>, GrammarError> {
    let pattern = pattern.as_str().ok_or_else(|| path.wrong("it must be a string"))?;
    regex::from_schema(pattern).map_err(|error| match error {
        GrammarError::Regex { reason, .. } => path.unsupported(format!("the expression {pattern:?}: {reason}")),
        other => other,
    })
}

/// A keyword that counts something.
pub fn count(map: &Map<String, Value>, name: &str, path: &Path) -> Result<Option<usize>, GrammarError> {
    let Some(value) = map.get(name) else { return Ok(None) };
    // JSON Schema takes 2.0 for an integer.
    let whole = value.as_f64().filter(|number| *number >= 0.0 && number.fract() == 0.0 && *number <= MAX_EXACT);
    match whole {
        Some(number) => Ok(Some(number as usize)),
        None => Err(path.name(name).wrong("it must be an integer, 0 or above")),
    }
}

/// Refuses a text that cannot be written with the escapes that documents may use.
pub fn check_text(text: &str, path: &Path) -> Result<(), GrammarError> {
    let writable = |c: char| !c.is_control() || matches!(c, '\u{8}' | '\u{c}' | '\n' | '\r' | '\t' | '\u{80}'..);
    match text.chars().find(|&c| !writable(c)) {
        None => Ok(()),
        Some(c) => Err(path.unsupported(format!("the control character U+{:04X} in a constant", c as u32))),
    }
}
