//! `==`, `<` and `in` as Python defines them. Every value looked at counts, since shared parts may make a small value endless.

use std::cmp::Ordering;
use std::rc::Rc;

use super::super::TemplateError;
use super::limits::Limits;
use super::value::{List, Value, View};

pub fn equal(limits: &mut Limits, left: &Value, right: &Value) -> Result<bool, TemplateError> {
    limits.step(1)?;
    Ok(match (left, right) {
        (Value::Undefined(_), Value::Undefined(_)) | (Value::None, Value::None) => true,
        (Value::Str(a) | Value::Safe(a), Value::Str(b) | Value::Safe(b)) => {
            if a.len() == b.len() {
                limits.scan(a.len())?;
            }
            **a == **b
        }
        (Value::List(a), Value::List(b)) | (Value::Tuple(a), Value::Tuple(b)) => equal_lists(limits, a, b)?,
        (Value::Dict(a), Value::Dict(b)) => {
            if Rc::ptr_eq(a, b) {
                return Ok(true);
            }
            if a.pairs.len() != b.pairs.len() {
                return Ok(false);
            }
            for (key, value) in &a.pairs {
                match b.get(limits, key)? {
                    Some(other) if equal(limits, value, other)? => {}
                    _ => return Ok(false),
                }
            }
            true
        }
        (Value::Range(a), Value::Range(b)) => a == b,
        (Value::View(View::Keys | View::Items, _), Value::View(View::Keys | View::Items, _)) => {
            equal_views(limits, left, right)?
        }
        _ => match numbers(left, right) {
            Some(ordering) => ordering == Some(Ordering::Equal),
            None => is_same(left, right),
        },
    })
}

/// Keys and pairs compare as sets do.
fn equal_views(limits: &mut Limits, left: &Value, right: &Value) -> Result<bool, TemplateError> {
    let (left, right) = (left.iterate(limits)?, right.iterate(limits)?);
    if left.items.len() != right.items.len() {
        return Ok(false);
    }
    for item in &left.items {
        let mut found = false;
        for other in &right.items {
            found = found || equal(limits, item, other)?;
        }
        if !found {
            return Ok(false);
        }
    }
    Ok(true)
}

fn equal_lists(limits: &mut Limits, left: &Rc<List>, right: &Rc<List>) -> Result<bool, TemplateError> {
    if Rc::ptr_eq(left, right) {
        return Ok(true);
    }
    if left.items.len() != right.items.len() {
        return Ok(false);
    }
    for (a, b) in left.items.iter().zip(&right.items) {
        if !equal(limits, a, b)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Python's `is`, for values that are equal to nothing else.
pub fn is_same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::None, Value::None) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(a), Value::Int(b)) => a == b,
        (Value::Str(a), Value::Str(b)) | (Value::Safe(a), Value::Safe(b)) => **a == **b,
        (Value::List(a), Value::List(b)) | (Value::Tuple(a), Value::Tuple(b)) => Rc::ptr_eq(a, b),
        (Value::Dict(a), Value::Dict(b)) => Rc::ptr_eq(a, b),
        (Value::Generator(a), Value::Generator(b)) => Rc::ptr_eq(a, b),
        (Value::Namespace(a), Value::Namespace(b)) => Rc::ptr_eq(a, b),
        (Value::Loop(a), Value::Loop(b)) => Rc::ptr_eq(a, b),
        (Value::Macro(a), Value::Macro(b)) => Rc::ptr_eq(a, b),
        (Value::Method(a), Value::Method(b)) => a.name == b.name && is_same(&a.of, &b.of),
        (Value::Function(a), Value::Function(b)) => a == b,
        _ => false,
    }
}

/// The order of two numbers; none if one is no number, `Some(None)` if one is not a number in IEEE's sense.
fn numbers(left: &Value, right: &Value) -> Option<Option<Ordering>> {
    match (left.as_int(), right.as_int()) {
        (Some(a), Some(b)) => Some(Some(a.cmp(&b))),
        _ => Some(left.as_float()?.partial_cmp(&right.as_float()?)),
    }
}

