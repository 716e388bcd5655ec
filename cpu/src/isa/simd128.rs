//! WebAssembly's vectors of 128 bits.

use std::arch::wasm32::*;

use super::{Isa, Task};

/// What the module is compiled with: a browser that lacks it refuses the module as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Simd128;

impl Simd128 {
    /// Runs `task`, in a function of its own: compilers of WebAssembly do badly on large ones.
    #[inline(never)]
    pub fn run<T: Task>(self, task: T) -> T::Output {
        task.run(self)
    }
}

fn both(make: impl Fn(usize) -> v128) -> [v128; 2] {
    [make(0), make(1)]
}

/// `a * b + c`. Relaxed vectors, which round once where the processor can, gained nothing.
#[inline(always)]
fn times_add(a: v128, b: v128, c: v128) -> v128 {
    f32x4_add(f32x4_mul(a, b), c)
}

// SAFETY of all blocks below: loads and stores are of 16 bytes within the arrays.
#[allow(clippy::undocumented_unsafe_blocks, reason = "said above")]
impl Isa for Simd128 {
    type Bytes = [v128; 2];
    type Wide = [v128; 8];
    type Lanes = v128;
    type Ints = v128;
    type Pairs = v128;

    const LANES: usize = 4;
    // Of a whole byte, processors make different things.
    const FOURS: u32 = if cfg!(target_feature = "relaxed-simd") { 7 } else { 0 };

    fn apart<T: Task>(self, task: T) -> T::Output {
        self.run(task)
    }

    #[inline(always)]
    fn load(self, bytes: &[u8; 32]) -> [v128; 2] {
        both(|i| unsafe { v128_load(bytes.as_chunks::<16>().0[i].as_ptr().cast()) })
    }

    #[inline(always)]
    fn load_nibbles(self, bytes: &[u8; 16]) -> [v128; 2] {
        let bytes = unsafe { v128_load(bytes.as_ptr().cast()) };
        [v128_and(bytes, u8x16_splat(15)), u8x16_shr(bytes, 4)]
    }

    #[inline(always)]
    fn load_pairs(self, bytes: &[u8; 16]) -> [v128; 2] {
        let [low, high] = self.load_nibbles(bytes);
        [
            i8x16_shuffle::<0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23>(low, high),
            i8x16_shuffle::<8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31>(low, high),
        ]
    }

    #[inline(always)]
    fn sixteens(self, bits: u32) -> [v128; 2] {
        let bits = u32x4_splat(bits);
        let bit = u64x2_splat(0x8040_2010_0804_0201);
        let bytes = [
            i8x16_shuffle::<0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1>(bits, bits),
            i8x16_shuffle::<2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3>(bits, bits),
        ];
        bytes.map(|bytes| v128_and(i8x16_eq(v128_and(bytes, bit), bit), u8x16_splat(16)))
    }

    #[inline(always)]
    fn bits(self, bytes: [v128; 2], shift: u32, mask: u8) -> [v128; 2] {
        // By halves: WebAssembly's shifts of bytes are several instructions of most processors.
        bytes.map(|bytes| v128_and(u16x8_shr(bytes, shift), u8x16_splat(mask)))
    }

    #[inline(always)]
    fn times_16(self, bytes: [v128; 2]) -> [v128; 2] {
        bytes.map(|bytes| i16x8_shl(bytes, 4))
    }

    #[inline(always)]
    fn minus(self, bytes: [v128; 2], amount: u8) -> [v128; 2] {
        bytes.map(|bytes| i8x16_sub(bytes, u8x16_splat(amount)))
    }

    #[inline(always)]
    fn or(self, a: [v128; 2], b: [v128; 2]) -> [v128; 2] {
        both(|i| v128_or(a[i], b[i]))
    }

    #[inline(always)]
    fn widen(self, bytes: [v128; 2]) -> [v128; 8] {
        std::array::from_fn(|i| {
            let bytes = bytes[i / 4];
            let eight = if i % 4 < 2 { i16x8_extend_low_i8x16(bytes) } else { i16x8_extend_high_i8x16(bytes) };
            let four = if i % 2 == 0 { i32x4_extend_low_i16x8(eight) } else { i32x4_extend_high_i16x8(eight) };
            f32x4_convert_i32x4(four)
        })
    }

