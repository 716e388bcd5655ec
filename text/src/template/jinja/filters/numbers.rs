//! Filters that make numbers.

use super::super::super::TemplateError;
use super::super::arguments::{self, Args};
use super::super::decimal;
use super::super::eval::Vm;
use super::super::operators;
use super::super::strings;
use super::super::value::Value;

pub fn abs(_: &mut Vm, value: Value, args: Args) -> Result<Value, TemplateError> {
    let [] = args.bind("abs", [])?;
    let is_negative = value.as_float().is_some_and(|number| number < 0.0);
    operators::signed(&value, is_negative)
}

/// `int(default=0, base=10)`: what cannot be read is the default.
pub fn int(vm: &mut Vm, value: Value, args: Args) -> Result<Value, TemplateError> {
    let [default, base] = args.bind("int", ["default", "base"])?;
    let base = u32::try_from(arguments::int(base, 10)?).unwrap_or(10);
    let read = match &value {
        Value::Str(_) | Value::Safe(_) => {
            let text = strings::of(vm, &value)?;
            parse_int(&text, base).or_else(|| parse_float(&text).and_then(truncate))
        }
        Value::Undefined(missing) => return Err(TemplateError::failed(missing.describe())),
        Value::Float(number) if number.is_infinite() => {
            return Err(TemplateError::failed("cannot convert float infinity to integer"));
        }
        Value::Float(number) => truncate(*number),
        _ => value.as_int(),
    };
    Ok(read.map_or_else(|| default.unwrap_or(Value::Int(0)), Value::Int))
}

fn truncate(number: f64) -> Option<i128> {
    number.is_finite().then_some(number as i128)
}

/// Python's `int(text, base)`.
fn parse_int(text: &str, base: u32) -> Option<i128> {
    let text = super::super::text::ascii_digits(text.trim_matches(super::super::text::is_space));
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(&text);
    let prefix = match base {
        16 => unsigned.strip_prefix("0x").or(unsigned.strip_prefix("0X")),
        8 => unsigned.strip_prefix("0o").or(unsigned.strip_prefix("0O")),
        2 => unsigned.strip_prefix("0b").or(unsigned.strip_prefix("0B")),
        _ => None,
    };
    let digits = prefix.unwrap_or(unsigned);
    if digits.starts_with('_') || digits.ends_with('_') || digits.contains("__") || digits.starts_with(['-', '+']) {
        return None;
    }
    if !(2..=36).contains(&base) {
        return None;
    }
    let number = i128::from_str_radix(&digits.replace('_', ""), base).ok()?;
    Some(if text.starts_with('-') { -number } else { number })
}

/// Python's `float(text)`.
fn parse_float(text: &str) -> Option<f64> {
    let text = super::super::text::ascii_digits(text.trim_matches(super::super::text::is_space));
    if text.starts_with('_') || text.ends_with('_') || text.contains("__") {
        return None;
    }
    decimal::parse(&text.replace('_', ""))
}

/// `float(default=0.0)`
pub fn float(vm: &mut Vm, value: Value, args: Args) -> Result<Value, TemplateError> {
    let [default] = args.bind("float", ["default"])?;
    let read = match &value {
        Value::Str(_) | Value::Safe(_) => {
            let text = strings::of(vm, &value)?;
            parse_float(&text)
        }
        Value::Undefined(missing) => return Err(TemplateError::failed(missing.describe())),
        _ => value.as_float(),
    };
    Ok(read.map_or_else(|| default.unwrap_or(Value::Float(0.0)), Value::Float))
}

/// `round(precision=0, method='common')`
pub fn round(_: &mut Vm, value: Value, args: Args) -> Result<Value, TemplateError> {
    let [precision, method] = args.bind("round", ["precision", "method"])?;
    let method = method.as_ref().map_or(Some("common"), Value::as_str).unwrap_or_default();
    let to_whole = matches!(precision, Some(Value::None)) && method == "common";
    let precision = precision.filter(|_| !to_whole);
    let precision = i32::try_from(arguments::int(precision, 0)?.clamp(-400, 400)).unwrap_or(0);
    let wants_number = || TemplateError::failed("round wants a number");
    let number = value.as_float().ok_or_else(wants_number)?;
    let scale = 10f64.powi(precision);
    Ok(match method {
        "ceil" | "floor" if !(number * scale).is_finite() => {
            return Err(TemplateError::failed("cannot convert float infinity to integer"));
        }
        "ceil" => Value::Float(((number * scale).ceil() + 0.0) / scale),
        "floor" => Value::Float(((number * scale).floor() + 0.0) / scale),
        "common" => match value.as_int() {
            Some(number) if precision >= 0 => Value::Int(number),
            None if to_whole => {
                let whole = truncate(number.round_ties_even());
                Value::Int(whole.ok_or_else(|| TemplateError::failed("cannot convert float infinity to integer"))?)
            }
            Some(number) => {
                let unit = 10i128.checked_pow(precision.unsigned_abs()).unwrap_or(i128::MAX);
                let (down, rest) = (number.div_euclid(unit), number.rem_euclid(unit));
                let up = rest > unit - rest || (rest == unit - rest && down % 2 != 0);
                Value::Int((down + i128::from(up)).saturating_mul(unit))
            }
            // Python rounds what is written, half to even, as Rust's formatting does.
            None if precision >= 0 => {
                let digits = usize::try_from(precision).unwrap_or(0);
                Value::Float(decimal::parse(&format!("{number:.digits$}")).unwrap_or(number))
            }
            None => Value::Float((number * scale).round_ties_even() / scale),
        },
        _ => return Err(TemplateError::failed("method must be common, ceil or floor")),
    })
}
