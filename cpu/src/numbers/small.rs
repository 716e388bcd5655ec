//! Numbers of two and three bits, nibbles that stand for values, and bytes that others were unpacked to.

use super::{Bytes, Nibbles, Numbers, RowBytes, RowNumbers, RowWords, both, either, shifted, two_words};
use crate::isa::Isa;

/// A page downloads a function less for each of these types.
const FEW: usize = if cfg!(target_arch = "wasm32") { 1 } else { 2 };

/// Q2_K, Q3_K, TQ2_0: 128 weights in 32 bytes; those of Q3_K have third bits in 32 bytes for 256 weights.
pub struct Threes;
/// IQ4_NL, IQ4_XS, MXFP4: 16 bytes, low nibbles first, each of which stands for a value.
pub struct LookedUp;
/// What `crate::unpacked` makes of all other types, and of the rows of these: 32 bytes.
pub struct Unpacked;

/// Whether there are third bits.
fn has_third_bits(rows: RowWords<'_>) -> bool {
    !rows.high_bits.is_empty()
}

impl Numbers for Threes {
    const SCALES: usize = 2;
    const HAS_MINIMA: bool = true;
    const FEW: usize = FEW;
    const BITS: u32 = 3;

    #[inline(always)]
    fn pairs<I: Isa>(isa: I, rows: RowWords<'_>, chunk: usize, k: usize) -> [I::Pairs; 4] {
        let [a, b] = shifted(isa, two_words(isa, rows.quants, 8 * (chunk / 4), k), 2 * (chunk as u32 % 4));
        let low = [both(isa, a, 0, 3), both(isa, b, 0, 3), both(isa, a, 8, 3), both(isa, b, 8, 3)];
        if !has_third_bits(rows) {
            return low;
        }
        let [a, b] = third_bits(isa, rows, chunk, k);
        either(isa, low, [both(isa, a, 0, 4), both(isa, b, 0, 4), both(isa, a, 8, 4), both(isa, b, 8, 4)])
    }

    #[inline(always)]
    fn fours<I: Isa>(isa: I, rows: RowWords<'_>, chunk: usize, k: usize) -> [I::Pairs; 2] {
        let [a, b] = shifted(isa, two_words(isa, rows.quants, 8 * (chunk / 4), k), 2 * (chunk as u32 % 4));
        let low = [isa.mask(a, 0x0303_0303), isa.mask(b, 0x0303_0303)];
        if !has_third_bits(rows) {
            return low;
        }
        let [a, b] = third_bits(isa, rows, chunk, k);
        [isa.either(low[0], isa.mask(a, 0x0404_0404)), isa.either(low[1], isa.mask(b, 0x0404_0404))]
    }
}

/// The third bits of a word's bytes, and of the one 16 bytes further on, above two others; what else is in the bytes is of no account.
#[inline(always)]
fn third_bits<I: Isa>(isa: I, rows: RowWords<'_>, chunk: usize, k: usize) -> [I::Pairs; 2] {
    let [a, b] = shifted(isa, two_words(isa, rows.high_bits, 8 * (chunk / 8), k), chunk as u32 % 8);
    [isa.shift_left(a, 2), isa.shift_left(b, 2)]
}

impl Numbers for LookedUp {
    const HAS_MINIMA: bool = false;
    const FEW: usize = FEW;
    const BITS: u32 = 8;

    #[inline(always)]
    fn pairs<I: Isa>(isa: I, rows: RowWords<'_>, chunk: usize, k: usize) -> [I::Pairs; 4] {
        let [a, b] = Self::fours(isa, rows, chunk, k);
        [isa.low_bytes(a), isa.low_bytes(b), isa.high_bytes(a), isa.high_bytes(b)]
    }

    #[inline(always)]
    fn fours<I: Isa>(isa: I, rows: RowWords<'_>, chunk: usize, k: usize) -> [I::Pairs; 2] {
        let [a, b] = Nibbles::fours(isa, rows, chunk, k);
        [isa.looked_up(&rows.values, a), isa.looked_up(&rows.values, b)]
    }
}

impl RowNumbers for Unpacked {
    #[inline(always)]
    fn chunk<I: Isa>(isa: I, row: RowBytes<'_>, chunk: usize) -> I::Bytes {
        Bytes::chunk(isa, row, chunk)
    }
}

impl Numbers for Unpacked {
    const SCALES: usize = 2;
    const HAS_MINIMA: bool = false;
    const IS_UNPACKED: bool = true;
    // One function is enough for these.
    const FEW: usize = 0;
    const BITS: u32 = 8;

    #[inline(always)]
    fn pairs<I: Isa>(isa: I, rows: RowWords<'_>, chunk: usize, k: usize) -> [I::Pairs; 4] {
        Bytes::pairs(isa, rows, chunk, k)
    }

    #[inline(always)]
    fn fours<I: Isa>(isa: I, rows: RowWords<'_>, chunk: usize, k: usize) -> [I::Pairs; 2] {
        Bytes::fours(isa, rows, chunk, k)
    }
}
