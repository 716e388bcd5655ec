//! `uniqueItems` where elements are of a few values: every array that may be, written out.

use serde_json::{Map, Value, json};

use super::rewrite::{is_annotation, resolve};
use super::scalars::count;
use super::{Path, disjoint};
use crate::GrammarError;

/// Most arrays that are written out, in every order or only in that of the values.
const MAX_ARRAYS: usize = 400;

/// Most values that are looked at.
const MAX_VALUES: usize = 100;

/// How many references are followed to the values.
const MAX_DEPTH: usize = 8;

/// What an array of distinct elements is: nothing to say, or these arrays.
pub enum Unique {
    /// Elements cannot be equal, since there is one at most.
    Always,
    /// The arrays that may be.
    Arrays(Vec<Vec<Value>>),
}

/// Reads an array's schema in which `uniqueItems` is true.
pub fn unique(document: &Value, map: &Map<String, Value>, path: &Path) -> Result<Unique, GrammarError> {
    let (least, most) = (count(map, "minItems", path)?.unwrap_or(0), count(map, "maxItems", path)?);
    if most.is_some_and(|most| most <= 1) {
        return Ok(Unique::Always);
    }
    let path = path.name("uniqueItems");
    let is_tuple = |keyword: &&str| map.contains_key(*keyword) && (*keyword != "items" || map["items"].is_array());
    if let Some(keyword) = ["prefixItems", "additionalItems", "items"].into_iter().find(is_tuple) {
        return Err(path.unsupported(format!(
            "`uniqueItems` beside `{keyword}`, which gives elements schemas by their places; leave it out, or list the arrays in an `enum`"
        )));
    }
    let values = map.get("items").and_then(|items| values(document, items, 0));
    let Some(values) = values else {
        return Err(path.unsupported(
            "`uniqueItems` where elements are not of a few values (`enum`, `const`, booleans); leave it out, or list the values",
        ));
    };
    let lengths = least..=most.unwrap_or(values.len()).min(values.len());
    if lengths.is_empty() {
        return Err(path.wrong(format!("{least} different elements of {} values", values.len())));
    }
    let in_any_order: usize = lengths.clone().map(|length| orders(values.len(), length)).fold(0, usize::saturating_add);
    let any_order = in_any_order <= MAX_ARRAYS;
    if !any_order
        && lengths.clone().map(|length| choices(values.len(), length)).fold(0, usize::saturating_add) > MAX_ARRAYS
    {
        return Err(
            path.unsupported(format!("`uniqueItems` over {} values; bound the number of elements", values.len()))
        );
    }
    let mut arrays = Vec::new();
    extend(&values, &mut Vec::new(), any_order, &lengths, &mut arrays);
    let written = |places: Vec<usize>| places.into_iter().map(|place| values[place].clone()).collect();
    Ok(Unique::Arrays(arrays.into_iter().map(written).collect()))
}

/// All arrays that begin with these places of values.
fn extend(
    values: &[Value],
    begun: &mut Vec<usize>,
    any_order: bool,
    lengths: &std::ops::RangeInclusive<usize>,
    found: &mut Vec<Vec<usize>>,
) {
    if lengths.contains(&begun.len()) {
        found.push(begun.clone());
    }
    if begun.len() == *lengths.end() {
        return;
    }
    let first = if any_order { 0 } else { begun.last().map_or(0, |last| last + 1) };
    for place in (first..values.len()).filter(|place| !begun.contains(place)).collect::<Vec<_>>() {
        begun.push(place);
        extend(values, begun, any_order, lengths, found);
        begun.pop();
    }
}

/// How many arrays of this length there are in any order.
fn orders(values: usize, length: usize) -> usize {
    (0..length).fold(1, |product, taken| product.saturating_mul(values - taken))
}

/// How many there are in the order of the values.
fn choices(values: usize, length: usize) -> usize {
    (0..length).fold(1usize, |product, taken| product.saturating_mul(values - taken) / (taken + 1))
}

/// The values of a schema that lists them, each once; `None` where it does not.
fn values(document: &Value, schema: &Value, depth: usize) -> Option<Vec<Value>> {
    /// What says nothing more of values that are listed, beside annotations.
    const LISTING: [&str; 6] = ["const", "enum", "type", "anyOf", "oneOf", "$ref"];
    let map = schema.as_object().filter(|_| depth < MAX_DEPTH)?;
    if !map.keys().all(|key| is_annotation(key) || LISTING.contains(&key.as_str())) {
        return None;
    }
    let said: Vec<&str> = LISTING.into_iter().filter(|key| *key != "type" && map.contains_key(*key)).collect();
    let kind = Map::from_iter(map.get("type").map(|kind| ("type".to_owned(), kind.clone())));
    let kinds = disjoint::types(&kind);
    let all: Vec<Value> = match (said.as_slice(), kinds.as_slice()) {
        (["const"], _) => vec![map["const"].clone()],
        (["enum"], _) => map["enum"].as_array()?.clone(),
        (["$ref"], _) => values(document, resolve(document, map["$ref"].as_str()?, &Path::root("#")).ok()?, depth + 1)?,
        ([key @ ("anyOf" | "oneOf")], _) => {
            let options = map[*key].as_array()?.iter().map(|option| values(document, option, depth + 1));
            options.collect::<Option<Vec<_>>>()?.concat()
        }
        ([], ["boolean"]) => vec![json!(false), json!(true)],
        ([], ["null"]) => vec![Value::Null],
        _ => return None,
    };
    if all.iter().any(|value| value.is_array() || value.is_object()) {
        return None;
    }
    let mut distinct: Vec<Value> = Vec::new();
    for value in all.into_iter().filter(|value| kinds.is_empty() || kinds.contains(&disjoint::type_of(value))) {
        if !distinct.iter().any(|known| disjoint::same(known, &value)) {
            distinct.push(value);
        }
    }
    (distinct.len() <= MAX_VALUES).then_some(distinct)
}
