//! `*`, `%` and `~` as Python and Jinja define them, with the texts they build counted before they are built.

use minijinja::formatting::{FormatStyle, format};
use minijinja::value::{Tuple, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State};

use super::budget::{self, charge, text_of};

/// Adds the operators to `env` under names that only [`budget::instrument`] uses.
pub(super) fn install(env: &mut Environment<'static>) {
    env.add_function("*", multiply);
    env.add_function("%", remainder);
    env.add_function("~", concatenate);
    env.add_function(budget::COUNT, budget::count);
}

/// A number as the operators see it; truth values count as 0 and 1.
#[derive(Clone, Copy)]
enum Number {
    Int(i128),
    Float(f64),
}

impl Number {
    fn new(value: &Value) -> Option<Self> {
        match value.kind() {
            ValueKind::Bool => Some(Self::Int(value.is_true().into())),
            ValueKind::Number if value.is_integer() => i128::try_from(value.clone()).ok().map(Self::Int),
            ValueKind::Number => f64::try_from(value.clone()).ok().map(Self::Float),
            _ => None,
        }
    }

    fn as_f64(self) -> f64 {
        match self {
            Self::Int(number) => number as f64,
            Self::Float(number) => number,
        }
    }
}

fn int(number: i128) -> Value {
    i64::try_from(number).map_or_else(|_| Value::from(number), Value::from)
}

fn unsupported(operator: &str, left: &Value, right: &Value) -> Error {
    let message = format!("{operator} does not work on {} and {}", left.kind(), right.kind());
    Error::new(ErrorKind::InvalidOperation, message)
}

fn multiply(state: &mut State<'_, '_>, left: &Value, right: &Value) -> Result<Value, Error> {
    if let (Some(a), Some(b)) = (Number::new(left), Number::new(right)) {
        return match (a, b) {
            (Number::Int(a), Number::Int(b)) => {
                a.checked_mul(b).map(int).ok_or_else(|| unsupported("* (the product is too large)", left, right))
            }
            _ => Ok(Value::from(a.as_f64() * b.as_f64())),
        };
    }
    let (repeated, times) = match (Number::new(left), Number::new(right)) {
        (None, Some(Number::Int(times))) => (left, times),
        (Some(Number::Int(times)), None) => (right, times),
        _ => return Err(unsupported("*", left, right)),
    };
    let times = usize::try_from(times.max(0)).unwrap_or(usize::MAX);
    if let Some(text) = repeated.as_str() {
        charge(state, text.len().saturating_mul(times))?;
        return Ok(Value::from(text.repeat(times)));
    }
    if repeated.kind() != ValueKind::Seq {
        return Err(unsupported("*", left, right));
    }
    let items: Vec<Value> = repeated.try_iter()?.collect();
    charge(state, items.len().saturating_mul(times).saturating_mul(size_of::<Value>()))?;
    let items: Vec<Value> = match items.is_empty() {
        true => items,
        false => std::iter::repeat_n(items, times).flatten().collect(),
    };
    let is_tuple = repeated.downcast_object_ref::<Tuple>().is_some();
    Ok(if is_tuple { Value::from(Tuple::from(items)) } else { Value::from(items) })
}

/// Python's remainder, which has the sign of the right side; of a text, Python's formatting.
fn remainder(state: &mut State<'_, '_>, left: &Value, right: &Value) -> Result<Value, Error> {
    if let Some(pattern) = left.as_str() {
        let arguments = match right.downcast_object_ref::<Tuple>() {
            Some(tuple) => tuple.to_vec(),
            None => vec![right.clone()],
        };
        check_format(state, pattern, &arguments)?;
        return format(FormatStyle::Printf, pattern, &arguments).map(Value::from);
    }
    match (Number::new(left), Number::new(right)) {
        (Some(Number::Int(_)), Some(Number::Int(0))) => Err(unsupported("% (by zero)", left, right)),
        (Some(Number::Int(a)), Some(Number::Int(b))) => {
            let rest = a.checked_rem(b).unwrap_or(0);
            Ok(int(if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest }))
        }
        (Some(a), Some(b)) if b.as_f64() != 0.0 => {
            let (a, b) = (a.as_f64(), b.as_f64());
            let rest = a % b;
            Ok(Value::from(if rest != 0.0 && (rest < 0.0) != (b < 0.0) { rest + b } else { rest }))
        }
        _ => Err(unsupported("%", left, right)),
    }
}

fn concatenate(state: &mut State<'_, '_>, left: &Value, right: &Value) -> Result<Value, Error> {
    let left = text_of(state, left)?;
    let right = text_of(state, right)?;
    charge(state, left.len() + right.len())?;
    Ok(Value::from([left, right].concat()))
}

/// Refuses to format what would come out far longer than its parts: a width of thousands, a nested value without end.
pub(super) fn check_format(state: &mut State<'_, '_>, pattern: &str, arguments: &[Value]) -> Result<(), Error> {
    let longest_number = pattern.split(|c: char| !c.is_ascii_digit()).map(str::len).max();
    if longest_number.unwrap_or(0) > 3 || pattern.contains('*') {
        return Err(Error::new(ErrorKind::InvalidOperation, "a format may ask for at most 999 characters"));
    }
    let uses = pattern.matches(['%', '{']).count();
    charge(state, uses.saturating_mul(1000))?;
    for argument in arguments {
        let len = text_of(state, argument)?.len();
        charge(state, len.saturating_mul(uses))?;
    }
    Ok(())
}
