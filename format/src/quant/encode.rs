//! Makes blocks: plain rounding for tests and comparisons, and random blocks for synthetic models.

mod grids;
pub(super) mod looked_up;
pub(super) mod superblocks;
mod ternary;

use half::{bf16, f16};

use super::{QuantError, WeightType};

/// Appends `weights`, quantised by round-to-nearest, to `out`.
///
/// Scales and minima are those that span a block. No better ones are searched for, so the K types lose more than in files that
/// were made to be used. The formulas of Q8_0 and Q4_0 are those of ggml's `quantize_row_*_ref`.
///
/// # Errors
/// [`QuantError::Length`] when `weights` is no whole number of blocks.
pub fn quantise(ty: WeightType, weights: &[f32], out: &mut Vec<u8>) -> Result<(), QuantError> {
    if !weights.len().is_multiple_of(ty.block_len()) {
        return Err(QuantError::Length { ty, blocks: weights.len() / ty.block_len(), weights: weights.len() });
    }
    match ty {
        WeightType::F32 => weights.iter().for_each(|w| out.extend(w.to_le_bytes())),
        WeightType::F16 => weights.iter().for_each(|&w| out.extend(f16::from_f32(w).to_le_bytes())),
        WeightType::BF16 => weights.iter().for_each(|&w| out.extend(bf16::from_f32(w).to_le_bytes())),
        WeightType::Q8_0 => weights.as_chunks().0.iter().for_each(|block| q8_0(block, out)),
        WeightType::Q4_0 => weights.as_chunks().0.iter().for_each(|block| around_zero(block, FOUR_BITS, out)),
        WeightType::Q4_1 => weights.as_chunks().0.iter().for_each(|block| from_minimum(block, FOUR_BITS, out)),
        WeightType::Q5_0 => weights.as_chunks().0.iter().for_each(|block| around_zero(block, FIVE_BITS, out)),
        WeightType::Q5_1 => weights.as_chunks().0.iter().for_each(|block| from_minimum(block, FIVE_BITS, out)),
        WeightType::Q4_K => weights.as_chunks().0.iter().for_each(|block| superblocks::q4_k(block, out)),
        WeightType::Q5_K => weights.as_chunks().0.iter().for_each(|block| superblocks::q5_k(block, out)),
        WeightType::Q6_K => weights.as_chunks().0.iter().for_each(|block| superblocks::q6_k(block, out)),
        WeightType::Q2_K => weights.as_chunks().0.iter().for_each(|block| superblocks::q2_k(block, out)),
        WeightType::Q3_K => weights.as_chunks().0.iter().for_each(|block| superblocks::q3_k(block, out)),
        WeightType::IQ4_NL => weights.as_chunks().0.iter().for_each(|block| looked_up::iq4_nl(block, out)),
        WeightType::IQ4_XS => weights.as_chunks().0.iter().for_each(|block| looked_up::iq4_xs(block, out)),
        WeightType::MXFP4 => weights.as_chunks().0.iter().for_each(|block| looked_up::mxfp4(block, out)),
        WeightType::NVFP4 => weights.as_chunks().0.iter().for_each(|block| looked_up::nvfp4(block, out)),
        WeightType::TQ1_0 => weights.as_chunks().0.iter().for_each(|block| ternary::tq1_0(block, out)),
        WeightType::TQ2_0 => weights.as_chunks().0.iter().for_each(|block| ternary::tq2_0(block, out)),
        WeightType::Q1_0 => weights.as_chunks().0.iter().for_each(|block| ternary::q1_0(block, out)),
        WeightType::Q2_0 => weights.as_chunks().0.iter().for_each(|block| ternary::q2_0(block, out)),
        WeightType::IQ2_XXS => weights.as_chunks().0.iter().for_each(|block| grids::iq2_xxs(block, out)),
        WeightType::IQ2_XS => weights.as_chunks().0.iter().for_each(|block| grids::iq2_xs(block, out)),
        WeightType::IQ2_S => weights.as_chunks().0.iter().for_each(|block| grids::iq2_s(block, out)),
        WeightType::IQ3_XXS => weights.as_chunks().0.iter().for_each(|block| grids::iq3_xxs(block, out)),
        WeightType::IQ3_S => weights.as_chunks().0.iter().for_each(|block| grids::iq3_s(block, out)),
        WeightType::IQ1_S => weights.as_chunks().0.iter().for_each(|block| grids::iq1_s(block, out)),
        WeightType::IQ1_M => weights.as_chunks().0.iter().for_each(|block| grids::iq1_m(block, out)),
    }
    Ok(())
}

