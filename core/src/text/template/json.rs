//! JSON into a template's values, and out of them as Python's `json.dumps` writes it, which is what models saw in training.

use std::fmt::Write;
use std::rc::Rc;
use std::sync::Arc;

use serde_json::Value as Json;

use super::TemplateError;
use super::jinja::{Meter, Value};

/// A JSON value as a template sees it. Objects keep their order.
///
/// # Errors
/// [`TemplateError::TooDeep`] for what nests too deeply.
pub(super) fn from_json(meter: &mut Meter, json: &Json) -> Result<Value, TemplateError> {
    meter.enter()?;
    let value = match json {
        Json::Null => Value::None,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(value), _) => Value::Int(value.into()),
            (None, Some(value)) => Value::Int(value.into()),
            (None, None) => number.as_f64().map_or(Value::None, Value::Float),
        },
        Json::String(text) => Value::text(text.as_str()),
        Json::Array(items) => {
            let items: Result<Vec<Value>, TemplateError> = items.iter().map(|item| from_json(meter, item)).collect();
            Value::list(meter, items?)?
        }
        Json::Object(map) => {
            let mut pairs = Vec::with_capacity(map.len());
            for (key, value) in map {
                pairs.push((Value::text(key.as_str()), from_json(meter, value)?));
            }
            Value::Dict(Rc::new(meter.dict(pairs)?))
        }
    };
    meter.leave();
    Ok(value)
}

/// The options of `json.dumps`.
#[derive(Debug, Default)]
pub(super) struct JsonStyle {
    pub ensure_ascii: bool,
    pub sort_keys: bool,
    /// What each level is indented with; none: all on one line.
    pub indent: Option<Arc<str>>,
    /// Between items, and between key and value; none: `", "` (`","` when indented) and `": "`.
    pub separators: Option<(String, String)>,
}

/// Writes a template's value.
///
/// # Errors
/// What is no JSON, such as a function or what is undefined.
pub(super) fn to_json(meter: &mut Meter, value: &Value, style: &JsonStyle) -> Result<String, TemplateError> {
    let item = if style.indent.is_some() { "," } else { ", " };
    let (item, key) = style.separators.as_ref().map_or((item, ": "), |(item, key)| (item, key));
    let mut writer = Writer { out: String::new(), style, item, key };
    writer.value(meter, value, 0)?;
    Ok(writer.out)
}

struct Writer<'a> {
    out: String,
    style: &'a JsonStyle,
    item: &'a str,
    key: &'a str,
}

impl Writer<'_> {
    fn value(&mut self, meter: &mut Meter, value: &Value, depth: usize) -> Result<(), TemplateError> {
        meter.enter()?;
        let begins = self.out.len();
        match value {
            Value::List(list) | Value::Tuple(list) | Value::Group(list) => {
                self.container(meter, ('[', ']'), depth, &list.items, |writer, meter, item| {
                    writer.value(meter, item, depth + 1)
                })?;
            }
            Value::Dict(dict) => {
                let mut pairs: Vec<&(Value, Value)> = dict.pairs.iter().collect();
                if self.style.sort_keys {
                    pairs = sorted(meter, pairs)?;
                }
                self.container(meter, ('{', '}'), depth, &pairs, |writer, meter, (key, value)| {
                    let key = scalar(key).map_or_else(|| key.as_str().unwrap_or_default().into(), String::from);
                    writer.string(&key);
                    writer.out.push_str(writer.key);
                    writer.value(meter, value, depth + 1)
                })?;
            }
            _ => match (value.as_str(), scalar(value)) {
                (Some(text), _) => self.string(text),
                (None, Some(text)) => self.out.push_str(&text),
                (None, None) => {
                    let message = format!("Object of type {} is not JSON serializable", value.kind());
                    return Err(TemplateError::failed(message));
                }
            },
        }
        meter.leave();
        let is_container = matches!(value, Value::List(_) | Value::Tuple(_) | Value::Dict(_));
        meter.build(if is_container { 2 } else { self.out.len() - begins })
    }

    fn container<T>(
        &mut self,
        meter: &mut Meter,
        (open, close): (char, char),
        depth: usize,
        items: &[T],
        mut write: impl FnMut(&mut Self, &mut Meter, &T) -> Result<(), TemplateError>,
    ) -> Result<(), TemplateError> {
        self.out.push(open);
        let indent = self.style.indent.as_ref().map_or(0, |indent| indent.len() + 1);
        for (at, item) in items.iter().enumerate() {
            meter.build(self.item.len() + self.key.len() + indent.saturating_mul(depth + 1))?;
            self.out.push_str(if at > 0 { self.item } else { "" });
            self.new_line(depth + 1);
            write(self, meter, item)?;
        }
        if !items.is_empty() {
            meter.build(indent.saturating_mul(depth + 1))?;
            self.new_line(depth);
        }
        self.out.push(close);
        Ok(())
    }

    fn new_line(&mut self, depth: usize) {
        if let Some(indent) = &self.style.indent {
            self.out.push('\n');
            for _ in 0..depth {
                self.out.push_str(indent);
            }
        }
    }

    fn string(&mut self, text: &str) {
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                '\u{8}' => self.out.push_str("\\b"),
                '\u{c}' => self.out.push_str("\\f"),
                c if c < ' ' || (self.style.ensure_ascii && !(' '..='~').contains(&c)) => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        // Writing to a String cannot fail.
                        let _ = write!(self.out, "\\u{unit:04x}");
                    }
                }
                c => self.out.push(c),
            }
        }
        self.out.push('"');
    }
}

/// What stands for a value that is neither text nor a container: also a key's text, where it is no text.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::None => Some("null".into()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Int(number) => Some(number.to_string()),
        Value::Float(number) => Some(float(*number)),
        _ => None,
    }
}

fn sorted<'v>(meter: &mut Meter, pairs: Vec<&'v (Value, Value)>) -> Result<Vec<&'v (Value, Value)>, TemplateError> {
    super::jinja::sort(meter, pairs, false, |(key, _)| key)
}

/// A float as Python's `repr` writes it: the shortest digits that read back the same, with an exponent below 1e-4 and from
/// 1e16 on.
pub(super) fn float(x: f64) -> String {
    if x.is_nan() {
        return "NaN".into();
    }
    if x.is_infinite() {
        return if x > 0.0 { "Infinity" } else { "-Infinity" }.into();
    }
    let scientific = format!("{x:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse::<i32>() {
        Ok(exponent) if x != 0.0 && !(-4..16).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.abs())
        }
        _ => format!("{x:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_written_as_python_does() {
        for (x, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (0.1, "0.1"),
            (1e-4, "0.0001"),
            (1.5e-5, "1.5e-05"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (123456789012345680.0, "1.2345678901234568e+17"),
            (-2.5e-300, "-2.5e-300"),
        ] {
            assert_eq!(float(x), text);
        }
    }
}
