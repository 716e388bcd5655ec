//! The batch of a step, as words in memory. Mirrors `shaders/shared/batch.wgsl`.

use bytemuck::{Pod, Zeroable};

/// WGSL declarations of the batch.
pub const WGSL: &str = wgsl!("shared/batch");

/// Words in front of the rows.
pub const HEADER_WORDS: usize = 4;

/// The flag of a row that has reached a stop token or its limit: no kernel writes cache, state or ring for it, and what
/// its activations hold is undefined.
pub const FINISHED: u32 = 1;

/// The flag of a row that is not sampled in this step. Its forward pass is computed as any other's: doing so again writes
/// the same keys and values.
pub const HELD: u32 = 2;

/// The flag of a row that verifies a draft. The rows with it of one sequence hold its last token and then its drafted ones, in
/// order; the sampler chooses what follows each of them and ends them ([`commit`](super::commit)).
pub const VERIFY: u32 = 4;

/// The first bit of a row's flags that counts the positions behind its own that it sees: where attention is not causal, all of its sequence.
/// Their keys must be written in the same step.
const AHEAD_BIT: u32 = 8;

/// One row: a token of a sequence. Several rows of a batch may belong to one sequence, at different positions: their keys
/// and values are all in the cache before any of them is attended to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Row {
    /// Token id entering the model.
    pub token: u32,
    /// Position in its sequence, from 0.
    pub position: u32,
    /// Index of its sequence.
    pub sequence: u32,
    /// [`FINISHED`], [`HELD`] and [`VERIFY`], or 0; in the upper 24 bits how many positions behind its own the row sees.
    pub flags: u32,
}

impl Row {
    /// `token` at `position` of `sequence`.
    pub const fn new(token: u32, position: u32, sequence: u32) -> Row {
        Row { token, position, sequence, flags: 0 }
    }

    /// The same with these flags.
    pub const fn flagged(self, flags: u32) -> Row {
        Row { flags, ..self }
    }

    /// The same so many positions earlier, or at the first.
    pub const fn before(self, positions: u32) -> Row {
        Row { position: self.position.saturating_sub(positions), ..self }
    }

    /// The same, seeing so many positions behind its own; fewer than 2²⁴.
    pub const fn seeing(self, ahead: u32) -> Row {
        Row { flags: self.flags & ((1 << AHEAD_BIT) - 1) | ahead << AHEAD_BIT, ..self }
    }

    /// How many positions behind its own it sees.
    pub const fn ahead(&self) -> u32 {
        self.flags >> AHEAD_BIT
    }

    /// True where [`FINISHED`] is set.
    pub const fn is_finished(&self) -> bool {
        self.flags & FINISHED != 0
    }

    /// True where a token is chosen for the row in this step.
    pub const fn is_sampled(&self) -> bool {
        self.flags & (FINISHED | HELD) == 0
    }
}

/// Bytes of a batch with room for `rows` rows.
pub fn bytes(rows: u32) -> u64 {
    (HEADER_WORDS as u64 + u64::from(rows) * 4) * 4
}

/// The words of a batch with these valid rows.
pub fn words(rows: &[Row]) -> Vec<u32> {
    let mut words = vec![rows.len() as u32, 0, 0, 0];
    words.extend_from_slice(bytemuck::cast_slice(rows));
    words
}

/// Sets the number of the batch's next step, which says where in the ring its tokens go.
pub fn set_step(words: &mut [u32], step: u32) {
    words[1] = step;
}

/// How many rows before row `r` verify the same draft; 0 for a row that verifies none.
pub fn place_in_draft(rows: &[Row], r: usize) -> u32 {
    let same = |row: &&Row| row.flags & rows[r].flags & VERIFY != 0 && row.sequence == rows[r].sequence;
    rows[..r].iter().filter(same).count() as u32
}

/// The tokens that row `r` takes for generated beside those that stand: the drafted ones up to its own, where it verifies a draft.
pub fn drafted(rows: &[Row], r: usize) -> Vec<u32> {
    let of_the_draft = |row: &&Row| row.flags & VERIFY != 0 && row.sequence == rows[r].sequence;
    match rows[r].flags & VERIFY {
        0 => Vec::new(),
        _ => rows[..=r].iter().filter(of_the_draft).skip(1).map(|row| row.token).collect(),
    }
}

/// The number of the next step of a batch in host memory.
pub fn step(words: &[u32]) -> u32 {
    words[1]
}

/// Number of valid rows of a batch in host memory.
pub fn count(words: &[u32]) -> usize {
    words[0] as usize
}

/// The valid rows of a batch in host memory.
pub fn rows(words: &[u32]) -> &[Row] {
    bytemuck::cast_slice(&words[HEADER_WORDS..HEADER_WORDS + 4 * count(words)])
}
