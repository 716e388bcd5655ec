//! Plain Rust.

use super::Isa;

/// No instructions but those that every target has.
#[derive(Debug, Clone, Copy)]
pub struct Portable;

impl Isa for Portable {
    type Bytes = [u8; 32];
    type Wide = [f32; 32];
    type Sums = [f32; 8];

    #[inline(always)]
    fn load(self, bytes: &[u8; 32]) -> [u8; 32] {
        *bytes
    }

    #[inline(always)]
    fn load_nibbles(self, bytes: &[u8; 16]) -> [u8; 32] {
        std::array::from_fn(|i| if i < 16 { bytes[i] & 15 } else { bytes[i - 16] >> 4 })
    }

    #[inline(always)]
    fn sixteens(self, bits: u32) -> [u8; 32] {
        std::array::from_fn(|i| ((bits >> i) & 1) as u8 * 16)
    }

    #[inline(always)]
    fn bits(self, bytes: [u8; 32], shift: u32, mask: u8) -> [u8; 32] {
        bytes.map(|byte| (byte >> shift) & mask)
    }

    #[inline(always)]
    fn times_16(self, bytes: [u8; 32]) -> [u8; 32] {
        bytes.map(|byte| byte << 4)
    }

    #[inline(always)]
    fn minus_32(self, bytes: [u8; 32]) -> [u8; 32] {
        bytes.map(|byte| byte.wrapping_sub(32))
    }

    #[inline(always)]
    fn or(self, a: [u8; 32], b: [u8; 32]) -> [u8; 32] {
        std::array::from_fn(|i| a[i] | b[i])
    }

    #[inline(always)]
    fn widen_unsigned(self, bytes: [u8; 32]) -> [f32; 32] {
        bytes.map(f32::from)
    }

    #[inline(always)]
    fn widen_signed(self, bytes: [u8; 32]) -> [f32; 32] {
        bytes.map(|byte| f32::from(byte as i8))
    }

    #[inline(always)]
    fn zero(self) -> [f32; 8] {
        [0.0; 8]
    }

    #[inline(always)]
    fn add_scaled(self, sums: [f32; 8], weights: [f32; 32], x: &[f32; 32], scale: f32) -> [f32; 8] {
        let two = |i: usize| weights[i] * x[i] + weights[i + 8] * x[i + 8];
        std::array::from_fn(|i| sums[i] + scale * (two(i) + two(i + 16)))
    }

    #[inline(always)]
    fn add_scaled_halves(self, sums: [f32; 8], weights: [f32; 32], x: &[f32; 32], scales: [f32; 2]) -> [f32; 8] {
        let two = |i: usize| weights[i] * x[i] + weights[i + 8] * x[i + 8];
        std::array::from_fn(|i| sums[i] + scales[0] * two(i) + scales[1] * two(i + 16))
    }

    #[inline(always)]
    fn total(self, sums: [f32; 8]) -> f32 {
        let fours: [f32; 4] = std::array::from_fn(|i| sums[i] + sums[i + 4]);
        (fours[0] + fours[2]) + (fours[1] + fours[3])
    }
}
