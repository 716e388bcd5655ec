//! All words of a set that a text begins with, in one walk.

use inglenook_format::order::sort_by;

/// A trie of byte strings, flat: the children of a node stand side by side, sorted by their byte.
#[derive(Debug, Default)]
pub(super) struct Trie {
    /// The byte that leads to each node; the root is node 0.
    labels: Vec<u8>,
    /// Children of node `n`: `children[n]..children[n + 1]`.
    children: Vec<u32>,
    /// The word that ends at each node, or [`NONE`].
    words: Vec<u32>,
}

const NONE: u32 = u32::MAX;

impl Trie {
    /// From words and what each stands for. Empty words are left out; of two equal ones the first counts.
    pub fn new<'w>(words: impl Iterator<Item = (&'w [u8], u32)>) -> Self {
        Self::of(words.filter(|(bytes, _)| !bytes.is_empty()).collect())
    }

    fn of(mut sorted: Vec<(&[u8], u32)>) -> Self {
        sort_by(&mut sorted, |a, b| a.0.cmp(b.0));
        sorted.dedup_by_key(|&mut (bytes, _)| bytes);
        let mut trie = Self { labels: vec![0], children: Vec::new(), words: vec![NONE] };
        // Level by level: each node's words are a range of the sorted list.
        let mut level = vec![(0..sorted.len(), 0)];
        while !level.is_empty() {
            let mut next = Vec::new();
            for (range, depth) in level {
                trie.children.push(trie.labels.len() as u32);
                let mut at = range.start;
                while at < range.end {
                    let byte = sorted[at].0[depth];
                    let end = at + sorted[at..range.end].partition_point(|(bytes, _)| bytes[depth] == byte);
                    let ends_here = sorted[at].0.len() == depth + 1;
                    trie.labels.push(byte);
                    trie.words.push(if ends_here { sorted[at].1 } else { NONE });
                    next.push((at + usize::from(ends_here)..end, depth + 1));
                    at = end;
                }
            }
            level = next;
        }
        trie.children.push(trie.labels.len() as u32);
        trie
    }

    /// Calls `found` with each word that `text` begins with, shortest first: its length in bytes and what it stands for.
    pub fn prefixes(&self, text: &[u8], mut found: impl FnMut(usize, u32)) {
        let mut node = 0;
        for (depth, byte) in text.iter().enumerate() {
            let (Some(&from), Some(&to)) = (self.children.get(node), self.children.get(node + 1)) else { return };
            let Ok(at) = self.labels[from as usize..to as usize].binary_search(byte) else { return };
            node = from as usize + at;
            if self.words[node] != NONE {
                found(depth + 1, self.words[node]);
            }
        }
    }

    /// The longest word that `text` begins with.
    pub fn longest(&self, text: &[u8]) -> Option<(usize, u32)> {
        let mut longest = None;
        self.prefixes(text, |len, word| longest = Some((len, word)));
        longest
    }

    /// Whether there are no words.
    pub fn is_empty(&self) -> bool {
        self.labels.len() <= 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_found_shortest_first() {
        let words = ["ab", "a", "", "abcd", "b", "ab", "é"];
        let trie = Trie::new(words.iter().zip(0..).map(|(word, id)| (word.as_bytes(), id)));
        let found = |text: &str| {
            let mut found = Vec::new();
            trie.prefixes(text.as_bytes(), |len, id| found.push((len, id)));
            found
        };
        assert_eq!(found("abcde"), [(1, 1), (2, 0), (4, 3)]);
        assert_eq!(found("abc"), [(1, 1), (2, 0)]);
        assert_eq!(found("éb"), [(2, 6)]);
        assert_eq!(found("c"), []);
        assert_eq!(trie.longest("bab".as_bytes()), Some((1, 4)));
        assert!(Trie::new(std::iter::once((&b""[..], 0))).is_empty());
        assert_eq!(Trie::default().longest(b"a"), None);
    }
}
