//! Arrays.

use serde_json::{Map, Value, json};

use super::Path;
use super::rewrite::{Walk, check_limit};
use super::scalars::count;
use crate::GrammarError;

/// Most elements that a schema may count.
const MAX_ITEMS: usize = 10_000;

/// `prefixItems`, `items` (in both of its meanings), `additionalItems`, `minItems`, `maxItems` and `uniqueItems`.
pub fn arrays<'a>(
    walk: &mut Walk<'a>,
    map: &'a Map<String, Value>,
    path: &Path,
    depth: usize,
    out: &mut Map<String, Value>,
) -> Result<(), GrammarError> {
    if map.get("uniqueItems").is_some_and(|unique| unique != &Value::Bool(false)) {
        return Err(path.name("uniqueItems").unsupported("`uniqueItems`; bound the number of elements instead"));
    }
    // Until 2020 an array of `items` was what `prefixItems` is since, and `additionalItems` what `items` is.
    let (prefix, rest) = match map.get("items") {
        Some(Value::Array(_)) => ("items", "additionalItems"),
        _ => ("prefixItems", "items"),
    };
    if let Some(items) = map.get(prefix) {
        let path = path.name(prefix);
        let items = items.as_array().ok_or_else(|| path.wrong("it must be an array of schemas"))?;
        let rewritten: Result<Vec<Value>, _> =
            items.iter().enumerate().map(|(index, item)| walk.value(item, &path.index(index), depth + 1)).collect();
        out.insert("prefixItems".to_owned(), Value::Array(rewritten?));
    }
    if let Some(items) = map.get(rest) {
        out.insert("items".to_owned(), walk.value(items, &path.name(rest), depth + 1)?);
    }
    counts(map, path, out)
}

fn counts(map: &Map<String, Value>, path: &Path, out: &mut Map<String, Value>) -> Result<(), GrammarError> {
    let least = count(map, "minItems", path)?;
    let most = count(map, "maxItems", path)?;
    check_limit("number of elements", least.max(most).unwrap_or(0), MAX_ITEMS)?;
    if least.zip(most).is_some_and(|(least, most)| least > most) {
        return Err(path.wrong("`minItems` is greater than `maxItems`"));
    }
    for (name, number) in [("minItems", least), ("maxItems", most)] {
        if let Some(number) = number {
            out.insert(name.to_owned(), json!(number));
        }
    }
    Ok(())
}
