//! Which parts of a rewritten schema have a finite document. A list whose every element must hold another list has none: a model
//! that entered it could never come back. Such parts become `false`, so that they are not entered.

use serde_json::{Map, Value};

use super::depth;
use crate::GrammarError;

/// Replace what no finite document satisfies by `false`.
///
/// # Errors
/// When nothing is left.
pub fn prune(schema: &mut Value) -> Result<(), GrammarError> {
    let definitions = schema.get("$defs").and_then(Value::as_object).cloned().unwrap_or_default();
    let mut finite = vec![false; definitions.len()];
    loop {
        // A definition is finite if it is so by those that are known to be.
        let next: Vec<bool> = definitions.values().map(|definition| is_finite(definition, &finite)).collect();
        if next == finite {
            break;
        }
        finite = next;
    }
    if !is_finite(schema, &finite) {
        return Err(GrammarError::Unsatisfiable("no finite document satisfies this schema".to_owned()));
    }
    remove(schema, &finite);
    Ok(())
}

/// Whether there is a document, if the definitions that are not `finite` have none.
fn is_finite(schema: &Value, finite: &[bool]) -> bool {
    let map = match schema {
        Value::Object(map) => map,
        other => return other != &Value::Bool(false),
    };
    let list = |key: &str| map.get(key).and_then(Value::as_array);
    let reference = map.get("$ref").is_none_or(|reference| is_known(reference, finite));
    let any = list("anyOf").is_none_or(|options| options.iter().any(|option| is_finite(option, finite)));
    let all = list("allOf").is_none_or(|parts| parts.iter().all(|part| is_finite(part, finite)));
    reference && any && all && (may_be_scalar(map) || object(map, finite) || array(map, finite))
}

fn is_known(reference: &Value, finite: &[bool]) -> bool {
    reference.as_str().and_then(depth::number).and_then(|number| finite.get(number)).copied().unwrap_or(false)
}

/// Whether a string, a number, a boolean or null will do.
fn may_be_scalar(map: &Map<String, Value>) -> bool {
    let is_scalar = |name: &Value| name != "object" && name != "array";
    match map.get("type") {
        Some(Value::Array(types)) => types.iter().any(is_scalar),
        Some(name) => is_scalar(name),
        None => true,
    }
}

/// Whether an object will do, and what it must hold is finite.
fn object(map: &Map<String, Value>, finite: &[bool]) -> bool {
    if !may_be(map, "object") {
        return false;
    }
    let required = map.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let mut schemas = required.map(|name| {
        map.get("properties").and_then(|properties| properties.get(name)).or(map.get("additionalProperties"))
    });
    schemas.all(|schema| schema.is_none_or(|schema| is_finite(schema, finite) || map.contains_key("patternProperties")))
}

/// Whether an array will do, and what it must hold is finite.
fn array(map: &Map<String, Value>, finite: &[bool]) -> bool {
    if !may_be(map, "array") {
        return false;
    }
    let least = map.get("minItems").and_then(Value::as_u64).unwrap_or(0) as usize;
    let prefix = map.get("prefixItems").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let rest = least > prefix.len();
    prefix.iter().take(least).all(|item| is_finite(item, finite))
        && (!rest || map.get("items").is_none_or(|items| is_finite(items, finite)))
}

fn may_be(map: &Map<String, Value>, kind: &str) -> bool {
    match map.get("type") {
        Some(Value::Array(types)) => types.iter().any(|name| name == kind),
        Some(name) => name == kind,
        None => false,
    }
}

/// Replace references to what is not finite.
fn remove(schema: &mut Value, finite: &[bool]) {
    let is_lost = schema.get("$ref").is_some_and(|reference| reference.is_string() && !is_known(reference, finite));
    if is_lost {
        *schema = Value::Bool(false);
        return;
    }
    match schema {
        Value::Array(items) => items.iter_mut().for_each(|item| remove(item, finite)),
        Value::Object(map) => map.iter_mut().for_each(|(key, value)| match (key.as_str(), value) {
            // Constants are no schemas, whatever they look like; and below these, names are no keywords.
            ("const" | "enum", _) => {}
            ("properties" | "patternProperties" | "$defs", Value::Object(named)) => {
                named.values_mut().for_each(|schema| remove(schema, finite));
            }
            (_, value) => remove(value, finite),
        }),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_never_ends_is_refused() {
        let endless = json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/0"}}, "required": ["a"]});
        for root in
            [json!({"$ref": "#/$defs/0"}), json!({"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/0"}})]
        {
            let mut schema = root.clone();
            schema["$defs"] = json!({"0": endless});
            assert!(matches!(prune(&mut schema), Err(GrammarError::Unsatisfiable(_))), "{root}");
        }
        assert!(prune(&mut json!({"$ref": "#/$defs/0", "$defs": {"0": {"$ref": "#/$defs/0"}}})).is_err());
    }

    #[test]
    fn what_may_end_is_kept_and_its_endless_parts_are_closed() {
        let mut schema = json!({
            "anyOf": [{"$ref": "#/$defs/0"}, {"type": "null"}],
            "$defs": {"0": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/0"}}},
        });
        prune(&mut schema).unwrap();
        assert_eq!(schema["anyOf"], json!([false, {"type": "null"}]));
        let list = json!({
            "$ref": "#/$defs/0",
            "$defs": {"0": {"type": "object", "properties": {"next": {"$ref": "#/$defs/0"}, "const": {"$ref": "#/$defs/0"}}}},
        });
        let mut kept = list.clone();
        prune(&mut kept).unwrap();
        assert_eq!(kept, list);
    }
}