/// The largest number of so many bits.
pub(super) const FOUR_BITS: u8 = 15;
pub(super) const FIVE_BITS: u8 = 31;

fn q8_0(weights: &[f32; 32], out: &mut Vec<u8>) {
    let largest = weights.iter().fold(0f32, |largest, w| largest.max(w.abs()));
    let d = largest / 127.0;
    out.extend(f16::from_f32(d).to_le_bytes());
    out.extend(weights.iter().map(|w| (w * inverse(d)).round() as i8 as u8));
}

/// Q4_0 and Q5_0. The weight farthest from 0 becomes the lowest number, so that all values are used.
fn around_zero(weights: &[f32; 32], top: u8, out: &mut Vec<u8>) {
    let middle = f32::from(top / 2 + 1);
    let d = farthest_from_zero(weights) / -middle;
    out.extend(f16::from_f32(d).to_le_bytes());
    numbers(weights.map(|w| nearest(w * inverse(d) + middle, top)), top, out);
}

/// Q4_1 and Q5_1.
fn from_minimum(weights: &[f32; 32], top: u8, out: &mut Vec<u8>) {
    let [min, max] = [f32::min, f32::max].map(|most| weights.iter().copied().reduce(most).unwrap_or_default());
    let d = (max - min) / f32::from(top);
    out.extend([d, min].map(f16::from_f32).iter().flat_map(|half| half.to_le_bytes()));
    numbers(weights.map(|w| nearest((w - min) * inverse(d), top)), top, out);
}

/// The numbers of a block: their fifth bits, where they have such, and nibbles.
pub(super) fn numbers(numbers: [u8; 32], top: u8, out: &mut Vec<u8>) {
    if top == FIVE_BITS {
        out.extend(
            numbers.as_chunks::<8>().0.iter().map(|eight| eight.iter().rev().fold(0, |bits, n| bits << 1 | n >> 4)),
        );
    }
    out.extend((0..16).map(|j| numbers[j] & 15 | (numbers[j + 16] & 15) << 4));
}

fn farthest_from_zero(weights: &[f32]) -> f32 {
    weights.iter().fold(0f32, |farthest, &w| if w.abs() > farthest.abs() { w } else { farthest })
}

fn inverse(scale: f32) -> f32 {
    if scale == 0.0 { 0.0 } else { 1.0 / scale }
}

/// The nearest number from 0 to `top`.
fn nearest(value: f32, top: u8) -> u8 {
    ((value + 0.5) as u8).min(top)
}

/// `blocks` blocks of random bits with scales such that the weights are about `rms` in size, around 0.
///
/// For synthetic models and kernel tests: every bit of the format is in use, as in a real file. The same seed gives the
/// same bytes everywhere.
pub fn random_blocks(ty: WeightType, seed: u64, blocks: usize, rms: f32) -> Vec<u8> {
    let mut random = SplitMix(seed);
    let mut out = Vec::with_capacity(blocks * ty.block_bytes() + 8);
    while out.len() < blocks * ty.block_bytes() {
        out.extend(random.next().to_le_bytes());
    }
    out.truncate(blocks * ty.block_bytes());
    for block in out.chunks_exact_mut(ty.block_bytes()) {
        // Half to one and a half, so that a kernel which takes another block's scale is found out.
        set_scales(ty, block, rms * (0.5 + random.unit()), &mut random);
    }
    out
}

