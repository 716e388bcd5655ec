//! Arithmetic as Python defines it, for numbers, texts and lists.

use super::super::TemplateError;
use super::ast::Arithmetic;
use super::escape::escape;
use super::format;
use super::limits::Limits;
use super::provenance::{Text, TextBuilder};
use super::value::{Value, View};

/// `left operator right`.
pub fn arithmetic(
    limits: &mut Limits,
    operator: Arithmetic,
    left: &Value,
    right: &Value,
) -> Result<Value, TemplateError> {
    if let Value::Undefined(missing) = left {
        return Err(TemplateError::failed(missing.describe()));
    }
    if let (Arithmetic::Rem, Value::Str(pattern)) = (operator, left) {
        return format::percent(limits, pattern, right);
    }
    if matches!((operator, left), (Arithmetic::Rem, Value::Safe(_))) {
        return Err(TemplateError::unknown("'%' of escaped text"));
    }
    let is_set = |value: &Value| matches!(value, Value::View(View::Keys | View::Items, _));
    if operator == Arithmetic::Sub && (is_set(left) || is_set(right)) {
        return Err(TemplateError::unknown("sets, such as '-' makes of a mapping's keys or items"));
    }
    if let Value::Undefined(missing) = right {
        return Err(TemplateError::failed(missing.describe()));
    }
    if let (Some(a), Some(b)) = (left.as_int(), right.as_int()) {
        return whole(operator, a, b);
    }
    if let (Some(a), Some(b)) = (left.as_float(), right.as_float()) {
        return floating(operator, a, b);
    }
    match operator {
        Arithmetic::Add => add(limits, left, right),
        Arithmetic::Mul => multiply(limits, left, right),
        _ => Err(unsupported(operator, left, right)),
    }
}

fn symbol(operator: Arithmetic) -> &'static str {
    match operator {
        Arithmetic::Add => "+",
        Arithmetic::Sub => "-",
        Arithmetic::Mul => "*",
        Arithmetic::Div => "/",
        Arithmetic::FloorDiv => "//",
        Arithmetic::Rem => "%",
        Arithmetic::Pow => "**",
    }
}

fn unsupported(operator: Arithmetic, left: &Value, right: &Value) -> TemplateError {
    let (symbol, left, right) = (symbol(operator), left.kind(), right.kind());
    TemplateError::failed(format!("unsupported operand types for {symbol}: '{left}' and '{right}'"))
}

fn whole(operator: Arithmetic, a: i128, b: i128) -> Result<Value, TemplateError> {
    let result = match operator {
        Arithmetic::Add => a.checked_add(b),
        Arithmetic::Sub => a.checked_sub(b),
        Arithmetic::Mul => a.checked_mul(b),
        Arithmetic::Div => return floating(operator, a as f64, b as f64),
        Arithmetic::FloorDiv | Arithmetic::Rem if b == 0 => return Err(zero_division()),
        Arithmetic::FloorDiv => a.checked_div(b).map(|q| if a % b != 0 && (a < 0) != (b < 0) { q - 1 } else { q }),
        Arithmetic::Rem => a.checked_rem(b).map(|r| if r != 0 && (r < 0) != (b < 0) { r + b } else { r }),
        Arithmetic::Pow if b < 0 => return floating(operator, a as f64, b as f64),
        Arithmetic::Pow => u32::try_from(b).ok().and_then(|b| a.checked_pow(b)),
    };
    result.map(Value::Int).ok_or_else(|| TemplateError::failed("a number is too large"))
}

fn floating(operator: Arithmetic, a: f64, b: f64) -> Result<Value, TemplateError> {
    if b == 0.0 && matches!(operator, Arithmetic::Div | Arithmetic::FloorDiv | Arithmetic::Rem) {
        return Err(zero_division());
    }
    Ok(Value::Float(match operator {
        Arithmetic::Add => a + b,
        Arithmetic::Sub => a - b,
        Arithmetic::Mul => a * b,
        Arithmetic::Div => a / b,
        Arithmetic::FloorDiv => floor_division(a, b),
        Arithmetic::Rem => remainder(a, b),
        Arithmetic::Pow => power(a, b)?,
    }))
}

fn floor_division(a: f64, b: f64) -> f64 {
    // As CPython's `float_divmod`, whose rounding shows in large numbers.
    let rest = a % b;
    let mut quotient = (a - rest) / b;
    if rest != 0.0 && (rest < 0.0) != (b < 0.0) {
        quotient -= 1.0;
    }
    if quotient == 0.0 {
        return 0f64.copysign(a / b);
    }
    let floor = quotient.floor();
    if quotient - floor > 0.5 { floor + 1.0 } else { floor }
}

