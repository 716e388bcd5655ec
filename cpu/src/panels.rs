//! Products of quantised weight rows with rounded rows of activations.
//!
//! Weight rows lie side by side in their planes: a vector has a word of each of as many rows as it has lanes, and a panel is some such vectors.
//! What shifts and masks leave of a vector are pairs of 16 bits, which are kept where more than a tile of x meets them. Rows of x pass, eight
//! at a time: one instruction multiplies a pair of each row with a pair of x and adds both products to whole numbers, which are exact. 32
//! columns take 16 of these, and are scaled once. A product has the same bits whatever is computed beside it.

use inglenook_format::quant::GROUP;

use crate::activations::{Activations, CHUNK, ChunkScale, Rounded, TILE, Tile};
use crate::ahead::Ahead;
use crate::isa::{Isa, Task};
use crate::matmul::{Column, Operands, Weights};
use crate::numbers::{Numbers, RowWords, by_fours};
use crate::scales::Scales;

/// Lanes of the widest vector.
const MOST_LANES: usize = GROUP;

/// How weights meet x: unpacked on the way,
const PACKED: usize = 0;
/// unpacked before,
const UNPACKED: usize = 1;
/// or unpacked on the way for few rows.
const OF_FEW: usize = 2;

/// Products of rounded rows of x, up to `MOST` of which meet a panel at once: 1, 2 or [`TILE`]. Each is a function of its own, since
/// compilers of WebAssembly do badly on large ones.
pub struct Panels<'a, N, const MOST: usize>(pub Operands<'a, N>);

impl<N: Numbers, const MOST: usize> Task for Panels<'_, N, MOST> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        // Few rows of x have few sums, so that there is room for more vectors.
        match (MOST, I::VECTORS) {
            (1, _) => self.run_with::<I, 4>(isa),
            (2, _) | (_, 2) => self.run_with::<I, 2>(isa),
            _ => self.run_with::<I, 1>(isa),
        }
    }
}

