//! JSON into a template's values, and out of them as Python's `json.dumps` writes it, which is what models saw in training.

use std::fmt::Write;
use std::rc::Rc;

use serde_json::Value as Json;

use super::TemplateError;
use super::jinja::{Limits, Text, TextBuilder, Value};

/// A JSON value as a template sees it. Objects keep their order. `source`: what is known of its texts.
///
/// # Errors
/// [`TemplateError::TooDeep`] for what nests too deeply.
pub(super) fn from_json(
    limits: &mut Limits,
    json: &Json,
    source: &dyn Fn(&str) -> Text,
) -> Result<Value, TemplateError> {
    limits.enter()?;
    let value = match json {
        Json::Null => Value::None,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(value), _) => Value::Int(value.into()),
            (None, Some(value)) => Value::Int(value.into()),
            (None, None) => number.as_f64().map_or(Value::None, Value::Float),
        },
        Json::String(text) => Value::Str(source(text)),
        Json::Array(items) => {
            let items: Result<Vec<Value>, TemplateError> =
                items.iter().map(|item| from_json(limits, item, source)).collect();
            Value::list(limits, items?)?
        }
        Json::Object(map) => {
            let mut pairs = Vec::with_capacity(map.len());
            for (key, value) in map {
                pairs.push((Value::Str(source(key)), from_json(limits, value, source)?));
            }
            Value::Dict(Rc::new(limits.dict(pairs)?))
        }
    };
    limits.leave();
    Ok(value)
}

/// The options of `json.dumps`.
#[derive(Debug, Default)]
pub(super) struct JsonStyle {
    pub ensure_ascii: bool,
    pub sort_keys: bool,
    /// What each level is indented with; none: all on one line.
    pub indent: Option<Text>,
    /// Between items, and between key and value; none: `", "` (`","` when indented) and `": "`.
    pub separators: Option<(Text, Text)>,
}

/// Writes a template's value.
///
/// # Errors
/// What is no JSON, such as a function or what is undefined.
pub(super) fn to_json(limits: &mut Limits, value: &Value, style: &JsonStyle) -> Result<Text, TemplateError> {
    let item = if style.indent.is_some() { "," } else { ", " };
    let defaults = || (Text::own(item), Text::own(": "));
    let (item, key) = style.separators.clone().unwrap_or_else(defaults);
    let mut writer = Writer { out: TextBuilder::default(), style, item, key };
    writer.value(limits, value, 0)?;
    Ok(writer.out.finish())
}

struct Writer<'a> {
    out: TextBuilder,
    style: &'a JsonStyle,
    item: Text,
    key: Text,
}

impl Writer<'_> {
    fn value(&mut self, limits: &mut Limits, value: &Value, depth: usize) -> Result<(), TemplateError> {
        limits.enter()?;
        let begins = self.out.len();
        match value {
            Value::List(list) | Value::Tuple(list) | Value::Group(list) => {
                self.container(limits, ('[', ']'), depth, &list.items, |writer, limits, item| {
                    writer.value(limits, item, depth + 1)
                })?;
            }
            Value::Dict(dict) => {
                let mut pairs: Vec<&(Value, Value)> = dict.pairs.iter().collect();
                if self.style.sort_keys {
                    pairs = sorted(limits, pairs)?;
                }
                self.container(limits, ('{', '}'), depth, &pairs, |writer, limits, (key, value)| {
                    match key {
                        Value::Str(key) | Value::Safe(key) => writer.string(key),
                        _ => {
                            let key = scalar(key).ok_or_else(|| {
                                let kind = key.kind();
                                TemplateError::failed(format!("keys must be str, int, float, bool or None, not {kind}"))
                            })?;
                            writer.string(&Text::own(key));
                        }
                    }
                    writer.out.push_text(&writer.key);
                    writer.value(limits, value, depth + 1)
                })?;
            }
            Value::Str(text) | Value::Safe(text) => self.string(text),
            _ => match scalar(value) {
                Some(text) => self.out.push_str(&text),
                None => {
                    let message = format!("Object of type {} is not JSON serializable", value.kind());
                    return Err(TemplateError::failed(message));
                }
            },
        }
        limits.leave();
        let is_container = matches!(value, Value::List(_) | Value::Tuple(_) | Value::Dict(_));
        limits.build(if is_container { 2 } else { self.out.len() - begins })
    }

    fn container<T>(
        &mut self,
        limits: &mut Limits,
        (open, close): (char, char),
        depth: usize,
        items: &[T],
        mut write: impl FnMut(&mut Self, &mut Limits, &T) -> Result<(), TemplateError>,
    ) -> Result<(), TemplateError> {
        self.out.push(open);
        let indent = self.style.indent.as_ref().map_or(0, |indent| indent.cost() + 1);
        for (at, item) in items.iter().enumerate() {
            limits.build(self.item.cost() + self.key.cost() + indent.saturating_mul(depth + 1))?;
            if at > 0 {
                self.out.push_text(&self.item);
            }
            self.new_line(depth + 1);
            write(self, limits, item)?;
        }
        if !items.is_empty() {
            limits.build(indent.saturating_mul(depth + 1))?;
            self.new_line(depth);
        }
        self.out.push(close);
        Ok(())
    }

    fn new_line(&mut self, depth: usize) {
        if let Some(indent) = &self.style.indent {
            self.out.push('\n');
            for _ in 0..depth {
                self.out.push_text(indent);
            }
        }
    }

    fn string(&mut self, text: &Text) {
        self.out.push('"');
        for (stretch, is_user) in text.stretches() {
            self.out.write(is_user, |out| stretch.chars().for_each(|c| self.style.escape(c, out)));
        }
        self.out.push('"');
    }
}

impl JsonStyle {
    /// A character as it stands between quotes.
    fn escape(&self, c: char, out: &mut String) {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if c < ' ' || (self.ensure_ascii && !(' '..='~').contains(&c)) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    // Writing to a String cannot fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
            c => out.push(c),
        }
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

fn sorted<'v>(limits: &mut Limits, pairs: Vec<&'v (Value, Value)>) -> Result<Vec<&'v (Value, Value)>, TemplateError> {
    super::jinja::sort(limits, pairs, false, |(key, _)| key)
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