/// Overwrites what random bits must not decide. The divisors are the spread of the type's numbers, uniformly random.
fn set_scales(ty: WeightType, block: &mut [u8], rms: f32, random: &mut SplitMix) {
    let one = |at: usize, value: f32| [(at, value); 2];
    let scale_and_min = |spread: f32, middle: f32| [(0, rms / spread), (2, -middle * rms / spread)];
    let halves = match ty {
        WeightType::F32 => return block.copy_from_slice(&(rms * random.spread()).to_le_bytes()),
        WeightType::F16 => one(0, rms * random.spread()),
        WeightType::BF16 => return block.copy_from_slice(&bf16::from_f32(rms * random.spread()).to_le_bytes()),
        WeightType::Q8_0 => one(0, rms / 74.0),
        WeightType::Q4_0 => one(0, rms / 4.6),
        WeightType::Q5_0 => one(0, rms / 9.2),
        WeightType::Q4_1 => scale_and_min(4.6, 7.5),
        WeightType::Q5_1 => scale_and_min(9.2, 15.5),
        // Minima are subtracted here, and groups have scales of their own.
        WeightType::Q4_K => scale_and_min(258.0, -7.5),
        WeightType::Q5_K => scale_and_min(526.0, -15.5),
        WeightType::Q6_K => one(208, rms / 1370.0),
        WeightType::Q2_K => [(80, rms / 13.9), (82, rms * 1.5 / 13.9)],
        WeightType::Q3_K => one(108, rms / 43.4),
        WeightType::IQ4_NL => one(0, rms / 67.3),
        WeightType::IQ4_XS => one(0, rms / 1242.0),
        // The nearest power of two, by its logarithm.
        WeightType::MXFP4 => {
            block[0] = ((rms / 5.85 * std::f32::consts::SQRT_2).to_bits() >> 23) as u8 + 1;
            return;
        }
        WeightType::NVFP4 => return block[..4].fill(looked_up::e4m3(rms * 2.0 / 5.85)),
        WeightType::TQ1_0 => one(52, rms / 0.82),
        // Numbers are not around 0, but scales may be.
        WeightType::TQ2_0 => one(64, rms.copysign(random.spread()) / 1.22),
        WeightType::Q2_0 => one(0, rms.copysign(random.spread()) / 1.22),
        WeightType::Q1_0 => one(0, rms),
        WeightType::IQ2_XXS => one(0, rms / 53.1),
        WeightType::IQ2_XS | WeightType::IQ2_S => one(0, rms / 56.3),
        WeightType::IQ3_XXS => one(0, rms / 142.2),
        WeightType::IQ3_S => one(0, rms / 140.6),
        WeightType::IQ1_S => one(0, rms / 7.2),
        WeightType::IQ1_M => {
            let d = f16::from_f32(rms / 7.2).to_bits();
            for (k, half) in block[48..].as_chunks_mut::<2>().0.iter_mut().enumerate() {
                *half = (u16::from_le_bytes(*half) & 0xfff | d >> (4 * k) << 12).to_le_bytes();
            }
            return;
        }
    };
    for (at, value) in halves {
        block[at..at + 2].copy_from_slice(&f16::from_f32(value).to_le_bytes());
    }
}

