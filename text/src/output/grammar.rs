//! The text of a grammar that forces tool calls, from a format's [`Pattern`].
//!
//! The grammar is llguidance's kind of Lark: `%json {…}` stands for the JSON texts of a schema and `<[7]>` for the token 7. Names,
//! keys and the order of optional arguments are those of the schema; white space is what the format's template writes.

use std::fmt::Write;

use serde_json::Value;

use super::tools::{ToolSpec, Types};

/// A part of a call's text.
#[derive(Debug)]
pub(super) enum Part {
    /// This text, or the control token of this name where the vocabulary has one.
    Text(&'static str),
    /// A text that this regular expression matches.
    Regex(&'static str),
    /// These parts, or nothing.
    Optional(&'static [Part]),
    /// The key of the argument that is being written, once more.
    Key,
}

/// How a format's calls are written: `lead`, then for each call `before`, the tool's name, `between`, the arguments and `after`, with
/// `separator` between calls, then `tail`.
#[derive(Debug)]
pub(super) struct Pattern {
    pub lead: &'static [Part],
    pub before: &'static [Part],
    pub between: &'static [Part],
    pub arguments: Arguments,
    pub after: &'static [Part],
    pub separator: &'static [Part],
    pub tail: &'static [Part],
}

impl Pattern {
    /// A JSON list of objects with name and arguments, behind a lead that opens the list.
    pub(super) const JSON_LIST: Pattern = Pattern {
        lead: &[],
        before: &[Part::Text("{\"name\": \"")],
        between: &[Part::Text("\", \"arguments\": ")],
        arguments: Arguments::Json,
        after: &[Part::Text("}")],
        separator: &[Part::Text(", ")],
        tail: &[Part::Text("]")],
    };
}

/// How arguments are written.
#[derive(Debug)]
pub(super) enum Arguments {
    /// As a JSON object.
    Json,
    /// Each between tags.
    Tagged(Tagging),
    /// As Python's keyword arguments.
    Python,
    /// As an object with bare keys, whose strings have this on both sides.
    Braces(&'static [Part]),
}

/// The tags around an argument.
#[derive(Debug)]
pub(super) struct Tagging {
    /// Around the key, up to the value.
    pub key: (&'static [Part], &'static [Part]),
    /// What stands between key and value where the value is no string, if that differs.
    pub json: Option<&'static [Part]>,
    /// What ends the value.
    pub end: &'static [Part],
    /// What stands between the tags.
    pub gap: &'static str,
}

/// Writes a grammar.
pub(super) struct Writer<'a> {
    out: String,
    control: &'a dyn Fn(&str) -> Option<u32>,
    /// What ends a string without quotes, if one occurs.
    string_end: Option<&'static [Part]>,
}

/// `text` as a Lark string.
fn literal(text: &str) -> String {
    Value::from(text).to_string()
}

impl<'a> Writer<'a> {
    /// `control` gives the id of the control token of a name.
    pub fn new(control: &'a dyn Fn(&str) -> Option<u32>) -> Self {
        Self { out: String::new(), control, string_end: None }
    }

    /// The grammar.
    pub fn finish(self) -> String {
        self.out
    }

    /// Bytes of the grammar so far.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Appends formatted text; that cannot fail for a String.
    fn write(&mut self, text: std::fmt::Arguments<'_>) {
        let _ = self.out.write_fmt(text);
    }

    fn part(&self, part: &Part) -> String {
        match part {
            Part::Text(text) => self.marker(text),
            Part::Regex(regex) => format!("/{regex}/"),
            Part::Optional(parts) => format!("({})?", self.parts(*parts)),
            // Outside arguments there is none.
            Part::Key => literal(""),
        }
    }

    /// A text, or the control token of that name.
    fn marker(&self, text: &str) -> String {
        match (self.control)(text) {
            Some(id) => format!("<[{id}]>"),
            None => literal(text),
        }
    }

    fn parts<'p>(&self, parts: impl IntoIterator<Item = &'p Part>) -> String {
        parts.into_iter().map(|part| self.part(part)).collect::<Vec<_>>().join(" ")
    }

    /// The rule `start`. Behind a `trigger`, what stands up to it has been written already.
    pub fn start(&mut self, pattern: &Pattern, trigger: Option<&str>, parallel: bool) {
        let first: Vec<&Part> = pattern.lead.iter().chain(pattern.before).collect();
        let is_trigger = |part: &&Part| matches!(part, Part::Text(text) if Some(*text) == trigger);
        let behind = first.iter().position(is_trigger).map_or(0, |at| at + 1);
        let mut rule = self.parts(first[behind..].iter().copied());
        rule.push_str(" body ");
        if parallel {
            let again = self.parts(pattern.separator.iter().chain(pattern.before));
            let _ = write!(rule, "({again} body)* ");
        }
        rule.push_str(&self.parts(pattern.tail));
        self.write(format_args!("start: {}\n", rule.trim()));
    }

    /// The rule `body`, for `count` tools.
    pub fn bodies(&mut self, count: usize) {
        let names: Vec<String> = (0..count).map(|tool| format!("body_{tool}")).collect();
        self.write(format_args!("body: {}\n", names.join(" | ")));
    }

    /// The rules of a tool: its name, what is between, its arguments, what is after.
    pub fn body(&mut self, pattern: &'static Pattern, index: usize, tool: &ToolSpec) {
        let (name, between) = (literal(&tool.name), self.parts(pattern.between));
        let after = self.parts(pattern.after);
        self.write(format_args!("body_{index}: {name} {between} arguments_{index} {after}\n"));
        match &pattern.arguments {
            Arguments::Json => {
                let json = object(tool);
                self.write(format_args!("arguments_{index}: %json {json}\n"));
            }
            Arguments::Tagged(tagging) => self.tagged(index, &Property::all(tool), tagging),
            Arguments::Python => self.python(index, &Property::all(tool)),
            Arguments::Braces(quote) => self.braces(index, &Property::all(tool), quote),
        }
    }

    /// The rule `string`, if a body has used it: any text, up to the first ending.
    pub fn string(&mut self) {
        let Some(end) = self.string_end else { return };
        let (before, control, _) = self.ending(end);
        match control {
            Some(id) => self.write(format_args!("string: /(.|\\n)*{}/ <[{id}]>\n", regex_literal(&before))),
            None => self.write(format_args!("string[suffix={}]: /(.|\\n)*/\n", literal(&before))),
        }
    }

    /// What ends a string: a text, up to the first control token or the key, and that token if it is one; and the parts behind.
    fn ending(&self, end: &'static [Part]) -> (String, Option<u32>, &'static [Part]) {
        let mut before = String::new();
        for (at, part) in end.iter().enumerate() {
            match part {
                Part::Text(text) => match (self.control)(text) {
                    Some(id) => return (before, Some(id), &end[at + 1..]),
                    None => before.push_str(text),
                },
                _ => return (before, None, &end[at..]),
            }
        }
        (before, None, &[])
    }

    /// The parts around an argument with this key.
    fn parts_of(&self, parts: &'static [Part], key: &str) -> String {
        let written = parts.iter().map(|part| if matches!(part, Part::Key) { literal(key) } else { self.part(part) });
        written.collect::<Vec<_>>().join(" ")
    }

    /// The texts of a property that are listed, as alternatives.
    fn alternatives(texts: Vec<&str>) -> String {
        texts.into_iter().map(literal).collect::<Vec<_>>().join(" | ")
    }

    /// Arguments between tags, in the schema's order.
    fn tagged(&mut self, tool: usize, properties: &[Property<'_>], tagging: &'static Tagging) {
        let mut sequence = String::from("\"\"");
        for (index, property) in properties.iter().enumerate() {
            let optional = if property.required { "" } else { "?" };
            let _ = write!(sequence, " argument_{tool}_{index}{optional}");
        }
        self.write(format_args!("arguments_{tool}: {sequence}\n"));
        for (index, property) in properties.iter().enumerate() {
            let (open, key) = (self.parts(tagging.key.0), literal(property.key));
            let (end, gap) = (self.parts_of(tagging.end, property.key), literal(tagging.gap));
            let (value, text) = match property.plain_strings() {
                Some(texts) => (format!("({}) {end}", Self::alternatives(texts)), true),
                None if property.is_text() => {
                    self.string_end = Some(tagging.end);
                    let rest = self.parts_of(self.ending(tagging.end).2, property.key);
                    (format!("string {rest}").trim_end().to_owned(), true)
                }
                None => (format!("json_{tool}_{index} {end}"), false),
            };
            let close = self.parts_of(tagging.json.filter(|_| !text).unwrap_or(tagging.key.1), property.key);
            self.write(format_args!("argument_{tool}_{index}: {open} {key} {close} {value} {gap}\n"));
            if !text {
                self.write(format_args!("json_{tool}_{index}: %json {}\n", property.json()));
            }
        }
    }

    /// An object with bare keys. Values of other types than strings are JSON, which its reader takes, too.
    fn braces(&mut self, tool: usize, properties: &[Property<'_>], quote: &'static [Part]) {
        let object = self.separated(tool, properties, ",");
        self.write(format_args!("arguments_{tool}: \"{{\" ({object}) \"}}\"\n"));
        let marker = self.parts(quote);
        for (index, property) in properties.iter().enumerate() {
            let key = literal(&format!("{}:", property.key));
            match property.plain_strings() {
                Some(texts) => {
                    let texts = Self::alternatives(texts);
                    self.write(format_args!("pair_{tool}_{index}: {key} {marker} ({texts}) {marker}\n"));
                }
                None if property.is_text() => {
                    self.string_end = Some(quote);
                    self.write(format_args!("pair_{tool}_{index}: {key} {marker} string\n"));
                }
                None => {
                    let json = property.json();
                    self.write(format_args!("pair_{tool}_{index}: {key} json_{tool}_{index}\n"));
                    self.write(format_args!("json_{tool}_{index}: %json {json}\n"));
                }
            }
        }
    }

    /// Pairs with `separator` between those that are there: first the required ones, then the others in the schema's order.
    fn separated(&self, tool: usize, properties: &[Property<'_>], separator: &str) -> String {
        let pairs = |required: bool| {
            let of_kind = properties.iter().enumerate().filter(move |(_, property)| property.required == required);
            of_kind.map(move |(index, _)| format!("pair_{tool}_{index}")).collect::<Vec<_>>()
        };
        let separator = literal(separator);
        let behind =
            |optional: &[String]| optional.iter().map(|pair| format!(" ({separator} {pair})?")).collect::<String>();
        let (required, optional) = (pairs(true), pairs(false));
        match required.is_empty() {
            false => required.join(&format!(" {separator} ")) + &behind(&optional),
            // With nothing that is always there, which argument is the first decides where commas stand.
            true => {
                let first = |at: usize| format!("{}{}", optional[at], behind(&optional[at + 1..]));
                let mut firsts: Vec<String> = (0..optional.len()).map(first).collect();
                firsts.push("\"\"".to_owned());
                firsts.join(" | ")
            }
        }
    }

    /// Keyword arguments.
    fn python(&mut self, tool: usize, properties: &[Property<'_>]) {
        let sequence = self.separated(tool, properties, ", ");
        self.write(format_args!("arguments_{tool}: {sequence}\n"));
        for (index, property) in properties.iter().enumerate() {
            let key = literal(&format!("{}=", property.key));
            if property.types() == (Types { boolean: true, ..Types::default() }) {
                self.write(format_args!("pair_{tool}_{index}: {key} (\"True\" | \"False\")\n"));
            } else {
                let json = property.json();
                self.write(format_args!("pair_{tool}_{index}: {key} json_{tool}_{index}\n"));
                self.write(format_args!("json_{tool}_{index}: %json {json}\n"));
            }
        }
    }
}

/// `text` within a regular expression of a grammar. `<` and `>` stand for themselves there.
fn regex_literal(text: &str) -> String {
    let special = |c: char| c.is_ascii_punctuation() && !matches!(c, '<' | '>' | '_' | '-');
    text.chars().map(|c| if special(c) { format!("\\{c}") } else { c.to_string() }).collect()
}

/// The schema of all of a tool's arguments, whose other types it may allow do not count.
fn object(tool: &ToolSpec) -> Value {
    let mut schema = tool.parameters.as_object().cloned().unwrap_or_default();
    schema.insert("type".into(), "object".into());
    Value::Object(schema)
}

/// One argument of a tool.
pub(super) struct Property<'a> {
    pub key: &'a str,
    schema: &'a Value,
    root: &'a Value,
    required: bool,
}

impl<'a> Property<'a> {
    /// All arguments of `tool`.
    pub fn all(tool: &'a ToolSpec) -> Vec<Self> {
        let root = &tool.parameters;
        let required = root["required"].as_array().map(Vec::as_slice).unwrap_or_default();
        let properties = root["properties"].as_object().into_iter().flatten();
        let property = |(key, schema): (&'a String, &'a Value)| Self {
            key,
            schema,
            root,
            required: required.iter().any(|name| name == key),
        };
        properties.map(property).collect()
    }

    fn types(&self) -> Types {
        Types::of(self.schema, self.root)
    }

    /// The strings that are allowed, if they are listed and there is nothing else.
    fn plain_strings(&self) -> Option<Vec<&'a str>> {
        let listed = self.schema["enum"].as_array().map(Vec::as_slice).unwrap_or_default();
        let texts: Option<Vec<&str>> = listed.iter().chain(self.schema.get("const")).map(Value::as_str).collect();
        texts.filter(|texts| !texts.is_empty())
    }

    /// Whether any text is a value.
    fn is_text(&self) -> bool {
        let types = self.types();
        types.string || types == Types::default()
    }

    /// The argument's schema on its own, with the definitions that it may refer to.
    fn json(&self) -> Value {
        let mut schema = self.schema.as_object().cloned().unwrap_or_default();
        let refers = self.schema.to_string().contains("\"$ref\"");
        for definitions in ["$defs", "definitions"] {
            if let (true, Some(values)) = (refers, self.root.get(definitions)) {
                schema.entry(definitions).or_insert_with(|| values.clone());
            }
        }
        Value::Object(schema)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Choice, ToolCallFormat};
    use super::*;

    fn tool(name: &str, parameters: Value) -> ToolSpec {
        ToolSpec { name: name.to_owned(), parameters }
    }

    /// The grammar where the vocabulary has the control tokens `controls`, with ids from 7 on.
    fn grammar(
        tool_call_format: ToolCallFormat,
        tools: &[ToolSpec],
        choice: Choice<'_>,
        parallel: bool,
        controls: &[&str],
    ) -> String {
        let control = |name: &str| controls.iter().position(|control| *control == name).map(|at| at as u32 + 7);
        tool_call_format.constraint(tools, choice, parallel, &control).unwrap().unwrap()
    }

    #[test]
    fn json_tool_call_formats_put_the_schema_between_the_template_s_words() {
        let now = [tool("now", json!({"properties": {}}))];
        assert_eq!(
            grammar(ToolCallFormat::Hermes, &now, Choice::Required, true, &[]),
            r#"start: "<tool_call>" "\n{\"name\": \"" body ("\n" "<tool_call>" "\n{\"name\": \"" body)*
body: body_0
body_0: "now" "\", \"arguments\": " arguments_0 "}\n" "</tool_call>"
arguments_0: %json {"properties":{},"type":"object"}
"#
        );
    }

    /// Found where a call whose schema allowed `null`, too, had that for its arguments, and was none.
    #[test]
    fn arguments_are_an_object_whatever_else_the_schema_allows() {
        let tools =
            [tool("f", json!({"type": ["object", "null"]})), tool("g", json!({"anyOf": [{"type": "string"}, {}]}))];
        let grammar = grammar(ToolCallFormat::Hermes, &tools, Choice::Required, false, &[]);
        assert!(grammar.contains(r#"arguments_0: %json {"type":"object"}"#), "{grammar}");
        assert!(
            grammar.contains(r#"arguments_1: %json {"anyOf":[{"type":"string"},{}],"type":"object"}"#),
            "{grammar}"
        );
    }

    #[test]
    fn behind_a_trigger_the_grammar_goes_on_and_control_tokens_are_ids() {
        let tools = [tool("now", Value::Null), tool("get", Value::Null)];
        let controls = ["<|tool_call_start|>", "<|tool_call_end|>"];
        assert_eq!(
            grammar(ToolCallFormat::Lfm2, &tools, Choice::Auto, false, &controls),
            r#"start: "[" body "]" <[8]>
body: body_0 | body_1
body_0: "now" "(" arguments_0 ")"
arguments_0: ""
body_1: "get" "(" arguments_1 ")"
arguments_1: ""
"#
        );
        let mistral =
            grammar(ToolCallFormat::Mistral, &tools, Choice::Named("get"), false, &["[TOOL_CALLS]", "[ARGS]"]);
        assert!(mistral.starts_with("start: <[7]> body\nbody: body_0\nbody_0: \"get\" <[8]> arguments_0"), "{mistral}");
        assert!(
            grammar(ToolCallFormat::Mistral, &tools, Choice::Required, false, &[])
                .starts_with("start: \"[TOOL_CALLS]\" \" [\"")
        );
    }

    #[test]
    fn tags_hold_text_or_json_or_one_of_the_listed_strings() {
        let properties = json!({"q": {"type": "string"}, "n": {"type": "integer"}, "u": {"enum": ["a", "b"]}});
        let tools = [tool("find", json!({"properties": properties, "required": ["q"]}))];
        assert_eq!(
            grammar(ToolCallFormat::Glm45, &tools, Choice::Required, false, &["</arg_value>"]),
            r#"start: "<tool_call>" body
body: body_0
body_0: "find" "\n" arguments_0 "</tool_call>"
arguments_0: "" argument_0_0 argument_0_1? argument_0_2?
argument_0_0: "<arg_key>" "q" "</arg_key>" "\n" "<arg_value>" string "\n"
argument_0_1: "<arg_key>" "n" "</arg_key>" "\n" "<arg_value>" json_0_1 <[7]> "\n"
json_0_1: %json {"type":"integer"}
argument_0_2: "<arg_key>" "u" "</arg_key>" "\n" "<arg_value>" ("a" | "b") <[7]> "\n"
string: /(.|\n)*/ <[7]>
"#
        );
    }

    #[test]
    fn commas_stand_between_the_keyword_arguments_that_are_there() {
        let properties = json!({"a": {"type": "boolean"}, "b": {"$ref": "#/$defs/n"}});
        let schema = json!({"properties": properties, "$defs": {"n": {"type": "number"}}});
        let optional = grammar(ToolCallFormat::Gemma, &[tool("f", schema.clone())], Choice::Required, false, &[]);
        let line =
            "arguments_0: pair_0_0 (\", \" pair_0_1)? | pair_0_1 | \"\"\npair_0_0: \"a=\" (\"True\" | \"False\")\n";
        assert!(optional.contains(line), "{optional}");
        assert!(
            optional.contains(r##"json_0_1: %json {"$ref":"#/$defs/n","$defs":{"n":{"type":"number"}}}"##),
            "{optional}"
        );
        let mut required = schema;
        required["required"] = json!(["b"]);
        let required = grammar(ToolCallFormat::Gemma, &[tool("f", required)], Choice::Required, false, &[]);
        assert!(required.contains("arguments_0: pair_0_1 (\", \" pair_0_0)?\n"), "{required}");
    }
}
