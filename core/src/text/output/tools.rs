//! The tools that were offered, and what their schemas say of the types of arguments.
//!
//! Dialects that write arguments without JSON's quotes need the types: whether `5` is a number or a postal code.

use serde_json::Value;

use super::json;

/// A tool that was offered to the model.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolSpec {
    /// Its name.
    pub name: String,
    /// JSON schema of its arguments, an object; `null` if there is none.
    pub parameters: Value,
}

/// The types that a schema allows, of JSON's seven.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Types {
    pub string: bool,
    pub number: bool,
    pub boolean: bool,
    pub null: bool,
    pub object: bool,
    pub array: bool,
}

impl Types {
    /// Whether only strings are allowed.
    pub fn only_string(self) -> bool {
        self == Self { string: true, ..Self::default() }
    }

    /// Whether the schema says nothing.
    fn unknown(self) -> bool {
        self == Self::default()
    }

    fn or(self, other: Self) -> Self {
        Self {
            string: self.string || other.string,
            number: self.number || other.number,
            boolean: self.boolean || other.boolean,
            null: self.null || other.null,
            object: self.object || other.object,
            array: self.array || other.array,
        }
    }

    fn named(name: &str) -> Self {
        let mut types = Self::default();
        match name {
            "string" => types.string = true,
            "number" | "integer" => types.number = true,
            "boolean" => types.boolean = true,
            "null" => types.null = true,
            "object" => types.object = true,
            "array" => types.array = true,
            _ => {}
        }
        types
    }

    /// The type of the JSON value with this text, which is not empty.
    fn of_json(text: &str) -> Self {
        Self::named(match text.as_bytes().first() {
            Some(b'"') => "string",
            Some(b'{') => "object",
            Some(b'[') => "array",
            Some(b't' | b'f') => "boolean",
            Some(b'n') => "null",
            _ => "number",
        })
    }

    /// What `schema` allows, within the schema `root`. Alternatives and references are followed, as far as [`MAX_VISITS`] goes.
    pub fn of(schema: &Value, root: &Value) -> Self {
        let mut types = Self::default();
        let mut open = vec![schema];
        for _ in 0..MAX_VISITS {
            let Some(schema) = open.pop() else { break };
            let named = schema["type"].as_array().map(Vec::as_slice).unwrap_or(std::slice::from_ref(&schema["type"]));
            let named = named.iter().filter_map(Value::as_str).map(Self::named).fold(Self::default(), Self::or);
            let values = schema["enum"].as_array().into_iter().flatten().chain(schema.get("const"));
            let listed = values.map(|value| Self::named(type_name(value))).fold(Self::default(), Self::or);
            let own = if named.unknown() { listed } else { named };
            types = types.or(own);
            if own.unknown() {
                open.extend(schema["$ref"].as_str().and_then(|path| root.pointer(path.strip_prefix('#')?)));
                open.extend(
                    ["anyOf", "oneOf"].into_iter().filter_map(|key| schema[key].as_array()).flatten().take(MAX_VISITS),
                );
            }
        }
        types
    }

    /// The JSON text for an argument that the model wrote as plain `text`: a value of an allowed type if the text is one,
    /// else a string. Python's spelling of values counts, too.
    pub fn value(self, text: &str) -> String {
        let fits = |value: &String| {
            let own = Self::of_json(value);
            !own.string && (self.unknown() || self.or(own) == self)
        };
        let trimmed = text.trim();
        json::value(trimmed)
            .filter(fits)
            .or_else(|| super::literal::value(trimmed).filter(fits))
            .unwrap_or_else(|| json::quoted(text))
    }
}

/// How many schemas are looked at for an argument's types: references may lead in circles.
const MAX_VISITS: usize = 256;

/// The name of a value's type, as schemas have it.
fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The tools of a request.
#[derive(Debug, Default)]
pub(super) struct Tools(Vec<ToolSpec>);

impl Tools {
    pub fn new(tools: &[ToolSpec]) -> Self {
        Self(tools.to_vec())
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|tool| tool.name.as_str())
    }

    pub fn offers(&self, name: &str) -> bool {
        self.names().any(|offered| offered == name)
    }

    fn parameters(&self, tool: &str) -> &Value {
        self.0.iter().find(|spec| spec.name == tool).map_or(&Value::Null, |spec| &spec.parameters)
    }

    /// The types that the argument `key` of `tool` may have; none if nothing is known of it.
    pub fn types(&self, tool: &str, key: &str) -> Types {
        let root = self.parameters(tool);
        root["properties"].get(key).map_or(Types::default(), |schema| Types::of(schema, root))
    }

    /// The name of the argument of `tool` at a position: for calls that name no arguments.
    pub fn positional(&self, tool: &str, position: usize) -> Option<&str> {
        self.parameters(tool)["properties"].as_object()?.keys().nth(position).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn value(schema: Value, text: &str) -> String {
        Types::of(&schema, &schema).value(text)
    }

    #[test]
    fn the_schema_decides_what_plain_text_is() {
        assert_eq!(value(json!({"type": "string"}), "5"), "\"5\"");
        assert_eq!(value(json!({"type": "integer"}), " 5 "), "5");
        assert_eq!(value(json!({"type": "integer"}), "five"), "\"five\"");
        assert_eq!(value(json!({"type": ["string", "null"]}), "null"), "null");
        assert_eq!(value(json!({"type": ["string", "null"]}), "5"), "\"5\"");
        assert_eq!(value(json!({"type": "boolean"}), "True"), "true");
        assert_eq!(value(json!({"type": "array"}), "['a', None]"), "[\"a\",null]");
        assert_eq!(value(json!({"enum": ["1", "2"]}), "1"), "\"1\"");
        assert_eq!(value(json!({"enum": [1, 2]}), "1"), "1");
        assert_eq!(value(json!({"anyOf": [{"type": "number"}, {"const": null}]}), "1e3"), "1e3");
        assert_eq!(value(json!({}), "{\"a\": 1}"), "{\"a\": 1}");
        assert_eq!(value(json!({}), "\"quoted\""), "\"\\\"quoted\\\"\"");
    }

    #[test]
    fn references_are_followed_and_do_not_lead_astray() {
        let schema = json!({"$ref": "#/$defs/n", "$defs": {"n": {"type": "number"}}});
        assert_eq!(value(schema, "7"), "7");
        let endless = json!({"$ref": "#"});
        assert_eq!(value(endless, "text"), "\"text\"");
        let wide = json!({"anyOf": vec![json!({"$ref": "#"}); 1000]});
        assert_eq!(value(wide, "text"), "\"text\"");
    }
}
