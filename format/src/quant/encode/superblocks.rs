//! The K types: 256 weights in groups, whose own scales are multiples of the block's.
//!
//! Fields and bits lie as `quant/blocks.rs` reads them.

use half::f16;

use super::{FIVE_BITS, FOUR_BITS, farthest_from_zero, inverse, nearest};

/// The largest scale or minimum of a group of 32.
const SIX_BITS: u8 = 63;
/// The largest numbers of the smallest types.
const TWO_BITS: u8 = 3;
const THREE_BITS: u8 = 7;

pub(super) fn q4_k(weights: &[f32; 256], out: &mut Vec<u8>) {
    let numbers = scales_and_numbers(weights, FOUR_BITS, out);
    nibbles(&numbers, out);
}

pub(super) fn q5_k(weights: &[f32; 256], out: &mut Vec<u8>) {
    let numbers = scales_and_numbers(weights, FIVE_BITS, out);
    fifth_bits(&numbers, out);
    nibbles(&numbers, out);
}

/// Byte `i` has that of weight `i` of each group: bit `j` is that of group `j`.
pub(in crate::quant) fn fifth_bits(numbers: &[u8; 256], out: &mut Vec<u8>) {
    let groups = numbers.as_chunks::<32>().0;
    out.extend((0..32).map(|i| groups.iter().rev().fold(0, |bits, group| bits << 1 | group[i] >> 4)));
}

/// Writes the scales of eight groups of 32, and returns the weights as multiples of them, above minima that are never positive.
fn scales_and_numbers(weights: &[f32; 256], top: u8, out: &mut Vec<u8>) -> [u8; 256] {
    let groups = weights.as_chunks::<32>().0;
    let depths: [f32; 8] = std::array::from_fn(|j| -groups[j].iter().copied().fold(0.0, f32::min));
    let heights: [f32; 8] = std::array::from_fn(|j| groups[j].iter().copied().fold(0.0, f32::max));
    let (d, scales) = multiples(std::array::from_fn(|j| (heights[j] + depths[j]) / f32::from(top)), SIX_BITS);
    let (d_min, minima) = multiples(depths, SIX_BITS);
    out.extend([d, d_min].iter().flat_map(|half| half.to_le_bytes()));
    six_bits(scales, minima, out);
    std::array::from_fn(|i| {
        let [scale, minimum] = [(d, scales), (d_min, minima)].map(|(d, of)| d.to_f32() * f32::from(of[i / 32]));
        nearest((weights[i] + minimum) * inverse(scale), top)
    })
}

/// Values of at least 0 as multiples of a share of the largest, which becomes `top`.
fn multiples<const N: usize>(values: [f32; N], top: u8) -> (f16, [u8; N]) {
    let d = f16::from_f32(values.iter().copied().fold(0.0, f32::max) / f32::from(top));
    (d, values.map(|value| nearest(value * inverse(d.to_f32()), top)))
}

/// Scales and minima of eight groups in twelve bytes: the last four have their upper two bits in the bytes of the first four.
pub(in crate::quant) fn six_bits(scales: [u8; 8], minima: [u8; 8], out: &mut Vec<u8>) {
    out.extend((0..4).map(|j| scales[j] | scales[j + 4] >> 4 << 6));
    out.extend((0..4).map(|j| minima[j] | minima[j + 4] >> 4 << 6));
    out.extend((4..8).map(|j| scales[j] & 15 | (minima[j] & 15) << 4));
}

/// Each 32 bytes hold two groups of 32: low nibbles, then high.
pub(in crate::quant) fn nibbles(numbers: &[u8; 256], out: &mut Vec<u8>) {
    for two in numbers.as_chunks::<64>().0 {
        out.extend((0..32).map(|i| two[i] & 15 | (two[i + 32] & 15) << 4));
    }
}

pub(super) fn q6_k(weights: &[f32; 256], out: &mut Vec<u8>) {
    // The weight farthest from 0 becomes -32 in its group, and the scale farthest from 0 becomes -128.
    let groups = weights.as_chunks::<16>().0;
    let exact: [f32; 16] = std::array::from_fn(|j| farthest_from_zero(&groups[j]) / -32.0);
    let d = f16::from_f32(farthest_from_zero(&exact) / -128.0);
    let scales = exact.map(|scale| (scale * inverse(d.to_f32())).round() as i8);
    let numbers: [u8; 256] = std::array::from_fn(|i| {
        let scale = d.to_f32() * f32::from(scales[i / 16]);
        nearest(weights[i] * inverse(scale) + 32.0, SIX_BITS)
    });
    write_q6_k(&numbers, scales, d, out);
}

