//! How deep the compiler must go: it follows nested schemas and references by recursion, each definition once.

use serde_json::Value;

use super::rewrite::check_limit;
use crate::GrammarError;

/// Most levels of schemas within schemas, through references too.
const MAX_LEVELS: usize = 64;

/// Refuse a rewritten schema in which the compiler would go deeper than it can.
pub fn check(schema: &Value) -> Result<(), GrammarError> {
    let definitions: Vec<&Value> =
        schema.get("$defs").and_then(Value::as_object).map(|map| map.values().collect()).unwrap_or_default();
    let mut seen = vec![false; definitions.len()];
    // The compiler's own order: first what stands first. Values wait here with their levels, the next one last.
    let mut pending = vec![(schema, 0)];
    while let Some((value, level)) = pending.pop() {
        check_limit("levels of schemas, through references too", level, MAX_LEVELS)?;
        let number = value.get("$ref").and_then(Value::as_str).and_then(number).filter(|&number| number < seen.len());
        if let Some(number) = number.filter(|&number| !std::mem::replace(&mut seen[number], true)) {
            pending.push((definitions[number], level + 1));
        }
        match value {
            Value::Object(map) => {
                let inner = map.iter().rev().filter(|(key, _)| !matches!(key.as_str(), "const" | "enum" | "$defs"));
                pending.extend(inner.map(|(_, value)| (value, level + usize::from(value.is_object()))));
            }
            Value::Array(values) => pending.extend(values.iter().rev().map(|value| (value, level + 1))),
            _ => {}
        }
    }
    Ok(())
}

/// The number of a definition, from its reference.
pub fn number(reference: &str) -> Option<usize> {
    reference.rsplit('/').next()?.parse().ok()
}
