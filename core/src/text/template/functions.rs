//! What chat templates may call beyond Jinja's own functions, as transformers defines it.

use minijinja::formatting::{FormatStyle, format};
use minijinja::value::{Kwargs, Rest, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State};

use super::TemplateError;
use super::budget::{self, charge, text_of};
use super::error::Own;
use super::json::{JsonStyle, to_json};
use super::methods;
use super::operators::check_format;

/// Adds them to `env`. (`strftime_now` is added at each rendering, since it needs the time.)
pub(super) fn install(env: &mut Environment<'static>) {
    env.add_function("raise_exception", raise_exception);
    env.add_filter("tojson", tojson);
    env.add_filter("indent", indent);
    env.add_filter("length", length);
    env.add_filter("count", length);
    env.add_test("iterable", is_iterable);
    env.add_test("sequence", is_sequence);
    env.set_unknown_method_callback(methods::call);
    env.add_filter("string", |state: &mut State<'_, '_>, value: &Value| text_of(state, value).map(String::from));
    env.add_filter("join", join);
    env.add_filter("replace", replace);
    env.add_filter("format", format_filter);
    env.set_formatter(|out, state, value| {
        let text = text_of(state, value)?;
        charge(state, text.len())?;
        out.write_str(&text).map_err(Error::from)
    });
}

/// Unlike the engine, Python does not iterate over `None`.
fn is_iterable(value: &Value) -> bool {
    !value.is_none() && value.try_iter().is_ok()
}

/// To Jinja whatever has a length and items is a sequence, texts and mappings too.
fn is_sequence(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::String | ValueKind::Seq | ValueKind::Map | ValueKind::Undefined)
}

/// The length of a value; of an undefined one 0, as in Jinja.
fn length(value: &Value) -> Result<usize, Error> {
    if value.is_undefined() {
        return Ok(0);
    }
    let unsized_value = || Error::new(ErrorKind::InvalidOperation, format!("a {} has no length", value.kind()));
    value.len().ok_or_else(unsized_value)
}

/// Joins the items' texts, or those of one of their attributes.
fn join(state: &mut State<'_, '_>, items: &Value, separator: Option<String>, options: Kwargs) -> Result<String, Error> {
    let attribute: Option<String> = options.get("attribute")?;
    let separator = match separator {
        Some(separator) => separator,
        None => options.get::<Option<String>>("d")?.unwrap_or_default(),
    };
    options.assert_all_used()?;
    let mut out = String::new();
    for (at, item) in items.try_iter()?.enumerate() {
        let item = match &attribute {
            Some(attribute) => item.get_attr(attribute)?,
            None => item,
        };
        let text = text_of(state, &item)?;
        charge(state, separator.len() + text.len())?;
        out.push_str(if at > 0 { &separator } else { "" });
        out.push_str(&text);
    }
    Ok(out)
}

/// Python's `str.replace`: all occurrences, or the first `count`.
pub(super) fn replace(
    state: &mut State<'_, '_>,
    text: &Value,
    old: &str,
    new: &str,
    count: Option<i64>,
) -> Result<String, Error> {
    let text = text_of(state, text)?;
    let most = count.and_then(|count| usize::try_from(count).ok()).unwrap_or(usize::MAX);
    let found = text.matches(old).count().min(most);
    charge(state, text.len().saturating_add(found.saturating_mul(new.len())))?;
    Ok(text.replacen(old, new, found))
}

/// printf-style formatting.
fn format_filter(state: &mut State<'_, '_>, pattern: &str, arguments: Rest<Value>) -> Result<String, Error> {
    check_format(state, pattern, &arguments)?;
    format(FormatStyle::Printf, pattern, &arguments)
}

/// Indents all lines but the first and blank ones, keeping a line break at the end, which the engine's own filter drops.
fn indent(state: &mut State<'_, '_>, text: &str, positional: Rest<Value>, options: Kwargs) -> Result<String, Error> {
    let option = |at: usize, name: &str| argument(&positional, &options, at, name);
    let is_true = |value: Option<Value>| value.is_some_and(|value| value.is_true());
    let width = option(0, "width")?.filter(|width| !width.is_none());
    let first = is_true(option(1, "first")?);
    let blank = is_true(option(2, "blank")?);
    options.assert_all_used()?;
    let width = width.map_or(Ok("    ".to_owned()), |width| indent_text(&width))?;
    charge(state, text.split('\n').count().saturating_mul(width.len()))?;
    let mut out = String::with_capacity(text.len());
    for (at, line) in text.split('\n').enumerate() {
        let indented = if at == 0 { first } else { blank || !line.is_empty() };
        out.push_str(if at > 0 { "\n" } else { "" });
        out.push_str(if indented { &width } else { "" });
        out.push_str(line);
    }
    Ok(out)
}

/// The number, if it is a finite float, which the engine prints otherwise than Python.
pub(super) fn float_of(value: &Value) -> Option<f64> {
    let is_float = value.kind() == ValueKind::Number && !value.is_integer();
    if is_float { f64::try_from(value.clone()).ok().filter(|number| number.is_finite()) } else { None }
}

fn raise_exception(state: &mut State<'_, '_>, message: &Value) -> Result<Value, Error> {
    let message = text_of(state, message)?.into_owned();
    Err(Own::into_engine(TemplateError::Raised(message)))
}

/// `json.dumps` with `ensure_ascii=False` by default, and no escaping of HTML. Options may come in Python's order or by name.
fn tojson(state: &mut State<'_, '_>, value: &Value, positional: Rest<Value>, options: Kwargs) -> Result<Value, Error> {
    let option = |at: usize, name: &str| argument(&positional, &options, at, name);
    let is_true = |value: Option<Value>| value.is_some_and(|value| value.is_true());
    let ensure_ascii = is_true(option(0, "ensure_ascii")?);
    let indent = option(1, "indent")?.filter(|indent| !indent.is_none());
    let separators = option(2, "separators")?.filter(|separators| !separators.is_none());
    let mut texts = |pair: Value| {
        let texts = pair.try_iter()?.map(|text| text_of(state, &text).map(String::from));
        texts.collect::<Result<Vec<_>, Error>>()
    };
    let separators = separators.map(&mut texts);
    let style = JsonStyle {
        ensure_ascii,
        sort_keys: is_true(option(3, "sort_keys")?),
        indent: indent.map(|indent| indent_text(&indent)).transpose()?,
        separators: match separators.transpose()?.as_deref() {
            None => None,
            Some([item, key]) => Some((item.clone(), key.clone())),
            Some(_) => return Err(Error::new(ErrorKind::InvalidOperation, "tojson: separators must be a pair")),
        },
    };
    options.assert_all_used()?;
    to_json(value, &style, budget::left(state)).map(Value::from)
}

/// An argument of a function that Python lets callers give by place or by name.
pub(super) fn argument(positional: &[Value], options: &Kwargs, at: usize, name: &str) -> Result<Option<Value>, Error> {
    match positional.get(at) {
        Some(value) => Ok(Some(value.clone())),
        None => options.get(name),
    }
}

/// Python takes a number of spaces or the text itself.
fn indent_text(indent: &Value) -> Result<String, Error> {
    const MOST: usize = 64;
    if let Some(text) = indent.as_str() {
        return Ok(text.chars().take(MOST).collect());
    }
    let spaces = i64::try_from(indent.clone())?;
    Ok(" ".repeat(usize::try_from(spaces).unwrap_or(0).min(MOST)))
}
