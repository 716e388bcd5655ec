//! Byte-level byte-pair encoding (GGUF's "gpt2"): GPT-2, Llama 3, Qwen, Mistral's Tekken and most others.
//!
//! Text is split into words by the pre-tokenizer, a word into its bytes, and bytes are joined by ranked merges. Files spell
//! bytes with printable characters ("Ġ" is a space); that spelling is undone once, at load.

use std::collections::HashMap;

use super::merge::Merger;
use super::pre::PreTokenizer;
use super::vocab::{TokenKind, Vocab, WordIndex};
use super::{Parts, TokenizerError};

/// The byte that a character of GPT-2's alphabet stands for. Printable Latin-1 stands for itself; the 68 other bytes are
/// numbered from U+0100 on. Source: `bytes_to_unicode` in GPT-2's encoder.py.
fn byte_of(c: char) -> Option<u8> {
    let code = u32::from(c);
    let byte = match code {
        0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff => code,
        0x100..=0x120 => code - 0x100,
        0x121..=0x142 => code - 0x121 + 0x7f,
        0x143 => 0xad,
        _ => return None,
    };
    u8::try_from(byte).ok()
}

/// The bytes of a token written in GPT-2's alphabet. A text with a character outside it is taken as it stands, as the
/// reference's decoder does.
fn spelled(text: &str) -> Vec<u8> {
    text.chars().map(byte_of).collect::<Option<Vec<u8>>>().unwrap_or_else(|| text.as_bytes().to_vec())
}

/// The token bytes of a "gpt2" vocabulary.
pub(super) fn vocab(tokens: &[&str], kinds: &[TokenKind]) -> Vocab {
    let mut vocab = Vocab::with_capacity(tokens.len(), tokens.iter().map(|text| text.len()).sum());
    for (&text, &kind) in tokens.iter().zip(kinds) {
        match kind {
            // Special tokens are written plainly.
            TokenKind::Control | TokenKind::UserDefined | TokenKind::Unknown => vocab.push(text.bytes(), kind),
            _ => vocab.push(spelled(text), kind),
        }
    }
    vocab
}

/// Ranked merges, found by their left and right token. Rows are sorted, so that a look-up is a binary search among the
/// merges of one left token: compact, and with no hash that a file could attack.
#[derive(Debug)]
struct MergeTable {
    /// Rows `starts[left]..starts[left + 1]` have this left token.
    starts: Vec<u32>,
    /// (right, rank, joined), sorted by left and right.
    rows: Vec<(u32, u32, u32)>,
}

impl MergeTable {
    /// From "left right" texts, best first.
    fn new(tokens: &[&str], merges: &[&str]) -> Result<Self, TokenizerError> {
        let mut ids: HashMap<&str, u32> = HashMap::with_capacity(tokens.len());
        for (id, &text) in (0u32..).zip(tokens) {
            ids.entry(text).or_insert(id);
        }
        let id_of = |index: usize, text: &str| {
            ids.get(text).copied().ok_or_else(|| TokenizerError::UnknownMergeToken { index, token: text.to_owned() })
        };
        let mut joined = String::new();
        let mut sorted = Vec::with_capacity(merges.len());
        for (rank, (index, &text)) in (0u32..).zip(merges.iter().enumerate()) {
            let (left, right) =
                halves(text).ok_or_else(|| TokenizerError::BadMerge { index, text: text.to_owned() })?;
            joined.clear();
            joined.push_str(left);
            joined.push_str(right);
            sorted.push((id_of(index, left)?, id_of(index, right)?, rank, id_of(index, &joined)?));
        }
        // Of the same merge given twice, the better rank counts.
        sorted.sort_unstable();
        sorted.dedup_by_key(|row| (row.0, row.1));

        let mut starts = vec![0u32; tokens.len() + 1];
        for row in &sorted {
            starts[row.0 as usize + 1] += 1;
        }
        for left in 0..tokens.len() {
            starts[left + 1] += starts[left];
        }
        let rows = sorted.into_iter().map(|(_, right, rank, id)| (right, rank, id)).collect();
        Ok(Self { starts, rows })
    }

    /// The rank of a pair and the token it becomes.
    fn get(&self, left: u32, right: u32) -> Option<(u32, u32)> {
        let left = left as usize;
        let rows = &self.rows[self.starts[left] as usize..self.starts[left + 1] as usize];
        let at = rows.binary_search_by_key(&right, |row| row.0).ok()?;
        Some((rows[at].1, rows[at].2))
    }
}

/// Splits "left right" at the first space that leaves something on both sides.
fn halves(merge: &str) -> Option<(&str, &str)> {
    let first = merge.chars().next()?.len_utf8();
    let space = first + merge[first..].find(' ')?;
    let right = &merge[space + 1..];
    (!right.is_empty()).then_some((&merge[..space], right))
}

/// The encoder.
#[derive(Debug)]
pub(super) struct ByteLevel {
    pre: PreTokenizer,
    /// The token of each single byte, where the vocabulary has one.
    bytes: Vec<Option<u32>>,
    merges: MergeTable,
    /// Whole words that are tokens whether or not merges lead to them; only for vocabularies made that way.
    words: Option<WordIndex>,
    unknown: Option<u32>,
}

impl ByteLevel {
    /// Builds the encoder for `vocab`, which came from the same `parts`.
    pub fn new(
        parts: &Parts<'_>,
        vocab: &Vocab,
        pre: PreTokenizer,
        unknown: Option<u32>,
    ) -> Result<Self, TokenizerError> {
        let mut bytes = vec![None; 256];
        for (id, kind) in vocab.kinds() {
            if let (TokenKind::Normal | TokenKind::Byte, &[byte]) = (kind, vocab.bytes(id)) {
                bytes[usize::from(byte)].get_or_insert(id);
            }
        }
        let words = pre.whole_words().then(|| WordIndex::new(vocab, |kind| kind == TokenKind::Normal));
        Ok(Self { merges: MergeTable::new(&parts.tokens, &parts.merges)?, pre, bytes, words, unknown })
    }

    /// Appends the tokens of `text` to `out`. A byte that the vocabulary lacks becomes the unknown token, or nothing where
    /// there is none (as in the reference).
    pub fn encode(&self, vocab: &Vocab, text: &str, out: &mut Vec<u32>) {
        let mut merger = Merger::default();
        self.pre.split(&self.pre.normalize(text), &mut |word| {
            if let Some(id) = self.words.as_ref().and_then(|words| words.get(vocab, word.as_bytes())) {
                out.push(id);
                return;
            }
            merger.clear();
            for byte in word.bytes() {
                if let Some(id) = self.bytes[usize::from(byte)].or(self.unknown) {
                    merger.push(id, 1);
                }
            }
            merger.run(|left, right| self.merges.get(left.id, right.id));
            out.extend(merger.symbols().map(|symbol| symbol.id));
        });
    }
}