/// The order of two values, for `operator`; none between a number and not-a-number.
///
/// # Errors
/// Python orders texts, numbers, lists and tuples, each among themselves, and nothing else.
pub fn order(
    limits: &mut Limits,
    operator: &str,
    left: &Value,
    right: &Value,
) -> Result<Option<Ordering>, TemplateError> {
    limits.step(1)?;
    if let Some(ordering) = numbers(left, right) {
        return Ok(ordering);
    }
    match (left, right) {
        (Value::Undefined(missing), _) | (_, Value::Undefined(missing)) => {
            Err(TemplateError::failed(missing.describe()))
        }
        (Value::Str(a) | Value::Safe(a), Value::Str(b) | Value::Safe(b)) => {
            limits.scan(a.len().min(b.len()))?;
            Ok(Some(a.cmp(b)))
        }
        (Value::List(a), Value::List(b)) | (Value::Tuple(a), Value::Tuple(b)) => {
            for (a, b) in a.items.iter().zip(&b.items) {
                if !equal(limits, a, b)? {
                    return order(limits, operator, a, b);
                }
            }
            Ok(Some(a.items.len().cmp(&b.items.len())))
        }
        _ => {
            let (left, right) = (left.kind(), right.kind());
            let message = format!("'{operator}' not supported between instances of '{left}' and '{right}'");
            Err(TemplateError::failed(message))
        }
    }
}

/// `item in container`.
pub fn contains(limits: &mut Limits, container: &Value, item: &Value) -> Result<bool, TemplateError> {
    match container {
        Value::Str(text) | Value::Safe(text) => {
            let part = item.as_str().ok_or_else(|| {
                let kind = item.kind();
                TemplateError::failed(format!("'in <string>' requires string as left operand, not {kind}"))
            })?;
            limits.scan(text.len())?;
            Ok(text.contains(part))
        }
        Value::Dict(dict) | Value::View(View::Keys, dict) => Ok(dict.get(limits, item)?.is_some()),
        Value::Namespace(_) | Value::Loop(_) | Value::None => Err(not_iterable(container)),
        _ if !container.is_iterable() => Err(not_iterable(container)),
        _ => {
            let items = container.iterate(limits)?;
            for found in &items.items {
                if equal(limits, found, item)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
    }
}

fn not_iterable(value: &Value) -> TemplateError {
    TemplateError::failed(format!("argument of type '{}' is not iterable", value.kind()))
}

/// Refuses what cannot be a key.
pub fn check_hashable(limits: &mut Limits, key: &Value) -> Result<(), TemplateError> {
    limits.step(1)?;
    match key {
        Value::Tuple(tuple) => tuple.items.iter().try_for_each(|item| check_hashable(limits, item)),
        Value::List(_) | Value::Dict(_) | Value::View(View::Keys | View::Items, _) => {
            Err(TemplateError::failed(format!("unhashable type: '{}'", key.kind())))
        }
        _ => Ok(()),
    }
}

/// Sorts by keys, stably.
///
/// # Errors
/// Keys that Python does not order.
pub fn sort<T>(
    limits: &mut Limits,
    items: Vec<T>,
    reverse: bool,
    key: impl Fn(&T) -> &Value,
) -> Result<Vec<T>, TemplateError> {
    // Merges runs by hand: the standard sort takes no comparison that fails.
    let mut runs: Vec<Vec<T>> = items.into_iter().map(|item| vec![item]).collect();
    while runs.len() > 1 {
        let mut merged = Vec::with_capacity(runs.len().div_ceil(2));
        let mut pairs = runs.into_iter();
        while let Some(left) = pairs.next() {
            merged.push(match pairs.next() {
                Some(right) => merge(limits, left, right, reverse, &key)?,
                None => left,
            });
        }
        runs = merged;
    }
    Ok(runs.pop().unwrap_or_default())
}

fn merge<T>(
    limits: &mut Limits,
    left: Vec<T>,
    right: Vec<T>,
    reverse: bool,
    key: &impl Fn(&T) -> &Value,
) -> Result<Vec<T>, TemplateError> {
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
        let ordering = order(limits, "<", key(b), key(a))?;
        let takes_right = ordering == Some(if reverse { Ordering::Greater } else { Ordering::Less });
        merged.extend(if takes_right { right.next() } else { left.next() });
    }
    merged.extend(left);
    merged.extend(right);
    Ok(merged)
}