    #[inline(always)]
    fn load_floats(self, floats: &[u8; 128]) -> [v128; 8] {
        std::array::from_fn(|i| unsafe { v128_load(floats.as_chunks::<16>().0[i].as_ptr().cast()) })
    }

    #[inline(always)]
    fn widen_f16(self, halves: &[u8; 64]) -> [v128; 8] {
        std::array::from_fn(|i| {
            let halves = unsafe { v128_load64_zero(halves.as_chunks::<8>().0[i].as_ptr().cast()) };
            let bits = u32x4_extend_low_u16x8(halves);
            // Exponent and mantissa where a float has them, its exponent being too small by 112: a product mends that, also for numbers
            // whose exponent is 0. Infinities and NaN have all bits of the exponent set in both.
            let magnitude = u32x4_shl(v128_and(bits, u32x4_splat(0x7fff)), 13);
            let number = f32x4_mul(magnitude, u32x4_splat((112 + 127) << 23));
            let special = v128_and(u32x4_ge(magnitude, u32x4_splat(0x7c00 << 13)), u32x4_splat(0x7f80_0000));
            let sign = u32x4_shl(v128_and(bits, u32x4_splat(0x8000)), 16);
            v128_or(v128_or(number, special), sign)
        })
    }

    #[inline(always)]
    fn widen_bf16(self, halves: &[u8; 64]) -> [v128; 8] {
        std::array::from_fn(|i| {
            let halves = unsafe { v128_load(halves.as_chunks::<16>().0[i / 2].as_ptr().cast()) };
            let zero = u16x8_splat(0);
            match i % 2 {
                0 => i16x8_shuffle::<0, 8, 1, 9, 2, 10, 3, 11>(zero, halves),
                _ => i16x8_shuffle::<4, 12, 5, 13, 6, 14, 7, 15>(zero, halves),
            }
        })
    }

    #[inline(always)]
    fn half(self, bytes: [u8; 2]) -> f32 {
        // As in `widen_f16`; the library's conversion branches.
        let bits = u32::from(u16::from_le_bytes(bytes));
        let magnitude = (bits & 0x7fff) << 13;
        let number = f32::from_bits(magnitude) * f32::from_bits((112 + 127) << 23);
        let special = if magnitude >= 0x7c00 << 13 { 0x7f80_0000 } else { 0 };
        f32::from_bits(number.to_bits() | special | (bits & 0x8000) << 16)
    }

    #[inline(always)]
    fn store(self, floats: [v128; 8], to: &mut [f32; 32]) {
        for (to, floats) in to.as_chunks_mut::<4>().0.iter_mut().zip(floats) {
            unsafe { v128_store(to.as_mut_ptr().cast(), floats) }
        }
    }

    #[inline(always)]
    fn times(self, a: [v128; 8], scales: [f32; 2]) -> [v128; 8] {
        let scales = scales.map(|scale| f32x4_splat(scale));
        std::array::from_fn(|i| f32x4_mul(a[i], scales[i / 4]))
    }

    #[inline(always)]
    fn plus(self, a: [v128; 8], amounts: [f32; 2]) -> [v128; 8] {
        let amounts = amounts.map(|amount| f32x4_splat(amount));
        std::array::from_fn(|i| f32x4_add(a[i], amounts[i / 4]))
    }

    #[inline(always)]
    fn part(self, floats: [v128; 8], number: usize) -> v128 {
        floats[number]
    }

    #[inline(always)]
    fn transpose(self, rows: &[u32], stride: usize, to: &mut [u32]) {
        for (i, to) in to.as_chunks_mut::<16>().0.iter_mut().enumerate() {
            let row = |lane: usize| unsafe { v128_load(rows[lane * stride + 4 * i..][..4].as_ptr().cast()) };
            let [a, b, c, d] = [row(0), row(1), row(2), row(3)];
            let (ab, cd) = (i32x4_shuffle::<0, 4, 1, 5>(a, b), i32x4_shuffle::<0, 4, 1, 5>(c, d));
            let (ab_high, cd_high) = (i32x4_shuffle::<2, 6, 3, 7>(a, b), i32x4_shuffle::<2, 6, 3, 7>(c, d));
            let lanes = [
                i64x2_shuffle::<0, 2>(ab, cd),
                i64x2_shuffle::<1, 3>(ab, cd),
                i64x2_shuffle::<0, 2>(ab_high, cd_high),
                i64x2_shuffle::<1, 3>(ab_high, cd_high),
            ];
            for (to, lanes) in to.as_chunks_mut::<4>().0.iter_mut().zip(lanes) {
                unsafe { v128_store(to.as_mut_ptr().cast(), lanes) }
            }
        }
    }

