//! Products of quantised weight rows with many rows of activations.
//!
//! The packed words of weight rows are turned into a panel, as many rows side by side as some vectors have lanes: of each row a lane. What
//! shifts and masks leave of such a vector are pairs of 16 bits, which are kept where more than a tile of x meets them. Rows of x pass, eight
//! at a time: one instruction multiplies a pair of each row with a pair of x and adds both products to whole numbers, which are exact. 32
//! columns take 16 of these, and are scaled once. A product has the same bits whatever is computed beside it.

use crate::activations::{Activations, CHUNK, ChunkScale, Rounded, TILE, Tile};
use crate::ahead::Ahead;
use crate::isa::{Isa, Task};
use crate::matmul::{Column, Operands, Weights};
use crate::numbers::{Numbers, RowWords};
use crate::scales::{Minima, RowScales};
use crate::turned::Turned;

/// Lanes of the widest vector.
const MOST_LANES: usize = 16;

/// Products of rounded rows of x, of many weight rows at a time.
pub struct Panels<'a, N>(pub Operands<'a, N>);

impl<N: Numbers> Task for Panels<'_, N> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        match I::VECTORS {
            2 => self.run_with::<I, 2>(isa),
            _ => self.run_with::<I, 1>(isa),
        }
    }
}

impl<N: Numbers> Panels<'_, N> {
    #[inline(always)]
    fn run_with<I: Isa, const V: usize>(self, isa: I) {
        let rows = self.0.rows();
        let Operands { weights, first, x, sums, .. } = self.0;
        let m_count = x.rows();
        let mut panel = Panel::<V>::new::<I, N>(weights, x);
        for from in (0..rows).step_by(V * I::LANES) {
            let count = (V * I::LANES).min(rows - from);
            panel.fill(isa, weights, first + from, count);
            if m_count > TILE {
                panel.unpack::<I, N>(isa);
            }
            let next = from + count..rows.min(from + count + V * I::LANES);
            let mut ahead = Ahead(weights.words(first + next.start..first + next.end));
            let mut column = Column { sums, rows, from, count };
            for m in (0..m_count).step_by(TILE) {
                let (tile, mut i) = (x.tile(m), 0);
                while i < tile.rows {
                    let rows = TileRows { tile, m, i };
                    i += match tile.rows - i {
                        TILE.. if m_count > TILE => panel.meet::<I, N, TILE, true>(isa, rows, &mut column, ahead),
                        TILE.. => panel.meet::<I, N, TILE, false>(isa, rows, &mut column, ahead),
                        4.. => panel.meet::<I, N, 4, false>(isa, rows, &mut column, ahead),
                        2.. => panel.meet::<I, N, 2, false>(isa, rows, &mut column, ahead),
                        _ => panel.meet::<I, N, 1, false>(isa, rows, &mut column, ahead),
                    };
                    ahead = Ahead::default();
                }
            }
        }
    }
}

/// The rows from `i` on of the tile that begins at row `m`.
#[derive(Clone, Copy)]
struct TileRows<'a> {
    tile: Tile<'a>,
    m: usize,
    i: usize,
}

/// Weight rows side by side in the lanes of `V` vectors. What a lane without a row holds is of no account.
struct Panel<const V: usize> {
    chunks: usize,
    quants: Turned,
    high_bits: Turned,
    scales: Turned,
    /// Empty for types that have none of their own.
    minima: Turned,
    /// What scales are read into: of as many rows as a vector has lanes.
    of_rows: RowScales,
    /// What the sums of each half of 32 columns begin with, for weights to lose their offset: `[tiles, chunks, rows of the tile]`.
    starts: Vec<[i32; 2]>,
    /// What [`Numbers::pairs`] gives for each `k`, where that is kept: `[chunks, 4, V, 4, lanes]`.
    unpacked: Vec<u32>,
}

