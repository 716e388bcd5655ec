//! Which fields a request may have. `fields.json` is the one table of them, for the engine and for the npm package alike:
//!
//! - its keys are the places of objects within a request, `[]` standing behind lists: `""` is the request itself;
//! - (the fields of sampling are not in it: those are `sampling.json`'s, as numbers with the meanings that it gives them;)
//! - `"read"` is a field that the engine does as it says, `"ignored"` one that asks nothing of an answer;
//! - `{"alias_of": NAME}` is another name of a field beside it;
//! - `{"whole": {NUMBER: VALUE, …}}` is a field that is read and holds a whole number, which may be written as one with a fraction
//!   of nothing (`5.0`); what local servers take for "off" or "no limit" stands for VALUE, `null` being no such field;
//! - `{"only": [VALUE, …], "because": REASON}` is a field of which the engine can do these values alone;
//! - `"*"` stands for all other fields of an object that somebody else looks at: a message's are the template's to read.
//!
//! A field that is `null` is one that is not there.

use std::sync::OnceLock;

use inglenook_format::near;
use serde_json::{Map, Value};

use super::RequestError;
use super::sampling::{OptionKind, SamplingOption, sampling_options};

/// What becomes of a field.
enum Rule {
    Read,
    Ignored,
    Alias { alias_of: &'static str },
    Whole { whole: &'static Map<String, Value> },
    Only { only: &'static [Value], because: &'static str },
}

impl Rule {
    /// As the table writes it.
    fn of(written: &'static Value) -> Rule {
        let member = |name: &str| written.get(name);
        if written == "read" {
            Rule::Read
        } else if written == "ignored" {
            Rule::Ignored
        } else if let Some(Value::String(alias_of)) = member("alias_of") {
            Rule::Alias { alias_of }
        } else if let Some(Value::Object(whole)) = member("whole") {
            Rule::Whole { whole }
        } else if let (Some(Value::Array(only)), Some(Value::String(because))) = (member("only"), member("because")) {
            Rule::Only { only, because }
        } else {
            unreachable!("fields.json: {written}")
        }
    }
}

/// The rules of an object's fields, by name, as the table writes them.
type Rules = Map<String, Value>;

/// The rules of every object that has some, by its place.
fn table() -> impl Iterator<Item = (&'static str, &'static Rules)> {
    static TABLE: OnceLock<Map<String, Value>> = OnceLock::new();
    let table = TABLE.get_or_init(|| {
        let mut table: Map<String, Value> = match serde_json::from_str(include_str!("fields.json")) {
            Ok(table) => table,
            Err(error) => unreachable!("fields.json: {error}"),
        };
        let own = table.get_mut("").and_then(Value::as_object_mut);
        own.into_iter().for_each(|own| own.extend(sampling_options().iter().flat_map(sampling_rules)));
        table
    });
    table.iter().filter_map(|(place, rules)| Some((place.as_str(), rules.as_object()?)))
}

/// An option of sampling, and its other names.
fn sampling_rules(option: &SamplingOption) -> Vec<(String, Value)> {
    let object = |name: &str, value: Value| Value::Object(Map::from_iter([(name.to_owned(), value)]));
    let rule = match option.kind {
        OptionKind::Number | OptionKind::Integer | OptionKind::Seed => {
            object("whole", Value::Object(option.meanings.clone()))
        }
        OptionKind::Boolean | OptionKind::Texts | OptionKind::Biases => "read".into(),
    };
    let alias = |name: &String| (name.clone(), object("alias_of", option.name.clone().into()));
    [(option.name.clone(), rule)].into_iter().chain(option.aliases.iter().map(alias)).collect()
}

/// Checks the fields of a request and of the objects in it. Those that are ignored are taken away, and each other one has its own name.
///
/// # Errors
/// [`RequestError::UnknownField`], [`RequestError::UnsupportedField`], [`RequestError::TwoNames`].
pub(super) fn check(request: &mut Map<String, Value>) -> Result<(), RequestError> {
    table().try_for_each(|(path, rules)| walk(request, path, "", rules))
}

/// Checks each object at `path`, seen from `fields`, which stands at `place`.
fn walk(fields: &mut Map<String, Value>, path: &str, place: &str, rules: &'static Rules) -> Result<(), RequestError> {
    if path.is_empty() {
        return check_object(fields, place, rules);
    }
    let (step, rest) = path.split_once('.').unwrap_or((path, ""));
    let Some(name) = step.strip_suffix("[]") else {
        return match fields.get_mut(step) {
            Some(Value::Object(inner)) => walk(inner, rest, &format!("{place}{step}."), rules),
            _ => Ok(()),
        };
    };
    let items = fields.get_mut(name).and_then(Value::as_array_mut);
    for (at, item) in items.into_iter().flatten().enumerate() {
        if let Value::Object(inner) = item {
            walk(inner, rest, &format!("{place}{name}[{at}]."), rules)?;
        }
    }
    Ok(())
}

fn check_object(fields: &mut Map<String, Value>, place: &str, rules: &'static Rules) -> Result<(), RequestError> {
    fields.retain(|_, value| !value.is_null());
    let mut aliases = Vec::new();
    for (name, value) in fields.iter() {
        match rules.get(name).map(Rule::of) {
            Some(Rule::Read | Rule::Ignored | Rule::Whole { .. }) => {}
            Some(Rule::Alias { alias_of }) => aliases.push((name.clone(), alias_of)),
            Some(Rule::Only { only, .. }) if only.iter().any(|known| same(known, value)) => {}
            Some(Rule::Only { because, .. }) => {
                let field = format!("{place}{name}");
                return Err(RequestError::UnsupportedField { field, found: excerpt(value), because });
            }
            None if rules.contains_key("*") => {}
            None => {
                let meant = nearest(name, rules).map(|near| format!("{place}{near}"));
                return Err(RequestError::UnknownField { field: format!("{place}{name}"), meant });
            }
        }
    }
    for (alias, name) in aliases {
        let Some(value) = fields.shift_remove(&alias) else { continue };
        if fields.get(name).is_some_and(|other| !same(other, &value)) {
            return Err(RequestError::TwoNames(format!("{place}{name}"), format!("{place}{alias}")));
        }
        fields.insert(name.to_owned(), value);
    }
    fields.retain(|name, value| match rules.get(name).map(Rule::of) {
        Some(Rule::Whole { whole }) => {
            *value = whole_number(value, whole);
            !value.is_null()
        }
        rule => !matches!(rule, Some(Rule::Ignored)),
    });
    Ok(())
}

/// What a field that holds a whole number is read as; what is none stays as it is.
fn whole_number(value: &Value, meanings: &Map<String, Value>) -> Value {
    /// Up to here every whole number is a float (2^53).
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let float = value.as_f64().filter(|number| value.is_f64() && number.fract() == 0.0 && number.abs() <= EXACT);
    let number = float.map_or_else(|| value.clone(), |number| Value::from(number as i64));
    meanings.get(&number.to_string()).cloned().unwrap_or(number)
}

/// Whether two values are one; 1 and 1.0 are.
fn same(one: &Value, other: &Value) -> bool {
    one == other || one.is_number() && one.as_f64() == other.as_f64()
}

/// A value as it is told of in messages.
fn excerpt(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The field that is read whose name is nearly this one, if there is one.
fn nearest(name: &str, rules: &'static Rules) -> Option<&'static str> {
    let read = rules.iter().filter(|(_, rule)| !matches!(Rule::of(rule), Rule::Only { .. }));
    near::nearest(name, read.map(|(known, _)| known.as_str()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn checked(request: Value) -> Result<Value, String> {
        let mut fields = request.as_object().cloned().unwrap_or_default();
        check(&mut fields).map(|()| Value::Object(fields)).map_err(|error| error.to_string())
    }

    #[test]
    fn the_table_names_fields_that_exist() {
        for (place, rules) in table() {
            for (name, rule) in rules {
                if let Rule::Alias { alias_of } = Rule::of(rule) {
                    let rule = rules.get(alias_of).map(Rule::of);
                    assert!(matches!(rule, Some(Rule::Read | Rule::Whole { .. })), "{place} {name}");
                }
            }
        }
        assert_eq!(table().count(), 17, "every place has an object of rules");
    }

    #[test]
    fn fields_that_ask_nothing_are_taken_away() {
        let asked = json!({
            "model": "x", "store": true, "metadata": {"a": "b"}, "user": "u", "best_of": 1.0, "echo": false, "modalities": ["text"],
            "audio": null, "tools": null, "tfs_z": 1, "stream_options": {"include_obfuscation": true}, "temperature": 0,
            "messages": [{"role": "assistant", "content": null, "audio": null, "id": 5, "prefix": false}],
        });
        let left = json!({
            "best_of": 1.0, "echo": false, "modalities": ["text"], "tfs_z": 1, "stream_options": {}, "temperature": 0,
            "messages": [{"role": "assistant", "prefix": false}],
        });
        assert_eq!(checked(asked).unwrap(), left);
    }

    #[test]
    fn fields_that_ask_for_what_there_is_not_are_named() {
        for (field, request) in [
            ("best_of", json!({"best_of": 2})),
            ("mirostat", json!({"mirostat": 2})),
            ("modalities", json!({"modalities": ["text", "audio"]})),
            ("echo", json!({"echo": true})),
            ("web_search_options", json!({"web_search_options": {}})),
            ("tools[1].type", json!({"tools": [{"type": "function"}, {"type": "custom"}]})),
            ("tool_choice.type", json!({"tool_choice": {"type": "custom"}})),
            ("messages[1].audio", json!({"messages": [{}, {"audio": {"id": "a"}}]})),
            ("messages[0].tool_calls[1].type", json!({"messages": [{"tool_calls": [{}, {"type": "custom"}]}]})),
            ("reasoning.exclude", json!({"reasoning": {"exclude": true}})),
        ] {
            let told = checked(request.clone()).expect_err(&request.to_string());
            assert!(told.starts_with(&format!("`{field}` cannot be ")) && told.contains(": "), "{told}");
        }
    }

    #[test]
    fn unknown_fields_are_named_with_the_field_that_may_be_meant() {
        for (request, meant) in [
            (json!({"max_token": 5}), "`max_tokens`"),
            (json!({"maxTokens": 5}), "`max_tokens`"),
            (json!({"temprature": 1}), "`temperature`"),
            (json!({"reponse_format": {}}), "`response_format`"),
            (json!({"stream_options": {"all": true}}), "leave it out"),
            (json!({"stream_options": {"include_usages": true}}), "`stream_options.include_usage`"),
            (json!({"response_format": {"json_schema": {"schemas": {}}}}), "`response_format.json_schema.schema`"),
            (json!({"tools": [{"function": {"params": {}}}]}), "leave it out"),
            (json!({"tools": [{"function": {"parameter": {}}}]}), "`tools[0].function.parameters`"),
            (json!({"x": 5}), "leave it out"),
        ] {
            let told = checked(request.clone()).expect_err(&request.to_string());
            assert!(told.contains(meant), "{told}");
        }
    }

    #[test]
    fn aliases_are_the_fields_that_they_stand_for() {
        assert_eq!(checked(json!({"max_completion_tokens": 5})).unwrap(), json!({"max_tokens": 5}));
        assert_eq!(checked(json!({"repeat_penalty": 1.1})).unwrap(), json!({"repetition_penalty": 1.1}));
        assert_eq!(checked(json!({"max_tokens": 5, "max_completion_tokens": 5})).unwrap(), json!({"max_tokens": 5}));
        let told = checked(json!({"max_tokens": 5, "max_completion_tokens": 6})).unwrap_err();
        assert!(told.contains("`max_tokens` and `max_completion_tokens`"), "{told}");
    }

    #[test]
    fn values_of_any_length_are_told_of_in_short() {
        let told = checked(json!({"audio": "é".repeat(1000)})).unwrap_err();
        assert!(told.len() < 200, "{told}");
    }
}
