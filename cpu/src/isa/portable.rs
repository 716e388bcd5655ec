//! Plain Rust.

use super::Isa;

/// No instructions but those that every target has.
#[derive(Debug, Clone, Copy)]
pub struct Portable;

impl Isa for Portable {
    type Bytes = [u8; 32];
    type Floats = [f32; 8];

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
    fn zero(self) -> [f32; 8] {
        [0.0; 8]
    }

    #[inline(always)]
    fn load_floats(self, floats: &[f32; 8]) -> [f32; 8] {
        *floats
    }

    #[inline(always)]
    fn store_floats(self, floats: [f32; 8], to: &mut [f32; 8]) {
        *to = floats;
    }

    #[inline(always)]
    fn widen_unsigned(self, bytes: [u8; 32]) -> [[f32; 8]; 4] {
        std::array::from_fn(|i| std::array::from_fn(|j| f32::from(bytes[8 * i + j])))
    }

    #[inline(always)]
    fn widen_signed(self, bytes: [u8; 32]) -> [[f32; 8]; 4] {
        std::array::from_fn(|i| std::array::from_fn(|j| f32::from(bytes[8 * i + j] as i8)))
    }

    #[inline(always)]
    fn times(self, a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        std::array::from_fn(|i| a[i] * b[i])
    }

    #[inline(always)]
    fn times_add(self, a: [f32; 8], b: [f32; 8], c: [f32; 8]) -> [f32; 8] {
        std::array::from_fn(|i| a[i] * b[i] + c[i])
    }

    #[inline(always)]
    fn splat(self, float: f32) -> [f32; 8] {
        [float; 8]
    }

    #[inline(always)]
    fn add(self, a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        std::array::from_fn(|i| a[i] + b[i])
    }

    #[inline(always)]
    fn total(self, sums: [f32; 8]) -> f32 {
        let fours: [f32; 4] = std::array::from_fn(|i| sums[i] + sums[i + 4]);
        (fours[0] + fours[2]) + (fours[1] + fours[3])
    }
}
