//! `propertyNames`: what it says, as names and patterns of properties.

use serde_json::{Map, Value, json};

use super::rewrite::{check_limit, resolve};
use super::scalars::{count, search};
use super::{Path, formats};
use crate::GrammarError;

/// How many references are followed.
const MAX_DEPTH: usize = 8;

/// Keywords that say nothing about a name, beside annotations, which are not known by name.
const CONSTRAINTS: [&str; 13] = [
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "$dynamicRef",
    "pattern",
    "minLength",
    "maxLength",
    "format",
    "enum",
    "const",
    "type",
];

/// Which names an object's properties may have.
pub enum Names {
    /// Any.
    Any,
    /// These.
    Listed(Vec<String>),
    /// Those that this expression finds something in.
    Matching(String),
}

impl Names {
    /// Reads the keyword of an object's schema.
    pub fn read(document: &Value, map: &Map<String, Value>, path: &Path) -> Result<Names, GrammarError> {
        match map.get("propertyNames") {
            None => Ok(Names::Any),
            Some(schema) => read(document, schema, &path.name("propertyNames"), 0),
        }
    }

    /// Whether a property of a schema's own may have this name.
    pub fn allow(&self, name: &str, path: &Path) -> Result<bool, GrammarError> {
        match self {
            Names::Any => Ok(true),
            Names::Listed(names) => Ok(names.iter().any(|known| known == name)),
            Names::Matching(_) => {
                let what = "an expression for names beside `properties`; use `patternProperties` for the others";
                Err(path.name("propertyNames").unsupported(what))
            }
        }
    }
}

fn read(document: &Value, schema: &Value, path: &Path, depth: usize) -> Result<Names, GrammarError> {
    let map = match schema {
        Value::Bool(true) => return Ok(Names::Any),
        Value::Bool(false) => return Ok(Names::Listed(Vec::new())),
        Value::Object(map) => map,
        _ => return Err(path.wrong("a schema must be an object, `true` or `false`")),
    };
    if let Some(reference) = map.get("$ref").and_then(Value::as_str).filter(|_| depth < MAX_DEPTH) {
        return read(document, resolve(document, reference, path)?, path, depth + 1);
    }
    let said: Vec<&str> = CONSTRAINTS.into_iter().filter(|keyword| map.contains_key(*keyword)).collect();
    let may_be_text = match map.get("type") {
        None => true,
        Some(Value::Array(types)) => types.iter().any(|kind| kind == "string"),
        Some(kind) => kind == "string",
    };
    if !may_be_text {
        return Ok(Names::Listed(Vec::new()));
    }
    let only = |keywords: &[&str]| said.iter().all(|keyword| *keyword == "type" || keywords.contains(keyword));
    if only(&[]) {
        Ok(Names::Any)
    } else if only(&["enum", "const"]) {
        listed(map, path)
    } else if only(&["pattern"]) {
        Ok(Names::Matching(search(&map["pattern"], &path.name("pattern"))?))
    } else if only(&["minLength", "maxLength"]) {
        let least = count(map, "minLength", path)?.unwrap_or(0);
        let most = count(map, "maxLength", path)?.map_or_else(String::new, |most| most.to_string());
        check_limit("length of a name", least, MAX_LENGTH)?;
        Ok(Names::Matching(search(&json!(format!("^[^]{{{least},{most}}}$")), path)?))
    } else if only(&["format"]) {
        let format = map["format"].as_str().ok_or_else(|| path.wrong("`format` must be a string"))?;
        Ok(formats::pattern(format, path)?.map_or(Names::Any, Names::Matching))
    } else {
        let words: Vec<String> = said.iter().map(|keyword| format!("`{keyword}`")).collect();
        Err(path.unsupported(format!("{} together for names; say one of them", words.join(" and "))))
    }
}

/// Longest name whose length is counted.
const MAX_LENGTH: usize = 1_000;

fn listed(map: &Map<String, Value>, path: &Path) -> Result<Names, GrammarError> {
    let values = match map.get("enum") {
        Some(values) => values.as_array().ok_or_else(|| path.wrong("`enum` must be an array"))?.iter().collect(),
        None => Vec::from_iter(map.get("const")),
    };
    let is_meant = |value: &&Value| map.get("const").is_none_or(|only| only == *value);
    Ok(Names::Listed(values.into_iter().filter(is_meant).filter_map(Value::as_str).map(str::to_owned).collect()))
}
