//! Attributes, items and slices. As in jinja2, `a.b` is an attribute before it is a key and `a['b']` the other way round, so a
//! mapping's methods hide keys of their names in one form and stand in for missing keys in the other.

use std::rc::Rc;
use std::sync::Arc;

use super::super::TemplateError;
use super::compare::check_hashable;
use super::limits::{Limits, check_depth};
use super::methods;
use super::provenance::TextBuilder;
use super::value::{Method, Missing, Range, Value};

/// `value.name`
pub fn attribute(limits: &mut Limits, value: &Value, name: &Arc<str>) -> Result<Value, TemplateError> {
    if let Value::Undefined(missing) = value {
        if &**name == "__class__" {
            return Ok(Value::Undefined(Missing::Unsafe(name.clone())));
        }
        return Err(TemplateError::failed(missing.describe()));
    }
    if let Some(found) = own_attribute(value, name)? {
        return Ok(found);
    }
    match value {
        Value::Dict(dict) => {
            limits.scan(name.len())?;
            Ok(dict.get_text(name).cloned().unwrap_or_else(|| missing(value, name)))
        }
        _ => Ok(missing(value, name)),
    }
}

/// `value[key]`
pub fn item(limits: &mut Limits, value: &Value, key: &Value) -> Result<Value, TemplateError> {
    let found = match value {
        Value::Undefined(missing) => return Err(TemplateError::failed(missing.describe())),
        Value::Dict(dict) if check_hashable(limits, key).is_ok() => dict.get(limits, key)?.cloned(),
        Value::List(list) | Value::Tuple(list) | Value::Group(list) => {
            position(key, list.items.len()).and_then(|at| list.items.get(at).cloned())
        }
        Value::Range(range) => position(key, range.len()).map(|at| range.get(at)),
        Value::Str(text) | Value::Safe(text) => {
            limits.scan(text.len())?;
            let at = key.as_int().and_then(|_| position(key, text.chars().count()));
            at.and_then(|at| text.char_indices().nth(at))
                .map(|(at, c)| Value::Str(text.part(&text[at..at + c.len_utf8()])))
        }
        _ => None,
    };
    match (found, key) {
        (Some(found), _) => Ok(found),
        (None, Value::Str(name) | Value::Safe(name)) => {
            Ok(own_attribute(value, name.shared())?.unwrap_or_else(|| missing(value, name.shared())))
        }
        _ => Ok(Value::Undefined(Missing::Item(value.kind()))),
    }
}

/// What a value has besides its items: its methods, a namespace's values, what `loop` tells.
fn own_attribute(value: &Value, name: &Arc<str>) -> Result<Option<Value>, TemplateError> {
    let found = match value {
        Value::Namespace(namespace) => {
            let values = namespace.values.borrow();
            return Ok(values.iter().find(|(found, _)| **found == **name).map(|(_, value)| value.clone()));
        }
        Value::Loop(looping) => looping.attribute(name),
        Value::Group(pair) if &**name == "grouper" => pair.items.first().cloned(),
        Value::Group(pair) if &**name == "list" => pair.items.last().cloned(),
        Value::Cycler(cycler) if &**name == "current" => cycler.items.items.get(cycler.at.get()).cloned(),
        Value::Macro(value) => value.attribute(name),
        _ => None,
    };
    if found.is_some() {
        return Ok(found);
    }
    if methods::is_foreign(value, name) {
        return Err(methods::unknown(value, name));
    }
    if name.starts_with("__") || methods::changes(value, name) {
        return Ok(Some(Value::Undefined(Missing::Unsafe(name.clone()))));
    }
    if !methods::exists(value, name) {
        return Ok(None);
    }
    let depth = value.depth() + 1;
    check_depth(depth)?;
    Ok(Some(Value::Method(Rc::new(Method { of: value.clone(), name: name.clone(), depth }))))
}

fn missing(value: &Value, name: &Arc<str>) -> Value {
    Value::Undefined(Missing::Attribute(value.kind(), name.clone()))
}

/// A place from the beginning, for a number that may count from the end.
fn position(key: &Value, len: usize) -> Option<usize> {
    let at = key.as_int()?;
    let at = if at < 0 { at.checked_add(len as i128)? } else { at };
    usize::try_from(at).ok().filter(|at| *at < len)
}

/// `value[start:stop:step]`
pub fn slice(limits: &mut Limits, value: &Value, ends: [Value; 3]) -> Result<Value, TemplateError> {
    let [start, stop, step] = ends;
    let number = |bound: &Value| match bound {
        Value::None => Ok(None),
        _ => bound.as_int().map(Some).ok_or_else(|| TemplateError::failed("slice indices must be integers or None")),
    };
    let (start, stop, step) = (number(&start)?, number(&stop)?, number(&step)?.unwrap_or(1));
    if step == 0 {
        return Err(TemplateError::failed("slice step cannot be zero"));
    }
    let places = |len: usize| places(len, start, stop, step);
    match value {
        Value::Undefined(missing) => Err(TemplateError::failed(missing.describe())),
        Value::List(list) => {
            let items = places(list.items.len()).map(|at| list.items[at].clone()).collect();
            Value::list(limits, items)
        }
        Value::Tuple(tuple) => {
            let items = places(tuple.items.len()).map(|at| tuple.items[at].clone()).collect();
            Value::tuple(limits, items)
        }
        Value::Range(range) => {
            let (first, end) = bounds(range.len(), start, stop, step);
            let number = |at: i128| i128::from(range.start) + i128::from(range.step) * at;
            let numbers = [number(first), number(end), i128::from(range.step).saturating_mul(step)].map(i64::try_from);
            let [Ok(start), Ok(stop), Ok(step)] = numbers else {
                return Err(TemplateError::unknown("numbers of more than 64 bits in a 'range'"));
            };
            Ok(Value::Range(Range { start, stop, step }))
        }
        Value::Str(text) | Value::Safe(text) => {
            limits.build(text.len() * size_of::<usize>())?;
            let starts: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
            let mut sliced = TextBuilder::default();
            for at in places(starts.len() - 1) {
                sliced.push_part(text, &text[starts[at]..starts[at + 1]]);
            }
            Ok(Value::Str(sliced.finish()))
        }
        _ => Err(TemplateError::failed(format!("'{}' object is not subscriptable", value.kind()))),
    }
}

/// The places that a slice takes of `len` items.
fn places(len: usize, start: Option<i128>, stop: Option<i128>, step: i128) -> impl Iterator<Item = usize> {
    let (first, end) = bounds(len, start, stop, step);
    let mut at = first;
    std::iter::from_fn(move || {
        let within = if step > 0 { at < end } else { at > end };
        let place = usize::try_from(at).ok().filter(|_| within)?;
        at = at.saturating_add(step);
        Some(place)
    })
}

/// The place that a slice of `len` items begins at, and the one that it does not reach.
fn bounds(len: usize, start: Option<i128>, stop: Option<i128>, step: i128) -> (i128, i128) {
    let len = len as i128;
    // What a bound that is left out means, and the least and most that one can be.
    let (low, high) = if step > 0 { (0, len) } else { (-1, len - 1) };
    let clamp = |bound: i128| {
        let bound = if bound < 0 { bound.saturating_add(len) } else { bound };
        bound.clamp(low, high)
    };
    let first = start.map_or(if step > 0 { low } else { high }, clamp);
    let end = stop.map_or(if step > 0 { high } else { low }, clamp);
    (first, end)
}
