//! x86-64 with AVX-512.

use std::arch::x86_64::*;

#[cfg(target_os = "linux")]
use super::Tiles;
use super::{Avx2, Isa, Task};

/// [`Avx2`] with vectors of 512 bits: AVX-512 of a processor that has VNNI, since older ones slow down for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Avx512 {
    avx2: Avx2<false>,
    has_tiles: bool,
}

impl Avx512 {
    /// The token, where the processor has the instructions.
    pub fn detect() -> Option<Avx512> {
        let avx2 = Avx2::<false>::detect()?;
        let all = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512vnni");
        all.then_some(Avx512 { avx2, has_tiles: false })
    }

    /// The token, where the processor has AMX, too.
    #[cfg(target_os = "linux")]
    pub fn detect_with_tiles() -> Option<Avx512> {
        Avx512::detect().filter(|_| Tiles::detect()).map(|isa| Avx512 { has_tiles: true, ..isa })
    }

    /// Runs `task`, compiled for these instructions.
    pub fn run<T: Task>(self, task: T) -> T::Output {
        #[inline(never)]
        #[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512vnni")]
        fn run<T: Task>(isa: Avx512, task: T) -> T::Output {
            task.run(isa)
        }
        // SAFETY: the token is made only where the processor has the features.
        unsafe { run(self, task) }
    }
}

