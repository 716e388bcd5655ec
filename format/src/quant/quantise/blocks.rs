//! Types of 32 weights with one scale: Q8_0, Q4_0, Q5_0, IQ4_NL, MXFP4, and with a minimum, too: Q4_1, Q5_1.

use half::f16;

use super::super::chunks::{E2M1, UNEVEN};
use super::super::encode;
use super::lanes::{farthest_from_zero, inverse};
use super::symmetric::{Group, best_scale, error, whole};
use super::{affine, half, tops, values};

/// The scale is that of the least error among some that make the farthest weight 127 or a little less, as they are written: numbers of
/// eight bits are so fine that the rounding of the scale itself counts.
pub(super) fn q8_0(group: Group<'_, 32>, out: &mut Vec<u8>) {
    let round = whole(-127.0, 127.0);
    let farthest = farthest_from_zero(group.x).abs();
    let mut best = (f16::ZERO, f32::INFINITY);
    for top in tops::Q8_0 {
        let d = half(farthest / top);
        let error = error(group, d.to_f32(), round);
        if error < best.1 {
            best = (d, error);
        }
    }
    let (d, _) = best;
    let inverse = inverse(d.to_f32());
    out.extend(d.to_le_bytes());
    out.extend(group.x.map(|x| round(x * inverse) as i8 as u8));
}

pub(super) fn q4_0(group: Group<'_, 32>, out: &mut Vec<u8>) {
    around_zero(group, &tops::Q4_0, encode::FOUR_BITS, out);
}

pub(super) fn q5_0(group: Group<'_, 32>, out: &mut Vec<u8>) {
    around_zero(group, &tops::Q5_0, encode::FIVE_BITS, out);
}

fn around_zero(group: Group<'_, 32>, tops: &[f32], top: u8, out: &mut Vec<u8>) {
    let middle = f32::from(top / 2 + 1);
    let round = whole(-middle, middle - 1.0);
    let d = half(best_scale(group, tops, round));
    let inverse = inverse(d.to_f32());
    out.extend(d.to_le_bytes());
    encode::numbers(group.x.map(|x| (round(x * inverse) + middle) as u8), top, out);
}

pub(super) fn q4_1(group: Group<'_, 32>, out: &mut Vec<u8>) {
    let numbers = affine::Numbers { top: 15.0, tops: &tops::FOUR_BITS_ABOVE, any_min: true };
    above_minimum(group, numbers, encode::FOUR_BITS, out);
}

pub(super) fn q5_1(group: Group<'_, 32>, out: &mut Vec<u8>) {
    let numbers = affine::Numbers { top: 31.0, tops: &tops::FIVE_BITS_ABOVE, any_min: true };
    above_minimum(group, numbers, encode::FIVE_BITS, out);
}

fn above_minimum(group: Group<'_, 32>, numbers: affine::Numbers, top: u8, out: &mut Vec<u8>) {
    let line = affine::best_line(group, numbers);
    let [d, m] = [line.scale, line.min].map(half);
    out.extend([d, m].iter().flat_map(|half| half.to_le_bytes()));
    let line = affine::Line { scale: d.to_f32(), min: m.to_f32() };
    encode::numbers(group.x.map(|x| affine::number(x, numbers.top, line)), top, out);
}

pub(super) fn iq4_nl(group: Group<'_, 32>, out: &mut Vec<u8>) {
    let mut d = half(best_scale(group, &tops::UNEVEN, values::uneven));
    // The list has no 0, so the smallest scale is too large for the smallest weights.
    if error(group, d.to_f32(), values::uneven) > error(group, 0.0, values::uneven) {
        d = f16::ZERO;
    }
    out.extend(d.to_le_bytes());
    let inverse = inverse(d.to_f32());
    let numbers = group.x.map(|x| values::number(&UNEVEN, values::uneven(x * inverse)));
    encode::numbers(numbers, encode::FOUR_BITS, out);
}

/// The scale is a power of two. That by which the largest weight just fits loses least but where the largest is alone, or is cut: so
/// the next ones are tried, too.
pub(super) fn mxfp4(group: Group<'_, 32>, out: &mut Vec<u8>) {
    // Half of 2^(e - 127), for the numbers are doubled; what is too small for a normal float is all zeros.
    let scale = |e: u32| f32::from_bits(e.saturating_sub(1) << 23);
    let exponent = farthest_from_zero(group.x).abs().to_bits() >> 23;
    let mut best = (0, f32::INFINITY);
    for e in [2, 3, 1].map(|below| exponent.saturating_sub(below)) {
        let error = error(group, scale(e), values::e2m1);
        if error < best.1 {
            best = (e, error);
        }
    }
    let (e, _) = best;
    out.push(e as u8);
    let inverse = inverse(scale(e));
    let number = |x: f32| values::number(&E2M1, values::e2m1(x * inverse).abs()) + if x < 0.0 { 8 } else { 0 };
    encode::numbers(group.x.map(number), encode::FOUR_BITS, out);
}
