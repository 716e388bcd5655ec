//! What a request may say in another way than in the fields that the engine has: OpenAI's older fields, and those of local servers.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Effort, RequestError};

/// Puts what is said in other fields into the engine's own.
///
/// # Errors
/// [`RequestError::TwoNames`] where both are given; [`RequestError::Unknown`] for a function that is not among the tools.
pub(super) fn normalise(fields: &mut Map<String, Value>) -> Result<(), RequestError> {
    if let Some(effort) = fields.shift_remove("reasoning_effort") {
        let wrong = |error| RequestError::Form(format!("`reasoning_effort`: {error}"));
        Effort::deserialize(&effort).map_err(wrong)?;
        let reasoning = fields.entry("reasoning").or_insert_with(|| json!({}));
        if let Some(reasoning) = reasoning.as_object_mut() {
            let both = || RequestError::TwoNames("reasoning.effort".into(), "reasoning_effort".into());
            put(reasoning, "effort", effort, both)?;
        }
    }
    if let Some(functions) = fields.shift_remove("functions") {
        let tool = |function: &Value| json!({"type": "function", "function": function});
        let functions = functions.as_array().ok_or_else(|| wrong("functions", "a list of functions"))?;
        put_field(fields, "tools", functions.iter().map(tool).collect(), "functions")?;
    }
    if let Some(call) = fields.shift_remove("function_call") {
        let choice = match &call {
            Value::Object(function) if function.contains_key("name") => json!({"type": "function", "function": call}),
            Value::String(word) if ["auto", "none"].contains(&word.as_str()) => call,
            _ => return Err(wrong("function_call", "\"auto\", \"none\", or an object with a `name`")),
        };
        put_field(fields, "tool_choice", choice, "function_call")?;
    }
    if let Some(grammar) = fields.shift_remove("grammar").filter(|grammar| grammar != "") {
        if !grammar.is_string() {
            return Err(wrong("grammar", "a GBNF grammar as a string"));
        }
        if fields.get("response_format").is_some_and(|format| format["type"] == "text") {
            fields.shift_remove("response_format");
        }
        put_field(fields, "response_format", json!({"type": "gbnf", "grammar": grammar}), "grammar")?;
    }
    allowed_tools(fields)
}

fn wrong(name: &str, wanted: &str) -> RequestError {
    RequestError::Form(format!("`{name}`: expected {wanted}"))
}

fn put_field(fields: &mut Map<String, Value>, name: &str, value: Value, from: &str) -> Result<(), RequestError> {
    put(fields, name, value, || RequestError::TwoNames(name.into(), from.into()))
}

fn put(
    fields: &mut Map<String, Value>,
    name: &str,
    value: Value,
    both: impl Fn() -> RequestError,
) -> Result<(), RequestError> {
    match fields.get(name) {
        Some(other) if *other != value => Err(both()),
        _ => {
            fields.insert(name.into(), value);
            Ok(())
        }
    }
}

