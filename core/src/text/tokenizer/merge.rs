//! The loop at the heart of byte-pair encoding: join the best pair of neighbours until none can be joined.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A stretch of the text on its way to being a token.
#[derive(Clone, Copy, Debug)]
pub(super) struct Symbol {
    /// The token that spells it, or [`NO_TOKEN`].
    pub id: u32,
    /// Where it begins, in bytes.
    pub start: usize,
    /// Its length in bytes; 0 once it is part of its left neighbour.
    pub len: usize,
    prev: usize,
    next: usize,
}

/// A symbol that no token spells (yet).
pub(super) const NO_TOKEN: u32 = u32::MAX;

/// The end of the list of symbols, on either side.
const END: usize = usize::MAX;

/// A pair that may be joined: rank (lower is better), place of its left symbol, joint length, token of the joined text.
/// Ordered so that of equal ranks the leftmost comes first.
type Candidate = Reverse<(u32, usize, usize, u32)>;

/// Joins symbols, keeping its buffers from word to word.
#[derive(Default)]
pub(super) struct Merger {
    symbols: Vec<Symbol>,
    queue: BinaryHeap<Candidate>,
}

impl Merger {
    /// Begins a new word.
    pub fn clear(&mut self) {
        self.symbols.clear();
        self.queue.clear();
    }

    /// Appends a symbol of `len` bytes (at least 1) to the word.
    pub fn push(&mut self, id: u32, len: usize) {
        let at = self.symbols.len();
        let (start, prev) = match self.symbols.last_mut() {
            Some(last) => {
                last.next = at;
                (last.start + last.len, at - 1)
            }
            None => (0, END),
        };
        self.symbols.push(Symbol { id, start, len, prev, next: END });
    }

    /// Joins pairs, best rank first and leftmost first among equals, until `joined` knows none.
    ///
    /// `joined(left, right)` gives the rank of a pair and the token of the joined text. Takes O(n log n) for n symbols: each
    /// join takes one symbol away and offers two new pairs at most.
    pub fn run(&mut self, joined: impl Fn(&Symbol, &Symbol) -> Option<(u32, u32)>) {
        for left in 0..self.symbols.len().saturating_sub(1) {
            self.offer(left, &joined);
        }
        while let Some(Reverse((_, at, len, id))) = self.queue.pop() {
            let left = self.symbols[at];
            // A pair that has changed since it was offered is longer now (symbols only grow), or its left symbol is gone.
            if left.len == 0 || left.next == END || left.len + self.symbols[left.next].len != len {
                continue;
            }
            let after = self.symbols[left.next].next;
            self.symbols[left.next].len = 0;
            self.symbols[at] = Symbol { id, len, next: after, ..left };
            if after != END {
                self.symbols[after].prev = at;
                self.offer(at, &joined);
            }
            if left.prev != END {
                self.offer(left.prev, &joined);
            }
        }
    }

    /// The word's symbols, in order.
    pub fn symbols(&self) -> impl Iterator<Item = &Symbol> {
        self.symbols.iter().filter(|symbol| symbol.len > 0)
    }

    /// Queues the pair that begins at `left`, if it can be joined.
    fn offer(&mut self, left: usize, joined: &impl Fn(&Symbol, &Symbol) -> Option<(u32, u32)>) {
        let l = &self.symbols[left];
        let r = &self.symbols[l.next];
        if let Some((rank, id)) = joined(l, r) {
            self.queue.push(Reverse((rank, left, l.len + r.len, id)));
        }
    }
}
