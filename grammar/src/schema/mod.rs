//! JSON schemas before they are compiled: checked, bounded, and rewritten into what the compiler enforces exactly.
//!
//! A document that the compiled schema lets through must be one that any validator accepts. So every keyword is either enforced, or an
//! annotation, or refused by name with its place; nothing that constrains is dropped. Where the compiler (llguidance) allows more
//! than the schema does, the schema is rewritten: formats become exact patterns, regular expressions what all their dialects
//! agree on, `oneOf` an `anyOf` of alternatives that are proven to exclude each other, references short names, and whatever no finite
//! document satisfies becomes `false`. It may be made stricter, too: alternatives that only a tag tells apart must have the tag, and
//! distinct elements of a longer list stand in the list's order.

mod arrays;
mod depth;
mod disjoint;
mod finite;
mod formats;
mod names;
mod numbers;
mod objects;
mod path;
mod rewrite;
mod scalars;
mod strict;
mod unique;

use serde_json::{Value, json};

use crate::GrammarError;
use path::Path;

/// A schema that is ready to be compiled.
///
/// # Errors
/// When it is wrong, asks for what cannot be enforced, is too large, or (if `strict`) breaks a rule of OpenAI's strict mode.
pub fn prepare(schema: &Value, strict: bool) -> Result<Value, GrammarError> {
    if strict {
        strict::check(schema)?;
    }
    let mut ready = rewrite::rewrite(schema)?;
    depth::check(&ready)?;
    finite::prune(&mut ready)?;
    ready["x-guidance"] = layout();
    Ok(ready)
}

/// The schema of any JSON object.
pub fn any_object() -> Value {
    json!({"type": "object", "x-guidance": layout()})
}

/// How documents are laid out: on one line, with at most one space after a comma or a colon, so that no model can write white space for ever;
/// and with one way to write each string, so that a property's name cannot come back in another spelling.
fn layout() -> Value {
    json!({
        "whitespace_flexible": false,
        "item_separator": ",\\x20?",
        "key_separator": ":\\x20?",
        "json_allowed_escapes": "nrbtf\"\\",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(schema: Value, strict: bool) -> String {
        prepare(&schema, strict).unwrap_err().to_string()
    }

    #[test]
    fn what_cannot_be_enforced_is_named_with_its_place() {
        let within = |schema: Value| json!({"type": "object", "properties": {"a/b": {"items": schema}}});
        for (schema, place) in [
            (json!({"not": {"minimum": 1}}), "not"),
            (json!({"propertyNames": {"pattern": "a", "maxLength": 2}}), "propertyNames"),
            (json!({"if": {"minimum": 1}, "then": {"maximum": 3}}), "if"),
            (json!({"uniqueItems": true}), "uniqueItems"),
            (json!({"pattern": "a(?=b)"}), "pattern"),
            (json!({"format": "regex"}), "format"),
            (json!({"minProperties": 2}), "minProperties"),
            (json!({"oneOf": [{"minimum": 1}, {"maximum": 3}]}), "oneOf"),
            (json!({"$ref": "other.json"}), "$ref"),
            (json!({"enum": [1, 1e300]}), "enum/1"),
            (json!({"multipleOf": 0.12345}), "multipleOf"),
        ] {
            let message = refused(within(schema), false);
            assert!(message.contains("cannot be enforced"), "{message}");
            assert!(message.contains(&format!("#/properties/a~1b/items/{place}")), "{message}");
        }
    }

    /// Found where an array whose places each had an `enum` was refused since its elements were "not of a few values".
    #[test]
    fn distinct_elements_of_a_tuple_are_refused_for_what_they_are() {
        let values = json!([{"enum": ["a", "b"]}, {"enum": ["b", "c"]}]);
        for (keyword, schema) in [
            ("prefixItems", json!({"prefixItems": values, "items": false, "uniqueItems": true})),
            ("prefixItems", json!({"prefixItems": values, "items": {"enum": ["d"]}, "uniqueItems": true})),
            ("additionalItems", json!({"items": values, "additionalItems": false, "uniqueItems": true})),
            ("items", json!({"items": values, "uniqueItems": true})),
        ] {
            let message = refused(json!({"properties": {"a": schema}}), false);
            assert!(message.contains("#/properties/a/uniqueItems"), "{message}");
            assert!(message.contains(&format!("beside `{keyword}`")), "{message}");
        }
    }

    #[test]
    fn strict_mode_has_openais_rules() {
        let closed = json!({"type": "object", "properties": {"a": {"type": "null"}}, "required": ["a"], "additionalProperties": false});
        assert!(prepare(&closed, true).is_ok());
        for (key, value, word) in [
            ("additionalProperties", json!(true), "additionalProperties"),
            ("required", json!([]), "\"a\""),
            ("type", json!("array"), "root"),
        ] {
            let mut broken = closed.clone();
            broken[key] = value;
            assert!(refused(broken.clone(), true).contains(word), "{broken}");
        }
        assert!(
            refused(
                json!({"type": "object", "required": ["a"], "additionalProperties": false, "properties": {"a": {
                    "anyOf": [{"type": "object"}]
                }}}),
                true
            )
            .contains("#/properties/a/anyOf/0")
        );
    }

    #[test]
    fn what_says_nothing_is_left_out() {
        let ready =
            prepare(&json!({"title": "T", "type": "integer", "x-guidance": {"lenient": true}, "default": 1}), false)
                .unwrap();
        assert_eq!(ready, json!({"type": "integer", "$defs": {}, "x-guidance": layout()}));
    }
}
