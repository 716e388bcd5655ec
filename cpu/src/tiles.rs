//! Products of weight rows with many exact rows of x.
//!
//! A block of weight rows becomes floats, which stay in the cache while all rows of x pass. Tiles of a few weight rows and a few rows of x meet:
//! their sums of as many columns as a vector has lanes stay in registers through a part of the row, then come those of the next columns. What
//! a tile has of x stays in the first cache while all weight rows of the block pass.

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
const PART: usize = 16;
/// Rows of x in a tile.
const X_TILE: usize = 6;

const ZERO: Chunk = Chunk([0.0; CHUNK]);

/// The products of weight rows with rows of x.
pub fn tiled<F: Floats>(processor: Processor, operands: Operands<'_, F>) {
    let rows = operands.rows();
    let Operands { weights, first, x, sums, .. } = operands;
    let block = (BLOCK / weights.cols.max(1)).clamp(1, rows.max(1)).next_multiple_of(WHOLE_TILES);
    let mut floats = vec![ZERO; block * x.chunks()];
    let mut held = vec![ZERO; block * X_TILE];
    for from in (0..rows).step_by(block) {
        let count = block.min(rows - from);
        processor.run(Unpack::<F> { weights, rows: first + from, floats: &mut floats, count, packing: PhantomData });
        let next = from + count..rows.min(from + count + block);
        let ahead = Ahead(weights.words(first + next.start..first + next.end));
        let column = Column { sums: &mut *sums, rows, from, count };
        processor.run(Block { floats: &floats, x, held: &mut held, ahead, column });
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
            let row = reader.row(isa, self.rows + n);
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
    /// Sums of the products of one tile of x: `[tiles, rows of x, weight rows]`.
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
        let held = &mut held[..tiles * M * N];
        held.fill(ZERO);
        let parts = ahead.in_parts(chunks.div_ceil(PART) * tiles);
        for (number, start) in (0..chunks).step_by(PART).enumerate() {
            let part = start..chunks.min(start + PART);
            let mut values: [&[Chunk]; M] = [&[]; M];
            for (i, values) in values.iter_mut().enumerate() {
                *values = &x.exact(m + i)[part.clone()];
            }
            for (tile, held) in held.chunks_exact_mut(M * N).enumerate() {
                parts.fetch(isa, number * tiles + tile);
                let mut weights: [&[Chunk]; N] = [&[]; N];
                for n in 0..N {
                    weights[n] = &floats[(tile * N + n) * chunks..][part.clone()];
                }
                for from in (0..CHUNK).step_by(I::LANES) {
                    add_columns(isa, weights, values, from, held);
                }
            }
        }
        *ahead = Ahead::default();
        for (tile, held) in held.chunks_exact(M * N).enumerate() {
            for (i, held) in held.chunks_exact(N).enumerate() {
                let to = &mut column.sums[(m + i) * column.rows + column.from..][..column.count];
                for (to, held) in to.iter_mut().skip(tile * N).zip(held) {
                    *to = isa.total(isa.load_floats(bytemuck::cast_ref(&held.0)));
                }
            }
        }
        M
    }
}

/// Adds to `held`, `[M, N]`, the products of the columns from `from` on of each chunk, as many as a vector has lanes.
#[inline(always)]
fn add_columns<I: Isa, const N: usize, const M: usize>(
    isa: I,
    weights: [&[Chunk]; N],
    x: [&[Chunk]; M],
    from: usize,
    held: &mut [Chunk],
) {
    let held = &mut held[..M * N];
    let mut sums = [[isa.zero(); N]; M];
    for i in 0..M {
        for n in 0..N {
            sums[i][n] = isa.lanes(&held[i * N + n].0[from..]);
        }
    }
    for c in 0..weights[0].len() {
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
    for i in 0..M {
        for n in 0..N {
            isa.store_lanes(sums[i][n], &mut held[i * N + n].0[from..]);
        }
    }
}
