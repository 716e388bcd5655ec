//! The rules of OpenAI's strict mode, so that a schema which is accepted here as strict is accepted there, too:
//! <https://platform.openai.com/docs/guides/structured-outputs>. Every object is closed, all of its properties are required, and the root is
//! an object. (An optional value is one that may be `null`.)

use serde_json::{Map, Value};

use super::Path;
use super::rewrite::check_limit;
use crate::GrammarError;

/// Deepest nesting that is looked at; the walk that follows refuses less.
const MAX_DEPTH: usize = 200;

/// The keywords below which schemas stand: by name, in a list, or alone.
const NAMED: [&str; 4] = ["properties", "patternProperties", "$defs", "definitions"];
const LISTED: [&str; 4] = ["anyOf", "oneOf", "allOf", "prefixItems"];
const ALONE: [&str; 2] = ["items", "additionalProperties"];

/// Checks the rules.
pub fn check(schema: &Value) -> Result<(), GrammarError> {
    let root = Path::root("#");
    match schema.get("type") {
        Some(kind) if kind == "object" => each(schema, &root, 0),
        _ => Err(root.forbidden("the root must have `\"type\": \"object\"`")),
    }
}

fn each(schema: &Value, path: &Path, depth: usize) -> Result<(), GrammarError> {
    check_limit("nesting of schemas", depth, MAX_DEPTH)?;
    let Value::Object(map) = schema else { return Ok(()) };
    if is_object(map) {
        object(map, path)?;
    }
    for name in NAMED {
        let path = path.name(name);
        for (key, schema) in map.get(name).and_then(Value::as_object).into_iter().flatten() {
            each(schema, &path.name(key), depth + 1)?;
        }
    }
    for name in LISTED {
        let path = path.name(name);
        for (index, schema) in map.get(name).and_then(Value::as_array).into_iter().flatten().enumerate() {
            each(schema, &path.index(index), depth + 1)?;
        }
    }
    for name in ALONE {
        if let Some(schema) = map.get(name) {
            each(schema, &path.name(name), depth + 1)?;
        }
    }
    Ok(())
}

fn is_object(map: &Map<String, Value>) -> bool {
    let named = match map.get("type") {
        Some(Value::Array(types)) => types.iter().any(|kind| kind == "object"),
        Some(kind) => kind == "object",
        None => false,
    };
    named || map.contains_key("properties")
}

fn object(map: &Map<String, Value>, path: &Path) -> Result<(), GrammarError> {
    if map.get("additionalProperties") != Some(&Value::Bool(false)) {
        return Err(path.forbidden("an object must have `\"additionalProperties\": false`"));
    }
    let required = map.get("required").and_then(Value::as_array);
    let is_required = |name: &str| required.is_some_and(|names| names.iter().any(|required| required == name));
    for name in map.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::keys) {
        if !is_required(name) {
            return Err(path.forbidden(format!(
                "the property {name:?} must be listed in `required`; to make it optional, let its type include \"null\""
            )));
        }
    }
    Ok(())
}
