//! Values as text: Python's `str` and `repr`.

use super::super::TemplateError;
use super::super::json::float as json_float;
use super::limits::Limits;
use super::provenance::{Text, TextBuilder};
use super::text::is_printable;
use super::value::Value;

/// Appends `str(value)`, as `{{ value }}` writes it.
pub fn write(limits: &mut Limits, value: &Value, out: &mut TextBuilder) -> Result<(), TemplateError> {
    match value {
        Value::Undefined(_) => Ok(()),
        Value::Str(text) | Value::Safe(text) => {
            limits.build(text.cost())?;
            out.push_text(text);
            Ok(())
        }
        _ => write_repr(limits, value, out),
    }
}

/// `str(value)`.
pub fn text(limits: &mut Limits, value: &Value) -> Result<Text, TemplateError> {
    if let Value::Str(text) | Value::Safe(text) = value {
        limits.scan(text.len())?;
        return Ok(text.clone());
    }
    let mut out = TextBuilder::default();
    write(limits, value, &mut out)?;
    Ok(out.finish())
}

/// `repr(value)`.
pub fn repr(limits: &mut Limits, value: &Value) -> Result<Text, TemplateError> {
    let mut out = TextBuilder::default();
    write_repr(limits, value, &mut out)?;
    Ok(out.finish())
}

/// Appends `repr(value)`.
pub fn write_repr(limits: &mut Limits, value: &Value, out: &mut TextBuilder) -> Result<(), TemplateError> {
    limits.enter()?;
    let begins = out.len();
    match value {
        Value::None => out.push_str("None"),
        Value::Bool(true) => out.push_str("True"),
        Value::Bool(false) => out.push_str("False"),
        Value::Int(number) => out.push_str(&number.to_string()),
        Value::Float(number) => out.push_str(&float(*number)),
        Value::Str(text) | Value::Safe(text) => {
            limits.build(text.cost())?;
            let is_safe = matches!(value, Value::Safe(_));
            out.push_str(if is_safe { "Markup(" } else { "" });
            quote(text, out);
            out.push_str(if is_safe { ")" } else { "" });
        }
        Value::List(list) => write_items(limits, ("[", "]"), &list.items, out)?,
        Value::Tuple(tuple) if tuple.items.len() == 1 => write_items(limits, ("(", ",)"), &tuple.items, out)?,
        Value::Tuple(tuple) | Value::Group(tuple) => write_items(limits, ("(", ")"), &tuple.items, out)?,
        Value::Dict(dict) => write_pairs(limits, ("{", "}"), &dict.pairs, out)?,
        Value::View(..) => {
            let items = value.iterate(limits)?;
            out.push_str(value.kind());
            write_items(limits, ("([", "])"), &items.items, out)?;
        }
        Value::Range(range) if range.step == 1 => out.push_str(&format!("range({}, {})", range.start, range.stop)),
        Value::Range(range) => out.push_str(&format!("range({}, {}, {})", range.start, range.stop, range.step)),
        Value::Namespace(namespace) => {
            let values = namespace.values.borrow().clone();
            let pairs: Vec<_> = values.into_iter().map(|(name, value)| (Value::Str(name), value)).collect();
            write_pairs(limits, ("<Namespace {", "}>"), &pairs, out)?;
        }
        Value::Macro(value) => out.push_str(&format!("<Macro '{}'>", value.node.name)),
        Value::Undefined(_) => out.push_str("Undefined"),
        _ => out.push_str(&format!("<{}>", value.kind())),
    }
    limits.leave();
    limits.build(if value.as_str().is_some() { 0 } else { (out.len() - begins).min(64) })
}

fn write_items(
    limits: &mut Limits,
    brackets: (&str, &str),
    items: &[Value],
    out: &mut TextBuilder,
) -> Result<(), TemplateError> {
    out.push_str(brackets.0);
    for (at, item) in items.iter().enumerate() {
        out.push_str(if at > 0 { ", " } else { "" });
        write_repr(limits, item, out)?;
    }
    out.push_str(brackets.1);
    Ok(())
}

fn write_pairs(
    limits: &mut Limits,
    brackets: (&str, &str),
    pairs: &[(Value, Value)],
    out: &mut TextBuilder,
) -> Result<(), TemplateError> {
    out.push_str(brackets.0);
    for (at, (key, value)) in pairs.iter().enumerate() {
        out.push_str(if at > 0 { ", " } else { "" });
        write_repr(limits, key, out)?;
        out.push_str(": ");
        write_repr(limits, value, out)?;
    }
    out.push_str(brackets.1);
    Ok(())
}

/// A float as `str` writes it.
pub fn float(number: f64) -> String {
    match number {
        _ if number.is_nan() => "nan".into(),
        f64::INFINITY => "inf".into(),
        f64::NEG_INFINITY => "-inf".into(),
        _ => json_float(number),
    }
}

/// A text in quotes, with what is not printable escaped.
fn quote(text: &Text, out: &mut TextBuilder) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for (stretch, is_user) in text.stretches() {
        out.write(is_user, |out| stretch.chars().for_each(|c| escape(c, quote, out)));
    }
    out.push(quote);
}

/// A character as it stands between quotes.
fn escape(c: char, quote: char, out: &mut String) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\\' => out.push_str("\\\\"),
        c if c == quote => out.extend(['\\', c]),
        ' '..='~' => out.push(c),
        c if is_printable(c) => out.push(c),
        c => {
            let code = u32::from(c);
            out.push_str(&match code {
                0..=0xff => format!("\\x{code:02x}"),
                0x100..=0xffff => format!("\\u{code:04x}"),
                _ => format!("\\U{code:08x}"),
            });
        }
    }
}