/// A choice among some of the tools is a choice among all of these alone.
fn allowed_tools(fields: &mut Map<String, Value>) -> Result<(), RequestError> {
    let Some(choice) = fields.get("tool_choice").filter(|choice| choice["type"] == "allowed_tools") else {
        return Ok(());
    };
    let allowed = &choice["allowed_tools"];
    let wrong = || wrong("tool_choice", "`allowed_tools` with a `mode`, \"auto\" or \"required\", and `tools`");
    let mode = allowed["mode"].as_str().filter(|mode| ["auto", "required"].contains(mode)).ok_or_else(wrong)?;
    let names: Option<Vec<&str>> = allowed["tools"]
        .as_array()
        .and_then(|tools| tools.iter().map(|tool| tool["function"]["name"].as_str()).collect());
    let names = names.ok_or_else(wrong)?;
    let tools = fields.get("tools").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let has = |name: &str| tools.iter().any(|tool| tool["function"]["name"] == name);
    if let Some(unknown) = names.iter().find(|name| !has(name)) {
        let offered: Vec<&str> = tools.iter().filter_map(|tool| tool["function"]["name"].as_str()).collect();
        return Err(RequestError::Unknown {
            name: "tool_choice.allowed_tools",
            found: (*unknown).to_owned(),
            known: offered.join(", "),
        });
    }
    let is_allowed = |tool: &&Value| tool["function"]["name"].as_str().is_some_and(|name| names.contains(&name));
    let tools: Vec<Value> = tools.iter().filter(is_allowed).cloned().collect();
    let mode = json!(mode);
    fields.insert("tools".into(), Value::Array(tools));
    fields.insert("tool_choice".into(), mode);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(request: Value) -> Result<Value, String> {
        let mut fields = request.as_object().cloned().unwrap_or_default();
        normalise(&mut fields).map(|()| Value::Object(fields)).map_err(|error| error.to_string())
    }

    fn tool(name: &str) -> Value {
        json!({"type": "function", "function": {"name": name}})
    }

    #[test]
    fn functions_are_tools() {
        let old = json!({"functions": [{"name": "f"}], "function_call": {"name": "f"}});
        assert_eq!(normal(old).unwrap(), json!({"tools": [tool("f")], "tool_choice": tool("f")}));
        assert_eq!(normal(json!({"function_call": "none"})).unwrap(), json!({"tool_choice": "none"}));
        assert!(
            normal(json!({"functions": [{"name": "f"}], "tools": [tool("g")]})).unwrap_err().contains("`functions`")
        );
    }

    #[test]
    fn what_has_the_wrong_form_is_named_as_it_was_given() {
        for (name, value) in [
            ("reasoning_effort", json!(5)),
            ("reasoning_effort", json!("immense")),
            ("functions", json!("f")),
            ("function_call", json!("required")),
            ("function_call", json!({})),
            ("grammar", json!(5)),
        ] {
            let told = normal(json!({name: value})).unwrap_err();
            assert!(told.contains(&format!("`{name}`")), "{told}");
        }
    }

    #[test]
    fn an_effort_is_part_of_reasoning() {
        let asked = json!({"reasoning_effort": "low", "reasoning": {"budget_tokens": 9}});
        assert_eq!(normal(asked).unwrap(), json!({"reasoning": {"budget_tokens": 9, "effort": "low"}}));
        let two = json!({"reasoning_effort": "low", "reasoning": {"effort": "high"}});
        assert!(normal(two).unwrap_err().contains("`reasoning_effort`"));
    }

    #[test]
    fn a_grammar_is_a_format_unless_there_is_another() {
        let gbnf = json!({"response_format": {"type": "gbnf", "grammar": "root ::= \"a\""}});
        assert_eq!(normal(json!({"grammar": "root ::= \"a\"", "response_format": {"type": "text"}})).unwrap(), gbnf);
        assert_eq!(normal(json!({"grammar": ""})).unwrap(), json!({}));
        assert!(normal(json!({"grammar": "x", "response_format": {"type": "json_object"}})).is_err());
    }

    #[test]
    fn allowed_tools_are_the_ones_on_offer() {
        let choice = |mode: &str, names: &[&str]| {
            let tools: Vec<Value> = names.iter().map(|name| tool(name)).collect();
            json!({"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}})
        };
        let asked = |choice: Value| normal(json!({"tools": [tool("f"), tool("g"), tool("h")], "tool_choice": choice}));
        let left = json!({"tools": [tool("f"), tool("h")], "tool_choice": "required"});
        assert_eq!(asked(choice("required", &["h", "f"])).unwrap(), left);
        assert!(asked(choice("auto", &["x"])).unwrap_err().contains("f, g, h"));
        assert!(asked(choice("none", &["f"])).unwrap_err().contains("`mode`"));
        assert!(asked(json!({"type": "allowed_tools"})).unwrap_err().contains("`tools`"));
    }
}
