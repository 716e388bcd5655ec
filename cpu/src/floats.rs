//! From planes to floats: 32 weights of a row at a time.

use std::marker::PhantomData;
use std::ops::Range;

use crate::isa::{Chunk, Isa};
use crate::matmul::Weights;
use crate::numbers::{RowNumbers, at};
use crate::row::Row;

/// How a type's weights become floats.
pub trait Floats {
    /// Lines of the cache that 32 weights take; 0 for smaller ones, which are not awaited: unpacking them takes longer.
    const LINES: usize;

    /// Weights `32 * chunk..32 * (chunk + 1)` of a row.
    fn chunk<I: Isa>(isa: I, row: Row<'_>, chunk: usize) -> I::Wide;

    /// All chunks of some rows, where that is how they lie in memory.
    fn in_place<'a>(_weights: &Weights<'a>, _rows: Range<usize>) -> Option<&'a [Chunk]> {
        None
    }
}

/// Runs `$run` with `$floats` for how weights of a type become floats.
macro_rules! with_floats {
    ($ty:expr, $floats:ident => $run:expr) => {{
        use inglenook_format::quant::WeightType;
        use $crate::floats::{F16, F32, Scaled, UpperHalves};
        match $ty {
            WeightType::F32 => {
                type $floats = F32;
                $run
            }
            WeightType::F16 => {
                type $floats = F16;
                $run
            }
            WeightType::BF16 => {
                type $floats = UpperHalves;
                $run
            }
            ty if ty.has_chunks() => {
                type $floats = Scaled<$crate::numbers::Unpacked>;
                $run
            }
            ty => $crate::numbers::with_row_numbers!(ty, Packed => {
                type $floats = Scaled<Packed>;
                $run
            }),
        }
    }};
}
pub(crate) use with_floats;

/// F32.
pub struct F32;
/// F16.
pub struct F16;
/// BF16: the upper halves of floats.
pub struct UpperHalves;
/// Whole numbers with their scales and minima.
pub struct Scaled<N>(PhantomData<N>);

impl Floats for F32 {
    const LINES: usize = 2;

    #[inline(always)]
    fn chunk<I: Isa>(isa: I, row: Row<'_>, chunk: usize) -> I::Wide {
        isa.load_floats(at(row.bytes.quants, 128 * chunk))
    }

    fn in_place<'a>(weights: &Weights<'a>, rows: Range<usize>) -> Option<&'a [Chunk]> {
        let [words, _] = weights.words(rows);
        bytemuck::try_cast_slice(words).ok()
    }
}

impl Floats for F16 {
    const LINES: usize = 1;

    #[inline(always)]
    fn chunk<I: Isa>(isa: I, row: Row<'_>, chunk: usize) -> I::Wide {
        isa.widen_f16(at(row.bytes.quants, 64 * chunk))
    }
}

impl Floats for UpperHalves {
    const LINES: usize = 1;

    #[inline(always)]
    fn chunk<I: Isa>(isa: I, row: Row<'_>, chunk: usize) -> I::Wide {
        isa.widen_bf16(at(row.bytes.quants, 64 * chunk))
    }
}

impl<N: RowNumbers> Floats for Scaled<N> {
    const LINES: usize = 0;

    #[inline(always)]
    fn chunk<I: Isa>(isa: I, row: Row<'_>, chunk: usize) -> I::Wide {
        let scales = &row.scales[chunk * N::SCALES..][..N::SCALES];
        let numbers = isa.widen(isa.minus(N::chunk(isa, row.bytes, chunk), row.offset));
        let weights = isa.times(numbers, [scales[0], scales[N::SCALES - 1]]);
        if row.minima.is_empty() {
            return weights;
        }
        let minima = &row.minima[chunk * N::SCALES..][..N::SCALES];
        isa.plus(weights, [minima[0], minima[N::SCALES - 1]])
    }
}
