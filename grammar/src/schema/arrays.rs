//! Arrays.

use serde_json::{Map, Value, json};

use super::Path;
use super::rewrite::{Walk, check_limit};
use super::scalars::count;
use super::unique::{Unique, unique};
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
    if map.get("uniqueItems").is_some_and(|unique| unique != &Value::Bool(false))
        && let Unique::Arrays(arrays) = unique(walk.document(), map, path)?
    {
        walk.constant(&Value::from(arrays.concat()), path, 0)?;
        return one_of(arrays, map, out);
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

/// An array is one of these, or another value where the type allows one.
fn one_of(arrays: Vec<Vec<Value>>, map: &Map<String, Value>, out: &mut Map<String, Value>) -> Result<(), GrammarError> {
    let array = |values: &Vec<Value>| {
        let items: Vec<Value> = values.iter().map(|value| json!({"const": value})).collect();
        json!({"type": "array", "prefixItems": items, "items": false, "minItems": values.len()})
    };
    let mut options: Vec<Value> = arrays.iter().map(array).collect();
    let others: Vec<&Value> = match map.get("type") {
        Some(Value::Array(types)) => types.iter().filter(|kind| *kind != "array").collect(),
        _ => Vec::new(),
    };
    if !others.is_empty() {
        options.push(json!({"type": others}));
    }
    out.remove("type");
    out.insert("allOf".to_owned(), json!([{"anyOf": options}]));
    Ok(())
}

/// Whether `contains` holds for whatever the array may hold.
pub fn contains_all(map: &Map<String, Value>) -> bool {
    let Some(contains) = map.get("contains") else { return false };
    let is_tuple = map.contains_key("prefixItems") || map.contains_key("additionalItems");
    contains == &Value::Bool(true) || contains == &json!({}) || (!is_tuple && map.get("items") == Some(contains))
}

fn counts(map: &Map<String, Value>, path: &Path, out: &mut Map<String, Value>) -> Result<(), GrammarError> {
    let (mut least, mut most) = (count(map, "minItems", path)?, count(map, "maxItems", path)?);
    if contains_all(map) {
        // Where every element is one of those that are asked for, their number is the array's.
        least = least.max(Some(count(map, "minContains", path)?.unwrap_or(1)));
        let others = count(map, "maxContains", path)?;
        most = most.map_or(others, |most| Some(others.map_or(most, |others| most.min(others))));
    }
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
