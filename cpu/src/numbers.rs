//! From planes to whole numbers: 32 weights of a row at a time, without their scales.
//!
//! The order of bits is ggml's; `inglenook_format::quant::planes` has the layout. Numbers of a type whose minima follow from its scales are
//! unsigned here: `scales` has what is to be taken from them.

use crate::isa::Isa;

/// The bytes of one row in the planes of its type.
#[derive(Debug, Default, Clone, Copy)]
pub struct RowBytes<'a> {
    /// The numbers, or their low bits.
    pub quants: &'a [u8],
    /// Their high bits.
    pub high_bits: &'a [u8],
}

/// How a type packs its numbers.
pub trait Numbers {
    /// Scales in each 32 weights: 1, or 2 for 16 each.
    const SCALES: usize = 1;

    /// The numbers of weights `32 * chunk..32 * (chunk + 1)`.
    fn chunk<I: Isa>(isa: I, row: RowBytes<'_>, chunk: usize) -> I::Bytes;
}

/// Runs `$run` with `$numbers` for how a type packs its numbers.
macro_rules! with_numbers {
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
            WeightType::F32 | WeightType::F16 | WeightType::BF16 => {
                unreachable!("types without blocks have no numbers")
            }
        }
    }};
}
pub(crate) use with_numbers;

/// The bytes from `from` on.
#[inline(always)]
pub fn at<const N: usize>(bytes: &[u8], from: usize) -> &[u8; N] {
    bytes[from..].first_chunk().expect("a row holds its chunks")
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

impl Numbers for Bytes {
    #[inline(always)]
    fn chunk<I: Isa>(isa: I, row: RowBytes<'_>, chunk: usize) -> I::Bytes {
        isa.load(at(row.quants, 32 * chunk))
    }
}

impl Numbers for Nibbles {
    #[inline(always)]
    fn chunk<I: Isa>(isa: I, row: RowBytes<'_>, chunk: usize) -> I::Bytes {
        isa.load_nibbles(at(row.quants, 16 * chunk))
    }
}

impl Numbers for Fives {
    #[inline(always)]
    fn chunk<I: Isa>(isa: I, row: RowBytes<'_>, chunk: usize) -> I::Bytes {
        let fifth = u32::from_le_bytes(*at(row.high_bits, 4 * chunk));
        isa.or(Nibbles::chunk(isa, row, chunk), isa.sixteens(fifth))
    }
}

impl Numbers for Nibbles64 {
    #[inline(always)]
    fn chunk<I: Isa>(isa: I, row: RowBytes<'_>, chunk: usize) -> I::Bytes {
        isa.bits(isa.load(at(row.quants, 32 * (chunk / 2))), 4 * (chunk as u32 % 2), 15)
    }
}

impl Numbers for Fives256 {
    #[inline(always)]
    fn chunk<I: Isa>(isa: I, row: RowBytes<'_>, chunk: usize) -> I::Bytes {
        let fifth = isa.bits(isa.load(at(row.high_bits, 32 * (chunk / 8))), chunk as u32 % 8, 1);
        isa.or(Nibbles64::chunk(isa, row, chunk), isa.times_16(fifth))
    }
}

impl Numbers for Sixes {
    const SCALES: usize = 2;

    #[inline(always)]
    fn chunk<I: Isa>(isa: I, row: RowBytes<'_>, chunk: usize) -> I::Bytes {
        let (half, quarter) = (chunk / 4, chunk as u32 % 4);
        let low = isa.load(at(row.quants, 64 * half + 32 * (quarter as usize % 2)));
        let high = isa.load(at(row.high_bits, 32 * half));
        isa.minus(isa.or(isa.bits(low, 4 * (quarter / 2), 15), isa.times_16(isa.bits(high, 2 * quarter, 3))), 32)
    }
}