    #[inline(always)]
    fn pairs(self, pairs: &[u32]) -> v128 {
        unsafe { v128_load(pairs[..4].as_ptr().cast()) }
    }

    #[inline(always)]
    fn store_pairs(self, pairs: v128, to: &mut [u32]) {
        unsafe { v128_store(to[..4].as_mut_ptr().cast(), pairs) }
    }

    #[inline(always)]
    fn shift_right(self, pairs: v128, by: u32) -> v128 {
        u32x4_shr(pairs, by)
    }

    #[inline(always)]
    fn shift_left(self, pairs: v128, by: u32) -> v128 {
        i32x4_shl(pairs, by)
    }

    #[inline(always)]
    fn mask(self, pairs: v128, mask: u32) -> v128 {
        v128_and(pairs, u32x4_splat(mask))
    }

    #[inline(always)]
    fn either(self, a: v128, b: v128) -> v128 {
        v128_or(a, b)
    }

    #[inline(always)]
    fn looked_up(self, values: &[i8; 16], fours: v128) -> v128 {
        u8x16_swizzle(unsafe { v128_load(values.as_ptr().cast()) }, fours)
    }

    #[inline(always)]
    fn low_bytes(self, pairs: v128) -> v128 {
        i16x8_shr(i16x8_shl(pairs, 8), 8)
    }

    #[inline(always)]
    fn high_bytes(self, pairs: v128) -> v128 {
        i16x8_shr(pairs, 8)
    }

    #[inline(always)]
    fn ints(self, pairs: v128) -> v128 {
        pairs
    }

    #[inline(always)]
    fn signed_bytes(self, pairs: v128, number: u32) -> v128 {
        i32x4_shr(i32x4_shl(pairs, 24 - 8 * number), 24)
    }

    #[inline(always)]
    fn add_pairs(self, sums: v128, weights: v128, x: u32) -> v128 {
        i32x4_add(sums, i32x4_dot_i16x8(weights, i32x4_splat(x as i32)))
    }

    #[cfg(target_feature = "relaxed-simd")]
    #[inline(always)]
    fn add_fours(self, sums: v128, weights: v128, x: u32) -> v128 {
        i32x4_relaxed_dot_i8x16_i7x16_add(i32x4_splat(x as i32), weights, sums)
    }

    #[inline(always)]
    fn no_ints(self) -> v128 {
        i32x4_splat(0)
    }

    #[inline(always)]
    fn all_ints(self, int: i32) -> v128 {
        i32x4_splat(int)
    }

    #[inline(always)]
    fn joined(self, high: v128, low: v128) -> v128 {
        i32x4_add(i32x4_shl(high, 8), low)
    }

    #[inline(always)]
    fn zero(self) -> v128 {
        f32x4_splat(0.0)
    }

    #[inline(always)]
    fn lanes(self, floats: &[f32]) -> v128 {
        unsafe { v128_load(floats[..4].as_ptr().cast()) }
    }

    #[inline(always)]
    fn all(self, float: f32) -> v128 {
        f32x4_splat(float)
    }

    #[inline(always)]
    fn floats(self, ints: v128) -> v128 {
        f32x4_convert_i32x4(ints)
    }

    #[inline(always)]
    fn add(self, a: v128, b: v128) -> v128 {
        f32x4_add(a, b)
    }

    #[inline(always)]
    fn multiply(self, a: v128, b: v128) -> v128 {
        f32x4_mul(a, b)
    }

    #[inline(always)]
    fn multiply_add(self, a: v128, b: v128, c: v128) -> v128 {
        times_add(a, b, c)
    }

    #[inline(always)]
    fn total(self, lanes: v128) -> f32 {
        (f32x4_extract_lane::<0>(lanes) + f32x4_extract_lane::<2>(lanes))
            + (f32x4_extract_lane::<1>(lanes) + f32x4_extract_lane::<3>(lanes))
    }

    #[inline(always)]
    fn store_lanes(self, lanes: v128, to: &mut [f32]) {
        unsafe { v128_store(to[..4].as_mut_ptr().cast(), lanes) }
    }
}
