//! Scores of unigram pieces as Hugging Face's tokenizers read them.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// A piece's score.
///
/// The reference reads numbers the quick way: all digits as one integer, scaled by one power of ten. That is off by the last bit now and
/// then, and the last bit decides between spellings of a word that are equally likely. What `f64` is read as here must therefore not
/// depend on which of serde_json's ways some other crate of the build has switched on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Score(pub f64);

impl<'de> Deserialize<'de> for Score {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <&RawValue>::deserialize(deserializer)?.get();
        quick(text).map(Score).ok_or_else(|| D::Error::custom(format!("{text:.40} is no score")))
    }
}

/// The number of a JSON text, read the quick way.
fn quick(text: &str) -> Option<f64> {
    let (sign, text) = text.strip_prefix('-').map_or((1.0, text), |rest| (-1.0, rest));
    let (number, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let mut exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() {
        return None;
    }
    let mut digits = 0u64;
    let mut is_full = false;
    for (place, digit) in whole.bytes().chain(fraction.bytes()).enumerate() {
        let in_fraction = place >= whole.len();
        let digit = char::from(digit).to_digit(10)?;
        let more = digits.checked_mul(10).and_then(|digits| digits.checked_add(digit.into())).filter(|_| !is_full);
        match more {
            Some(more) => {
                digits = more;
                exponent = exponent.checked_sub(i32::from(in_fraction))?;
            }
            // What no longer fits counts by its place alone.
            None => {
                is_full = true;
                exponent = exponent.checked_add(i32::from(!in_fraction))?;
            }
        }
    }
    let power = |exponent: u32| format!("1e{exponent}").parse::<f64>().ok();
    let mut value = digits as f64;
    while exponent < -308 && value != 0.0 {
        value /= 1e308;
        exponent += 308;
    }
    let value = match exponent {
        ..0 => value / power(exponent.unsigned_abs().min(308))?,
        _ => value * power(exponent.unsigned_abs())?,
    };
    value.is_finite().then_some(sign * value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_are_but_for_the_last_bit() {
        for text in ["0", "-0.0", "1", "-12.5", "1e3", "-7.25E-2", "123456789012345678901234567890", "0.1", "1e-320"] {
            let (found, exact) = (quick(text).unwrap(), text.parse::<f64>().unwrap());
            assert!((found - exact).abs() <= exact.abs() * 3e-16 + f64::from_bits(64), "{text}: {found} {exact}");
        }
        for text in ["", "-", "1e400", "\"1\"", "null", "1e99999999999"] {
            assert_eq!(quick(text), None, "{text}");
        }
    }

    /// As one integer and a power of ten this is not the nearest number, and the reference takes it so.
    #[test]
    fn a_long_fraction_is_scaled_once() {
        let text = "-9.871351242065430";
        assert_eq!(quick(text).unwrap(), -(9_871_351_242_065_430f64 / 1e15));
    }
}
