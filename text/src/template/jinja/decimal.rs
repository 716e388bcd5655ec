//! Decimal numbers to floats: the same as `str::parse` gives. That is made for many numbers, with 13 KB of tables and code for a page to
//! download; a template holds few.

use std::cmp::Ordering;

/// Digits that decide how a number is rounded, whatever follows: those of the point between two floats are fewer.
const DIGITS: usize = 800;

/// A float, as Rust and Python write it: digits with a point or an exponent or both, `inf`, `infinity` or `nan`, behind a sign or none.
pub fn parse(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is = |name: &str| unsigned.eq_ignore_ascii_case(name);
    let number = match () {
        () if is("inf") || is("infinity") => f64::INFINITY,
        () if is("nan") => f64::NAN,
        () => finite(unsigned)?,
    };
    Some(if text.starts_with('-') { -number } else { number })
}

fn finite(text: &str) -> Option<f64> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = digits(whole)?.chain(digits(fraction)?).skip_while(|digit| *digit == 0).collect();
    let is_written = !(whole.is_empty() && fraction.is_empty());
    is_written.then(|| nearest(digits, exponent - fraction.len() as i64))
}

fn parse_exponent(text: &str) -> Option<i64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let number = digits(unsigned)?.fold(0, |number, digit| (number * 10 + i64::from(digit)).min(i64::MAX / 100));
    let number = if text.starts_with('-') { -number } else { number };
    (!unsigned.is_empty()).then_some(number)
}

/// None where there is another character.
fn digits(text: &str) -> Option<impl Iterator<Item = u8> + '_> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.bytes().map(|byte| byte - b'0'))
}

/// The float that is nearest to `digits * 10^exponent`; of two the even one. The first digit is no 0.
fn nearest(mut digits: Vec<u8>, mut exponent: i64) -> f64 {
    // What all floats are far below or above of.
    match digits.len() as i64 + exponent {
        _ if digits.is_empty() => return 0.0,
        ..-400 => return 0.0,
        400.. => return f64::INFINITY,
        _ => {}
    }
    if digits.len() > DIGITS {
        exponent += (digits.len() - DIGITS - 1) as i64;
        let is_more = digits[DIGITS..].iter().any(|digit| *digit != 0);
        digits.truncate(DIGITS);
        digits.push(is_more.into());
    }
    let number = Whole::of(&digits).times_ten_to(exponent);
    let unit = Whole(vec![1]).times_ten_to(-exponent);
    // The first float whose point half-way to the next is not below the number; bits have the order of the floats.
    let (mut low, mut high) = (0, f64::INFINITY.to_bits());
    while low < high {
        let bits = low.midpoint(high);
        let (half_way, shift) = half_way_above(bits);
        let point = unit.times(half_way).shifted(shift);
        match number.shifted(-shift).cmp(&point) {
            Ordering::Less => high = bits,
            Ordering::Equal if bits % 2 == 0 => high = bits,
            _ => low = bits + 1,
        }
    }
    f64::from_bits(low)
}

/// The point half-way to the next float: a whole number, and the power of two that it is to be multiplied by.
fn half_way_above(bits: u64) -> (u64, i64) {
    let (exponent, fraction) = (bits >> 52, bits & ((1 << 52) - 1));
    match exponent {
        0 => (2 * fraction + 1, -1075),
        _ => (2 * (fraction | 1 << 52) + 1, exponent as i64 - 1076),
    }
}

/// A whole number of any size: 32 bits an item, the lowest first, the last not 0.
#[derive(PartialEq, Eq)]
struct Whole(Vec<u32>);

impl Whole {
    fn of(digits: &[u8]) -> Whole {
        digits.chunks(18).fold(Whole(Vec::new()), |number, some| {
            let value = some.iter().fold(0, |value, digit| value * 10 + u64::from(*digit));
            number.times(10u64.pow(some.len() as u32)).plus(value)
        })
    }

    /// Times ten to a power; the same where that is below 0.
    fn times_ten_to(mut self, mut power: i64) -> Whole {
        while power > 0 {
            let step = power.min(18);
            self = self.times(10u64.pow(step as u32));
            power -= step;
        }
        self
    }

    fn times(&self, factor: u64) -> Whole {
        self.with_each(0, |word, carry| u128::from(word) * u128::from(factor) + carry)
    }

    fn plus(&self, value: u64) -> Whole {
        self.with_each(value.into(), |word, carry| u128::from(word) + carry)
    }

    fn with_each(&self, mut carry: u128, step: impl Fn(u32, u128) -> u128) -> Whole {
        let mut words = Vec::with_capacity(self.0.len() + 2);
        for word in &self.0 {
            let sum = step(*word, carry);
            words.push(sum as u32);
            carry = sum >> 32;
        }
        while carry > 0 {
            words.push(carry as u32);
            carry >>= 32;
        }
        while words.last() == Some(&0) {
            words.pop();
        }
        Whole(words)
    }

    /// Times two to a power; the same where that is below 0.
    fn shifted(&self, power: i64) -> Whole {
        let power = usize::try_from(power).unwrap_or(0);
        let mut words = vec![0; power / 32];
        words.extend(self.times(1 << (power % 32)).0);
        Whole(words)
    }
}

impl PartialOrd for Whole {
    fn partial_cmp(&self, other: &Whole) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Whole {
    fn cmp(&self, other: &Whole) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str) {
        let bits = |number: f64| number.to_bits();
        assert_eq!(parse(text).map(bits), text.parse().ok().map(bits), "{text}");
    }

    #[test]
    fn parse_takes_what_the_standard_library_takes() {
        let texts = "0 -0 +1 1. .5 . e5 1e 1e+ 1e+5 1E-5 1e5.0 -.5e-3 +-1 1_0 00012.500 inf -INF Infinity nan infinit 0x10 1f ١";
        texts.split(' ').chain(["", "+", " 1"]).for_each(check);
    }

    #[test]
    fn parse_rounds_as_the_standard_library_does_at_the_ends_of_the_range() {
        let texts = "1.7976931348623157e308 1.7976931348623158e308 1.7976931348623159e308 2e308 1e309 1e400 1e99999999999999999999 \
                     5e-324 2.4703282292062327e-324 2.4703282292062328e-324 1e-324 1e-400 1e-99999999999999999999 0e999999 \
                     2.2250738585072011e-308 2.2250738585072014e-308 9007199254740993 9007199254740992.99999 9007199254740993.00001";
        texts.split_whitespace().for_each(check);
    }

    #[test]
    fn parse_reads_digits_beyond_those_it_keeps() {
        // Half-way between two floats for as long as only zeros follow.
        let zeros = "0".repeat(2 * DIGITS);
        check(&format!("9007199254740993.{zeros}"));
        check(&format!("9007199254740993.{zeros}1"));
        check(&format!("0.{zeros}{zeros}1e3201"));
        check(&format!("1{zeros}e-1600"));
        check(&"123456789".repeat(300));
    }

    #[test]
    fn parse_rounds_as_the_standard_library_does() {
        let mut random = fastrand::Rng::with_seed(5);
        for _ in 0..400 {
            let number = f64::from_bits(random.u64(..));
            if number.is_finite() {
                check(&number.to_string());
                check(&format!("{number:e}"));
                check(&format!("{number:.40e}"));
            }
            check(&format!("{}.{}e{}", random.u64(..), random.u64(..), random.i32(-340..320)));
            check(&format!("{}.{}", random.u32(..1000), random.u32(..)));
        }
    }
}
