//! From planes to whole numbers, without their scales: 32 weights of a row at a time, or of a row in each lane.
//!
//! The order of bits is ggml's; `inglenook_format::quant::planes` has the layout. Numbers of a type whose minima follow from its scales are
//! unsigned here: `scales` has what is to be taken from them.

mod small;

pub use small::{LookedUp, Threes, Unpacked};

use inglenook_format::quant::GROUP;

use crate::activations::MANY;
use crate::isa::Isa;

/// The bytes of one row in the planes of its type.
#[derive(Debug, Default, Clone, Copy)]
pub struct RowBytes<'a> {
    /// The numbers, or their low bits.
    pub quants: &'a [u8],
    /// Their high bits.
    pub high_bits: &'a [u8],
}

/// Words of rows in the planes of their type, each row's in its lane: word `k` begins at `16 * k`.
#[derive(Debug, Default, Clone, Copy)]
pub struct RowWords<'a> {
    /// The numbers, or their low bits.
    pub quants: &'a [u32],
    /// Their high bits.
    pub high_bits: &'a [u32],
    /// What numbers stand for, where they stand for values.
    pub values: [i8; 16],
}

impl<'a> RowWords<'a> {
    /// Word `number` of `plane`.
    #[inline(always)]
    fn word<I: Isa>(isa: I, plane: &'a [u32], number: usize) -> I::Pairs {
        isa.pairs(&plane[number * GROUP..])
    }
}

/// How a type packs its numbers.
pub trait Numbers {
    /// Scales in each 32 weights: 1, or 2 for 16 each.
    const SCALES: usize = 1;
    /// What is to be taken from the numbers of [`Numbers::pairs`] and [`Numbers::fours`], beside what `scales` says.
    const OFFSET: u8 = 0;
    /// Whether some types have minima of their own.
    const HAS_MINIMA: bool;
    /// Whether words are those of [`crate::unpacked`].
    const IS_UNPACKED: bool = false;
    /// Rows of x that have a function of their own: up to so many, all others having one together.
    const FEW: usize = 2;
    /// Bits of a number; only those of 8 are signed.
    const BITS: u32;

