//! Types and strings.

use serde_json::{Map, Value, json};

use super::numbers::MAX_EXACT;
use super::rewrite::{check_limit, is_annotation};
use super::{Path, formats};
use crate::{GrammarError, regex};

const TYPES: [&str; 7] = ["null", "boolean", "integer", "number", "string", "array", "object"];

/// Longest string whose length a schema may count, in characters.
const MAX_LENGTH: u64 = 100_000;

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
