//! Content rules as they are typed: `mask:/\d{4}/`.

use inglenook::text::RuleSpec;
use serde_json::{Value, json};

/// The rule's JSON. `stop:` or `mask:`, then a text or a regular expression between slashes; or the JSON itself.
///
/// # Errors
/// What else would do, for people.
pub fn rule(text: &str) -> Result<Value, String> {
    let value = if text.starts_with('{') {
        serde_json::from_str(text).map_err(|error| format!("`{text}` is no JSON: {error}"))?
    } else {
        let wanted = || format!("`{text}` begins neither with `stop:` nor with `mask:`");
        let (action, pattern) = text.split_once(':').ok_or_else(wanted)?;
        if !["stop", "mask"].contains(&action) {
            return Err(wanted());
        }
        let regex = pattern.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
        let pattern = regex.map_or_else(|| json!(pattern), |regex| json!({ "regex": regex }));
        json!({ "match": pattern, "action": action })
    };
    match serde_json::from_value::<RuleSpec>(value.clone()) {
        Ok(_) => Ok(value),
        Err(error) => Err(format!("`{text}` is no rule: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_typed_short_or_as_json() {
        assert_eq!(rule("stop:the end"), Ok(json!({ "match": "the end", "action": "stop" })));
        assert_eq!(rule(r"mask:/\d+:/"), Ok(json!({ "match": { "regex": r"\d+:" }, "action": "mask" })));
        assert_eq!(rule("mask:/"), Ok(json!({ "match": "/", "action": "mask" })));
        let long = r#"{"match":"a","action":"mask","mask":"-"}"#;
        assert_eq!(rule(long).map(|rule| rule["mask"].clone()), Ok(json!("-")));
        for wrong in ["the end", "drop:x", "{", r#"{"action":"stop"}"#] {
            assert!(rule(wrong).is_err_and(|message| message.contains('`')), "{wrong}");
        }
    }
}
