//! Weight rows one by one, whichever way they lie in their planes.

use inglenook_format::quant::{GROUP, Layout};

use crate::activations::CHUNK;
use crate::isa::Isa;
use crate::matmul::Weights;
use crate::numbers::RowBytes;
use crate::scales::Scales;

/// Words that are turned at once.
const TURNED: usize = 16;

/// Gives rows of weights. Those that lie side by side are turned a group at a time.
pub struct RowReader<'a> {
    weights: Weights<'a>,
    /// The group that was turned last: its rows one below the other, and their scales.
    group: Option<usize>,
    quants: Vec<u32>,
    high_bits: Vec<u32>,
    scales: Scales,
}

/// A row.
#[derive(Clone, Copy)]
pub struct Row<'r> {
    /// Its numbers.
    pub bytes: RowBytes<'r>,
    scales: &'r Scales,
    lane: usize,
}

impl<'a> RowReader<'a> {
    /// A reader of these rows.
    pub fn new(weights: Weights<'a>) -> RowReader<'a> {
        let groups = usize::from(Layout::for_cpu(weights.ty) == Layout::Interleaved);
        let scales = Scales::new(weights.ty, groups, weights.cols / CHUNK);
        RowReader { weights, group: None, quants: Vec::new(), high_bits: Vec::new(), scales }
    }

    /// Row `n`.
    #[inline(always)]
    pub fn row<I: Isa>(&mut self, isa: I, n: usize) -> Row<'_> {
        let RowReader { weights, group, quants, high_bits, scales } = self;
        let (words, lane) = match Layout::for_cpu(weights.ty) {
            Layout::Rows => (weights.words(n..n + 1), 0),
            Layout::Interleaved => {
                if *group != Some(n / GROUP) {
                    let first = n / GROUP * GROUP;
                    let [of_quants, of_high_bits] = weights.words(first..first + GROUP);
                    turn(isa, of_quants, quants);
                    turn(isa, of_high_bits, high_bits);
                    scales.read(isa, 0, weights.scales(first));
                    *group = Some(n / GROUP);
                }
                let lane = n % GROUP;
                let row = |rows: &'_ [u32]| lane * rows.len() / GROUP..(lane + 1) * rows.len() / GROUP;
                ([&quants[row(quants)], &high_bits[row(high_bits)]], lane)
            }
        };
        let [quants, high_bits] = [bytemuck::cast_slice(words[0]), bytemuck::cast_slice(words[1])];
        Row { bytes: RowBytes { quants, high_bits }, scales, lane }
    }
}

impl Row<'_> {
    /// What is taken from each number.
    #[inline(always)]
    pub fn offset(&self) -> u8 {
        self.scales.offset
    }

    /// Its scale of this number.
    #[inline(always)]
    pub fn scale(&self, number: usize) -> f32 {
        self.scales.lanes(0, self.lane, number)[0]
    }

    /// The minimum of this chunk, where the type has them.
    #[inline(always)]
    pub fn minimum(&self, chunk: usize) -> Option<f32> {
        self.scales.has_minima().then(|| self.scales.minima(0, self.lane, chunk)[0])
    }
}

/// From `[words, 16]` to `[16, words]`.
#[inline(always)]
fn turn<I: Isa>(isa: I, group: &[u32], rows: &mut Vec<u32>) {
    rows.resize(group.len(), 0);
    let words = group.len() / GROUP;
    let whole = words / I::LANES * I::LANES;
    let mut turned = [0; TURNED * GROUP];
    for from in (0..whole).step_by(I::LANES) {
        let turned = &mut turned[..TURNED * I::LANES];
        isa.transpose(&group[from * GROUP..], GROUP, turned);
        for (row, turned) in rows.chunks_exact_mut(words).zip(turned.chunks_exact(I::LANES)) {
            row[from..][..I::LANES].copy_from_slice(turned);
        }
    }
    for word in whole..words {
        for lane in 0..GROUP {
            rows[lane * words + word] = group[word * GROUP + lane];
        }
    }
}
