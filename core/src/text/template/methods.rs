//! Python's methods of strings and lists that templates use and the engine's own set lacks.

use minijinja::value::{Kwargs, Rest, Tuple, Value, ValueKind, from_args};
use minijinja::{Error, ErrorKind, State};
use minijinja_contrib::pycompat::unknown_method_callback;

use super::budget::{charge, text_of};
use super::functions;
use super::operators::check_format;

/// Answers a method call that the engine does not know.
pub(super) fn call(state: &mut State<'_, '_>, value: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    match (value.as_str(), value.kind()) {
        (Some(_), _) if method == "replace" => {
            let (old, new, count) = from_args(args)?;
            functions::replace(state, value, old, new, count).map(Value::from)
        }
        (Some(separator), _) if method == "join" => join(state, separator, args).map(Value::from),
        (Some(pattern), _) if method == "format" => {
            check_format(state, pattern, args)?;
            unknown_method_callback(state, value, method, args)
        }
        (Some(text), _) => match string_method(text, method, args)? {
            Some(answer) => Ok(answer),
            None => unknown_method_callback(state, value, method, args),
        },
        (None, ValueKind::Seq) if method == "index" => {
            let (wanted,): (&Value,) = from_args(args)?;
            let at = value.try_iter()?.position(|item| item == *wanted);
            at.map(Value::from).ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "the value is not in the list"))
        }
        (None, ValueKind::Seq | ValueKind::Map) if method == "copy" => Ok(value.clone()),
        _ => unknown_method_callback(state, value, method, args),
    }
}

/// `separator.join(items)`.
fn join(state: &mut State<'_, '_>, separator: &str, args: &[Value]) -> Result<String, Error> {
    let (items,): (&Value,) = from_args(args)?;
    let mut out = String::new();
    for (at, item) in items.try_iter()?.enumerate() {
        let text = text_of(state, &item)?;
        charge(state, separator.len() + text.len())?;
        out.push_str(if at > 0 { separator } else { "" });
        out.push_str(&text);
    }
    Ok(out)
}

fn string_method(text: &str, method: &str, args: &[Value]) -> Result<Option<Value>, Error> {
    let answer = match method {
        "split" | "rsplit" => split(text, method == "rsplit", args)?,
        "partition" | "rpartition" => {
            let (separator,): (&str,) = from_args(args)?;
            let from_right = method == "rpartition";
            let found = if from_right { text.rsplit_once(separator) } else { text.split_once(separator) };
            let parts = match found {
                Some((before, after)) => [before, separator, after],
                None if from_right => ["", "", text],
                None => [text, "", ""],
            };
            Value::from(Tuple::new(parts.map(Value::from).to_vec()))
        }
        "removeprefix" => {
            let (prefix,): (&str,) = from_args(args)?;
            Value::from(text.strip_prefix(prefix).unwrap_or(text))
        }
        "removesuffix" => {
            let (suffix,): (&str,) = from_args(args)?;
            Value::from(text.strip_suffix(suffix).unwrap_or(text))
        }
        "index" => {
            let (wanted,): (&str,) = from_args(args)?;
            let at = text.find(wanted);
            let at = at.ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "the text does not occur"))?;
            Value::from(text[..at].chars().count())
        }
        _ => return Ok(None),
    };
    Ok(Some(answer))
}

/// `split(sep=None, maxsplit=-1)` from either end. Without a separator, runs of white space separate.
fn split(text: &str, from_right: bool, args: &[Value]) -> Result<Value, Error> {
    let (rest, options): (Rest<Value>, Kwargs) = from_args(args)?;
    let argument = |at: usize, name: &str| functions::argument(&rest, &options, at, name);
    let separator = argument(0, "sep")?.filter(|separator| !separator.is_none());
    let most = argument(1, "maxsplit")?.map(i64::try_from).transpose()?.unwrap_or(-1);
    options.assert_all_used()?;
    // Rust counts the parts, Python the cuts.
    let parts = usize::try_from(most).map_or(usize::MAX, |most| most.saturating_add(1));
    let mut pieces: Vec<&str> = match separator.as_ref().map(Value::as_str) {
        None => split_at_space(text, parts, from_right),
        Some(None | Some("")) => {
            return Err(Error::new(ErrorKind::InvalidOperation, "split: the separator must be text"));
        }
        Some(Some(separator)) if from_right => text.rsplitn(parts, separator).collect(),
        Some(Some(separator)) => text.splitn(parts, separator).collect(),
    };
    if from_right {
        pieces.reverse();
    }
    Ok(pieces.into_iter().map(Value::from).collect())
}

/// At most `parts` words, from the chosen end on; the last holds the rest.
fn split_at_space(text: &str, parts: usize, from_right: bool) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = if from_right { text.trim_end() } else { text.trim_start() };
    while !rest.is_empty() {
        let cut = if from_right { rest.rsplit_once(char::is_whitespace) } else { rest.split_once(char::is_whitespace) };
        match cut.filter(|_| pieces.len() + 1 < parts) {
            None => {
                pieces.push(rest);
                break;
            }
            Some((before, word)) if from_right => {
                pieces.push(word);
                rest = before.trim_end();
            }
            Some((word, after)) => {
                pieces.push(word);
                rest = after.trim_start();
            }
        }
    }
    pieces
}
