//! Types of one bit or two bits a weight, and of three values.

use half::f16;

use super::{farthest_from_zero, inverse};

/// -1, 0 and 1 as 0, 1 and 2, after their scale's bytes.
fn thirds(weights: &[f32]) -> ([u8; 2], impl Fn(usize) -> u8) {
    let d = farthest_from_zero(weights).abs();
    (f16::from_f32(d).to_le_bytes(), move |i| (weights[i] * inverse(d) + 1.0).round() as u8)
}

/// Digits in base 3, five in a byte: 160 weights in 32 bytes, 80 in 16; then 16 in 4 bytes of four digits.
pub(super) fn tq1_0(weights: &[f32; 256], out: &mut Vec<u8>) {
    let (d, digit) = thirds(weights);
    let mut bytes = |first: usize, count: usize, digits: usize| {
        out.extend((0..count).map(|byte| {
            let number = (0..5).fold(0, |number, n| {
                number * 3 + if n < digits { u32::from(digit(first + n * count + byte)) } else { 0 }
            });
            // As a fraction of 256 parts, rounded up.
            (number * 256).div_ceil(243) as u8
        }));
    };
    bytes(0, 32, 5);
    bytes(160, 16, 5);
    bytes(240, 4, 4);
    out.extend(d);
}

pub(super) fn tq2_0(weights: &[f32; 256], out: &mut Vec<u8>) {
    let (d, digit) = thirds(weights);
    for half in [0, 128] {
        out.extend((0..32).map(|l| (0..4).rev().fold(0, |bits, j| bits << 2 | digit(half + 32 * j + l))));
    }
    out.extend(d);
}

pub(super) fn q1_0(weights: &[f32; 128], out: &mut Vec<u8>) {
    let d = weights.iter().map(|w| w.abs()).sum::<f32>() / 128.0;
    out.extend(f16::from_f32(d).to_le_bytes());
    let bits = |eight: &[f32; 8]| eight.iter().rev().fold(0, |bits, w| bits << 1 | u8::from(*w >= 0.0));
    out.extend(weights.as_chunks().0.iter().map(bits));
}

/// The weight farthest from 0 becomes 2.
pub(super) fn q2_0(weights: &[f32; 64], out: &mut Vec<u8>) {
    let d = farthest_from_zero(weights) / 2.0;
    out.extend(f16::from_f32(d).to_le_bytes());
    let number = |w: f32| (w * inverse(d) + 1.0).round().clamp(0.0, 3.0) as u8;
    let bits = |four: &[f32; 4]| four.iter().rev().fold(0, |bits, w| bits << 2 | number(*w));
    out.extend(weights.as_chunks().0.iter().map(bits));
}
