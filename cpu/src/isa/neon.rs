//! AArch64 with vectors of 128 bits (NEON).

use std::arch::aarch64::*;

use super::{Isa, Task};

/// NEON, with dot products of bytes where that is asked for; there is none where the processor lacks one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Neon<const DOT: bool>(());

impl<const DOT: bool> Neon<DOT> {
    /// The token, where the processor has the instructions.
    pub fn detect() -> Option<Neon<DOT>> {
        let all = std::arch::is_aarch64_feature_detected!("neon")
            && (!DOT || std::arch::is_aarch64_feature_detected!("dotprod"));
        all.then_some(Neon(()))
    }

    /// Runs `task`, compiled for these instructions.
    pub fn run<T: Task>(self, task: T) -> T::Output {
        #[inline(never)]
        #[target_feature(enable = "neon")]
        fn run<T: Task, const DOT: bool>(isa: Neon<DOT>, task: T) -> T::Output {
            task.run(isa)
        }
        // SAFETY: the token is made only where the processor has the feature.
        unsafe { run(self, task) }
    }
}

// SAFETY of all blocks below: a token exists only where the processor has what they need, and pointers are to arrays of the size that is
// read or written.
#[allow(clippy::undocumented_unsafe_blocks, reason = "said above")]
impl<const DOT: bool> Isa for Neon<DOT> {
    type Bytes = [uint8x16_t; 2];
    type Wide = [float32x4_t; 8];
    type Lanes = float32x4_t;
    type Ints = int32x4_t;
    type Pairs = uint32x4_t;

    const LANES: usize = 4;
    // Bytes of x of either kind have sums of their own.
    const VECTORS: usize = if DOT { 1 } else { 2 };
    const FOURS: u32 = if DOT { 8 } else { 0 };
    const FOURS_OF_MANY: bool = DOT;

    fn apart<T: Task>(self, task: T) -> T::Output {
        self.run(task)
    }

    #[inline(always)]
    fn prefetch(self, word: &u32) {
        // The instruction has no stable intrinsic; it only hints, and reads or writes nothing.
        unsafe {
            std::arch::asm!("prfm pldl2keep, [{}]", in(reg) word, options(nostack, preserves_flags, readonly));
        }
    }

    #[inline(always)]
    fn load(self, bytes: &[u8; 32]) -> [uint8x16_t; 2] {
        unsafe { [vld1q_u8(bytes.as_ptr()), vld1q_u8(bytes[16..].as_ptr())] }
    }

    #[inline(always)]
    fn load_nibbles(self, bytes: &[u8; 16]) -> [uint8x16_t; 2] {
        unsafe {
            let bytes = vld1q_u8(bytes.as_ptr());
            [vandq_u8(bytes, vdupq_n_u8(15)), vshrq_n_u8::<4>(bytes)]
        }
    }

    #[inline(always)]
    fn load_pairs(self, bytes: &[u8; 16]) -> [uint8x16_t; 2] {
        let [low, high] = self.load_nibbles(bytes);
        unsafe { [vzip1q_u8(low, high), vzip2q_u8(low, high)] }
    }

    #[inline(always)]
    fn sixteens(self, bits: u32) -> [uint8x16_t; 2] {
        unsafe {
            // The byte of each lane's bit, then that bit alone.
            let bits = vreinterpretq_u8_u32(vdupq_n_u32(bits));
            let bit = vreinterpretq_u8_u64(vdupq_n_u64(0x8040_2010_0804_0201));
            let (first, last) = (vcombine_u8(vdup_n_u8(0), vdup_n_u8(1)), vcombine_u8(vdup_n_u8(2), vdup_n_u8(3)));
            let sixteen = vdupq_n_u8(16);
            [
                vandq_u8(vtstq_u8(vqtbl1q_u8(bits, first), bit), sixteen),
                vandq_u8(vtstq_u8(vqtbl1q_u8(bits, last), bit), sixteen),
            ]
        }
    }

