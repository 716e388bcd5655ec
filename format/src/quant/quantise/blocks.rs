//! Types of 32 weights with one scale: Q8_0, Q4_0, Q5_0, and with a minimum, too: Q4_1, Q5_1.

use super::super::encode;
use super::lanes::{farthest_from_zero, inverse, nearest_within};
use super::symmetric::{self, Group};
use super::{affine, half};

const Q4_0: symmetric::Numbers = symmetric::Numbers { low: -8.0, high: 7.0, tops: &Q4_0_TOPS };
const Q5_0: symmetric::Numbers = symmetric::Numbers { low: -16.0, high: 15.0, tops: &Q5_0_TOPS };
const Q8_0: symmetric::Numbers = symmetric::Numbers { low: -127.0, high: 127.0, tops: &Q8_0_TOPS };
const Q4_1: affine::Numbers = affine::Numbers { top: 15.0, tops: &Q4_1_TOPS, any_min: true };
const Q5_1: affine::Numbers = affine::Numbers { top: 31.0, tops: &Q5_1_TOPS, any_min: true };

pub(super) fn q8_0(group: Group<'_, 32>, out: &mut Vec<u8>) {
    let farthest = farthest_from_zero(group.x).abs();
    let mut best = (half(farthest / 127.0), f32::INFINITY);
    for top in Q8_0.tops {
        let d = half(farthest / top);
        let error = symmetric::error(group, Q8_0, d.to_f32());
        if error < best.1 {
            best = (d, error);
        }
    }
    let d = best.0;
    let inverse = inverse(d.to_f32());
    out.extend(d.to_le_bytes());
    out.extend(group.x.map(|x| nearest_within(x * inverse, Q8_0.low, Q8_0.high) as i8 as u8));
}

pub(super) fn q4_0(group: Group<'_, 32>, out: &mut Vec<u8>) {
    around_zero(group, Q4_0, encode::FOUR_BITS, out);
}

pub(super) fn q5_0(group: Group<'_, 32>, out: &mut Vec<u8>) {
    around_zero(group, Q5_0, encode::FIVE_BITS, out);
}

fn around_zero(group: Group<'_, 32>, numbers: symmetric::Numbers, top: u8, out: &mut Vec<u8>) {
    let d = half(symmetric::best_scale(group, numbers));
    let inverse = inverse(d.to_f32());
    out.extend(d.to_le_bytes());
    let q = group.x.map(|x| (nearest_within(x * inverse, numbers.low, numbers.high) - numbers.low) as u8);
    encode::numbers(q, top, out);
}

pub(super) fn q4_1(group: Group<'_, 32>, out: &mut Vec<u8>) {
    above_minimum(group, Q4_1, encode::FOUR_BITS, out);
}

pub(super) fn q5_1(group: Group<'_, 32>, out: &mut Vec<u8>) {
    above_minimum(group, Q5_1, encode::FIVE_BITS, out);
}

fn above_minimum(group: Group<'_, 32>, numbers: affine::Numbers, top: u8, out: &mut Vec<u8>) {
    let line = affine::best_line(group, numbers);
    let [d, m] = [line.scale, line.min].map(half);
    out.extend([d, m].iter().flat_map(|half| half.to_le_bytes()));
    let (inverse, min) = (inverse(d.to_f32()), m.to_f32());
    let q = group.x.map(|x| nearest_within((x - min) * inverse, 0.0, numbers.top) as u8);
    encode::numbers(q, top, out);
}

const Q4_0_TOPS: [f32; 38] = both_ends::<38>(9.2, 0.2, 8.4);
const Q5_0_TOPS: [f32; 38] = both_ends::<38>(17.2, 0.2, 16.4);
const Q8_0_TOPS: [f32; 16] = steps(127.0, 0.5);
const Q4_1_TOPS: [f32; 20] = steps(16.0, 0.1);
const Q5_1_TOPS: [f32; 20] = steps(32.0, 0.1);

/// `N` values, each `step` below the last.
pub(super) const fn steps<const N: usize>(first: f32, step: f32) -> [f32; N] {
    let mut values = [0.0; N];
    let mut i = 0;
    while i < N {
        values[i] = first - step * i as f32;
        i += 1;
    }
    values
}

/// Half of the values negative, for ranges that reach one further below 0.
pub(super) const fn both_ends<const N: usize>(below: f32, step: f32, above: f32) -> [f32; N] {
    let mut values = [0.0; N];
    let mut i = 0;
    while i < N / 2 {
        values[2 * i] = -(below - step * i as f32);
        values[2 * i + 1] = above - step * i as f32;
        i += 1;
    }
    values
}