impl<const V: usize> Panel<V> {
    #[inline(always)]
    fn new<I: Isa, N: Numbers>(weights: Weights<'_>, x: &Activations) -> Self {
        let chunks = weights.cols / CHUNK;
        let of_rows = RowScales::new(weights.ty, I::LANES, chunks);
        let [quants, high_bits] = weights.words(0..1);
        let minima = if let Minima::Own(_) = of_rows.minima { of_rows.stride } else { 0 };
        let offset = -i32::from(of_rows.offset() + N::OFFSET);
        let mut starts = Vec::with_capacity(x.rows() * chunks);
        for m in (0..x.rows()).step_by(TILE) {
            for scale in x.tile(m).scales {
                let [first, last] = scale.totals;
                starts.push(if N::SCALES == 1 {
                    [offset * (first + last); 2]
                } else {
                    [offset * first, offset * last]
                });
            }
        }
        Panel {
            chunks,
            quants: Turned::new(V * I::LANES, quants.len()),
            high_bits: Turned::new(V * I::LANES, high_bits.len()),
            scales: Turned::new(V * I::LANES, of_rows.stride),
            minima: Turned::new(V * I::LANES, minima),
            of_rows,
            starts,
            unpacked: Vec::new(),
        }
    }

    /// Takes `count` rows from `first` on.
    #[inline(always)]
    fn fill<I: Isa>(&mut self, isa: I, weights: Weights<'_>, first: usize, count: usize) {
        for v in 0..V {
            let rows = v * I::LANES..((v + 1) * I::LANES).min(count);
            if rows.is_empty() {
                break;
            }
            let [quants, high_bits] = weights.words(first + rows.start..first + rows.end);
            self.quants.fill(isa, v, rows.len(), quants);
            self.high_bits.fill(isa, v, rows.len(), high_bits);
            for (lane, row) in rows.enumerate() {
                weights.read_scales(isa, first + row, &mut self.of_rows, lane);
            }
            self.scales.fill(isa, v, I::LANES, bytemuck::cast_slice(&self.of_rows.scales));
            if let Minima::Own(minima) = &self.of_rows.minima {
                self.minima.fill(isa, v, I::LANES, bytemuck::cast_slice(minima));
            }
        }
    }

    /// Unpacks what was filled in, for many tiles of x.
    #[inline(always)]
    fn unpack<I: Isa, N: Numbers>(&mut self, isa: I) {
        let mut unpacked = std::mem::take(&mut self.unpacked);
        unpacked.resize(self.chunks * CHUNK / 2 * V * I::LANES, 0);
        for c in 0..self.chunks {
            for k in 0..4 {
                for v in 0..V {
                    let to = &mut unpacked[((c * 4 + k) * V + v) * 4 * I::LANES..][..4 * I::LANES];
                    let pairs = N::pairs(isa, self.words::<I>(v), c, k);
                    for (to, pairs) in to.chunks_exact_mut(I::LANES).zip(pairs) {
                        isa.store_pairs(pairs, to);
                    }
                }
            }
        }
        self.unpacked = unpacked;
    }

