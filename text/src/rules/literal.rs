//! A string, found by Knuth, Morris and Pratt's automaton: a constant time for each byte, over the whole text.

use std::ops::Range;

/// A string and how much of it the text so far ends with.
#[derive(Debug)]
pub(super) struct Literal {
    bytes: Vec<u8>,
    /// `border[n]`: length of the longest proper prefix of the first `n` bytes that is also their suffix.
    border: Vec<usize>,
    /// Bytes at the text's end that begin the string; fewer than it has.
    matched: usize,
}

impl Literal {
    /// Looks for `text`, which must not be empty.
    pub fn new(text: &str) -> Self {
        let bytes = text.as_bytes().to_vec();
        let mut border = vec![0; bytes.len() + 1];
        let mut k = 0;
        for n in 1..bytes.len() {
            while k > 0 && bytes[n] != bytes[k] {
                k = border[k];
            }
            k += usize::from(bytes[n] == bytes[k]);
            border[n + 1] = k;
        }
        Self { bytes, border, matched: 0 }
    }

    /// Takes the text's byte number `at`; the string's place, if it ends there.
    pub fn step(&mut self, byte: u8, at: usize) -> Option<Range<usize>> {
        while self.matched > 0 && self.bytes[self.matched] != byte {
            self.matched = self.border[self.matched];
        }
        self.matched += usize::from(self.bytes[self.matched] == byte);
        if self.matched < self.bytes.len() {
            return None;
        }
        self.matched = 0;
        Some(at + 1 - self.bytes.len()..at + 1)
    }

    /// Where the string may have begun, `at` bytes into the text.
    pub fn live(&self, at: usize) -> Option<usize> {
        (self.matched > 0).then(|| at - self.matched)
    }

    /// Forgets the text so far.
    pub fn clear(&mut self) {
        self.matched = 0;
    }
}