/// SplitMix64 (Steele, Lea and Flood, 2014): a few lines, and the same everywhere.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in [0, 1).
    fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 24) as f32
    }

    /// Uniform around 0, with root mean square 1.
    fn spread(&mut self) -> f32 {
        (2.0 * self.unit() - 1.0) * 3f32.sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quant::dequantise;
    use proptest::prelude::*;

    #[test]
    fn random_blocks_have_the_size_asked_for() {
        for ty in WeightType::ALL {
            let blocks = 65_536 / ty.block_len();
            let raw = random_blocks(ty, 7, blocks, 0.02);
            let mut weights = vec![0.0; 65_536];
            dequantise(ty, &raw, &mut weights).unwrap();
            let rms = (weights.iter().map(|w| f64::from(w * w)).sum::<f64>() / 65_536.0).sqrt();
            let mean = weights.iter().map(|&w| f64::from(w)).sum::<f64>() / 65_536.0;
            // Blocks vary by half, which adds 4% to the root mean square; few superblocks scatter by a few percent.
            assert!((0.018..0.024).contains(&rms), "{ty}: {rms}");
            assert!(mean.abs() < 0.003, "{ty}: {mean}");
        }
    }

    #[test]
    fn random_blocks_repeat() {
        assert_eq!(random_blocks(WeightType::Q4_K, 3, 5, 1.0), random_blocks(WeightType::Q4_K, 3, 5, 1.0));
        assert_ne!(random_blocks(WeightType::Q4_K, 3, 5, 1.0), random_blocks(WeightType::Q4_K, 4, 5, 1.0));
    }

    #[test]
    fn known_blocks() {
        let mut weights = [0.0; 32];
        weights[0] = -8.0;
        weights[1] = 7.0;
        weights[16] = 1.0;
        let mut out = Vec::new();
        quantise(WeightType::Q4_0, &weights, &mut out).unwrap();
        assert_eq!(out[..4], [0x00, 0x3c, 0x90, 0x8f]);
        assert!(out[4..].iter().all(|&byte| byte == 0x88));
        let short = QuantError::Length { ty: WeightType::Q8_0, blocks: 1, weights: 33 };
        assert_eq!(quantise(WeightType::Q8_0, &[0.0; 33], &mut out), Err(short));
    }

    proptest! {
        /// Rounding is off by half a step at most, but where the scale itself is rounded, and for weights opposite to the farthest
        /// from 0, which are cut where numbers lie around it.
        #[test]
        fn quantised_weights_come_back(weights in proptest::collection::vec(-4f32..4.0, 256)) {
            let largest = weights.iter().fold(0f32, |largest, w| largest.max(w.abs()));
            let bounds = [
                (WeightType::F32, 0.0),
                (WeightType::F16, 1.0 / 2048.0),
                (WeightType::BF16, 1.0 / 256.0),
                (WeightType::Q8_0, 0.5 / 127.0 + 1.0 / 1024.0),
                (WeightType::Q4_0, 1.0 / 8.0 + 1.0 / 1024.0),
                (WeightType::Q4_1, 1.0 / 15.0 + 1.0 / 512.0),
                (WeightType::Q5_0, 1.0 / 16.0 + 1.0 / 1024.0),
                (WeightType::Q5_1, 1.0 / 31.0 + 1.0 / 512.0),
                // Scales and minima are off by half a 63rd of the largest, too: together half of a range that is twice as large.
                (WeightType::Q4_K, 1.0 / 15.0 + 1.5 / 63.0),
                (WeightType::Q5_K, 1.0 / 31.0 + 1.5 / 63.0),
                // Scales are off by a 128th of the largest where it is cut as weights are.
                (WeightType::Q6_K, 1.0 / 32.0 + 1.0 / 128.0 + 1.0 / 1024.0),
                // As Q4_K's, with three steps, and 15th parts.
                (WeightType::Q2_K, 1.0 / 3.0 + 1.5 / 15.0),
                (WeightType::Q3_K, 1.0 / 4.0 + 1.0 / 32.0 + 1.0 / 1024.0),
                // The farthest value on the other side is 113.
                (WeightType::IQ4_NL, 14.0 / 127.0 + 1.0 / 1024.0),
                (WeightType::IQ4_XS, 14.0 / 127.0 + 1.0 / 32.0 + 1.0 / 1024.0),
                // All from 1.5 times a power of two on are cut.
                (WeightType::MXFP4, 1.0 / 4.0),
                (WeightType::NVFP4, 1.0 / 6.0 + 1.0 / 16.0),
                (WeightType::TQ1_0, 1.0 / 2.0 + 1.0 / 1024.0),
                (WeightType::TQ2_0, 1.0 / 2.0 + 1.0 / 1024.0),
                (WeightType::Q1_0, 1.0),
                (WeightType::Q2_0, 1.0 / 2.0 + 1.0 / 1024.0),
            ];
            for (ty, bound) in bounds {
                let (mut raw, mut back) = (Vec::new(), [0f32; 256]);
                quantise(ty, &weights, &mut raw).unwrap();
                prop_assert_eq!(raw.len(), 256 / ty.block_len() * ty.block_bytes());
                dequantise(ty, &raw, &mut back).unwrap();
                for (w, b) in weights.iter().zip(&back) {
                    prop_assert!((w - b).abs() <= largest * bound, "{}: {} became {}", ty, w, b);
                }
            }
        }

        /// Lists lack most combinations of numbers, and types of even signs half of those of signs, so that single weights may be far off;
        /// here as shares of the root mean square of all.
        #[test]
        fn quantised_weights_of_lists_come_back_on_the_whole(weights in proptest::collection::vec(-4f32..4.0, 256)) {
            let bounds = [
                (WeightType::IQ2_XXS, 0.42),
                (WeightType::IQ2_XS, 0.38),
                (WeightType::IQ2_S, 0.32),
                (WeightType::IQ3_XXS, 0.27),
                (WeightType::IQ3_S, 0.2),
                (WeightType::IQ1_S, 0.57),
                (WeightType::IQ1_M, 0.53),
            ];
            for (ty, bound) in bounds {
                let (mut raw, mut back) = (Vec::new(), [0f32; 256]);
                quantise(ty, &weights, &mut raw).unwrap();
                prop_assert_eq!(raw.len(), ty.block_bytes());
                dequantise(ty, &raw, &mut back).unwrap();
                let size = weights.iter().map(|w| w * w).sum::<f32>();
                let off = weights.iter().zip(&back).map(|(w, b)| (w - b).powi(2)).sum::<f32>();
                prop_assert!((off / size).sqrt() <= bound, "{}: {}", ty, (off / size).sqrt());
            }
        }
    }
}
