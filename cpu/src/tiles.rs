//! Products of weight rows with many exact rows of x.
//!
//! A block of weight rows becomes floats, unless it is floats in memory already, which stay in the cache while all rows of x pass. Tiles of a
//! few weight rows and a few rows of x meet: their sums stay in registers through a part of the row. What a tile has of x there stays in the
//! first cache while all weight rows of the block pass.

use std::marker::PhantomData;

use crate::activations::{Activations, CHUNK};
use crate::ahead::Ahead;
use crate::floats::Floats;
use crate::isa::{Chunk, Isa, Task};
use crate::matmul::{Column, Operands, Weights};
use crate::processor::Processor;
use crate::row::RowReader;

/// Rows of a block are a multiple of these, so that its tiles are full.
const WHOLE_TILES: usize = 4;
/// Floats of a block: half of a small second cache.
const BLOCK: usize = 1 << 16;
/// Chunks of a part of a row, of which the first cache holds those of both tiles.
const PART: usize = 24;
/// Rows of x in a tile.
const X_TILE: usize = 6;

const ZERO: Chunk = Chunk([0.0; CHUNK]);

/// The products of weight rows with rows of x.
pub fn tiled<F: Floats>(processor: Processor, operands: Operands<'_, F>) {
    let rows = operands.rows();
    let Operands { weights, first, x, sums, .. } = operands;
    let block = (BLOCK / weights.cols.max(1)).clamp(1, rows.max(1)).next_multiple_of(WHOLE_TILES);
    let mut unpacked = Vec::new();
    let mut held = vec![ZERO; (block * X_TILE).div_ceil(2)];
    for from in (0..rows).step_by(block) {
        let count = block.min(rows - from);
        let in_place = F::in_place(&weights, first + from..first + from + count);
        let floats = in_place.filter(|_| count.is_multiple_of(WHOLE_TILES)).unwrap_or_else(|| {
            unpacked.resize(block * x.chunks(), ZERO);
            let floats = &mut unpacked[..];
            processor.run(Unpack::<F> { weights, rows: first + from, floats, count, packing: PhantomData });
            &unpacked
        });
        let next = from + count..rows.min(from + count + block);
        let ahead = Ahead(weights.words(first + next.start..first + next.end));
        let column = Column { sums: &mut *sums, rows, from, count };
        processor.run(Block { floats, x, held: &mut held, ahead, column });
    }
}

/// `count` weight rows, the first of which is number `rows`, become floats: `[count, chunks]`.
struct Unpack<'a, F> {
    weights: Weights<'a>,
    rows: usize,
    count: usize,
    floats: &'a mut [Chunk],
    packing: PhantomData<F>,
}

impl<F: Floats> Task for Unpack<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let chunks = self.weights.cols / CHUNK;
        let mut reader = RowReader::new(self.weights);
        for (n, floats) in self.floats.chunks_exact_mut(chunks).take(self.count).enumerate() {
            reader.reach(isa, self.rows + n);
            let row = reader.row(self.rows + n);
            for (c, floats) in floats.iter_mut().enumerate() {
                isa.store(F::chunk(isa, row, c), &mut floats.0);
            }
        }
    }
}

/// A block of weight rows that meets all rows of x.
struct Block<'a> {
    /// `[count, chunks]`; behind them any others, to whole tiles.
    floats: &'a [Chunk],
    x: &'a Activations,
    /// Sums of the products of one tile of x, where rows have several parts: `[tiles, rows of x, weight rows, lanes]`.
    held: &'a mut [Chunk],
    ahead: Ahead<'a>,
    column: Column<'a>,
}

impl Task for Block<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        match I::VECTORS {
            2 => self.run_with::<I, 4>(isa),
            _ => self.run_with::<I, 2>(isa),
        }
    }
}

