//! Rows of words, turned: the words of a column side by side.

use crate::isa::Isa;

/// Words that are turned at once.
const TURNED: usize = 16;

/// Words of rows, each row's in its lane: `[V, words, lanes]`.
pub struct Turned {
    /// Words of a row, and none or `TURNED` at least.
    words: usize,
    turned: Vec<u32>,
    /// Rows where some are missing or short: `[lanes, words]`.
    padded: Vec<u32>,
}

impl Turned {
    /// Room for so many rows of so many words.
    pub fn new(rows: usize, words: usize) -> Turned {
        let words = if words == 0 { 0 } else { words.max(TURNED) };
        Turned { words, turned: vec![0; rows * words], padded: Vec::new() }
    }

    /// Whether rows have no words.
    pub fn is_empty(&self) -> bool {
        self.words == 0
    }

    /// Takes `count` rows into the lanes of vector `v`.
    #[inline(always)]
    pub fn fill<I: Isa>(&mut self, isa: I, v: usize, count: usize, rows: &[u32]) {
        let Turned { words, turned, padded } = self;
        if *words == 0 {
            return;
        }
        let of_row = rows.len() / count;
        let rows = if count == I::LANES && of_row == *words {
            rows
        } else {
            padded.resize(I::LANES * *words, 0);
            for (to, row) in padded.chunks_exact_mut(*words).zip(rows.chunks_exact(of_row)) {
                to[..of_row].copy_from_slice(row);
            }
            padded
        };
        let to = &mut turned[v * *words * I::LANES..][..*words * I::LANES];
        for from in (0..*words).step_by(TURNED) {
            // The last ones overlap those before.
            let from = from.min(*words - TURNED);
            isa.transpose(&rows[from..], *words, &mut to[from * I::LANES..][..TURNED * I::LANES]);
        }
    }

    /// The lanes of vector `v`: `[words, lanes]`.
    #[inline(always)]
    pub fn vector<I: Isa>(&self, v: usize) -> &[u32] {
        &self.turned[v * self.words * I::LANES..]
    }

    /// Word `number` of the rows in vector `v`, as floats.
    #[inline(always)]
    pub fn lanes<I: Isa>(&self, isa: I, v: usize, number: usize) -> I::Lanes {
        isa.lanes(&bytemuck::cast_slice(&self.turned)[(v * self.words + number) * I::LANES..])
    }
}
