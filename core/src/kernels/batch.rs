//! The batch of a step, as words in memory. Mirrors `shaders/shared/batch.wgsl`.

use bytemuck::{Pod, Zeroable};

/// WGSL declarations of the batch.
pub const WGSL: &str = include_str!("../../../shaders/shared/batch.wgsl");

/// Words in front of the rows.
pub const HEADER_WORDS: usize = 4;

/// The flag of a row that has reached a stop token or its limit: the sampler leaves it alone.
pub const FINISHED: u32 = 1;

/// One row: a token of a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Row {
    /// Token id entering the model.
    pub token: u32,
    /// Position in its sequence, from 0.
    pub position: u32,
    /// Index of its sequence.
    pub sequence: u32,
    /// [`FINISHED`], or 0.
    pub flags: u32,
}

impl Row {
    /// `token` at `position` of `sequence`.
    pub fn new(token: u32, position: u32, sequence: u32) -> Row {
        Row { token, position, sequence, flags: 0 }
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

/// Number of valid rows of a batch in host memory.
pub fn count(words: &[u32]) -> usize {
    words[0] as usize
}

/// The valid rows of a batch in host memory.
pub fn rows(words: &[u32]) -> &[Row] {
    bytemuck::cast_slice(&words[HEADER_WORDS..HEADER_WORDS + 4 * count(words)])
}