impl Block<'_> {
    #[inline(always)]
    fn run_with<I: Isa, const N: usize>(mut self, isa: I) {
        let (m_count, mut m) = (self.x.rows(), 0);
        while m < m_count {
            m += match m_count - m {
                8 => self.meet::<I, N, 4>(isa, m),
                6.. => self.meet::<I, N, X_TILE>(isa, m),
                4.. => self.meet::<I, N, 4>(isa, m),
                2.. => self.meet::<I, N, 2>(isa, m),
                _ => self.meet::<I, N, 1>(isa, m),
            };
        }
    }

    /// The products with `M` rows of x, from `m` on, in tiles of `N` weight rows; gives `M`.
    #[inline(always)]
    fn meet<I: Isa, const N: usize, const M: usize>(&mut self, isa: I, m: usize) -> usize {
        let Block { floats, x, held, ahead, column } = self;
        let (chunks, tiles) = (x.chunks(), column.count.div_ceil(N));
        let held = &mut bytemuck::cast_slice_mut(held)[..tiles * M * N * I::LANES];
        let parts = ahead.in_parts(chunks.div_ceil(PART) * tiles);
        for (number, start) in (0..chunks).step_by(PART).enumerate() {
            let part = start..chunks.min(start + PART);
            let mut values: [&[Chunk]; M] = [&[]; M];
            for (i, values) in values.iter_mut().enumerate() {
                *values = &x.exact(m + i)[part.clone()];
            }
            for (tile, held) in held.chunks_exact_mut(M * N * I::LANES).enumerate() {
                parts.fetch(isa, number * tiles + tile);
                let mut weights: [&[Chunk]; N] = [&[]; N];
                for n in 0..N {
                    weights[n] = &floats[(tile * N + n) * chunks..][part.clone()];
                }
                let mut sums = [[isa.zero(); N]; M];
                if start > 0 {
                    sums = load(isa, held);
                }
                sums = add_columns(isa, weights, values, sums);
                if part.end < chunks {
                    store(isa, sums, held);
                    continue;
                }
                let mut all = [[0.0; N]; M];
                for i in 0..M {
                    all[i] = totals(isa, sums[i]);
                }
                for (i, totals) in all.into_iter().enumerate() {
                    let to = &mut column.sums[(m + i) * column.rows + column.from..][..column.count][tile * N..];
                    match to.first_chunk_mut() {
                        Some(to) => *to = totals,
                        None => to.iter_mut().zip(totals).for_each(|(to, total)| *to = total),
                    }
                }
            }
        }
        *ahead = Ahead::default();
        M
    }
}

/// `sums` and the products of all columns.
#[inline(always)]
fn add_columns<I: Isa, const N: usize, const M: usize>(
    isa: I,
    weights: [&[Chunk]; N],
    x: [&[Chunk]; M],
    mut sums: [[I::Lanes; N]; M],
) -> [[I::Lanes; N]; M] {
    for c in 0..weights[0].len() {
        for from in (0..CHUNK).step_by(I::LANES) {
            let mut lanes = [isa.zero(); N];
            for n in 0..N {
                lanes[n] = isa.lanes(&weights[n][c].0[from..]);
            }
            for i in 0..M {
                let x = isa.lanes(&x[i][c].0[from..]);
                for n in 0..N {
                    sums[i][n] = isa.multiply_add(lanes[n], x, sums[i][n]);
                }
            }
        }
    }
    sums
}

/// The sum of all lanes of each, four at once where there are so many.
#[inline(always)]
fn totals<I: Isa, const N: usize>(isa: I, sums: [I::Lanes; N]) -> [f32; N] {
    let mut totals = [0.0; N];
    if N == 4 {
        let mut four = [isa.zero(); 4];
        four[..N].copy_from_slice(&sums);
        totals.copy_from_slice(&isa.totals(four)[..N]);
    } else {
        for n in 0..N {
            totals[n] = isa.total(sums[n]);
        }
    }
    totals
}

/// What [`store`] wrote.
#[inline(always)]
fn load<I: Isa, const N: usize, const M: usize>(isa: I, held: &[f32]) -> [[I::Lanes; N]; M] {
    let mut sums = [[isa.zero(); N]; M];
    for i in 0..M {
        for n in 0..N {
            sums[i][n] = isa.lanes(&held[(i * N + n) * I::LANES..]);
        }
    }
    sums
}

/// Sums to memory.
#[inline(always)]
fn store<I: Isa, const N: usize, const M: usize>(isa: I, sums: [[I::Lanes; N]; M], held: &mut [f32]) {
    for i in 0..M {
        for n in 0..N {
            isa.store_lanes(sums[i][n], &mut held[(i * N + n) * I::LANES..]);
        }
    }
}
