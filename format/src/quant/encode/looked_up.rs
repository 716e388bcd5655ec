//! Types whose numbers stand for values of a short list.
//!
//! Fields and bits lie as `quant/chunks.rs` reads them.

use half::f16;

use super::super::chunks::{E2M1, UNEVEN};
use super::{farthest_from_zero, inverse};

/// The farthest of the uneven values, and of the floats.
const UNEVEN_MOST: f32 = -127.0;
const E2M1_MOST: f32 = 12.0;

pub(super) fn iq4_nl(weights: &[f32; 32], out: &mut Vec<u8>) {
    let d = farthest_from_zero(weights) / UNEVEN_MOST;
    out.extend(f16::from_f32(d).to_le_bytes());
    nibbles(&UNEVEN, weights, d, out);
}

pub(super) fn iq4_xs(weights: &[f32; 256], out: &mut Vec<u8>) {
    // The scale farthest from 0 becomes -32.
    let groups = weights.as_chunks::<32>().0;
    let exact: [f32; 8] = std::array::from_fn(|k| farthest_from_zero(&groups[k]) / UNEVEN_MOST);
    let d = f16::from_f32(farthest_from_zero(&exact) / -32.0);
    let scales = exact.map(|scale| (scale * inverse(d.to_f32())).round().clamp(-32.0, 31.0) as i8);
    write_iq4_xs_scales(d, scales, out);
    for (group, scale) in groups.iter().zip(scales) {
        nibbles(&UNEVEN, group, d.to_f32() * f32::from(scale), out);
    }
}

/// Scales lie above 32: the upper two bits of each, then nibbles.
pub(in crate::quant) fn write_iq4_xs_scales(d: f16, scales: [i8; 8], out: &mut Vec<u8>) {
    let six_bits = scales.map(|scale| (scale + 32) as u8);
    out.extend(d.to_le_bytes());
    out.extend((0..8).fold(0u16, |bits, k| bits | u16::from(six_bits[k] >> 4) << (2 * k)).to_le_bytes());
    out.extend(six_bits.as_chunks::<2>().0.iter().map(|[low, high]| low & 15 | high << 4));
}

/// By the rule of the OCP's Microscaling Formats: the exponent is the largest weight's, less that of the largest number.
pub(super) fn mxfp4(weights: &[f32; 32], out: &mut Vec<u8>) {
    let exponent = farthest_from_zero(weights).abs().to_bits() >> 23;
    let e = exponent.saturating_sub(2) as u8;
    out.push(e);
    // Half of 2^(e - 127), for the numbers are doubled. What is too small for a normal float is all zeros.
    nibbles(&E2M1, weights, f32::from_bits(u32::from(e.max(1) - 1) << 23), out);
}

pub(super) fn nvfp4(weights: &[f32; 64], out: &mut Vec<u8>) {
    let groups = weights.as_chunks::<16>().0;
    let scales: [u8; 4] = std::array::from_fn(|k| e4m3(farthest_from_zero(&groups[k]).abs() * 2.0 / E2M1_MOST));
    out.extend(scales);
    for (group, scale) in groups.iter().zip(scales) {
        nibbles(&E2M1, group, super::super::chunks::e4m3(scale) * 0.5, out);
    }
}

/// The nearest float of four bits of exponent and three of mantissa, from 0 to 448.
pub(super) fn e4m3(value: f32) -> u8 {
    // Below 2^-6 there are only multiples of 2^-9; above, halves of what is cut off go up.
    if value < 1.0 / 64.0 {
        (value * 512.0).round() as u8
    } else {
        (((value.to_bits() + (1 << 19)) >> 20) - (120 << 3)).min(0x7e) as u8
    }
}

/// The nearest values, in nibbles: low ones of the first half, then high ones of the other.
fn nibbles(values: &[i8; 16], weights: &[f32], scale: f32, out: &mut Vec<u8>) {
    let nearest = |weight: f32| {
        let number = weight * inverse(scale);
        let distance = |i: &u8| (f32::from(values[usize::from(*i)]) - number).abs();
        (0..16).min_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap_or_default()
    };
    let (low, high) = weights.split_at(weights.len() / 2);
    out.extend(low.iter().zip(high).map(|(low, high)| nearest(*low) | nearest(*high) << 4));
}
