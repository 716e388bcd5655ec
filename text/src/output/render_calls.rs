//! Calls of a history, written as a format's models write them: for templates that leave that to the message's content.

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{Formatter, Serializer};
use std::io::{Result, Write};

use super::grammar::{Arguments, Part, Pattern, Tagging};
use super::python::is_identifier;
use super::tool_call_format::ToolCallFormat;

impl ToolCallFormat {
    /// The text of an assistant's `calls`, names and arguments; none where this format cannot write them. What is the format's own
    /// of it stands between two of `mark`, if one is given.
    pub fn render_calls(self, calls: &[(String, Value)], mark: Option<char>) -> Option<String> {
        let (_, pattern) = self.spec().patterns.iter().find(|(token, _)| token.is_none())?;
        let own = Own(mark.map(String::from).unwrap_or_default());
        let calls = calls.iter().map(|(name, arguments)| own.call(pattern, name, arguments));
        let calls = calls.collect::<Option<Vec<String>>>()?.join(&own.parts(pattern.separator)?);
        Some(own.parts(pattern.lead)? + &calls + &own.parts(pattern.tail)?)
    }
}

/// What stands around a format's own words.
struct Own(String);

impl Own {
    fn call(&self, pattern: &Pattern, name: &str, given: &Value) -> Option<String> {
        let arguments = match &pattern.arguments {
            Arguments::Json => json(given),
            Arguments::Tagged(tagging) => self.tagged(tagging, given)?,
            Arguments::Python => keywords(given)?,
            Arguments::Braces(quote) => self.braces(given, &self.parts(quote)?)?,
        };
        let [before, between, after] =
            [self.parts(pattern.before)?, self.parts(pattern.between)?, self.parts(pattern.after)?];
        Some([&before, name, &between, &arguments, &after].concat())
    }

    /// The fixed text of parts; none where the model has to find some of it. What may be left out is.
    fn parts(&self, parts: &[Part]) -> Option<String> {
        let texts = parts.iter().map(|part| match part {
            Part::Text(text) => Some(*text),
            Part::Optional(_) => Some(""),
            Part::Regex(_) | Part::Key => None,
        });
        texts.collect::<Option<String>>().map(|text| self.text(&text))
    }

    fn text(&self, text: &str) -> String {
        [&self.0, text, &self.0].concat()
    }

    fn tagged(&self, tagging: &Tagging, given: &Value) -> Option<String> {
        let before = self.parts(tagging.key.0)?;
        let argument = |(key, value): (&String, &Value)| {
            let (between, value) = match value.as_str() {
                Some(text) => (tagging.key.1, text.to_owned()),
                None => (tagging.json.unwrap_or(tagging.key.1), json(value)),
            };
            let end = tagging.end.iter().map(|part| match part {
                Part::Key => Some(key.clone()),
                part => self.parts(std::slice::from_ref(part)),
            });
            let (between, end) = (self.parts(between)?, end.collect::<Option<String>>()?);
            Some([&before, key.as_str(), &between, &value, &end].concat())
        };
        let arguments = given.as_object()?.iter().map(argument).collect::<Option<Vec<_>>>()?;
        Some(arguments.join(&self.text(tagging.gap)))
    }

    /// A value with bare keys and with `quote` around strings; none where a string has that inside. No deeper than the JSON that was
    /// read.
    fn braces(&self, value: &Value, quote: &str) -> Option<String> {
        match value {
            Value::String(text) => {
                let plain = quote.trim_matches(|c| self.0.contains(c));
                (!text.contains(plain)).then(|| [quote, text, quote].concat())
            }
            Value::Array(items) => {
                let items: Option<Vec<String>> = items.iter().map(|item| self.braces(item, quote)).collect();
                Some(format!("[{}]", items?.join(",")))
            }
            Value::Object(members) => {
                let members = members.iter().map(|(key, member)| {
                    let plain = !key.is_empty() && !key.contains([':', '"', '<']) && key.trim() == key;
                    Some(format!("{}:{}", plain.then_some(key)?, self.braces(member, quote)?))
                });
                Some(format!("{{{}}}", members.collect::<Option<Vec<_>>>()?.join(",")))
            }
            other => Some(other.to_string()),
        }
    }
}

