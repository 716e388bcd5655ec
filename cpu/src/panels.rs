//! Products of quantised weight rows with rounded rows of activations.
//!
//! Weight rows lie side by side in their planes: a vector has a word of each of as many rows as it has lanes, and a panel is some such vectors.
//! What shifts and masks leave of a vector are pairs of 16 bits, which are kept where more than a tile of x meets them. Rows of x pass, eight
//! at a time: one instruction multiplies a pair of each row with a pair of x and adds both products to whole numbers, which are exact. 32
//! columns take 16 of these, and are scaled once. A product has the same bits whatever is computed beside it.

use inglenook_format::quant::GROUP;

use crate::activations::{Activations, CHUNK, ChunkScale, Rounded, TILE, Tile};
use crate::ahead::Ahead;
use crate::isa::{Isa, Task, TileSums, Tiles};
use crate::matmul::{Column, Operands, Weights};
use crate::numbers::{Numbers, RowWords, by_fours, in_tiles};
use crate::scales::Scales;
use crate::unpacked::unpack;

/// Lanes of the widest vector.
const MOST_LANES: usize = GROUP;

/// How weights meet x: unpacked on the way,
const PACKED: usize = 0;
/// unpacked before,
const UNPACKED: usize = 1;
/// or unpacked on the way for few rows.
const OF_FEW: usize = 2;

/// Words of the bytes of a chunk.
const WORDS: usize = CHUNK / 4;

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
        let mut in_tiles = match MOST == TILE && in_tiles(isa, m_count) {
            true => Some(InTiles { tiles: None, products: Default::default(), fours: [[[isa.zero(); V]; TILE]; 4] }),
            false => None,
        };
        // Bytes need no more than shifts.
        let is_kept = m_count > TILE && !N::IS_UNPACKED;
        for start in (0..rows).step_by(step) {
            let end = rows.min(start + step);
            panel.read::<I, N>(isa, first + start, end - start);
            let mut ahead = Ahead(weights.words(first + end..first + rows.min(end + step)));
            for from in (start..end).step_by(V * I::LANES) {
                panel.take::<I>(first + from, from - start);
                let mut column = Column { sums, rows, from, count: (V * I::LANES).min(end - from) };
                if in_tiles.is_some() {
                    panel.unpack_for_tiles::<I, N>(isa);
                } else if is_kept {
                    panel.unpack::<I, N>(isa);
                }
                for m in (0..m_count).step_by(TILE) {
                    let (tile, mut i) = (x.tile(m), 0);
                    while i < tile.rows {
                        let rows = TileRows { tile, m, i };
                        let left = tile.rows - i;
                        i += match (left, &mut in_tiles) {
                            (TILE.., Some(tiles)) => {
                                panel.meet_in_tiles::<I, N, TILE>(isa, rows, &mut column, ahead, tiles)
                            }
                            (4.., Some(tiles)) => panel.meet_in_tiles::<I, N, 4>(isa, rows, &mut column, ahead, tiles),
                            (2.., Some(tiles)) => panel.meet_in_tiles::<I, N, 2>(isa, rows, &mut column, ahead, tiles),
                            (_, Some(tiles)) => panel.meet_in_tiles::<I, N, 1>(isa, rows, &mut column, ahead, tiles),
                            _ if MOST == 1 => panel.meet::<I, N, 1, OF_FEW>(isa, rows, &mut column, ahead),
                            _ if MOST == 2 => panel.meet::<I, N, 2, OF_FEW>(isa, rows, &mut column, ahead),
                            (TILE.., None) if is_kept => {
                                panel.meet::<I, N, TILE, UNPACKED>(isa, rows, &mut column, ahead)
                            }
                            (TILE.., None) => panel.meet::<I, N, TILE, PACKED>(isa, rows, &mut column, ahead),
                            (4.., None) => panel.meet::<I, N, 4, PACKED>(isa, rows, &mut column, ahead),
                            (2.., None) => panel.meet::<I, N, 2, PACKED>(isa, rows, &mut column, ahead),
                            (_, None) => panel.meet::<I, N, 1, PACKED>(isa, rows, &mut column, ahead),
                        };
                        ahead = Ahead::default();
                    }
                }
            }
        }
    }
}

/// What products in tiles are computed with, kept from those to these.
struct InTiles<I: Isa, const V: usize> {
    /// For as many rows of x as met them last.
    tiles: Option<Tiles>,
    /// Of this step and of the one before it.
    products: [TileSums; 2],
    /// Four sums of each row of x; those that no step adds to stay zeros.
    fours: [[[I::Lanes; V]; TILE]; 4],
}

/// The rows from `i` on of the tile that begins at row `m`.
#[derive(Clone, Copy)]
struct TileRows<'a> {
    tile: Tile<'a>,
    m: usize,
    i: usize,
}

impl TileRows<'_> {
    /// What `M` of these rows have of chunk `c`, of what all have.
    #[inline(always)]
    fn rows_of<'b, T, const M: usize>(&self, all: &'b [T], c: usize) -> &'b [T; M] {
        all[c * self.tile.rows + self.i..].first_chunk().expect("as many rows")
    }
}

