//! SentencePiece's precompiled character map: a double-array trie from strings to what they are normalised to.
//!
//! Layout (all little-endian): the trie's size in bytes (u32), the trie's units (u32 each), then the replacements, each ended by
//! a zero byte. A unit holds a label, an offset to its children and whether a value stands there (Darts-clone's format).

/// A character map.
#[derive(Debug)]
pub(super) struct Charsmap {
    units: Vec<u32>,
    replacements: String,
}

impl Charsmap {
    /// Reads a map. None if `bytes` is not one.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let (size, rest) = bytes.split_first_chunk::<4>()?;
        let size = u32::from_le_bytes(*size) as usize;
        let trie = rest.get(..size).filter(|trie| trie.len() % 4 == 0)?;
        let units = trie.chunks_exact(4).map(|unit| u32::from_le_bytes([unit[0], unit[1], unit[2], unit[3]])).collect();
        let replacements = std::str::from_utf8(&rest[size..]).ok()?.to_owned();
        Some(Self { units, replacements })
    }

    /// The longest key that `text` begins with: its length, and what stands for it.
    pub fn longest(&self, text: &str) -> Option<(usize, &str)> {
        let mut longest = None;
        self.keys(text, |len, value| {
            longest = Some((len, value));
            true
        });
        longest.and_then(|(len, value)| Some((len, self.replacement(value)?)))
    }

    /// What stands for the shortest key that `text` begins with. This is how HF's tokenizers look a grapheme up.
    pub fn shortest(&self, text: &str) -> Option<&str> {
        let mut first = None;
        self.keys(text, |_, value| {
            first = Some(value);
            false
        });
        first.and_then(|value| self.replacement(value))
    }

    /// Calls `found` with the length and value of each key that `text` begins with, shortest first, while it says so.
    fn keys(&self, text: &str, mut found: impl FnMut(usize, u32) -> bool) {
        let Some(&root) = self.units.first() else { return };
        let mut at = offset(root);
        for (index, byte) in text.bytes().enumerate() {
            at ^= u32::from(byte);
            let Some(&unit) = self.units.get(at as usize) else { return };
            // A value's unit has the top bit set, which no byte has.
            if unit & 0x8000_00ff != u32::from(byte) || byte == 0 {
                return;
            }
            at ^= offset(unit);
            let has_value = unit >> 8 & 1 == 1;
            let Some(&value) = self.units.get(at as usize) else { return };
            if has_value && !found(index + 1, value & 0x7fff_ffff) {
                return;
            }
        }
    }

    fn replacement(&self, value: u32) -> Option<&str> {
        self.replacements.get(value as usize..)?.split('\0').next()
    }
}

/// Where a unit's children are, to be combined with a label by exclusive or.
fn offset(unit: u32) -> u32 {
    (unit >> 10) << ((unit & 1 << 9) >> 6)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "a" becomes "b"; made by hand.
    fn tiny() -> Vec<u8> {
        let root = 2 << 10;
        let a = (1 << 8) | u32::from(b'a') | (4 << 10);
        let mut units = vec![0u32; 2 + 256];
        units[0] = root;
        units[2 ^ usize::from(b'a')] = a;
        units[2 ^ usize::from(b'a') ^ 4] = 0x8000_0000;
        let mut bytes = (units.len() as u32 * 4).to_le_bytes().to_vec();
        bytes.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
        bytes.extend(b"b\0");
        bytes
    }

    #[test]
    fn a_key_is_found_and_damage_is_survived() {
        let bytes = tiny();
        let map = Charsmap::new(&bytes).unwrap();
        assert_eq!(map.longest("ab"), Some((1, "b")));
        assert_eq!(map.shortest("aa"), Some("b"));
        assert_eq!(map.longest("b"), None);
        assert!(Charsmap::new(&bytes[..3]).is_none());
        assert!(Charsmap::new(&[0xff; 4]).is_none());
        for at in 0..bytes.len() {
            for value in [0, 0x7f, 0xff] {
                let mut bytes = bytes.clone();
                bytes[at] = value;
                let Some(map) = Charsmap::new(&bytes) else { continue };
                for text in ["a", "\0", "aé", "b"] {
                    map.longest(text);
                    map.shortest(text);
                }
            }
        }
    }
}
