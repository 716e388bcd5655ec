//! Numbers: their bounds, and what they must be multiples of.

use serde_json::{Map, Number, Value, json};

use super::Path;
use crate::GrammarError;

/// Integers beyond this lose digits as 64-bit floats, which is what JavaScript and the compiler compute in.
pub const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// Largest number that must be a multiple of another.
const MAX_MULTIPLE: i64 = 1_000_000_000_000_000;

/// Largest divisor, counted in units of its last decimal place: the matcher keeps remainders in as many states.
const MAX_DIVISOR: u64 = 5_000;

/// Most decimal places of a divisor, which the matcher computes with in 32 bits.
const MAX_PLACES: u32 = 8;

/// How many digits tell an excluded bound from the next number.
const DIGITS: usize = 15;

const LOWER: [&str; 2] = ["minimum", "exclusiveMinimum"];
const UPPER: [&str; 2] = ["maximum", "exclusiveMaximum"];

/// `minimum` and its kin, and `multipleOf`.
pub fn numbers(map: &Map<String, Value>, path: &Path, out: &mut Map<String, Value>) -> Result<(), GrammarError> {
    for [inclusive, exclusive] in [LOWER, UPPER] {
        // Draft 4 says by a boolean whether the bound itself is excluded.
        let excluded = map.get(exclusive) == Some(&Value::Bool(true));
        if let Some(bound) = map.get(inclusive) {
            let name = if excluded { exclusive } else { inclusive };
            out.insert(name.to_owned(), number(&within(bound, inclusive), &path.name(inclusive))?);
        }
        if let Some(bound) = map.get(exclusive).filter(|bound| !bound.is_boolean()) {
            out.insert(exclusive.to_owned(), number(&within(bound, inclusive), &path.name(exclusive))?);
        }
    }
    exclude(LOWER, UPPER, 1.0, path, out)?;
    exclude(UPPER, LOWER, -1.0, path, out)?;
    if let Some(divisor) = map.get("multipleOf") {
        out.insert("multipleOf".to_owned(), multiple(divisor, &path.name("multipleOf"))?);
        // Beyond this it would depend on the reader's arithmetic whether a number is a multiple.
        for (bounds, limit) in [(LOWER, -MAX_MULTIPLE), (UPPER, MAX_MULTIPLE)] {
            if !bounds.iter().any(|bound| out.contains_key(*bound)) {
                out.insert(bounds[0].to_owned(), json!(limit));
            }
        }
    }
    Ok(())
}

/// Make of an excluded whole number the least number beyond it.
///
/// llguidance 1.9.1 lets the whole number itself through where the other bound has the same integer part: of numbers above 0 and up to
/// 0.5 it allows `0`. The bound may meet its other one in the compiler only, by `allOf` or `$ref`, so it is never left as it is. With
/// `sign` -1, bounds are those of the opposite numbers.
fn exclude(
    [inclusive, exclusive]: [&str; 2],
    others: [&str; 2],
    sign: f64,
    path: &Path,
    out: &mut Map<String, Value>,
) -> Result<(), GrammarError> {
    let bound = |name: &str| out.get(name).and_then(Value::as_f64).map(|bound| sign * bound);
    let Some(excluded) = bound(exclusive).filter(|excluded| *excluded >= 0.0 && excluded.fract() == 0.0) else {
        return Ok(());
    };
    let other = others.into_iter().filter_map(bound).fold(f64::INFINITY, f64::min);
    if other <= excluded {
        // The compiler says that nothing lies between them.
        return Ok(());
    }
    let least = beyond(excluded);
    if other <= least {
        let close = format!("numbers between {} and {}, which are too close", sign * excluded, sign * other);
        return Err(path.name(exclusive).unsupported(close));
    }
    let least = bound(inclusive).map_or(least, |bound| bound.max(least));
    out.shift_remove(exclusive);
    out.insert(inclusive.to_owned(), json!(sign * least));
    Ok(())
}

/// The next number after a whole one that has no more than [`DIGITS`] digits, or the next whole one where that has as many.
fn beyond(whole: f64) -> f64 {
    let places = DIGITS.saturating_sub(whole.abs().to_string().len());
    (whole + 10f64.powi(-(places as i32))).max(whole.next_up())
}

/// A divisor, as a number of which the compiler makes the decimal that is meant.
fn multiple(divisor: &Value, path: &Path) -> Result<Value, GrammarError> {
    number(divisor, path)?;
    let Some(value) = divisor.as_f64().filter(|value| *value > 0.0) else {
        return Err(path.wrong("it must be a number above 0"));
    };
    let refused = |why: &str| Err(path.unsupported(format!("multiples of {divisor}, {why}")));
    let Some(meant) = decimal(&divisor.to_string()).filter(|(_, places)| *places <= MAX_PLACES) else {
        return refused(&format!("which has more than {MAX_PLACES} decimal places"));
    };
    if meant.0 > MAX_DIVISOR {
        return refused(&format!("which is more than {MAX_DIVISOR} units of its last digit"));
    }
    // The compiler multiplies by ten until nothing is left behind the point, which for 0.07 it never is, but for the float below.
    match [value, value.next_up(), value.next_down()].into_iter().find(|near| compiled(*near) == Some(meant)) {
        Some(_) if value.fract() == 0.0 => Ok(divisor.clone()),
        Some(near) => Ok(json!(near)),
        None => refused("which is not computed with exactly; use an integer of smaller units"),
    }
}

/// A positive number in units of its last decimal place, and how many places that are; `None` where there are too many.
fn decimal(text: &str) -> Option<(u64, u32)> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut units: u64 = format!("{whole}{fraction}").parse().ok()?;
    let mut places = i32::try_from(fraction.len()).ok()?.checked_sub(exponent.parse().ok()?)?;
    while places > 0 && units.is_multiple_of(10) {
        units /= 10;
        places -= 1;
    }
    if places < 0 {
        units = units.checked_mul(10u64.checked_pow(places.unsigned_abs())?)?;
        places = 0;
    }
    Some((units, places.unsigned_abs()))
}

/// What llguidance 1.9.1 makes of a divisor, unless it has too many places.
fn compiled(mut value: f64) -> Option<(u64, u32)> {
    for places in 0..=MAX_PLACES {
        if value.fract() == 0.0 {
            return Some((value as u64, places));
        }
        value *= 10.0;
    }
    None
}

/// A bound that lies beyond the numbers that are computed with, as the last of those.
fn within(bound: &Value, inclusive: &str) -> Value {
    match (inclusive, bound.as_f64()) {
        ("minimum", Some(least)) if least < -MAX_EXACT => json!(-MAX_EXACT as i64),
        ("maximum", Some(most)) if most > MAX_EXACT => json!(MAX_EXACT as i64),
        _ => bound.clone(),
    }
}

fn number(value: &Value, path: &Path) -> Result<Value, GrammarError> {
    let Value::Number(number) = value else { return Err(path.wrong("it must be a number")) };
    check_number(number, path)?;
    Ok(value.clone())
}

/// Refuses a number that is not computed with exactly.
pub fn check_number(number: &Number, path: &Path) -> Result<(), GrammarError> {
    match number.as_f64() {
        Some(value) if value.abs() <= MAX_EXACT => Ok(()),
        _ => Err(path.unsupported(format!("{number} is beyond 2^53, where numbers lose digits; use a string"))),
    }
}
