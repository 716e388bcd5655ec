use serde_json::{Value, json};
use crate::GrammarError;
pub fn prepare(schema: &Value, strict: bool) -> Result<Value, GrammarError> {
    let _ = strict;
    let mut v = match schema { Value::Bool(_) => json!({"allOf":[schema]}), _ => schema.clone() };
    v.as_object_mut().unwrap().insert("x-guidance".into(), json!({"whitespace_flexible": false, "item_separator": ",\\x20?", "key_separator": ":\\x20?", "json_allowed_escapes": "nrbtf\"\\"}));
    Ok(v)
}
pub fn any_object() -> Value { prepare(&json!({"type":"object"}), false).unwrap() }
