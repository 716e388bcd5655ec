//! What chat templates may call beyond Jinja's own functions, as transformers defines it.

use minijinja::value::{Kwargs, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, escape_formatter};

use super::TemplateError;
use super::error::Own;
use super::json::{JsonStyle, float, to_json};

/// Adds them to `env`. (`strftime_now` is added at each rendering, since it needs the time.)
pub(super) fn install(env: &mut Environment<'static>) {
    env.add_function("raise_exception", raise_exception);
    env.add_filter("tojson", tojson);
    env.add_test("iterable", is_iterable);
    env.set_formatter(|out, state, value| match float_of(value) {
        Some(number) => out.write_str(&float(number)).map_err(Error::from),
        None => escape_formatter(out, state, value),
    });
}

/// Unlike the engine, Python does not iterate over `None`.
fn is_iterable(value: &Value) -> bool {
    !value.is_none() && value.try_iter().is_ok()
}

fn float_of(value: &Value) -> Option<f64> {
    let is_float = value.kind() == ValueKind::Number && !value.is_integer();
    if is_float { f64::try_from(value.clone()).ok() } else { None }
}

fn raise_exception(message: &Value) -> Result<Value, Error> {
    Err(Own::into_engine(TemplateError::Raised(message.to_string())))
}

/// `json.dumps` with `ensure_ascii=False` by default, and no escaping of HTML.
fn tojson(value: &Value, indent: Option<Value>, options: Kwargs) -> Result<Value, Error> {
    let indent = indent.or(options.get("indent")?).filter(|indent| !indent.is_none());
    let separators: Option<Vec<String>> = options.get("separators")?;
    let style = JsonStyle {
        ensure_ascii: options.get::<Option<bool>>("ensure_ascii")?.unwrap_or(false),
        sort_keys: options.get::<Option<bool>>("sort_keys")?.unwrap_or(false),
        indent: indent.map(|indent| indent_text(&indent)).transpose()?,
        separators: match separators.as_deref() {
            None => None,
            Some([item, key]) => Some((item.clone(), key.clone())),
            Some(_) => return Err(Error::new(ErrorKind::InvalidOperation, "tojson: separators must be a pair")),
        },
    };
    options.assert_all_used()?;
    to_json(value, &style).map(Value::from)
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
