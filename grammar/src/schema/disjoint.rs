//! Whether the alternatives of a `oneOf` exclude each other. If they do, it is an `anyOf`; if that cannot be proven, a document might
//! satisfy two of them, which nothing could prevent while it is written.

use serde_json::{Map, Value};

use super::Path;
use super::rewrite::resolve;
use crate::GrammarError;

/// How many references and properties are followed for a proof.
const MAX_DEPTH: usize = 6;

/// Most alternatives; each is compared with each.
const MAX_OPTIONS: usize = 200;

/// Refuses alternatives that might not exclude each other. Where they do so only if all have a tag, a property with different constants
/// that some do not require, it is its name: documents without the tag are not written then.
pub fn check<'a>(
    document: &'a Value,
    map: &'a Map<String, Value>,
    options: &'a Value,
    path: &Path,
) -> Result<Option<&'a str>, GrammarError> {
    let options = options.as_array().map(Vec::as_slice).unwrap_or_default();
    if options.len() > MAX_OPTIONS {
        return Err(GrammarError::TooLarge {
            what: format!("{} alternatives of a `oneOf`", options.len()),
            limit: MAX_OPTIONS,
        });
    }
    for (index, one) in options.iter().enumerate() {
        for (other_index, other) in options.iter().enumerate().skip(index + 1) {
            if !disjoint(document, one, other, 0) {
                if let Some(tag) = tag(document, map, options) {
                    return Ok(Some(tag));
                }
                return Err(path.unsupported(format!(
                    "alternatives {index} and {other_index} of a `oneOf` may both hold; use `anyOf`, or let them differ in \
                     type, in a constant, or in a required property with different constants"
                )));
            }
        }
    }
    Ok(None)
}

/// The property by whose constants objects exclude each other: the one that a `discriminator` names, or else any.
fn tag<'a>(document: &'a Value, map: &'a Map<String, Value>, options: &'a [Value]) -> Option<&'a str> {
    let named = map.get("discriminator").and_then(|discriminator| discriminator.get("propertyName"));
    let first = follow(document, options.first()?).get("properties").and_then(Value::as_object);
    let names =
        named.and_then(Value::as_str).into_iter().chain(first.into_iter().flat_map(Map::keys).map(String::as_str));
    names.into_iter().find(|name| {
        let constants: Option<Vec<&Map<String, Value>>> = options
            .iter()
            .map(|option| {
                let option = follow(document, option).as_object().filter(|option| types(option) == ["object"])?;
                follow(document, property(option, name)?).as_object().filter(|schema| values(schema).is_some())
            })
            .collect();
        constants.is_some_and(|all| {
            all.iter().enumerate().all(|(index, one)| all[index + 1..].iter().all(|other| values_differ(one, other)))
        })
    })
}

/// Whether no value can satisfy both. `false` if that is not seen.
fn disjoint(document: &Value, one: &Value, other: &Value, depth: usize) -> bool {
    if depth > MAX_DEPTH {
        return false;
    }
    let (one, other) = (follow(document, one), follow(document, other));
    let (Some(one), Some(other)) = (one.as_object(), other.as_object()) else {
        return one == &Value::Bool(false) || other == &Value::Bool(false);
    };
    types_differ(one, other)
        || values_differ(one, other)
        || ranges_differ(one, other)
        || (types(one) == ["object"] && types(other) == ["object"] && properties_differ(document, one, other, depth))
        || each_alternative(document, one, &Value::Object(other.clone()), depth)
        || each_alternative(document, other, &Value::Object(one.clone()), depth)
}

/// What a schema that is only a reference leads to.
fn follow<'a>(document: &'a Value, mut schema: &'a Value) -> &'a Value {
    for _ in 0..MAX_DEPTH {
        let Some(reference) = schema.get("$ref").and_then(Value::as_str) else { break };
        match resolve(document, reference, &Path::root("#")) {
            Ok(target) => schema = target,
            Err(_) => break,
        }
    }
    schema
}