fn keywords(given: &Value) -> Option<String> {
    let given = given.as_object()?;
    let arguments = given.iter().map(|(key, value)| is_identifier(key).then(|| format!("{key}={}", python(value))));
    Some(arguments.collect::<Option<Vec<_>>>()?.join(", "))
}

/// A value in Python's words. No deeper than the JSON that was read.
fn python(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Array(items) => format!("[{}]", items.iter().map(python).collect::<Vec<_>>().join(", ")),
        Value::Object(members) => {
            let members =
                members.iter().map(|(key, member)| format!("{}: {}", Value::from(key.as_str()), python(member)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// A value as Python's `json.dumps` writes it, which is what models saw in training.
fn json(value: &Value) -> String {
    let mut out = Vec::new();
    // Writing to memory cannot fail.
    let _ = value.serialize(&mut Serializer::with_formatter(&mut out, Spaced));
    String::from_utf8_lossy(&out).into_owned()
}

/// `", "` between items, `": "` behind keys.
struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> Result<()> {
        writer.write_all(b": ")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::output::{Delta, OutputFormat, OutputParser, ToolSpec};

    fn calls() -> Vec<(String, Value)> {
        let arguments = json!({"city": "Málaga \"x\"", "days": [1, {"a": null}], "on": true});
        vec![("get_weather".to_owned(), arguments), ("now".to_owned(), json!({}))]
    }

    #[test]
    fn lfm2_writes_python() {
        let text = "<|tool_call_start|>[get_weather(city=\"Málaga \\\"x\\\"\", days=[1, {\"a\": None}], on=True), now()]\
                    <|tool_call_end|>";
        assert_eq!(ToolCallFormat::Lfm2.render_calls(&calls(), None).as_deref(), Some(text));
        assert_eq!(ToolCallFormat::Lfm2.render_calls(&[("f".to_owned(), json!({"a b": 1}))], None), None);
    }

    #[test]
    fn hermes_writes_json_dumps() {
        let text = "<tool_call>\n{\"name\": \"now\", \"arguments\": {\"a\": [1, 2], \"b\": {}}}\n</tool_call>";
        let call = ("now".to_owned(), json!({"a": [1, 2], "b": {}}));
        assert_eq!(ToolCallFormat::Hermes.render_calls(&[call], None).as_deref(), Some(text));
    }

    /// What a format writes, it reads.
    #[test]
    fn rendered_calls_are_read_again() {
        let types = json!({"city": {"type": "string"}, "days": {"type": "array"}, "on": {"type": "boolean"}});
        let tool = |name: &str, parameters| ToolSpec { name: name.to_owned(), parameters };
        let tools = [tool("get_weather", json!({"type": "object", "properties": types})), tool("now", json!({}))];
        let mut rendered = 0;
        for name in ToolCallFormat::names() {
            let format = ToolCallFormat::from_name(name).unwrap();
            let Some(text) = format.render_calls(&calls(), None) else { continue };
            let format = OutputFormat { tool_call_format: Some(format), ..OutputFormat::default() };
            let mut parser = OutputParser::new(&format, &tools, false);
            let mut deltas = Vec::new();
            parser.push(&text, &mut deltas);
            parser.finish(&mut deltas);
            let mut read: Vec<(String, String)> = Vec::new();
            for delta in deltas {
                match delta {
                    Delta::CallBegin { name, .. } => read.push((name, String::new())),
                    Delta::CallArguments { text, .. } => read.last_mut().unwrap().1.push_str(&text),
                    _ => {}
                }
            }
            let read: Vec<(String, Value)> =
                read.into_iter().map(|(name, text)| (name, serde_json::from_str(&text).unwrap())).collect();
            assert_eq!(read, calls(), "{name}: {text}");
            rendered += 1;
        }
        assert!(rendered >= 10, "{rendered}");
    }
}