fn power(a: f64, b: f64) -> Result<f64, TemplateError> {
    let result = a.powf(b);
    match () {
        () if a == 0.0 && b < 0.0 => Err(zero_division()),
        () if a < 0.0 && a.is_finite() && b.is_finite() && b.fract() != 0.0 => {
            Err(TemplateError::unknown("complex numbers, such as the power of a negative number to a fraction"))
        }
        () if result.is_infinite() && a.is_finite() && b.is_finite() => {
            Err(TemplateError::failed("a number is too large"))
        }
        () => Ok(result),
    }
}

/// With the sign of the right side.
fn remainder(a: f64, b: f64) -> f64 {
    let rest = a % b;
    match rest == 0.0 {
        true => 0f64.copysign(b),
        false if (rest < 0.0) != (b < 0.0) => rest + b,
        false => rest,
    }
}

fn zero_division() -> TemplateError {
    TemplateError::failed("division by zero")
}

fn add(limits: &mut Limits, left: &Value, right: &Value) -> Result<Value, TemplateError> {
    match (left, right) {
        (Value::Str(a), Value::Str(b)) => concatenate(limits, a, b).map(Value::Str),
        (Value::Safe(a), Value::Safe(b)) => concatenate(limits, a, b).map(Value::Safe),
        (Value::Safe(a), Value::Str(b)) => {
            let b = escape(limits, b)?;
            concatenate(limits, a, &b).map(Value::Safe)
        }
        (Value::Str(a), Value::Safe(b)) => {
            let a = escape(limits, a)?;
            concatenate(limits, &a, b).map(Value::Safe)
        }
        (Value::List(a), Value::List(b)) => Value::list(limits, [&a.items[..], &b.items].concat()),
        (Value::Tuple(a), Value::Tuple(b)) => Value::tuple(limits, [&a.items[..], &b.items].concat()),
        _ => Err(unsupported(Arithmetic::Add, left, right)),
    }
}

fn concatenate(limits: &mut Limits, left: &Text, right: &Text) -> Result<Text, TemplateError> {
    limits.build(left.cost() + right.cost())?;
    let mut text = TextBuilder::default();
    text.push_text(left);
    text.push_text(right);
    Ok(text.finish())
}

fn multiply(limits: &mut Limits, left: &Value, right: &Value) -> Result<Value, TemplateError> {
    let (repeated, times) = match (left.as_int(), right.as_int()) {
        (None, Some(times)) => (left, times),
        (Some(times), None) => (right, times),
        _ => return Err(unsupported(Arithmetic::Mul, left, right)),
    };
    let times = usize::try_from(times.max(0)).unwrap_or(usize::MAX);
    match repeated {
        Value::Str(text) | Value::Safe(text) => {
            limits.build(text.cost().saturating_mul(times))?;
            let mut out = TextBuilder::default();
            if !text.is_empty() {
                (0..times).for_each(|_| out.push_text(text));
            }
            Ok(Value::Str(out.finish()))
        }
        Value::List(list) => repeat(limits, &list.items, times).and_then(|items| Value::list(limits, items)),
        Value::Tuple(tuple) => repeat(limits, &tuple.items, times).and_then(|items| Value::tuple(limits, items)),
        _ => Err(unsupported(Arithmetic::Mul, left, right)),
    }
}

fn repeat(limits: &mut Limits, items: &[Value], times: usize) -> Result<Vec<Value>, TemplateError> {
    if items.is_empty() {
        return Ok(Vec::new());
    }
    limits.build(items.len().saturating_mul(times).saturating_mul(size_of::<Value>()))?;
    Ok(std::iter::repeat_n(items, times).flatten().cloned().collect())
}

/// `-value` and `+value`.
pub fn signed(value: &Value, negative: bool) -> Result<Value, TemplateError> {
    match (value, value.as_int()) {
        (_, Some(number)) if negative => whole(Arithmetic::Sub, 0, number),
        (_, Some(number)) => Ok(Value::Int(number)),
        (Value::Float(number), _) => Ok(Value::Float(if negative { -number } else { *number })),
        (Value::Undefined(missing), _) => Err(TemplateError::failed(missing.describe())),
        _ => Err(TemplateError::failed(format!("bad operand type for a sign: '{}'", value.kind()))),
    }
}