/// Weight rows side by side in the lanes of `V` vectors. What a lane without a row holds is of no account.
struct Panel<'a, const V: usize> {
    weights: Weights<'a>,
    chunks: usize,
    /// The packed words of each vector: word `k` begins at `16 * k`.
    words: [RowWords<'a>; V],
    /// The words of types that are unpacked first: `[groups, words, 16]`.
    bytes: Vec<u32>,
    /// Of all groups that the panel is a part of.
    scales: Scales,
    /// Rows whose scales were read, in whole groups.
    read: usize,
    /// Group and lane in which each vector begins.
    places: [(usize, usize); V],
    /// What the sums of each half of 32 columns begin with, for weights to lose their offset: `[tiles, chunks, rows of the tile]`.
    starts: Vec<[i32; 2]>,
    /// What [`Numbers::pairs`], or [`Numbers::fours`], gives for each `k`, where that is kept: `[chunks, 4, V, 4, lanes]`; for tiles without
    /// its offset, and `[chunks and halves, V, words, lanes]`.
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
        let [bytes, unpacked] = [const { Vec::new() }; 2];
        Panel { weights, chunks, words, bytes, scales, read: 0, places: [(0, 0); V], starts, unpacked }
    }

    /// Reads the scales of `count` rows from `first` on, which begins a group, and unpacks what is unpacked first.
    #[inline(always)]
    fn read<I: Isa, N: Numbers>(&mut self, isa: I, first: usize, count: usize) {
        self.bytes.clear();
        self.read = count.next_multiple_of(GROUP);
        for group in 0..count.div_ceil(GROUP) {
            let words = self.weights.group(first + group * GROUP);
            self.scales.read(isa, group, words);
            if N::IS_UNPACKED {
                unpack(self.weights.ty, words, self.chunks, &mut self.bytes);
            }
        }
    }

    /// The packed words of vector `v`.
    #[inline(always)]
    fn words<N: Numbers>(&self, v: usize) -> RowWords<'_> {
        if !N::IS_UNPACKED {
            return self.words[v];
        }
        let (group, lane) = self.places[v];
        RowWords { quants: &self.bytes[group * self.chunks * WORDS * GROUP + lane..], ..RowWords::default() }
    }

    /// Takes the rows from `first` on, which are `at` behind those whose scales were read.
    #[inline(always)]
    fn take<I: Isa>(&mut self, first: usize, at: usize) {
        for v in 0..V {
            // A vector without rows meets those of the one before it. (There may be rows that are none of these.)
            let lanes = self.weights.lanes(first + v * I::LANES).filter(|_| at + v * I::LANES < self.read);
            if let Some(words) = lanes {
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
                    if by_fours::<I, N>(isa, TILE) {
                        let [a, b] = N::fours(isa, self.words::<N>(v), c, k);
                        isa.store_pairs(a, to);
                        isa.store_pairs(b, &mut to[I::LANES..]);
                    } else {
                        let pairs = N::pairs(isa, self.words::<N>(v), c, k);
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
        let ahead = ahead.in_parts(self.chunks);
        for c in 0..self.chunks {
            ahead.fetch(isa, c);
            self.add_chunk::<I, N, M, HOW, 0>(isa, c, x, &mut fours[c * N::SCALES % 4]);
            if N::SCALES == 2 {
                self.add_chunk::<I, N, M, HOW, 1>(isa, c, x, &mut fours[(c * N::SCALES + 1) % 4]);
            }
        }
        for i in 0..M {
            put::<I, V, M>(isa, &fours, i, x.m + x.i + i, column);
        }
        M
    }

    /// Unpacks what was taken for [`Panel::meet_in_tiles`].
    #[inline(always)]
    fn unpack_for_tiles<I: Isa, N: Numbers>(&mut self, isa: I) {
        let mut unpacked = std::mem::take(&mut self.unpacked);
        unpacked.resize(self.chunks * WORDS * V * I::LANES, 0);
        let (words, offset) = (WORDS / N::SCALES, self.scales.offset + N::OFFSET);
        for c in 0..self.chunks {
            let chunk = &mut unpacked[c * WORDS * V * I::LANES..][..WORDS * V * I::LANES];
            for v in 0..V {
                for k in 0..4 {
                    let fours = N::fours(isa, self.words::<N>(v), c, k);
                    // The second are those of the other scale, or the other words of the same.
                    let first = v * words + k;
                    let second = first + if N::SCALES == 2 { V * words } else { 4 };
                    isa.store_pairs(isa.lowered(fours[0], offset), &mut chunk[first * I::LANES..]);
                    isa.store_pairs(isa.lowered(fours[1], offset), &mut chunk[second * I::LANES..]);
                }
            }
        }
        self.unpacked = unpacked;
    }

    /// [`Panel::meet`] in tiles. The next products are under way while those before are scaled.
    #[inline(always)]
    fn meet_in_tiles<I: Isa, N: Numbers, const M: usize>(
        &self,
        isa: I,
        x: TileRows<'_>,
        column: &mut Column<'_>,
        ahead: Ahead<'_>,
        kept: &mut InTiles<I, V>,
    ) -> usize {
        let words = WORDS / N::SCALES;
        let InTiles { tiles, products, fours } = kept;
        if !matches!(tiles, Some(tiles) if tiles.rows() == M) {
            // One at a time.
            *tiles = None;
            *tiles = isa.tiles(M, words);
        }
        let Some(tiles) = tiles else { unreachable!("only where there are tiles") };
        let steps = self.chunks * N::SCALES;
        let ahead = ahead.in_parts(steps);
        for step in 0..=steps {
            if step < steps {
                ahead.fetch(isa, step);
                let weights = &self.unpacked[step * V * words * I::LANES..][..V * words * I::LANES];
                let rows: &[Rounded; M] = x.rows_of(x.tile.values, step / N::SCALES);
                let from = step % N::SCALES * 4 * words;
                tiles.multiply(weights, bytemuck::cast_slice(rows), from, &mut products[step % 2]);
            }
            if step > 0 {
                let sums = &mut fours[(step - 1) % 4];
                if step <= 4 {
                    *sums = [[isa.zero(); V]; TILE];
                }
                self.add_step::<I, N, M>(isa, step - 1, x, &products[(step - 1) % 2], sums);
            }
        }
        for i in 0..M {
            put::<I, V, TILE>(isa, fours, i, x.m + x.i + i, column);
        }
        M
    }

    /// Adds the products of a step of tiles.
    #[inline(always)]
    fn add_step<I: Isa, N: Numbers, const M: usize>(
        &self,
        isa: I,
        step: usize,
        x: TileRows<'_>,
        TileSums(products): &TileSums,
        sums: &mut [[I::Lanes; V]; TILE],
    ) {
        let c = step / N::SCALES;
        let x_scales: &[ChunkScale; M] = x.rows_of(x.tile.scales, c);
        for v in 0..V {
            for i in 0..M {
                let [high, low] = [isa.pairs(&products[v][2 * i]), isa.pairs(&products[v][2 * i + 1])];
                let ints = isa.joined(isa.ints(high), isa.ints(low));
                self.add_scaled::<I, N>(isa, (c, step), v, &x_scales[i], ints, &mut sums[i][v]);
            }
        }
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
        let values: &[Rounded; M] = x.rows_of(x.tile.values, c);
        let x_scales: &[ChunkScale; M] = x.rows_of(x.tile.scales, c);
        let starts: &[[i32; 2]; M] = x.rows_of(&self.starts[x.m * self.chunks..], c);
        let ints = if by_fours::<I, N>(isa, if HOW == OF_FEW { M } else { TILE }) {
            self.ints_by_fours::<I, N, M, HOW, HALF>(isa, c, values, starts)
        } else {
            self.ints_by_pairs::<I, N, M, HOW, HALF>(isa, c, values, starts)
        };
        for i in 0..M {
            for v in 0..V {
                self.add_scaled::<I, N>(isa, (c, c * N::SCALES + HALF), v, &x_scales[i], ints[i][v], &mut sums[i][v]);
            }
        }
    }

    /// Adds whole numbers of vector `v` of chunk `c`, scaled by scale `number`, and with the minima that belong to it.
    #[inline(always)]
    fn add_scaled<I: Isa, N: Numbers>(
        &self,
        isa: I,
        (c, number): (usize, usize),
        v: usize,
        x: &ChunkScale,
        ints: I::Ints,
        sum: &mut I::Lanes,
    ) {
        let (group, lane) = self.places[v];
        let scales = isa.lanes(self.scales.lanes(group, lane, number));
        if N::HAS_MINIMA && self.scales.has_minima() {
            let x_sum = if N::SCALES == 1 { x.sum } else { x.scale * x.totals[number - c * N::SCALES] as f32 };
            *sum = isa.multiply_add(isa.lanes(self.scales.minima(group, lane, number)), isa.all(x_sum), *sum);
        }
        *sum = isa.multiply_add(isa.multiply(isa.floats(ints), isa.all(x.scale)), scales, *sum);
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
                    *pairs = N::pairs(isa, self.words::<N>(v), c, k);
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
                    N::fours(isa, self.words::<N>(v), c, k)
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

/// What the four sums of row `i` of some make, to where row `m` of x belongs.
#[inline(always)]
fn put<I: Isa, const V: usize, const M: usize>(
    isa: I,
    fours: &[[[I::Lanes; V]; M]; 4],
    i: usize,
    m: usize,
    column: &mut Column<'_>,
) {
    let mut products = [[0.0; MOST_LANES]; V];
    for v in 0..V {
        let [a, b, c, d] = [fours[0][i][v], fours[1][i][v], fours[2][i][v], fours[3][i][v]];
        isa.store_lanes(isa.add(isa.add(a, c), isa.add(b, d)), &mut products[v]);
    }
    let Column { sums, rows, from, count } = column;
    let to = sums[m * *rows + *from..][..*count].chunks_mut(I::LANES);
    to.zip(&products).for_each(|(to, products)| to.copy_from_slice(&products[..to.len()]));
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
