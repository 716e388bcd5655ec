//! Weights that are asked for before they are needed.

use crate::isa::Isa;

/// Words of a line of the cache.
pub const LINE: usize = 16;

/// The weights that come next, which are on their way to the cache while others are computed with.
#[derive(Default, Clone, Copy)]
pub struct Ahead<'a>(pub [&'a [u32]; 2]);

impl<'a> Ahead<'a> {
    /// The same in so many parts, a few lines each.
    #[inline(always)]
    pub fn in_parts(self, parts: usize) -> Parts<'a> {
        // Whole lines, so that the loop has nothing but them.
        let lines = [self.0[0].as_chunks().0, self.0[1].as_chunks().0];
        Parts { lines, shares: [lines[0].len().div_ceil(parts.max(1)), lines[1].len().div_ceil(parts.max(1))] }
    }
}

/// [`Ahead`] in parts.
#[derive(Clone, Copy)]
pub struct Parts<'a> {
    lines: [&'a [[u32; LINE]]; 2],
    shares: [usize; 2],
}

impl Parts<'_> {
    /// Fetches part `number`.
    #[inline(always)]
    pub fn fetch<I: Isa>(&self, isa: I, number: usize) {
        for (lines, share) in self.lines.iter().zip(self.shares) {
            let end = lines.len().min((number + 1) * share);
            for line in lines.get(number * share..end).unwrap_or_default() {
                isa.prefetch(&line[0]);
            }
        }
    }
}
