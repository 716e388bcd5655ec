//! The scales of types with two to four bits a weight, and of those that are unpacked first.

use inglenook_format::quant::{GROUP, PlanesRef, WeightType};

use super::{Lanes, halves};
use crate::isa::Isa;
use crate::unpacked::each_chunk;

/// Q2_K: sixteen scales in low nibbles, sixteen minima in high ones, and an f16 for either.
#[inline(always)]
pub fn read_2<I: Isa>(isa: I, words: PlanesRef<'_>, scales: &mut [Lanes<f32>], minima: &mut [Lanes<f32>]) {
    let of_blocks = scales.as_chunks_mut::<16>().0.iter_mut().zip(minima.as_chunks_mut::<16>().0);
    let blocks = words.high_bits.as_chunks::<GROUP>().0.as_chunks::<4>().0.iter().zip(words.scales.as_chunks().0);
    for ((bytes, floats), (scales, minima)) in blocks.zip(of_blocks) {
        let [scale, minimum] = halves(isa, floats);
        for (k, words) in bytes.iter().enumerate() {
            for lane in (0..GROUP).step_by(I::LANES) {
                let words = isa.pairs(&words[lane..]);
                let minimum = isa.multiply(isa.all(-1.0), isa.lanes(&minimum[lane..]));
                for j in 0..4 {
                    let at = 4 * k + j as usize;
                    scaled(
                        isa,
                        isa.mask(isa.shift_right(words, 8 * j), 15),
                        isa.lanes(&scale[lane..]),
                        &mut scales[at][lane..],
                    );
                    scaled(isa, isa.mask(isa.shift_right(words, 8 * j + 4), 15), minimum, &mut minima[at][lane..]);
                }
            }
        }
    }
}

/// Q3_K: sixteen scales around 32 whose low four bits are nibbles of two words, low nibbles first, and whose high bits are in a third, those
/// of each fourth scale in a byte; the low half of a fourth word is an f16.
#[inline(always)]
pub fn read_3<I: Isa>(isa: I, plane: &[u32], scales: &mut [Lanes<f32>]) {
    let of_blocks = scales.as_chunks_mut::<16>().0;
    for (block, scales) in plane.as_chunks::<GROUP>().0.as_chunks::<4>().0.iter().zip(of_blocks) {
        let [first, second, high, floats] = block;
        let scale = low_halves(isa, floats);
        for lane in (0..GROUP).step_by(I::LANES) {
            let low = [isa.pairs(&first[lane..]), isa.pairs(&second[lane..])];
            let (high, scale) = (isa.pairs(&high[lane..]), isa.lanes(&scale[lane..]));
            for k in 0..16 {
                let low = isa.shift_right(low[k / 4 % 2], (8 * (k % 4) + 4 * (k / 8)) as u32);
                let high = isa.shift_right(high, (8 * (k % 4) + 2 * (k / 4)) as u32);
                scaled_around_32(isa, low, high, scale, &mut scales[k][lane..]);
            }
        }
    }
}

/// IQ4_XS: an f16, and above it the high bits of eight scales around 32; then a word of their nibbles.
#[inline(always)]
pub fn read_4<I: Isa>(isa: I, plane: &[u32], scales: &mut [Lanes<f32>]) {
    let of_blocks = scales.as_chunks_mut::<8>().0;
    for (block, scales) in plane.as_chunks::<GROUP>().0.as_chunks::<2>().0.iter().zip(of_blocks) {
        let [high, low] = block;
        let scale = low_halves(isa, high);
        for lane in (0..GROUP).step_by(I::LANES) {
            let (high, low) = (isa.pairs(&high[lane..]), isa.pairs(&low[lane..]));
            let scale = isa.lanes(&scale[lane..]);
            for k in 0..8 {
                let (low, high) = (isa.shift_right(low, 4 * k), isa.shift_right(high, 16 + 2 * k));
                scaled_around_32(isa, low, high, scale, &mut scales[k as usize][lane..]);
            }
        }
    }
}

/// The low halves of words, as floats.
#[inline(always)]
fn low_halves<I: Isa>(isa: I, words: &Lanes<u32>) -> Lanes<f32> {
    let mut packed = [0; GROUP];
    for (packed, [low, high]) in packed.iter_mut().zip(words.as_chunks::<2>().0) {
        *packed = low & 0xffff | high << 16;
    }
    halves(isa, &packed)[0]
}

/// Whole numbers times `scale`.
#[inline(always)]
fn scaled<I: Isa>(isa: I, numbers: I::Pairs, scale: I::Lanes, to: &mut [f32]) {
    isa.store_lanes(isa.multiply(isa.floats(isa.ints(numbers)), scale), to);
}

/// Numbers of six bits around 32, times `scale`: the lowest four of `low`, and the lowest two of `high` above them.
#[inline(always)]
fn scaled_around_32<I: Isa>(isa: I, low: I::Pairs, high: I::Pairs, scale: I::Lanes, to: &mut [f32]) {
    let numbers = isa.either(isa.mask(low, 15), isa.shift_left(isa.mask(high, 3), 4));
    let around = isa.add(isa.floats(isa.ints(numbers)), isa.all(-32.0));
    isa.store_lanes(isa.multiply(around, scale), to);
}

/// MXFP4: the exponent of a power of two in a byte, which is half as large as there, since numbers are doubled.
pub fn read_exponents(plane: &[u32], scales: &mut [Lanes<f32>]) {
    let blocks = bytemuck::cast_slice::<u32, u8>(plane).as_chunks::<GROUP>().0;
    for (exponents, scales) in blocks.iter().zip(scales) {
        for (exponent, scale) in exponents.iter().zip(scales) {
            let e = u32::from(*exponent);
            // The least two are subnormal.
            *scale = f32::from_bits(if e < 2 { 0x0020_0000 << e } else { (e - 1) << 23 });
        }
    }
}

/// Two scales of each chunk, one by one, and minima where there are any.
pub fn read_chunks(ty: WeightType, words: PlanesRef<'_>, scales: &mut [Lanes<f32>], minima: &mut [Lanes<f32>]) {
    each_chunk(ty, words, scales.len() / 2, |row, block, chunk, at| {
        for (half, scale) in block.scales(chunk).into_iter().enumerate() {
            scales[2 * at + half][row] = scale;
        }
        if !minima.is_empty() {
            for (half, minimum) in block.minima(chunk).into_iter().enumerate() {
                minima[2 * at + half][row] = minimum;
            }
        }
    });
}