/// Halves of 128 are four runs of 32: the first two have the low nibbles, and each byte of high bits has a pair of every run.
pub(in crate::quant) fn write_q6_k(numbers: &[u8; 256], scales: [i8; 16], d: f16, out: &mut Vec<u8>) {
    let halves = numbers.as_chunks::<128>().0;
    for half in halves {
        out.extend((0..64).map(|i| half[i] & 15 | (half[i + 64] & 15) << 4));
    }
    for half in halves {
        out.extend((0..32).map(|i| (0..4).rev().fold(0, |bits, run| bits << 2 | half[i + 32 * run] >> 4)));
    }
    out.extend(scales.map(|scale| scale as u8));
    out.extend(d.to_le_bytes());
}

pub(super) fn q2_k(weights: &[f32; 256], out: &mut Vec<u8>) {
    let groups = weights.as_chunks::<16>().0;
    let depths: [f32; 16] = std::array::from_fn(|j| -groups[j].iter().copied().fold(0.0, f32::min));
    let heights: [f32; 16] = std::array::from_fn(|j| groups[j].iter().copied().fold(0.0, f32::max));
    let (d, scales) = multiples(std::array::from_fn(|j| (heights[j] + depths[j]) / f32::from(TWO_BITS)), FOUR_BITS);
    let (d_min, minima) = multiples(depths, FOUR_BITS);
    out.extend((0..16).map(|j| scales[j] | minima[j] << 4));
    let numbers = std::array::from_fn(|i| {
        let [scale, minimum] = [(d, scales), (d_min, minima)].map(|(d, of)| d.to_f32() * f32::from(of[i / 16]));
        nearest((weights[i] + minimum) * inverse(scale), TWO_BITS)
    });
    two_bits(&numbers, out);
    out.extend([d, d_min].iter().flat_map(|half| half.to_le_bytes()));
}

pub(super) fn q3_k(weights: &[f32; 256], out: &mut Vec<u8>) {
    // The weight farthest from 0 becomes -4 in its group, and the scale farthest from 0 becomes -32.
    let groups = weights.as_chunks::<16>().0;
    let exact: [f32; 16] = std::array::from_fn(|j| farthest_from_zero(&groups[j]) / -4.0);
    let d = f16::from_f32(farthest_from_zero(&exact) / -32.0);
    let scales = exact.map(|scale| (scale * inverse(d.to_f32())).round().clamp(-32.0, 31.0) as i8);
    let numbers: [u8; 256] = std::array::from_fn(|i| {
        let scale = d.to_f32() * f32::from(scales[i / 16]);
        nearest(weights[i] * inverse(scale) + 4.0, THREE_BITS)
    });
    write_q3_k(&numbers, scales, d, out);
}

/// Byte `l` of the high bits has that of weight `l` of each 32. Scales lie above 32, their upper two bits in the last four bytes.
pub(in crate::quant) fn write_q3_k(numbers: &[u8; 256], scales: [i8; 16], d: f16, out: &mut Vec<u8>) {
    out.extend((0..32).map(|l| (0..8).rev().fold(0, |bits, chunk| bits << 1 | numbers[32 * chunk + l] >> 2)));
    two_bits(&numbers.map(|number| number & 3), out);
    let scales = scales.map(|scale| (scale + 32) as u8);
    out.extend((0..8).map(|j| scales[j] & 15 | (scales[j + 8] & 15) << 4));
    out.extend((0..4).map(|j| (0..4).rev().fold(0, |bits, k| bits << 2 | scales[j + 4 * k] >> 4)));
    out.extend(d.to_le_bytes());
}

/// Each 32 bytes hold four groups of 32.
pub(in crate::quant) fn two_bits(numbers: &[u8; 256], out: &mut Vec<u8>) {
    for half in numbers.as_chunks::<128>().0 {
        out.extend((0..32).map(|l| (0..4).rev().fold(0, |bits, j| bits << 2 | half[32 * j + l])));
    }
}