    /// Pairs of numbers of a chunk: `4 * k` and `4 * k + 2`; those 16 further on; those next to the first, and next to the second.
    ///
    /// What lies in a word by bytes comes out so by shifts alone.
    fn pairs<I: Isa>(isa: I, rows: RowWords<'_>, chunk: usize, k: usize) -> [I::Pairs; 4];

    /// The same as bytes: the numbers from `4 * k` on, and those 16 further on.
    fn fours<I: Isa>(isa: I, rows: RowWords<'_>, chunk: usize, k: usize) -> [I::Pairs; 2];
}

/// How a type packs the numbers of one row.
pub trait RowNumbers: Numbers {
    /// The numbers of weights `32 * chunk..32 * (chunk + 1)`.
    fn chunk<I: Isa>(isa: I, row: RowBytes<'_>, chunk: usize) -> I::Bytes;
}

/// Whether numbers of this packing meet so many rows of x as bytes.
#[inline(always)]
pub fn by_fours<I: Isa, N: Numbers>(isa: I, rows: usize) -> bool {
    N::BITS <= I::FOURS && (rows <= N::FEW || I::FOURS_OF_MANY) || in_tiles(isa, rows)
}

/// Whether so many rows of x meet weights in tiles.
#[inline(always)]
pub fn in_tiles<I: Isa>(isa: I, rows: usize) -> bool {
    rows >= MANY && isa.has_tiles()
}

/// Runs `$run` with `$numbers` for how a type packs its numbers, one whose rows can be read one by one.
macro_rules! with_row_numbers {
    ($ty:expr, $numbers:ident => $run:expr) => {{
        use inglenook_format::quant::WeightType;
        use $crate::numbers::{Bytes, Fives, Fives256, Nibbles, Nibbles64, Sixes};
        match $ty {
            WeightType::Q8_0 => {
                type $numbers = Bytes;
                $run
            }
            WeightType::Q4_0 | WeightType::Q4_1 => {
                type $numbers = Nibbles;
                $run
            }
            WeightType::Q5_0 | WeightType::Q5_1 => {
                type $numbers = Fives;
                $run
            }
            WeightType::Q4_K => {
                type $numbers = Nibbles64;
                $run
            }
            WeightType::Q5_K => {
                type $numbers = Fives256;
                $run
            }
            WeightType::Q6_K => {
                type $numbers = Sixes;
                $run
            }
            _ => unreachable!("types without blocks have no numbers, and those of chunks are unpacked"),
        }
    }};
}
pub(crate) use with_row_numbers;

/// The same for any type that has blocks.
macro_rules! with_numbers {
    ($ty:expr, $numbers:ident => $run:expr) => {{
        use inglenook_format::quant::WeightType;
        use $crate::numbers::{LookedUp, Threes, Unpacked};
        match $ty {
            WeightType::Q2_K | WeightType::Q3_K | WeightType::TQ2_0 => {
                type $numbers = Threes;
                $run
            }
            WeightType::IQ4_NL | WeightType::IQ4_XS | WeightType::MXFP4 => {
                type $numbers = LookedUp;
                $run
            }
            ty if ty.has_chunks() => {
                type $numbers = Unpacked;
                $run
            }
            ty => $crate::numbers::with_row_numbers!(ty, $numbers => $run),
        }
    }};
}
pub(crate) use with_numbers;

/// The bytes from `from` on.
#[inline(always)]
pub fn at<const N: usize>(bytes: &[u8], from: usize) -> &[u8; N] {
    bytes[from..].first_chunk().expect("a row holds its chunks")
}

/// The bits of `mask` in both halves of words that are shifted.
#[inline(always)]
fn both<I: Isa>(isa: I, words: I::Pairs, shift: u32, mask: u32) -> I::Pairs {
    isa.mask(isa.shift_right(words, shift), mask << 16 | mask)
}

/// A word, and the one 16 bytes further on, shifted right: once, since a shift that is not known beforehand takes longer in WebAssembly.
#[inline(always)]
fn shifted<I: Isa>(isa: I, [a, b]: [I::Pairs; 2], shift: u32) -> [I::Pairs; 2] {
    [isa.shift_right(a, shift), isa.shift_right(b, shift)]
}

/// Pairs of nibbles, of a word and of the one 16 bytes further on.
#[inline(always)]
fn nibbles<I: Isa>(isa: I, words: [I::Pairs; 2], shift: u32) -> [I::Pairs; 4] {
    let [a, b] = shifted(isa, words, shift);
    let mask = 15 << 16 | 15;
    [isa.mask(a, mask), isa.mask(b, mask), both(isa, a, 8, 15), both(isa, b, 8, 15)]
}

/// Pairs of the bits above nibbles, those of `mask`, of a word and of the one 16 bytes further on.
#[inline(always)]
fn above_nibbles<I: Isa>(isa: I, words: [I::Pairs; 2], shift: u32, mask: u32) -> [I::Pairs; 4] {
    let [a, b] = shifted(isa, words, shift);
    let mask = mask << 20 | mask << 4;
    // The first lie too low.
    [
        isa.mask(isa.shift_left(a, 4), mask),
        isa.mask(isa.shift_left(b, 4), mask),
        isa.mask(isa.shift_right(a, 4), mask),
        isa.mask(isa.shift_right(b, 4), mask),
    ]
}

#[inline(always)]
fn either<I: Isa>(isa: I, a: [I::Pairs; 4], b: [I::Pairs; 4]) -> [I::Pairs; 4] {
    [isa.either(a[0], b[0]), isa.either(a[1], b[1]), isa.either(a[2], b[2]), isa.either(a[3], b[3])]
}

/// The nibbles of each byte of a word, and of the one 16 bytes further on.
#[inline(always)]
fn nibbles_of_bytes<I: Isa>(isa: I, words: [I::Pairs; 2], shift: u32) -> [I::Pairs; 2] {
    let [a, b] = shifted(isa, words, shift);
    [isa.mask(a, 0x0f0f_0f0f), isa.mask(b, 0x0f0f_0f0f)]
}

/// Of each byte the lowest bits, those of `mask`, as the bits above nibbles.
#[inline(always)]
fn above_nibbles_of_bytes<I: Isa>(isa: I, words: [I::Pairs; 2], shift: u32, mask: u32) -> [I::Pairs; 2] {
    let [a, b] = shifted(isa, words, shift);
    let mask = 0x1010_1010 * mask;
    [isa.mask(isa.shift_left(a, 4), mask), isa.mask(isa.shift_left(b, 4), mask)]
}

/// Words `first + k` and `first + k + 4`.
#[inline(always)]
fn two_words<I: Isa>(isa: I, plane: &[u32], first: usize, k: usize) -> [I::Pairs; 2] {
    let words = &plane[first * GROUP..][..7 * GROUP + I::LANES];
    [RowWords::word(isa, words, k), RowWords::word(isa, words, k + 4)]
}

/// Q8_0: 32 bytes.
pub struct Bytes;
/// Q4_0, Q4_1: 16 bytes, low nibbles first.
pub struct Nibbles;
/// Q5_0, Q5_1: the same, and a word of fifth bits.
pub struct Fives;
/// Q4_K: 64 weights in 32 bytes, low nibbles first.
pub struct Nibbles64;
/// Q5_K: the same, and 32 bytes of fifth bits for 256 weights.
pub struct Fives256;
/// Q6_K: 128 weights in 64 bytes of low nibbles and 32 of high bits.
pub struct Sixes;

impl RowNumbers for Bytes {
    #[inline(always)]
    fn chunk<I: Isa>(isa: I, row: RowBytes<'_>, chunk: usize) -> I::Bytes {
        isa.load(at(row.quants, 32 * chunk))
    }
}

impl Numbers for Bytes {
    const HAS_MINIMA: bool = false;
    const BITS: u32 = 8;

    #[inline(always)]
    fn pairs<I: Isa>(isa: I, rows: RowWords<'_>, chunk: usize, k: usize) -> [I::Pairs; 4] {
        let [a, b] = two_words(isa, rows.quants, 8 * chunk, k);
        [isa.low_bytes(a), isa.low_bytes(b), isa.high_bytes(a), isa.high_bytes(b)]
    }

    #[inline(always)]
    fn fours<I: Isa>(isa: I, rows: RowWords<'_>, chunk: usize, k: usize) -> [I::Pairs; 2] {
        two_words(isa, rows.quants, 8 * chunk, k)
    }
}

impl RowNumbers for Nibbles {
    #[inline(always)]
    fn chunk<I: Isa>(isa: I, row: RowBytes<'_>, chunk: usize) -> I::Bytes {
        isa.load_nibbles(at(row.quants, 16 * chunk))
    }
}

impl Numbers for Nibbles {
    const HAS_MINIMA: bool = true;
    const BITS: u32 = 4;

    #[inline(always)]
    fn pairs<I: Isa>(isa: I, rows: RowWords<'_>, chunk: usize, k: usize) -> [I::Pairs; 4] {
        let word = RowWords::word(isa, &rows.quants[4 * chunk * GROUP..][..3 * GROUP + I::LANES], k);
        [both(isa, word, 0, 15), both(isa, word, 4, 15), both(isa, word, 8, 15), both(isa, word, 12, 15)]
    }

    #[inline(always)]
    fn fours<I: Isa>(isa: I, rows: RowWords<'_>, chunk: usize, k: usize) -> [I::Pairs; 2] {
        let word = RowWords::word(isa, &rows.quants[4 * chunk * GROUP..][..3 * GROUP + I::LANES], k);
        [isa.mask(word, 0x0f0f_0f0f), isa.mask(isa.shift_right(word, 4), 0x0f0f_0f0f)]
    }
}

impl RowNumbers for Fives {
    #[inline(always)]
    fn chunk<I: Isa>(isa: I, row: RowBytes<'_>, chunk: usize) -> I::Bytes {
        let fifth = u32::from_le_bytes(*at(row.high_bits, 4 * chunk));
        isa.or(Nibbles::chunk(isa, row, chunk), isa.sixteens(fifth))
    }
}

impl Numbers for Fives {
    const HAS_MINIMA: bool = true;
    const BITS: u32 = 5;

    #[inline(always)]
    fn pairs<I: Isa>(isa: I, rows: RowWords<'_>, chunk: usize, k: usize) -> [I::Pairs; 4] {
        let fifth = RowWords::word(isa, rows.high_bits, chunk);
        let next = isa.shift_right(fifth, 1);
        let fifth = [
            fifths(isa, fifth, k),
            fifths(isa, isa.shift_right(fifth, 16), k),
            fifths(isa, next, k),
            fifths(isa, isa.shift_right(next, 16), k),
        ];
        either(isa, Nibbles::pairs(isa, rows, chunk, k), fifth)
    }

    #[inline(always)]
    fn fours<I: Isa>(isa: I, rows: RowWords<'_>, chunk: usize, k: usize) -> [I::Pairs; 2] {
        let fifth = RowWords::word(isa, rows.high_bits, chunk);
        let [low, high] = Nibbles::fours(isa, rows, chunk, k);
        let shift = 4 * k as u32;
        let high_fifths = fifths_of_bytes(isa, isa.shift_right(fifth, shift + 16));
        [isa.either(low, fifths_of_bytes(isa, isa.shift_right(fifth, shift))), isa.either(high, high_fifths)]
    }
}

/// Bits `4 * k` and `4 * k + 2` of each word as 16 in the halves of a pair.
#[inline(always)]
fn fifths<I: Isa>(isa: I, words: I::Pairs, k: usize) -> I::Pairs {
    let bits = isa.mask(isa.shift_right(words, 4 * k as u32), 0b101);
    isa.mask(isa.either(isa.shift_left(bits, 4), isa.shift_left(bits, 18)), 0x0010_0010)
}

/// Each of the lowest four bits of words as 16 in a byte.
#[inline(always)]
fn fifths_of_bytes<I: Isa>(isa: I, words: I::Pairs) -> I::Pairs {
    let bits = isa.mask(words, 15);
    let two = isa.either(isa.shift_left(bits, 4), isa.shift_left(bits, 18));
    isa.mask(isa.either(two, isa.shift_left(two, 7)), 0x1010_1010)
}

impl RowNumbers for Nibbles64 {
    #[inline(always)]
    fn chunk<I: Isa>(isa: I, row: RowBytes<'_>, chunk: usize) -> I::Bytes {
        isa.bits(isa.load(at(row.quants, 32 * (chunk / 2))), 4 * (chunk as u32 % 2), 15)
    }
}

impl Numbers for Nibbles64 {
    const HAS_MINIMA: bool = true;
    const BITS: u32 = 4;

    #[inline(always)]
    fn pairs<I: Isa>(isa: I, rows: RowWords<'_>, chunk: usize, k: usize) -> [I::Pairs; 4] {
        nibbles(isa, two_words(isa, rows.quants, 8 * (chunk / 2), k), 4 * (chunk as u32 % 2))
    }

    #[inline(always)]
    fn fours<I: Isa>(isa: I, rows: RowWords<'_>, chunk: usize, k: usize) -> [I::Pairs; 2] {
        nibbles_of_bytes(isa, two_words(isa, rows.quants, 8 * (chunk / 2), k), 4 * (chunk as u32 % 2))
    }
}

impl RowNumbers for Fives256 {
    #[inline(always)]
    fn chunk<I: Isa>(isa: I, row: RowBytes<'_>, chunk: usize) -> I::Bytes {
        let fifth = isa.bits(isa.load(at(row.high_bits, 32 * (chunk / 8))), chunk as u32 % 8, 1);
        isa.or(Nibbles64::chunk(isa, row, chunk), isa.times_16(fifth))
    }
}

impl Numbers for Fives256 {
    const HAS_MINIMA: bool = true;
    const BITS: u32 = 5;

    #[inline(always)]
    fn pairs<I: Isa>(isa: I, rows: RowWords<'_>, chunk: usize, k: usize) -> [I::Pairs; 4] {
        let fifth = two_words(isa, rows.high_bits, 8 * (chunk / 8), k);
        either(isa, Nibbles64::pairs(isa, rows, chunk, k), above_nibbles(isa, fifth, chunk as u32 % 8, 1))
    }

    #[inline(always)]
    fn fours<I: Isa>(isa: I, rows: RowWords<'_>, chunk: usize, k: usize) -> [I::Pairs; 2] {
        let fifth = two_words(isa, rows.high_bits, 8 * (chunk / 8), k);
        let [a, b] = Nibbles64::fours(isa, rows, chunk, k);
        let [fifth_a, fifth_b] = above_nibbles_of_bytes(isa, fifth, chunk as u32 % 8, 1);
        [isa.either(a, fifth_a), isa.either(b, fifth_b)]
    }
}

impl RowNumbers for Sixes {
    #[inline(always)]
    fn chunk<I: Isa>(isa: I, row: RowBytes<'_>, chunk: usize) -> I::Bytes {
        let (half, quarter) = (chunk / 4, chunk as u32 % 4);
        let low = isa.load(at(row.quants, 64 * half + 32 * (quarter as usize % 2)));
        let high = isa.load(at(row.high_bits, 32 * half));
        isa.minus(isa.or(isa.bits(low, 4 * (quarter / 2), 15), isa.times_16(isa.bits(high, 2 * quarter, 3))), 32)
    }
}

impl Numbers for Sixes {
    const SCALES: usize = 2;
    const OFFSET: u8 = 32;
    const HAS_MINIMA: bool = false;
    const BITS: u32 = 6;

    #[inline(always)]
    fn pairs<I: Isa>(isa: I, rows: RowWords<'_>, chunk: usize, k: usize) -> [I::Pairs; 4] {
        let (half, quarter) = (chunk / 4, chunk as u32 % 4);
        let low = two_words(isa, rows.quants, 16 * half + 8 * (quarter as usize % 2), k);
        let high = two_words(isa, rows.high_bits, 8 * half, k);
        either(isa, nibbles(isa, low, 4 * (quarter / 2)), above_nibbles(isa, high, 2 * quarter, 3))
    }

    #[inline(always)]
    fn fours<I: Isa>(isa: I, rows: RowWords<'_>, chunk: usize, k: usize) -> [I::Pairs; 2] {
        let (half, quarter) = (chunk / 4, chunk as u32 % 4);
        let low = two_words(isa, rows.quants, 16 * half + 8 * (quarter as usize % 2), k);
        let high = two_words(isa, rows.high_bits, 8 * half, k);
        let [a, b] = nibbles_of_bytes(isa, low, 4 * (quarter / 2));
        let [high_a, high_b] = above_nibbles_of_bytes(isa, high, 2 * quarter, 3);
        [isa.either(a, high_a), isa.either(b, high_b)]
    }
}