    #[inline(always)]
    fn bits(self, bytes: [uint8x16_t; 2], shift: u32, mask: u8) -> [uint8x16_t; 2] {
        unsafe {
            let (by, mask) = (vdupq_n_s8(-(shift as i8)), vdupq_n_u8(mask));
            [vandq_u8(vshlq_u8(bytes[0], by), mask), vandq_u8(vshlq_u8(bytes[1], by), mask)]
        }
    }

    #[inline(always)]
    fn times_16(self, bytes: [uint8x16_t; 2]) -> [uint8x16_t; 2] {
        unsafe { [vshlq_n_u8::<4>(bytes[0]), vshlq_n_u8::<4>(bytes[1])] }
    }

    #[inline(always)]
    fn minus(self, bytes: [uint8x16_t; 2], amount: u8) -> [uint8x16_t; 2] {
        unsafe {
            let amount = vdupq_n_u8(amount);
            [vsubq_u8(bytes[0], amount), vsubq_u8(bytes[1], amount)]
        }
    }

    #[inline(always)]
    fn or(self, a: [uint8x16_t; 2], b: [uint8x16_t; 2]) -> [uint8x16_t; 2] {
        unsafe { [vorrq_u8(a[0], b[0]), vorrq_u8(a[1], b[1])] }
    }

    #[inline(always)]
    fn widen(self, bytes: [uint8x16_t; 2]) -> [float32x4_t; 8] {
        let mut floats = [self.zero(); 8];
        let numbers = unsafe {
            let [first, last] = [vreinterpretq_s8_u8(bytes[0]), vreinterpretq_s8_u8(bytes[1])];
            [vmovl_s8(vget_low_s8(first)), vmovl_high_s8(first), vmovl_s8(vget_low_s8(last)), vmovl_high_s8(last)]
        };
        for i in 0..4 {
            unsafe {
                floats[2 * i] = vcvtq_f32_s32(vmovl_s16(vget_low_s16(numbers[i])));
                floats[2 * i + 1] = vcvtq_f32_s32(vmovl_high_s16(numbers[i]));
            }
        }
        floats
    }

    #[inline(always)]
    fn load_floats(self, bytes: &[u8; 128]) -> [float32x4_t; 8] {
        let fours = bytes.as_chunks::<16>().0;
        let mut floats = [self.zero(); 8];
        for i in 0..8 {
            floats[i] = unsafe { vreinterpretq_f32_u8(vld1q_u8(fours[i].as_ptr())) };
        }
        floats
    }