/// The types that values may have, sorted, where the schema says so; `integer` is a `number`.
pub fn types(map: &Map<String, Value>) -> Vec<&str> {
    let name = |name: &'_ str| {
        if name == "integer" { "number" } else { TYPES.iter().find(|known| **known == name).unwrap_or(&"") }
    };
    let mut types: Vec<&str> = match map.get("type") {
        Some(Value::String(single)) => vec![name(single)],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).map(name).collect(),
        _ => values(map).into_iter().flatten().map(type_of).collect(),
    };
    types.sort_unstable();
    types.dedup();
    types
}

const TYPES: [&str; 6] = ["null", "boolean", "number", "string", "array", "object"];

/// The type of a value; an integer is a `number`.
pub fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn types_differ(one: &Map<String, Value>, other: &Map<String, Value>) -> bool {
    let (one, other) = (types(one), types(other));
    !one.is_empty() && !other.is_empty() && !one.iter().any(|name| other.contains(name))
}

/// The only values that satisfy a schema, where it lists them.
fn values(map: &Map<String, Value>) -> Option<Vec<&Value>> {
    match (map.get("const"), map.get("enum")) {
        (Some(value), _) => Some(vec![value]),
        (None, Some(Value::Array(values))) => Some(values.iter().collect()),
        _ => None,
    }
}

fn values_differ(one: &Map<String, Value>, other: &Map<String, Value>) -> bool {
    let Some((one, other)) = values(one).zip(values(other)) else { return false };
    // 1 and 1.0 are the same number, and within arrays and objects, too: those are not looked into.
    let simple = |value: &&Value| !value.is_array() && !value.is_object();
    one.iter().all(simple) && other.iter().all(simple) && !one.iter().any(|a| other.iter().any(|b| same(a, b)))
}

/// Whether two simple values are equal.
pub fn same(a: &Value, b: &Value) -> bool {
    a == b || (a.is_number() && a.as_f64() == b.as_f64())
}

/// Whether both are numbers, and all of one are below all of the other.
fn ranges_differ(one: &Map<String, Value>, other: &Map<String, Value>) -> bool {
    types(one) == ["number"] && types(other) == ["number"] && (is_below(one, other) || is_below(other, one))
}

fn is_below(low: &Map<String, Value>, high: &Map<String, Value>) -> bool {
    let bound = |map: &Map<String, Value>, inclusive: &str, exclusive: &str| {
        let number = |name: &str| map.get(name).and_then(Value::as_f64);
        number(exclusive).map(|bound| (bound, true)).or(number(inclusive).map(|bound| (bound, false)))
    };
    match (bound(low, "maximum", "exclusiveMaximum"), bound(high, "minimum", "exclusiveMinimum")) {
        (Some((most, open)), Some((least, also_open))) => most < least || (most == least && (open || also_open)),
        _ => false,
    }
}

/// Whether a property that one requires is different in, or impossible for, the other.
fn properties_differ(document: &Value, one: &Map<String, Value>, other: &Map<String, Value>, depth: usize) -> bool {
    required(one).any(|name| match (property(one, name), property(other, name)) {
        (Some(mine), Some(theirs)) => {
            required(other).any(|also| also == name) && disjoint(document, mine, theirs, depth + 1)
        }
        (_, None) => is_closed(other),
        _ => false,
    }) || required(other).any(|name| property(one, name).is_none() && is_closed(one))
}

fn required(map: &Map<String, Value>) -> impl Iterator<Item = &str> {
    map.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

fn property<'a>(map: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    map.get("properties")?.get(name)
}

fn is_closed(map: &Map<String, Value>) -> bool {
    map.get("additionalProperties") == Some(&Value::Bool(false)) && !map.contains_key("patternProperties")
}

/// Whether every alternative of an `anyOf` or `oneOf` in one is excluded by the other.
fn each_alternative(document: &Value, one: &Map<String, Value>, other: &Value, depth: usize) -> bool {
    ["anyOf", "oneOf"]
        .iter()
        .filter_map(|key| one.get(*key)?.as_array())
        .any(|options| !options.is_empty() && options.iter().all(|option| disjoint(document, option, other, depth + 1)))
}
