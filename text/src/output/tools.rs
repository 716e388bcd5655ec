//! The tools that were offered, and what their schemas say of the types of arguments.
//!
//! Formats that write arguments without JSON's quotes need the types: whether `5` is a number or a postal code.

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

    /// The types that remain where the model itself says whether a value is a string, if it says so; the schema knows better.
    pub fn told(self, string: Option<bool>) -> Self {
        let others = Self { string: false, ..self };
        match string {
            Some(true) if self.unknown() || self.string => Self { string: true, ..Self::default() },
            Some(false) if self.unknown() => {
                Self { string: false, number: true, boolean: true, null: true, object: true, array: true }
            }
            Some(false) if !others.unknown() => others,
            _ => self,
        }
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

    /// The name under which a tool was offered that the model calls `name`. `None` if none was, or several may be meant.
    ///
    /// Ids and namespaces wrap names: `functions.get_weather:0`, the same as clients clean it (`functions_get_weather_0`), and
    /// `weather.get_weather`.
    pub fn offered(&self, name: &str) -> Option<&str> {
        self.find(name).map(|tool| tool.name.as_str())
    }

    pub fn offers(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    fn find(&self, name: &str) -> Option<&ToolSpec> {
        if let Some(tool) = self.0.iter().find(|tool| tool.name == name) {
            return Some(tool);
        }
        // The tool of which least has to be taken away is meant: of `a.get` and `get`, `functions.a.get` calls the first.
        let wrapped = || self.0.iter().filter(|tool| wraps(name, &tool.name));
        let longest = wrapped().map(|tool| tool.name.len()).max()?;
        let mut meant = wrapped().filter(|tool| tool.name.len() == longest);
        meant.next().filter(|_| meant.next().is_none())
    }

    fn parameters(&self, tool: &str) -> &Value {
        self.find(tool).map_or(&Value::Null, |spec| &spec.parameters)
    }

    /// The types that the argument `key` of `tool` may have; none if nothing is known of it.
    pub fn types(&self, tool: &str, key: &str) -> Types {
        let root = self.parameters(tool);
        root["properties"].get(key).map_or(Types::default(), |schema| Types::of(schema, root))
    }

    /// The types of what stands behind `keys`, each within the value of the one before; `item` is an element of an array.
    pub fn types_at(&self, tool: &str, keys: &[String]) -> Types {
        let root = self.parameters(tool);
        let inner = keys.iter().fold(root, |schema, key| {
            let schema =
                schema["$ref"].as_str().and_then(|path| root.pointer(path.strip_prefix('#')?)).unwrap_or(schema);
            schema["properties"].get(key).unwrap_or_else(|| if key == "item" { &schema["items"] } else { &Value::Null })
        });
        Types::of(inner, root)
    }

    /// The name of the argument of `tool` at a position: for calls that name no arguments.
    pub fn positional(&self, tool: &str, position: usize) -> Option<&str> {
        self.parameters(tool)["properties"].as_object()?.keys().nth(position).map(String::as_str)
    }
}

/// Whether `name` is the tool `tool` within a namespace or an id: behind `functions` and a separator, with a number behind it or not,
/// or behind any other namespace. Characters that clients clean from ids count the same in both.
fn wraps(name: &str, tool: &str) -> bool {
    let is_separator = |c: char| matches!(c, '.' | ':' | '/' | '_' | '-');
    if tool.is_empty() {
        return false;
    }
    let within_id = name.strip_prefix("functions").and_then(|id| id.strip_prefix(is_separator)).is_some_and(|id| {
        let counted = id.trim_end_matches(|c: char| c.is_ascii_digit());
        let counted = counted.strip_suffix(is_separator).filter(|_| counted.len() < id.len());
        [Some(id), counted].into_iter().flatten().any(|id| cleaned(id).eq(cleaned(tool)))
    });
    within_id || name.strip_suffix(tool).is_some_and(|namespace| namespace.ends_with(['.', ':', '/']))
}

/// The characters of a name as clients clean it.
fn cleaned(name: &str) -> impl Iterator<Item = char> + '_ {
    name.chars().map(|c| if c.is_alphanumeric() || c == '-' { c } else { '_' })
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
    fn names_within_ids_and_namespaces_are_the_offered_tools() {
        let tools = |names: &[&str]| {
            Tools(names.iter().map(|name| ToolSpec { name: (*name).into(), parameters: Value::Null }).collect())
        };
        let offered = tools(&["get_weather", "get", "a.get", "files.read", "step_2", "set-x"]);
        for (name, meant) in [
            ("get_weather", Some("get_weather")),
            ("functions.get_weather", Some("get_weather")),
            ("functions.get_weather:0", Some("get_weather")),
            ("functions_get_weather_1", Some("get_weather")),
            ("functions-get_weather-12", Some("get_weather")),
            ("weather.get_weather", Some("get_weather")),
            ("mcp/home::get", Some("get")),
            ("functions.a.get:3", Some("a.get")),
            ("functions_files_read_0", Some("files.read")),
            ("functions_step_2", Some("step_2")),
            ("functions_set-x_0", Some("set-x")),
            // A number alone may belong to another tool's name.
            ("get_weather_1", None),
            ("xget", None),
            ("functionsget", None),
            ("functions.", None),
            ("", None),
        ] {
            assert_eq!(offered.offered(name), meant, "{name}");
        }
        // Cleaned, both are called alike.
        assert_eq!(tools(&["a.b", "a_b"]).offered("functions_a_b_0"), None);
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
