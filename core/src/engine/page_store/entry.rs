//! What a store keeps under a name: magic, 8 bytes; version, u32; the name as 32 bytes; the page; XXH64 over all of it, u64.
//! Numbers are little-endian. The checksum is against accidents; an entry of another name or length is damaged, too.

use twox_hash::XxHash64;

const MAGIC: &[u8; 8] = b"INGLPAGE";
const VERSION: u32 = 2;
const HEADER: usize = 8 + 4 + 32;
const CHECKSUM: usize = 8;

/// The entry of a page.
pub fn encode(name: &[u8; 32], page: &[u8]) -> Vec<u8> {
    let mut entry = Vec::with_capacity(HEADER + page.len() + CHECKSUM);
    [&MAGIC[..], &VERSION.to_le_bytes(), name, page].iter().for_each(|part| entry.extend_from_slice(part));
    let checksum = XxHash64::oneshot(0, &entry);
    entry.extend_from_slice(&checksum.to_le_bytes());
    entry
}

/// The page of `page_bytes` bytes in an entry; none where it is anything else.
pub fn decode(name: &[u8; 32], page_bytes: usize, mut entry: Vec<u8>) -> Option<Vec<u8>> {
    if entry.len() != HEADER + page_bytes + CHECKSUM {
        return None;
    }
    let (body, checksum) = entry.split_last_chunk()?;
    let header = [&MAGIC[..], &VERSION.to_le_bytes(), name];
    let is_whole = XxHash64::oneshot(0, body) == u64::from_le_bytes(*checksum);
    if !is_whole || !body.iter().zip(header.iter().copied().flatten()).all(|(found, wanted)| found == wanted) {
        return None;
    }
    entry.truncate(HEADER + page_bytes);
    entry.drain(..HEADER);
    Some(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decode_gives_the_page_that_was_encoded_under_its_name_alone() {
        let page: Vec<u8> = (0..97).collect();
        let entry = encode(&[7; 32], &page);
        assert_eq!(decode(&[7; 32], 97, entry.clone()), Some(page));
        assert_eq!(decode(&[8; 32], 97, entry.clone()), None, "another page");
        assert_eq!(decode(&[7; 32], 96, entry), None, "another layout");
        assert_eq!(decode(&[7; 32], 0, encode(&[7; 32], &[])), Some(vec![]));
    }

    /// Cuts, flips, overwritten stretches, bytes behind the end, and another version under a good checksum.
    #[test]
    fn decode_gives_nothing_for_10_000_damaged_entries() {
        let whole = encode(&[7; 32], &(0..97).collect::<Vec<u8>>());
        for seed in 0..10_000 {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut entry = whole.clone();
            match seed % 5 {
                0 => entry.truncate(random.usize(0..whole.len())),
                1 => entry[random.usize(0..whole.len())] ^= 1 << random.u32(0..8),
                2 => entry.extend((0..random.usize(1..200)).map(|_| 0)),
                3 => {
                    let from = random.usize(0..whole.len());
                    let to = (from + random.usize(1..40)).min(whole.len());
                    random.fill(&mut entry[from..to]);
                }
                _ => {
                    entry[8] = random.u8(2..);
                    let body = entry.len() - CHECKSUM;
                    let checksum = XxHash64::oneshot(0, &entry[..body]).to_le_bytes();
                    entry[body..].copy_from_slice(&checksum);
                }
            }
            assert!(entry == whole || decode(&[7; 32], 97, entry).is_none(), "seed {seed}");
        }
    }
}