/// [`_mm512_dpwssd_epi32`], of which compilers make two instructions.
#[inline]
#[target_feature(enable = "avx512f,avx512vnni")]
fn add_products_of_pairs(mut sums: __m512i, a: __m512i, b: __m512i) -> __m512i {
    // SAFETY: it has the feature, and touches nothing but these registers.
    unsafe {
        std::arch::asm!(
            "vpdpwssd {}, {}, {}",
            inout(zmm_reg) sums,
            in(zmm_reg) a,
            in(zmm_reg) b,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sums
}

/// [`_mm512_dpbusd_epi32`]. Compilers would put those of the same sums one behind the other, each of which waits for the one before it.
#[inline]
#[target_feature(enable = "avx512f,avx512vnni")]
fn add_products_of_fours(mut sums: __m512i, weights: __m512i, x: __m512i) -> __m512i {
    // SAFETY: it has the feature, and touches nothing but these registers.
    unsafe {
        std::arch::asm!(
            "vpdpbusd {}, {}, {}",
            inout(zmm_reg) sums,
            in(zmm_reg) weights,
            in(zmm_reg) x,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sums
}

// SAFETY of all blocks below: a token exists only where the processor has what they need, and pointers are to arrays of the size that is
// read or written.
#[allow(clippy::undocumented_unsafe_blocks, reason = "said above")]
impl Isa for Avx512 {
    type Bytes = __m256i;
    type Wide = [__m512; 2];
    type Lanes = __m512;
    type Ints = __m512i;
    type Pairs = __m512i;

    const LANES: usize = 16;
    const VECTORS: usize = 2;
    // Its bytes of weights have no sign.
    const FOURS: u32 = 7;

    fn apart<T: Task>(self, task: T) -> T::Output {
        self.run(task)
    }

    #[inline(always)]
    fn prefetch(self, word: &u32) {
        self.avx2.prefetch(word);
    }

    #[inline(always)]
    fn load(self, bytes: &[u8; 32]) -> __m256i {
        self.avx2.load(bytes)
    }

    #[inline(always)]
    fn load_nibbles(self, bytes: &[u8; 16]) -> __m256i {
        self.avx2.load_nibbles(bytes)
    }

    #[inline(always)]
    fn load_pairs(self, bytes: &[u8; 16]) -> __m256i {
        self.avx2.load_pairs(bytes)
    }

    #[inline(always)]
    fn sixteens(self, bits: u32) -> __m256i {
        unsafe { _mm256_maskz_mov_epi8(bits, _mm256_set1_epi8(16)) }
    }

    #[inline(always)]
    fn bits(self, bytes: __m256i, shift: u32, mask: u8) -> __m256i {
        self.avx2.bits(bytes, shift, mask)
    }

    #[inline(always)]
    fn times_16(self, bytes: __m256i) -> __m256i {
        self.avx2.times_16(bytes)
    }

    #[inline(always)]
    fn minus(self, bytes: __m256i, amount: u8) -> __m256i {
        self.avx2.minus(bytes, amount)
    }

    #[inline(always)]
    fn or(self, a: __m256i, b: __m256i) -> __m256i {
        self.avx2.or(a, b)
    }

    #[inline(always)]
    fn widen(self, bytes: __m256i) -> [__m512; 2] {
        // No closures: they are not compiled for the set.
        unsafe {
            let (first, last) = (_mm256_castsi256_si128(bytes), _mm256_extracti128_si256(bytes, 1));
            [_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(first)), _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(last))]
        }
    }

    #[inline(always)]
    fn load_floats(self, floats: &[u8; 128]) -> [__m512; 2] {
        let (first, last) = floats.split_at(64);
        unsafe { [_mm512_loadu_ps(first.as_ptr().cast()), _mm512_loadu_ps(last.as_ptr().cast())] }
    }

    #[inline(always)]
    fn widen_f16(self, halves: &[u8; 64]) -> [__m512; 2] {
        let (first, last) = halves.split_at(32);
        unsafe {
            let [first, last] = [_mm256_loadu_si256(first.as_ptr().cast()), _mm256_loadu_si256(last.as_ptr().cast())];
            [_mm512_cvtph_ps(first), _mm512_cvtph_ps(last)]
        }
    }

    #[inline(always)]
    fn widen_bf16(self, halves: &[u8; 64]) -> [__m512; 2] {
        let (first, last) = halves.split_at(32);
        unsafe {
            let [first, last] = [_mm256_loadu_si256(first.as_ptr().cast()), _mm256_loadu_si256(last.as_ptr().cast())];
            let [first, last] = [_mm512_cvtepu16_epi32(first), _mm512_cvtepu16_epi32(last)];
            [_mm512_castsi512_ps(_mm512_slli_epi32(first, 16)), _mm512_castsi512_ps(_mm512_slli_epi32(last, 16))]
        }
    }

    #[inline(always)]
    fn half(self, bytes: [u8; 2]) -> f32 {
        self.avx2.half(bytes)
    }

    #[inline(always)]
    fn store(self, floats: [__m512; 2], to: &mut [f32; 32]) {
        for (to, floats) in to.as_chunks_mut::<16>().0.iter_mut().zip(floats) {
            unsafe { _mm512_storeu_ps(to.as_mut_ptr(), floats) }
        }
    }

    #[inline(always)]
    fn times(self, a: [__m512; 2], scales: [f32; 2]) -> [__m512; 2] {
        unsafe { [_mm512_mul_ps(a[0], _mm512_set1_ps(scales[0])), _mm512_mul_ps(a[1], _mm512_set1_ps(scales[1]))] }
    }

    #[inline(always)]
    fn plus(self, a: [__m512; 2], amounts: [f32; 2]) -> [__m512; 2] {
        [self.add(a[0], self.all(amounts[0])), self.add(a[1], self.all(amounts[1]))]
    }

    #[inline(always)]
    fn part(self, floats: [__m512; 2], number: usize) -> __m512 {
        floats[number]
    }

    #[inline(always)]
    fn transpose(self, rows: &[u32], stride: usize, to: &mut [u32]) {
        unsafe {
            let mut fours = [_mm512_setzero_si512(); 16];
            for i in 0..16 {
                fours[i] = _mm512_loadu_si512(rows[i * stride..][..16].as_ptr().cast());
            }
            // Of rows i to i + 3: pairs j, j + 4, j + 8 and j + 12 of each in the quarters of vector i + j.
            for i in 0..4 {
                let [a, b, c, d] = [fours[4 * i], fours[4 * i + 1], fours[4 * i + 2], fours[4 * i + 3]];
                let (ab, cd) = (_mm512_unpacklo_epi32(a, b), _mm512_unpacklo_epi32(c, d));
                let (ab_high, cd_high) = (_mm512_unpackhi_epi32(a, b), _mm512_unpackhi_epi32(c, d));
                fours[4 * i] = _mm512_unpacklo_epi64(ab, cd);
                fours[4 * i + 1] = _mm512_unpackhi_epi64(ab, cd);
                fours[4 * i + 2] = _mm512_unpacklo_epi64(ab_high, cd_high);
                fours[4 * i + 3] = _mm512_unpackhi_epi64(ab_high, cd_high);
            }
            // The quarters of four vectors, of all rows together, to vectors j, j + 4, j + 8 and j + 12.
            let columns = to.as_chunks_mut::<16>().0;
            for j in 0..4 {
                let [a, b, c, d] = [fours[j], fours[j + 4], fours[j + 8], fours[j + 12]];
                let (ab, cd) = (_mm512_shuffle_i32x4(a, b, 0x44), _mm512_shuffle_i32x4(c, d, 0x44));
                let (ab_last, cd_last) = (_mm512_shuffle_i32x4(a, b, 0xee), _mm512_shuffle_i32x4(c, d, 0xee));
                _mm512_storeu_si512(columns[j].as_mut_ptr().cast(), _mm512_shuffle_i32x4(ab, cd, 0x88));
                _mm512_storeu_si512(columns[j + 4].as_mut_ptr().cast(), _mm512_shuffle_i32x4(ab, cd, 0xdd));
                _mm512_storeu_si512(columns[j + 8].as_mut_ptr().cast(), _mm512_shuffle_i32x4(ab_last, cd_last, 0x88));
                _mm512_storeu_si512(columns[j + 12].as_mut_ptr().cast(), _mm512_shuffle_i32x4(ab_last, cd_last, 0xdd));
            }
        }
    }

    #[inline(always)]
    fn pairs(self, pairs: &[u32]) -> __m512i {
        unsafe { _mm512_loadu_si512(pairs[..16].as_ptr().cast()) }
    }

    #[inline(always)]
    fn store_pairs(self, pairs: __m512i, to: &mut [u32]) {
        unsafe { _mm512_storeu_si512(to[..16].as_mut_ptr().cast(), pairs) }
    }

    #[inline(always)]
    fn shift_right(self, pairs: __m512i, by: u32) -> __m512i {
        unsafe { _mm512_srlv_epi32(pairs, _mm512_set1_epi32(by as i32)) }
    }

    #[inline(always)]
    fn shift_left(self, pairs: __m512i, by: u32) -> __m512i {
        unsafe { _mm512_sllv_epi32(pairs, _mm512_set1_epi32(by as i32)) }
    }

    #[inline(always)]
    fn mask(self, pairs: __m512i, mask: u32) -> __m512i {
        unsafe { _mm512_and_si512(pairs, _mm512_set1_epi32(mask as i32)) }
    }

    #[inline(always)]
    fn either(self, a: __m512i, b: __m512i) -> __m512i {
        unsafe { _mm512_or_si512(a, b) }
    }

    #[inline(always)]
    fn looked_up(self, values: &[i8; 16], fours: __m512i) -> __m512i {
        unsafe {
            let values = _mm512_broadcast_i32x4(_mm_loadu_si128(values.as_ptr().cast()));
            _mm512_shuffle_epi8(values, fours)
        }
    }

    #[inline(always)]
    fn low_bytes(self, pairs: __m512i) -> __m512i {
        unsafe { _mm512_srai_epi16(_mm512_slli_epi16(pairs, 8), 8) }
    }

    #[inline(always)]
    fn high_bytes(self, pairs: __m512i) -> __m512i {
        unsafe { _mm512_srai_epi16(pairs, 8) }
    }

    #[inline(always)]
    fn ints(self, pairs: __m512i) -> __m512i {
        pairs
    }

    #[inline(always)]
    fn signed_bytes(self, pairs: __m512i, number: u32) -> __m512i {
        unsafe { _mm512_srai_epi32(self.shift_left(pairs, 24 - 8 * number), 24) }
    }

    #[inline(always)]
    fn add_pairs(self, sums: __m512i, weights: __m512i, x: u32) -> __m512i {
        unsafe { add_products_of_pairs(sums, weights, self.all_ints(x as i32)) }
    }

    #[inline(always)]
    fn add_fours(self, sums: __m512i, weights: __m512i, x: u32) -> __m512i {
        unsafe { add_products_of_fours(sums, weights, self.all_ints(x as i32)) }
    }

    #[inline(always)]
    fn has_tiles(self) -> bool {
        self.has_tiles
    }

    #[cfg(target_os = "linux")]
    #[inline(always)]
    fn tiles(self, rows: usize, words: usize) -> Option<Tiles> {
        if self.has_tiles { Some(unsafe { Tiles::new(rows, words) }) } else { None }
    }

    #[inline(always)]
    fn lowered(self, fours: __m512i, by: u8) -> __m512i {
        unsafe { _mm512_sub_epi8(fours, _mm512_set1_epi8(by as i8)) }
    }

    #[inline(always)]
    fn no_ints(self) -> __m512i {
        unsafe { _mm512_setzero_si512() }
    }

    #[inline(always)]
    fn all_ints(self, int: i32) -> __m512i {
        unsafe { _mm512_set1_epi32(int) }
    }

    #[inline(always)]
    fn joined(self, high: __m512i, low: __m512i) -> __m512i {
        unsafe { _mm512_add_epi32(_mm512_slli_epi32(high, 8), low) }
    }

    #[inline(always)]
    fn zero(self) -> __m512 {
        unsafe { _mm512_setzero_ps() }
    }

    #[inline(always)]
    fn lanes(self, floats: &[f32]) -> __m512 {
        unsafe { _mm512_loadu_ps(floats[..16].as_ptr()) }
    }

    #[inline(always)]
    fn all(self, float: f32) -> __m512 {
        unsafe { _mm512_set1_ps(float) }
    }

    #[inline(always)]
    fn floats(self, ints: __m512i) -> __m512 {
        unsafe { _mm512_cvtepi32_ps(ints) }
    }

    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_add_ps(a, b) }
    }

    #[inline(always)]
    fn multiply(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_mul_ps(a, b) }
    }

    #[inline(always)]
    fn multiply_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    fn total(self, lanes: __m512) -> f32 {
        unsafe {
            let lanes = _mm512_castps_pd(lanes);
            let (low, high) = (_mm512_castpd512_pd256(lanes), _mm512_extractf64x4_pd(lanes, 1));
            self.avx2.total_of_eight(self.avx2.add(_mm256_castpd_ps(low), _mm256_castpd_ps(high)))
        }
    }

    #[inline(always)]
    fn totals(self, [a, b, c, d]: [__m512; 4]) -> [f32; 4] {
        let mut totals = [0.0; 4];
        unsafe {
            let eights = |a, b| {
                let (low, high) =
                    (_mm512_shuffle_f32x4(a, b, 0b01_00_01_00), _mm512_shuffle_f32x4(a, b, 0b11_10_11_10));
                _mm512_add_ps(low, high)
            };
            let (ab, cd) = (eights(a, b), eights(c, d));
            let (low, high) =
                (_mm512_shuffle_f32x4(ab, cd, 0b10_00_10_00), _mm512_shuffle_f32x4(ab, cd, 0b11_01_11_01));
            let fours = _mm512_add_ps(low, high);
            let twos = _mm512_add_ps(fours, _mm512_shuffle_ps(fours, fours, 0b11_10_11_10));
            let ones = _mm512_add_ps(twos, _mm512_movehdup_ps(twos));
            let firsts = _mm512_castps512_ps128(_mm512_maskz_compress_ps(0x1111, ones));
            _mm_storeu_ps(totals.as_mut_ptr(), firsts);
        }
        totals
    }

    #[inline(always)]
    fn store_lanes(self, lanes: __m512, to: &mut [f32]) {
        unsafe { _mm512_storeu_ps(to[..16].as_mut_ptr(), lanes) }
    }
}
