//! Weight rows one by one, whichever way they lie in their planes.

use inglenook_format::quant::{GROUP, Layout};

use crate::activations::CHUNK;
use crate::isa::{Isa, Task};
use crate::matmul::Weights;
use crate::numbers::RowBytes;
use crate::scales::Scales;
use crate::unpacked::unpack;

/// Words that are turned at once.
const TURNED: usize = 16;

/// Gives rows of weights. Those that lie side by side are turned a group at a time.
pub struct RowReader<'a> {
    weights: Weights<'a>,
    /// The group that was turned last.
    group: Option<usize>,
    of_group: Scales,
    /// Its numbers, where they are unpacked first: of all types that have chunks.
    unpacked: Vec<u32>,
    /// What it has, one row below the other.
    quants: Vec<u32>,
    high_bits: Vec<u32>,
    scales: Vec<u32>,
    minima: Vec<u32>,
}

/// A row.
#[derive(Clone, Copy)]
pub struct Row<'r> {
    /// Its numbers.
    pub bytes: RowBytes<'r>,
    /// What is taken from each.
    pub offset: u8,
    /// Its scales, for each 32 weights one or two.
    pub scales: &'r [f32],
    /// Its minima, as many; empty for types that have none of their own.
    pub minima: &'r [f32],
}

impl<'a> RowReader<'a> {
    /// A reader of these rows.
    pub fn new(weights: Weights<'a>) -> RowReader<'a> {
        let groups = usize::from(Layout::for_cpu(weights.ty) == Layout::Interleaved);
        let of_group = Scales::of_rows(weights.ty, groups, weights.cols / CHUNK);
        let [unpacked, quants, high_bits, scales, minima] = [const { Vec::new() }; 5];
        RowReader { weights, group: None, of_group, unpacked, quants, high_bits, scales, minima }
    }

    /// Turns the group of row `n`, unless that is done or its rows are not side by side.
    #[inline(always)]
    pub fn reach<I: Isa>(&mut self, isa: I, n: usize) {
        if Layout::for_cpu(self.weights.ty) == Layout::Interleaved && self.group != Some(n / GROUP) {
            isa.apart(Turn { reader: self, group: n / GROUP });
        }
    }

    /// Row `n`, of a group that was reached.
    #[inline(always)]
    pub fn row(&self, n: usize) -> Row<'_> {
        let words = match Layout::for_cpu(self.weights.ty) {
            Layout::Rows => {
                let [quants, high_bits] = self.weights.words(n..n + 1);
                [quants, high_bits, &[], &[]]
            }
            Layout::Interleaved => {
                let RowReader { quants, high_bits, scales, minima, .. } = self;
                [lane(quants, n), lane(high_bits, n), lane(scales, n), lane(minima, n)]
            }
        };
        let [quants, high_bits, scales, minima] = words;
        let [quants, high_bits] = [bytemuck::cast_slice(quants), bytemuck::cast_slice(high_bits)];
        let bytes = RowBytes { quants, high_bits };
        let [scales, minima] = [bytemuck::cast_slice(scales), bytemuck::cast_slice(minima)];
        Row { bytes, offset: self.of_group.offset, scales, minima }
    }
}

/// A group to be turned.
struct Turn<'r, 'a> {
    reader: &'r mut RowReader<'a>,
    group: usize,
}

impl Task for Turn<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let Turn { reader, group } = self;
        let RowReader { weights, of_group, unpacked, quants, high_bits, scales, minima, group: turned } = reader;
        let words = weights.group(group * GROUP);
        of_group.read(isa, 0, words);
        if weights.ty.has_chunks() {
            unpacked.clear();
            unpack(weights.ty, words, weights.cols / CHUNK, unpacked);
            turn(isa, unpacked, quants);
        } else {
            turn(isa, words.quants, quants);
            turn(isa, words.high_bits, high_bits);
        }
        turn(isa, bytemuck::cast_slice(&of_group.scales), scales);
        turn(isa, bytemuck::cast_slice(&of_group.minima), minima);
        *turned = Some(group);
    }
}

/// The words of row `n` in its group, whose rows are one below the other.
#[inline(always)]
fn lane(rows: &[u32], n: usize) -> &[u32] {
    let words = rows.len() / GROUP;
    &rows[n % GROUP * words..][..words]
}

/// From `[words, 16]` to `[16, words]`.
#[inline(always)]
fn turn<I: Isa>(isa: I, group: &[u32], rows: &mut Vec<u32>) {
    rows.resize(group.len(), 0);
    let words = group.len() / GROUP;
    if words == 0 {
        return;
    }
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