    #[inline(always)]
    fn widen_f16(self, halves: &[u8; 64]) -> [float32x4_t; 8] {
        let fours = halves.as_chunks::<8>().0;
        let mut floats = [self.zero(); 8];
        for i in 0..8 {
            floats[i] = unsafe { vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(fours[i].as_ptr()))) };
        }
        floats
    }

    #[inline(always)]
    fn widen_bf16(self, halves: &[u8; 64]) -> [float32x4_t; 8] {
        let fours = halves.as_chunks::<8>().0;
        let mut floats = [self.zero(); 8];
        for i in 0..8 {
            unsafe {
                let words = vshll_n_u16::<16>(vreinterpret_u16_u8(vld1_u8(fours[i].as_ptr())));
                floats[i] = vreinterpretq_f32_u32(words);
            }
        }
        floats
    }

    #[inline(always)]
    fn half(self, bytes: [u8; 2]) -> f32 {
        unsafe { vgetq_lane_f32::<0>(vcvt_f32_f16(vreinterpret_f16_u16(vdup_n_u16(u16::from_le_bytes(bytes))))) }
    }

    #[inline(always)]
    fn store(self, floats: [float32x4_t; 8], to: &mut [f32; 32]) {
        for (to, floats) in to.as_chunks_mut::<4>().0.iter_mut().zip(floats) {
            unsafe { vst1q_f32(to.as_mut_ptr(), floats) }
        }
    }

    #[inline(always)]
    fn times(self, mut a: [float32x4_t; 8], scales: [f32; 2]) -> [float32x4_t; 8] {
        for i in 0..8 {
            a[i] = unsafe { vmulq_n_f32(a[i], scales[i / 4]) };
        }
        a
    }

    #[inline(always)]
    fn plus(self, mut a: [float32x4_t; 8], amounts: [f32; 2]) -> [float32x4_t; 8] {
        let amounts = [self.all(amounts[0]), self.all(amounts[1])];
        for i in 0..8 {
            a[i] = self.add(a[i], amounts[i / 4]);
        }
        a
    }

    #[inline(always)]
    fn part(self, floats: [float32x4_t; 8], number: usize) -> float32x4_t {
        floats[number]
    }

    #[inline(always)]
    fn transpose(self, rows: &[u32], stride: usize, to: &mut [u32]) {
        for (i, to) in to.as_chunks_mut::<16>().0.iter_mut().enumerate() {
            let mut rows_of_four = [[0; 4]; 4];
            for (lane, row) in rows_of_four.iter_mut().enumerate() {
                row.copy_from_slice(&rows[lane * stride + 4 * i..][..4]);
            }
            let [a, b, c, d] = &rows_of_four;
            unsafe {
                let [a, b] = [vld1q_u32(a.as_ptr()), vld1q_u32(b.as_ptr())];
                let [c, d] = [vld1q_u32(c.as_ptr()), vld1q_u32(d.as_ptr())];
                let ab = vreinterpretq_u64_u32(vtrn1q_u32(a, b));
                let cd = vreinterpretq_u64_u32(vtrn1q_u32(c, d));
                let ab_odd = vreinterpretq_u64_u32(vtrn2q_u32(a, b));
                let cd_odd = vreinterpretq_u64_u32(vtrn2q_u32(c, d));
                let columns =
                    [vtrn1q_u64(ab, cd), vtrn1q_u64(ab_odd, cd_odd), vtrn2q_u64(ab, cd), vtrn2q_u64(ab_odd, cd_odd)];
                for (to, column) in to.as_chunks_mut::<4>().0.iter_mut().zip(columns) {
                    vst1q_u32(to.as_mut_ptr(), vreinterpretq_u32_u64(column));
                }
            }
        }
    }

    #[inline(always)]
    fn pairs(self, pairs: &[u32]) -> uint32x4_t {
        unsafe { vld1q_u32(pairs[..4].as_ptr()) }
    }

    #[inline(always)]
    fn store_pairs(self, pairs: uint32x4_t, to: &mut [u32]) {
        unsafe { vst1q_u32(to[..4].as_mut_ptr(), pairs) }
    }

    #[inline(always)]
    fn shift_right(self, pairs: uint32x4_t, by: u32) -> uint32x4_t {
        unsafe { vshlq_u32(pairs, vdupq_n_s32(-(by as i32))) }
    }

    #[inline(always)]
    fn shift_left(self, pairs: uint32x4_t, by: u32) -> uint32x4_t {
        unsafe { vshlq_u32(pairs, vdupq_n_s32(by as i32)) }
    }

    #[inline(always)]
    fn mask(self, pairs: uint32x4_t, mask: u32) -> uint32x4_t {
        unsafe { vandq_u32(pairs, vdupq_n_u32(mask)) }
    }

    #[inline(always)]
    fn either(self, a: uint32x4_t, b: uint32x4_t) -> uint32x4_t {
        unsafe { vorrq_u32(a, b) }
    }

    #[inline(always)]
    fn looked_up(self, values: &[i8; 16], fours: uint32x4_t) -> uint32x4_t {
        unsafe {
            let values = vreinterpretq_u8_s8(vld1q_s8(values.as_ptr()));
            vreinterpretq_u32_u8(vqtbl1q_u8(values, vreinterpretq_u8_u32(fours)))
        }
    }

    #[inline(always)]
    fn low_bytes(self, pairs: uint32x4_t) -> uint32x4_t {
        unsafe {
            let high = vshlq_n_s16::<8>(vreinterpretq_s16_u32(pairs));
            vreinterpretq_u32_s16(vshrq_n_s16::<8>(high))
        }
    }

    #[inline(always)]
    fn high_bytes(self, pairs: uint32x4_t) -> uint32x4_t {
        unsafe { vreinterpretq_u32_s16(vshrq_n_s16::<8>(vreinterpretq_s16_u32(pairs))) }
    }

    #[inline(always)]
    fn ints(self, pairs: uint32x4_t) -> int32x4_t {
        unsafe { vreinterpretq_s32_u32(pairs) }
    }

    #[inline(always)]
    fn signed_bytes(self, pairs: uint32x4_t, number: u32) -> int32x4_t {
        unsafe { vshrq_n_s32::<24>(self.ints(self.shift_left(pairs, 24 - 8 * number))) }
    }

    #[inline(always)]
    fn add_pairs(self, sums: int32x4_t, weights: uint32x4_t, x: u32) -> int32x4_t {
        unsafe {
            // Compilers part the weights once for all rows of x.
            let weights = vreinterpretq_s32_u32(weights);
            let (first, second) = (vmovn_s32(weights), vshrn_n_s32::<16>(weights));
            vmlal_n_s16(vmlal_n_s16(sums, first, x as i16), second, (x >> 16) as i16)
        }
    }

    #[inline(always)]
    fn add_fours(self, mut sums: int32x4_t, weights: uint32x4_t, x: u32) -> int32x4_t {
        // The instruction has no stable intrinsic. Numbers of fewer than 8 bits are the same with a sign.
        unsafe {
            std::arch::asm!(
                ".arch_extension dotprod",
                "sdot {:v}.4s, {:v}.16b, {:v}.16b",
                inout(vreg) sums,
                in(vreg) weights,
                in(vreg) vdupq_n_u32(x),
                options(pure, nomem, nostack, preserves_flags),
            );
        }
        sums
    }

    #[inline(always)]
    fn no_ints(self) -> int32x4_t {
        unsafe { vdupq_n_s32(0) }
    }

    #[inline(always)]
    fn all_ints(self, int: i32) -> int32x4_t {
        unsafe { vdupq_n_s32(int) }
    }

    #[inline(always)]
    fn joined(self, high: int32x4_t, low: int32x4_t) -> int32x4_t {
        unsafe { vaddq_s32(vshlq_n_s32::<8>(high), low) }
    }

    #[inline(always)]
    fn zero(self) -> float32x4_t {
        unsafe { vdupq_n_f32(0.0) }
    }

    #[inline(always)]
    fn lanes(self, floats: &[f32]) -> float32x4_t {
        unsafe { vld1q_f32(floats[..4].as_ptr()) }
    }

    #[inline(always)]
    fn all(self, float: f32) -> float32x4_t {
        unsafe { vdupq_n_f32(float) }
    }

    #[inline(always)]
    fn floats(self, ints: int32x4_t) -> float32x4_t {
        unsafe { vcvtq_f32_s32(ints) }
    }

    #[inline(always)]
    fn add(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        unsafe { vaddq_f32(a, b) }
    }

    #[inline(always)]
    fn multiply(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        unsafe { vmulq_f32(a, b) }
    }

    #[inline(always)]
    fn multiply_add(self, a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t {
        unsafe { vfmaq_f32(c, a, b) }
    }

    #[inline(always)]
    fn total(self, lanes: float32x4_t) -> f32 {
        unsafe {
            let twos = vadd_f32(vget_low_f32(lanes), vget_high_f32(lanes));
            vget_lane_f32::<0>(twos) + vget_lane_f32::<1>(twos)
        }
    }

    #[inline(always)]
    fn store_lanes(self, lanes: float32x4_t, to: &mut [f32]) {
        unsafe { vst1q_f32(to[..4].as_mut_ptr(), lanes) }
    }
}
