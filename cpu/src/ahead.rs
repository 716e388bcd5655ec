//! Weights that are asked for before they are needed.

use crate::isa::Isa;

/// Words of a line of the cache.
pub const LINE: usize = 16;

/// The weights that come next, which are on their way to the cache while others are computed with.
#[derive(Default, Clone, Copy)]
pub struct Ahead<'a>(pub [&'a [u32]; 2]);

impl Ahead<'_> {
    /// Fetches the share of `part` in `parts`.
    #[inline(always)]
    pub fn fetch<I: Isa>(&self, isa: I, part: usize, parts: usize) {
        for words in self.0 {
            // Whole lines, so that the loop has nothing but them.
            let lines = words.as_chunks::<LINE>().0;
            let share = lines.len().div_ceil(parts);
            let end = lines.len().min((part + 1) * share);
            for line in lines.get(part * share..end).unwrap_or_default() {
                isa.prefetch(&line[0]);
            }
        }
    }
}
