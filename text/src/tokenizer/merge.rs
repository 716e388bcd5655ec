//! The loop at the heart of byte-pair encoding: join the best pair of neighbours until none can be joined.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A stretch of the text on its way to being a token.
#[derive(Clone, Copy, Debug)]
pub(super) struct Symbol {
    /// The token that spells it, or [`NO_TOKEN`].
    pub id: u32,
    /// Where it begins in the word, in bytes.
    pub start: u32,
    /// Its length in bytes; 0 once it is part of its left neighbour.
    pub len: u32,
    prev: u32,
    next: u32,
}

impl Symbol {
    /// The bytes of the word that this symbol covers.
    pub fn range(&self) -> std::ops::Range<usize> {
        self.start as usize..(self.start + self.len) as usize
    }
}

/// A symbol that no token spells (yet).
pub(super) const NO_TOKEN: u32 = u32::MAX;

/// The end of the list of symbols, on either side.
const END: u32 = u32::MAX;

/// The longest word that can be merged, in bytes.
pub(super) const MAX_WORD: usize = 1 << 30;

/// Joins symbols, keeping its buffers from word to word.
#[derive(Default)]
pub(super) struct Merger {
    symbols: Vec<Symbol>,
    /// Pairs that may be joined: rank in the upper half (lower is better), place of the left symbol in the lower, so that of equal
    /// ranks the leftmost comes first. A word's worth of them is the bulk of the work, so they are kept small.
    queue: BinaryHeap<Reverse<u64>>,
    /// Bytes left out since the last symbol.
    skipped: u32,
}

impl Merger {
    /// Begins a new word.
    pub fn clear(&mut self) {
        self.symbols.clear();
        self.queue.clear();
        self.skipped = 0;
    }

    /// Appends a symbol of `len` bytes (at least 1) to the word, which is at most [`MAX_WORD`] bytes long.
    pub fn push(&mut self, id: u32, len: usize) {
        let at = self.symbols.len() as u32;
        let (start, prev) = match self.symbols.last_mut() {
            Some(last) => {
                last.next = at;
                (last.start + last.len, at - 1)
            }
            None => (0, END),
        };
        let start = start + std::mem::take(&mut self.skipped);
        self.symbols.push(Symbol { id, start, len: len as u32, prev, next: END });
    }

    /// Leaves out the next `len` bytes of the word.
    pub fn skip(&mut self, len: usize) {
        self.skipped += len as u32;
    }

    /// Joins pairs, best rank first and leftmost first among equals, until none can be joined.
    ///
    /// `rank(left, right)` gives the rank of a pair that can be joined. `joined(rank, left, right)` gives the token that the pair
    /// becomes, and none where the pair is no longer the one that was offered at this rank. Takes O(n log n) for n symbols: each
    /// join takes one symbol away and offers two new pairs at most.
    pub fn run(
        &mut self,
        rank: impl Fn(&Symbol, &Symbol) -> Option<u32>,
        joined: impl Fn(u32, &Symbol, &Symbol) -> Option<u32>,
    ) {
        let pairs = self.symbols.windows(2).zip(0u32..);
        let offers = pairs.filter_map(|(pair, at)| Some(offer(rank(&pair[0], &pair[1])?, at)));
        // Built at once, which is linear, in the memory of the last word's queue.
        let mut queue = std::mem::take(&mut self.queue).into_vec();
        queue.extend(offers);
        self.queue = BinaryHeap::from(queue);

        while let Some(Reverse(key)) = self.queue.pop() {
            let at = key as u32;
            let left = self.symbols[at as usize];
            if left.len == 0 || left.next == END {
                continue;
            }
            let right = self.symbols[left.next as usize];
            let Some(id) = joined((key >> 32) as u32, &left, &right) else { continue };
            self.symbols[left.next as usize].len = 0;
            self.symbols[at as usize] =
                Symbol { id, len: right.start + right.len - left.start, next: right.next, ..left };
            // Left first: SentencePiece remembers what it was offered last.
            if left.prev != END {
                self.offer(left.prev, &rank);
            }
            if right.next != END {
                self.symbols[right.next as usize].prev = at;
                self.offer(at, &rank);
            }
        }
    }

    /// The word's symbols, in order.
    pub fn symbols(&self) -> impl Iterator<Item = &Symbol> {
        self.symbols.iter().filter(|symbol| symbol.len > 0)
    }

    /// Queues the pair that begins at `left` and has a right side, if it can be joined.
    fn offer(&mut self, left: u32, rank: &impl Fn(&Symbol, &Symbol) -> Option<u32>) {
        let l = &self.symbols[left as usize];
        if let Some(rank) = rank(l, &self.symbols[l.next as usize]) {
            self.queue.push(offer(rank, left));
        }
    }
}

fn offer(rank: u32, at: u32) -> Reverse<u64> {
    Reverse(u64::from(rank) << 32 | u64::from(at))
}