    /// The packed words in vector `v`.
    #[inline(always)]
    fn words<I: Isa>(&self, v: usize) -> RowWords<'_> {
        RowWords { quants: self.quants.vector::<I>(v), high_bits: self.high_bits.vector::<I>(v) }
    }

    /// The products with `M` rows of x to where they belong; gives `M`.
    #[inline(always)]
    fn meet<I: Isa, N: Numbers, const M: usize, const UNPACKED: bool>(
        &self,
        isa: I,
        x: TileRows<'_>,
        column: &mut Column<'_>,
        ahead: Ahead<'_>,
    ) -> usize {
        let mut fours = [[[isa.zero(); V]; M]; 4];
        for c in 0..self.chunks {
            ahead.fetch(isa, c, self.chunks);
            for half in 0..N::SCALES {
                self.add_chunk::<I, N, M, UNPACKED>(isa, (c, half), x, &mut fours[(c * N::SCALES + half) % 4]);
            }
        }
        let m = x.m + x.i;
        let Column { sums, rows, from, count } = column;
        for i in 0..M {
            let mut products = [[0.0; MOST_LANES]; V];
            for v in 0..V {
                let [a, b, c, d] = [fours[0][i][v], fours[1][i][v], fours[2][i][v], fours[3][i][v]];
                let total = isa.add(isa.add(a, c), isa.add(b, d));
                isa.store_lanes(total, &mut products[v]);
            }
            let to = sums[(m + i) * *rows + *from..][..*count].chunks_mut(I::LANES);
            to.zip(&products).for_each(|(to, products)| to.copy_from_slice(&products[..to.len()]));
        }
        M
    }

    /// Adds what the columns of scale `half` of chunk `c` come to.
    #[inline(always)]
    fn add_chunk<I: Isa, N: Numbers, const M: usize, const UNPACKED: bool>(
        &self,
        isa: I,
        (c, half): (usize, usize),
        x: TileRows<'_>,
        sums: &mut [[I::Lanes; V]; M],
    ) {
        let TileRows { tile, m, i } = x;
        let at = c * tile.rows + i;
        let values: &[Rounded; M] = tile.values[at..].first_chunk().expect("as many rows");
        let x_scales: &[ChunkScale; M] = tile.scales[at..].first_chunk().expect("as many rows");
        let starts: &[[i32; 2]; M] = self.starts[m * self.chunks + at..].first_chunk().expect("as many rows");
        let mut ints = [[isa.no_ints(); V]; M];
        for i in 0..M {
            ints[i] = [isa.all_ints(starts[i][half]); V];
        }
        for k in 0..4 {
            let mut pairs = [[isa.pairs(&[0; MOST_LANES]); 4]; V];
            for (v, pairs) in pairs.iter_mut().enumerate() {
                if UNPACKED {
                    let from = &self.unpacked[((c * 4 + k) * V + v) * 4 * I::LANES..][..4 * I::LANES];
                    for j in 0..4 {
                        pairs[j] = isa.pairs(&from[j * I::LANES..]);
                    }
                } else {
                    *pairs = N::pairs(isa, self.words::<I>(v), c, k);
                }
            }
            // Written out, so that sums stay in registers.
            if N::SCALES == 1 || half == 0 {
                add_pairs::<I, V, M>(isa, &mut ints, &pairs, 0, values, k);
                add_pairs::<I, V, M>(isa, &mut ints, &pairs, 2, values, k);
            }
            if N::SCALES == 1 || half == 1 {
                add_pairs::<I, V, M>(isa, &mut ints, &pairs, 1, values, k);
                add_pairs::<I, V, M>(isa, &mut ints, &pairs, 3, values, k);
            }
        }
        for i in 0..M {
            let (x_scale, x_sum) = (isa.all(x_scales[i].scale), isa.all(x_scales[i].sum));
            for v in 0..V {
                let scales = isa.multiply(self.scales.lanes(isa, v, c * N::SCALES + half), x_scale);
                let mut term = isa.multiply(isa.floats(ints[i][v]), scales);
                if !self.minima.is_empty() {
                    term = isa.multiply_add(self.minima.lanes(isa, v, c), x_sum, term);
                }
                sums[i][v] = isa.add(sums[i][v], term);
            }
        }
    }
}

/// Adds the products of pairs `j` of what [`Numbers::pairs`] gives for `k`.
#[inline(always)]
fn add_pairs<I: Isa, const V: usize, const M: usize>(
    isa: I,
    ints: &mut [[I::Ints; V]; M],
    pairs: &[[I::Pairs; 4]; V],
    j: usize,
    values: &[Rounded; M],
    k: usize,
) {
    for i in 0..M {
        for v in 0..V {
            ints[i][v] = isa.add_pairs(ints[i][v], pairs[v][j], values[i].0[4 * j + k]);
        }
    }
}