impl<N: Numbers, const MOST: usize> Panels<'_, N, MOST> {
    /// With panels of `V` vectors.
    #[inline(always)]
    fn run_with<I: Isa, const V: usize>(self, isa: I) {
        let rows = self.0.rows();
        let Operands { weights, first, x, sums, .. } = self.0;
        let m_count = x.rows();
        // Whole groups, of which a panel may be a part.
        let step = GROUP.max(V * I::LANES);
        let mut panel = Panel::<V>::new::<I, N>(weights, x);
        for start in (0..rows).step_by(step) {
            let end = rows.min(start + step);
            panel.read_scales(isa, first + start, end - start);
            let mut ahead = Ahead(weights.words(first + end..first + rows.min(end + step)));
            for from in (start..end).step_by(V * I::LANES) {
                panel.take::<I>(first + from, from - start);
                if m_count > TILE {
                    panel.unpack::<I, N>(isa);
                }
                let mut column = Column { sums, rows, from, count: (V * I::LANES).min(end - from) };
                for m in (0..m_count).step_by(TILE) {
                    let (tile, mut i) = (x.tile(m), 0);
                    while i < tile.rows {
                        let rows = TileRows { tile, m, i };
                        i += match tile.rows - i {
                            _ if MOST == 1 => panel.meet::<I, N, 1, OF_FEW>(isa, rows, &mut column, ahead),
                            _ if MOST == 2 => panel.meet::<I, N, 2, OF_FEW>(isa, rows, &mut column, ahead),
                            TILE.. if m_count > TILE => {
                                panel.meet::<I, N, TILE, UNPACKED>(isa, rows, &mut column, ahead)
                            }
                            TILE.. => panel.meet::<I, N, TILE, PACKED>(isa, rows, &mut column, ahead),
                            4.. => panel.meet::<I, N, 4, PACKED>(isa, rows, &mut column, ahead),
                            2.. => panel.meet::<I, N, 2, PACKED>(isa, rows, &mut column, ahead),
                            _ => panel.meet::<I, N, 1, PACKED>(isa, rows, &mut column, ahead),
                        };
                        ahead = Ahead::default();
                    }
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
struct Panel<'a, const V: usize> {
    weights: Weights<'a>,
    chunks: usize,
    /// The packed words of each vector: word `k` begins at `16 * k`.
    words: [RowWords<'a>; V],
    /// Of all groups that the panel is a part of.
    scales: Scales,
    /// Group and lane in which each vector begins.
    places: [(usize, usize); V],
    /// What the sums of each half of 32 columns begin with, for weights to lose their offset: `[tiles, chunks, rows of the tile]`.
    starts: Vec<[i32; 2]>,
    /// What [`Numbers::pairs`], or [`Numbers::fours`], gives for each `k`, where that is kept: `[chunks, 4, V, 4, lanes]`.
    unpacked: Vec<u32>,
}

impl<'a, const V: usize> Panel<'a, V> {
    #[inline(always)]
    fn new<I: Isa, N: Numbers>(weights: Weights<'a>, x: &Activations) -> Self {
        let chunks = weights.cols / CHUNK;
        let scales = Scales::new(weights.ty, (V * I::LANES).div_ceil(GROUP), chunks);
        let offset = -i32::from(scales.offset + N::OFFSET);
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
        let words = [RowWords::default(); V];
        Panel { weights, chunks, words, scales, places: [(0, 0); V], starts, unpacked: Vec::new() }
    }

    /// Reads the scales of `count` rows from `first` on, which begins a group.
    #[inline(always)]
    fn read_scales<I: Isa>(&mut self, isa: I, first: usize, count: usize) {
        for group in 0..count.div_ceil(GROUP) {
            self.scales.read(isa, group, self.weights.scales(first + group * GROUP));
        }
    }

    /// Takes the rows from `first` on, which are `at` behind those whose scales were read.
    #[inline(always)]
    fn take<I: Isa>(&mut self, first: usize, at: usize) {
        for v in 0..V {
            // A vector without rows meets those of the one before it.
            if let Some(words) = self.weights.lanes(first + v * I::LANES) {
                self.words[v] = words;
                self.places[v] = ((at + v * I::LANES) / GROUP, (at + v * I::LANES) % GROUP);
            } else {
                (self.words[v], self.places[v]) = (self.words[v - 1], self.places[v - 1]);
            }
        }
    }

    /// Unpacks what was taken, for many tiles of x.
    #[inline(always)]
    fn unpack<I: Isa, N: Numbers>(&mut self, isa: I) {
        let mut unpacked = std::mem::take(&mut self.unpacked);
        unpacked.resize(self.chunks * CHUNK / 2 * V * I::LANES, 0);
        for c in 0..self.chunks {
            for k in 0..4 {
                for v in 0..V {
                    let to = &mut unpacked[((c * 4 + k) * V + v) * 4 * I::LANES..][..4 * I::LANES];
                    if by_fours::<I, N>(false) {
                        let [a, b] = N::fours(isa, self.words[v], c, k);
                        isa.store_pairs(a, to);
                        isa.store_pairs(b, &mut to[I::LANES..]);
                    } else {
                        let pairs = N::pairs(isa, self.words[v], c, k);
                        for (to, pairs) in to.chunks_exact_mut(I::LANES).zip(pairs) {
                            isa.store_pairs(pairs, to);
                        }
                    }
                }
            }
        }
        self.unpacked = unpacked;
    }

    /// The products with `M` rows of x to where they belong; gives `M`.
    #[inline(always)]
    fn meet<I: Isa, N: Numbers, const M: usize, const HOW: usize>(
        &self,
        isa: I,
        x: TileRows<'_>,
        column: &mut Column<'_>,
        ahead: Ahead<'_>,
    ) -> usize {
        let mut fours = [[[isa.zero(); V]; M]; 4];
        for c in 0..self.chunks {
            ahead.fetch(isa, c, self.chunks);
            self.add_chunk::<I, N, M, HOW, 0>(isa, c, x, &mut fours[c * N::SCALES % 4]);
            if N::SCALES == 2 {
                self.add_chunk::<I, N, M, HOW, 1>(isa, c, x, &mut fours[(c * N::SCALES + 1) % 4]);
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

    /// Adds what the columns of scale `HALF` of chunk `c` come to.
    #[inline(always)]
    fn add_chunk<I: Isa, N: Numbers, const M: usize, const HOW: usize, const HALF: usize>(
        &self,
        isa: I,
        c: usize,
        x: TileRows<'_>,
        sums: &mut [[I::Lanes; V]; M],
    ) {
        let TileRows { tile, m, i } = x;
        let at = c * tile.rows + i;
        let values: &[Rounded; M] = tile.values[at..].first_chunk().expect("as many rows");
        let x_scales: &[ChunkScale; M] = tile.scales[at..].first_chunk().expect("as many rows");
        let starts: &[[i32; 2]; M] = self.starts[m * self.chunks + at..].first_chunk().expect("as many rows");
        let ints = if by_fours::<I, N>(HOW == OF_FEW) {
            self.ints_by_fours::<I, N, M, HOW, HALF>(isa, c, values, starts)
        } else {
            self.ints_by_pairs::<I, N, M, HOW, HALF>(isa, c, values, starts)
        };
        for i in 0..M {
            let (x_scale, x_sum) = (isa.all(x_scales[i].scale), isa.all(x_scales[i].sum));
            for v in 0..V {
                let (group, lane) = self.places[v];
                let scales = isa.lanes(self.scales.lanes(group, lane, c * N::SCALES + HALF));
                if self.scales.has_minima() {
                    sums[i][v] = isa.multiply_add(isa.lanes(self.scales.minima(group, lane, c)), x_sum, sums[i][v]);
                }
                sums[i][v] = isa.multiply_add(isa.multiply(isa.floats(ints[i][v]), x_scale), scales, sums[i][v]);
            }
        }
    }

    /// What the columns of scale `HALF` of chunk `c` come to, by numbers of 16 bits.
    #[inline(always)]
    fn ints_by_pairs<I: Isa, N: Numbers, const M: usize, const HOW: usize, const HALF: usize>(
        &self,
        isa: I,
        c: usize,
        values: &[Rounded; M],
        starts: &[[i32; 2]; M],
    ) -> [[I::Ints; V]; M] {
        let mut ints = [[isa.no_ints(); V]; M];
        for i in 0..M {
            ints[i] = [isa.all_ints(starts[i][HALF]); V];
        }
        for k in 0..4 {
            let mut pairs = [[isa.pairs(&[0; MOST_LANES]); 4]; V];
            for (v, pairs) in pairs.iter_mut().enumerate() {
                if HOW == UNPACKED {
                    let from = &self.unpacked[((c * 4 + k) * V + v) * 4 * I::LANES..][..4 * I::LANES];
                    for j in 0..4 {
                        pairs[j] = isa.pairs(&from[j * I::LANES..]);
                    }
                } else {
                    *pairs = N::pairs(isa, self.words[v], c, k);
                }
            }
            // Written out, so that sums stay in registers.
            if N::SCALES == 1 || HALF == 0 {
                add_pairs::<I, V, M>(isa, &mut ints, &pairs, 0, values, k);
                add_pairs::<I, V, M>(isa, &mut ints, &pairs, 2, values, k);
            }
            if N::SCALES == 1 || HALF == 1 {
                add_pairs::<I, V, M>(isa, &mut ints, &pairs, 1, values, k);
                add_pairs::<I, V, M>(isa, &mut ints, &pairs, 3, values, k);
            }
        }
        ints
    }

    /// The same by bytes: those of x of either kind have sums of their own.
    #[inline(always)]
    fn ints_by_fours<I: Isa, N: Numbers, const M: usize, const HOW: usize, const HALF: usize>(
        &self,
        isa: I,
        c: usize,
        values: &[Rounded; M],
        starts: &[[i32; 2]; M],
    ) -> [[I::Ints; V]; M] {
        let (mut high, mut low) = ([[isa.no_ints(); V]; M], [[isa.no_ints(); V]; M]);
        for i in 0..M {
            low[i] = [isa.all_ints(starts[i][HALF]); V];
        }
        for k in 0..4 {
            for v in 0..V {
                let fours = if HOW == UNPACKED {
                    let from = &self.unpacked[((c * 4 + k) * V + v) * 4 * I::LANES..][..2 * I::LANES];
                    [isa.pairs(from), isa.pairs(&from[I::LANES..])]
                } else {
                    N::fours(isa, self.words[v], c, k)
                };
                for i in 0..M {
                    let (high_x, low_x) = values[i].0.split_at(CHUNK / 4);
                    if N::SCALES == 1 || HALF == 0 {
                        high[i][v] = isa.add_fours(high[i][v], fours[0], high_x[k]);
                        low[i][v] = isa.add_fours(low[i][v], fours[0], low_x[k]);
                    }
                    if N::SCALES == 1 || HALF == 1 {
                        high[i][v] = isa.add_fours(high[i][v], fours[1], high_x[4 + k]);
                        low[i][v] = isa.add_fours(low[i][v], fours[1], low_x[4 + k]);
                    }
                }
            }
        }
        for i in 0..M {
            for v in 0..V {
                low[i][v] = isa.joined(high[i][v], low[i][v]);
            }
        }
        low
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
