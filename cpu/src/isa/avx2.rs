//! x86-64 with AVX2.

use std::arch::x86_64::*;

use super::{Isa, Task};

/// AVX2, FMA and F16C, and AVX-VNNI where that is asked for; there is none where the processor lacks one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Avx2<const VNNI: bool>(());

impl<const VNNI: bool> Avx2<VNNI> {
    /// The token, where the processor has the instructions.
    pub fn detect() -> Option<Avx2<VNNI>> {
        let all =
            is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c");
        let all = all && (!VNNI || is_x86_feature_detected!("avxvnni"));
        all.then_some(Avx2(()))
    }

    /// Runs `task`, compiled for these instructions.
    pub fn run<T: Task>(self, task: T) -> T::Output {
        #[inline(never)]
        #[target_feature(enable = "avx2,fma,f16c")]
        fn run<T: Task, const VNNI: bool>(isa: Avx2<VNNI>, task: T) -> T::Output {
            task.run(isa)
        }
        // SAFETY: the token is made only where the processor has the features.
        unsafe { run(self, task) }
    }
}

/// [`_mm256_dpwssd_avx_epi32`], of which compilers make two instructions.
#[inline]
#[target_feature(enable = "avx2")]
fn add_products_of_pairs(mut sums: __m256i, weights: __m256i, x: __m256i) -> __m256i {
    // SAFETY: callers have AVX-VNNI, and it touches nothing but these registers.
    unsafe {
        std::arch::asm!(
            "{{vex}} vpdpwssd {}, {}, {}",
            inout(ymm_reg) sums,
            in(ymm_reg) weights,
            in(ymm_reg) x,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sums
}

// SAFETY of all blocks below: a token exists only where the processor has what they need, and pointers are to arrays of the size that is
// read or written.
#[allow(clippy::undocumented_unsafe_blocks, reason = "said above")]
impl<const VNNI: bool> Avx2<VNNI> {
    /// Bytes eight by eight, each in the low half of a vector.
    #[inline(always)]
    fn eights(self, bytes: __m256i) -> [__m128i; 4] {
        unsafe {
            let (low, high) = (_mm256_castsi256_si128(bytes), _mm256_extracti128_si256(bytes, 1));
            [low, _mm_srli_si128(low, 8), high, _mm_srli_si128(high, 8)]
        }
    }

    /// The sum of eight.
    #[inline(always)]
    pub(super) fn total_of_eight(self, lanes: __m256) -> f32 {
        unsafe {
            let fours = _mm_add_ps(_mm256_castps256_ps128(lanes), _mm256_extractf128_ps(lanes, 1));
            let twos = _mm_add_ps(fours, _mm_movehl_ps(fours, fours));
            _mm_cvtss_f32(_mm_add_ss(twos, _mm_movehdup_ps(twos)))
        }
    }

    /// Eight words of each of eight rows, those of a row in a lane.
    #[inline(always)]
    fn transpose_eight(self, rows: &[u32], stride: usize) -> [__m256i; 8] {
        unsafe {
            // Of rows i and i + 1, then of four rows, then of all.
            let zero = _mm256_setzero_si256();
            let (mut twos, mut fours, mut all) = ([zero; 8], [zero; 8], [zero; 8]);
            for i in [0, 2, 4, 6] {
                let row = _mm256_loadu_si256(rows[i * stride..][..8].as_ptr().cast());
                let next = _mm256_loadu_si256(rows[(i + 1) * stride..][..8].as_ptr().cast());
                twos[i] = _mm256_unpacklo_epi32(row, next);
                twos[i + 1] = _mm256_unpackhi_epi32(row, next);
            }
            for i in [0, 1, 4, 5] {
                let at = 2 * i - i / 4 * 4;
                fours[at] = _mm256_unpacklo_epi64(twos[i], twos[i + 2]);
                fours[at + 1] = _mm256_unpackhi_epi64(twos[i], twos[i + 2]);
            }
            for i in 0..4 {
                all[i] = _mm256_permute2x128_si256(fours[i], fours[i + 4], 0x20);
                all[i + 4] = _mm256_permute2x128_si256(fours[i], fours[i + 4], 0x31);
            }
            all
        }
    }
}

#[allow(clippy::undocumented_unsafe_blocks, reason = "said above")]
impl<const VNNI: bool> Isa for Avx2<VNNI> {
    type Bytes = __m256i;
    type Wide = [__m256; 4];
    type Lanes = __m256;
    type Ints = __m256i;
    type Pairs = __m256i;

    const LANES: usize = 8;

    fn apart<T: Task>(self, task: T) -> T::Output {
        self.run(task)
    }

    #[inline(always)]
    fn prefetch(self, word: &u32) {
        unsafe { _mm_prefetch::<_MM_HINT_T1>(std::ptr::from_ref(word).cast()) }
    }

    #[inline(always)]
    fn load(self, bytes: &[u8; 32]) -> __m256i {
        unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
    }

    #[inline(always)]
    fn load_nibbles(self, bytes: &[u8; 16]) -> __m256i {
        unsafe {
            let bytes = _mm_loadu_si128(bytes.as_ptr().cast());
            _mm256_and_si256(_mm256_set_m128i(_mm_srli_epi16(bytes, 4), bytes), _mm256_set1_epi8(15))
        }
    }

    #[inline(always)]
    fn load_pairs(self, bytes: &[u8; 16]) -> __m256i {
        unsafe {
            let bytes = _mm_loadu_si128(bytes.as_ptr().cast());
            let (low, high) = (bytes, _mm_srli_epi16(bytes, 4));
            let pairs = _mm256_set_m128i(_mm_unpackhi_epi8(low, high), _mm_unpacklo_epi8(low, high));
            _mm256_and_si256(pairs, _mm256_set1_epi8(15))
        }
    }

    #[inline(always)]
    fn sixteens(self, bits: u32) -> __m256i {
        unsafe {
            // The byte of each lane's bit, then that bit alone.
            let bytes = _mm256_shuffle_epi8(
                _mm256_set1_epi32(bits as i32),
                _mm256_set_epi64x(0x0303_0303_0303_0303, 0x0202_0202_0202_0202, 0x0101_0101_0101_0101, 0),
            );
            let bit = _mm256_set1_epi64x(0x8040_2010_0804_0201u64 as i64);
            let is_set = _mm256_cmpeq_epi8(_mm256_and_si256(bytes, bit), bit);
            _mm256_and_si256(is_set, _mm256_set1_epi8(16))
        }
    }

    #[inline(always)]
    fn bits(self, bytes: __m256i, shift: u32, mask: u8) -> __m256i {
        unsafe {
            let shifted = _mm256_srl_epi16(bytes, _mm_cvtsi32_si128(shift as i32));
            _mm256_and_si256(shifted, _mm256_set1_epi8(mask as i8))
        }
    }

    #[inline(always)]
    fn times_16(self, bytes: __m256i) -> __m256i {
        unsafe { _mm256_slli_epi16(bytes, 4) }
    }

    #[inline(always)]
    fn minus(self, bytes: __m256i, amount: u8) -> __m256i {
        unsafe { _mm256_sub_epi8(bytes, _mm256_set1_epi8(amount as i8)) }
    }

    #[inline(always)]
    fn or(self, a: __m256i, b: __m256i) -> __m256i {
        unsafe { _mm256_or_si256(a, b) }
    }

    #[inline(always)]
    fn widen(self, bytes: __m256i) -> [__m256; 4] {
        // No closures: they are not compiled for the set.
        let eights = self.eights(bytes);
        let mut floats = [self.zero(); 4];
        for i in 0..4 {
            floats[i] = unsafe { _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(eights[i])) };
        }
        floats
    }

    #[inline(always)]
    fn load_floats(self, floats: &[u8; 128]) -> [__m256; 4] {
        let eights = floats.as_chunks::<32>().0;
        let mut floats = [self.zero(); 4];
        for i in 0..4 {
            floats[i] = unsafe { _mm256_loadu_ps(eights[i].as_ptr().cast()) };
        }
        floats
    }

    #[inline(always)]
    fn widen_f16(self, halves: &[u8; 64]) -> [__m256; 4] {
        let eights = halves.as_chunks::<16>().0;
        let mut floats = [self.zero(); 4];
        for i in 0..4 {
            floats[i] = unsafe { _mm256_cvtph_ps(_mm_loadu_si128(eights[i].as_ptr().cast())) };
        }
        floats
    }

    #[inline(always)]
    fn widen_bf16(self, halves: &[u8; 64]) -> [__m256; 4] {
        let eights = halves.as_chunks::<16>().0;
        let mut floats = [self.zero(); 4];
        for i in 0..4 {
            unsafe {
                let words = _mm256_cvtepu16_epi32(_mm_loadu_si128(eights[i].as_ptr().cast()));
                floats[i] = _mm256_castsi256_ps(_mm256_slli_epi32(words, 16));
            }
        }
        floats
    }

    #[inline(always)]
    fn half(self, bytes: [u8; 2]) -> f32 {
        unsafe { _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(u16::from_le_bytes(bytes).into()))) }
    }

    #[inline(always)]
    fn store(self, floats: [__m256; 4], to: &mut [f32; 32]) {
        for (to, floats) in to.as_chunks_mut::<8>().0.iter_mut().zip(floats) {
            unsafe { _mm256_storeu_ps(to.as_mut_ptr(), floats) }
        }
    }

    #[inline(always)]
    fn times(self, a: [__m256; 4], scales: [f32; 2]) -> [__m256; 4] {
        unsafe {
            let [first, last] = [_mm256_set1_ps(scales[0]), _mm256_set1_ps(scales[1])];
            [
                _mm256_mul_ps(a[0], first),
                _mm256_mul_ps(a[1], first),
                _mm256_mul_ps(a[2], last),
                _mm256_mul_ps(a[3], last),
            ]
        }
    }

    #[inline(always)]
    fn plus(self, a: [__m256; 4], amounts: [f32; 2]) -> [__m256; 4] {
        let [first, last] = [self.all(amounts[0]), self.all(amounts[1])];
        [self.add(a[0], first), self.add(a[1], first), self.add(a[2], last), self.add(a[3], last)]
    }

    #[inline(always)]
    fn part(self, floats: [__m256; 4], number: usize) -> __m256 {
        floats[number]
    }

    #[inline(always)]
    fn transpose(self, rows: &[u32], stride: usize, to: &mut [u32]) {
        for (half, to) in to.as_chunks_mut::<64>().0.iter_mut().enumerate() {
            let columns = self.transpose_eight(&rows[8 * half..], stride);
            for (to, column) in to.as_chunks_mut::<8>().0.iter_mut().zip(columns) {
                unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), column) }
            }
        }
    }

    #[inline(always)]
    fn pairs(self, pairs: &[u32]) -> __m256i {
        unsafe { _mm256_loadu_si256(pairs[..8].as_ptr().cast()) }
    }

    #[inline(always)]
    fn store_pairs(self, pairs: __m256i, to: &mut [u32]) {
        unsafe { _mm256_storeu_si256(to[..8].as_mut_ptr().cast(), pairs) }
    }

    #[inline(always)]
    fn shift_right(self, pairs: __m256i, by: u32) -> __m256i {
        unsafe { _mm256_srlv_epi32(pairs, _mm256_set1_epi32(by as i32)) }
    }

    #[inline(always)]
    fn shift_left(self, pairs: __m256i, by: u32) -> __m256i {
        unsafe { _mm256_sllv_epi32(pairs, _mm256_set1_epi32(by as i32)) }
    }

    #[inline(always)]
    fn mask(self, pairs: __m256i, mask: u32) -> __m256i {
        unsafe { _mm256_and_si256(pairs, _mm256_set1_epi32(mask as i32)) }
    }

    #[inline(always)]
    fn either(self, a: __m256i, b: __m256i) -> __m256i {
        unsafe { _mm256_or_si256(a, b) }
    }

    #[inline(always)]
    fn looked_up(self, values: &[i8; 16], fours: __m256i) -> __m256i {
        unsafe {
            let values = _mm256_broadcastsi128_si256(_mm_loadu_si128(values.as_ptr().cast()));
            _mm256_shuffle_epi8(values, fours)
        }
    }

    #[inline(always)]
    fn low_bytes(self, pairs: __m256i) -> __m256i {
        unsafe { _mm256_srai_epi16(_mm256_slli_epi16(pairs, 8), 8) }
    }

    #[inline(always)]
    fn high_bytes(self, pairs: __m256i) -> __m256i {
        unsafe { _mm256_srai_epi16(pairs, 8) }
    }

    #[inline(always)]
    fn ints(self, pairs: __m256i) -> __m256i {
        pairs
    }

    #[inline(always)]
    fn signed_bytes(self, pairs: __m256i, number: u32) -> __m256i {
        unsafe { _mm256_srai_epi32(self.shift_left(pairs, 24 - 8 * number), 24) }
    }

    #[inline(always)]
    fn add_pairs(self, sums: __m256i, weights: __m256i, x: u32) -> __m256i {
        unsafe {
            let x = _mm256_set1_epi32(x as i32);
            if VNNI {
                add_products_of_pairs(sums, weights, x)
            } else {
                _mm256_add_epi32(sums, _mm256_madd_epi16(weights, x))
            }
        }
    }

    #[inline(always)]
    fn no_ints(self) -> __m256i {
        unsafe { _mm256_setzero_si256() }
    }

    #[inline(always)]
    fn all_ints(self, int: i32) -> __m256i {
        unsafe { _mm256_set1_epi32(int) }
    }

    #[inline(always)]
    fn joined(self, high: __m256i, low: __m256i) -> __m256i {
        unsafe { _mm256_add_epi32(_mm256_slli_epi32(high, 8), low) }
    }

    #[inline(always)]
    fn zero(self) -> __m256 {
        unsafe { _mm256_setzero_ps() }
    }

    #[inline(always)]
    fn lanes(self, floats: &[f32]) -> __m256 {
        unsafe { _mm256_loadu_ps(floats[..8].as_ptr()) }
    }

    #[inline(always)]
    fn all(self, float: f32) -> __m256 {
        unsafe { _mm256_set1_ps(float) }
    }

    #[inline(always)]
    fn floats(self, ints: __m256i) -> __m256 {
        unsafe { _mm256_cvtepi32_ps(ints) }
    }

    #[inline(always)]
    fn add(self, a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_add_ps(a, b) }
    }

    #[inline(always)]
    fn multiply(self, a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_mul_ps(a, b) }
    }

    #[inline(always)]
    fn multiply_add(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    fn total(self, lanes: __m256) -> f32 {
        self.total_of_eight(lanes)
    }

    #[inline(always)]
    fn store_lanes(self, lanes: __m256, to: &mut [f32]) {
        unsafe { _mm256_storeu_ps(to[..8].as_mut_ptr(), lanes) }
    }
}
