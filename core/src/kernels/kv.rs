//! The shape of the key/value cache, as kernels see it.
//!
//! The cache of a layer is one binding, or where that is too small several of them, its segments, each of so many whole pages. Words of
//! the cache are counted through all segments. A page holds its keys, then its values.

use super::batch::Row;
use super::{Operand, TensorRef};
use crate::gpu::{Access, Limits};
use serde::{Deserialize, Serialize};

/// Positions in a page.
pub const PAGE: u32 = 32;

/// Segments at most: with those, a kernel has eight storage bindings.
const MAX_SEGMENTS: usize = 3;

/// What segments are called in shaders.
const SEGMENTS: [&str; MAX_SEGMENTS] = ["kv0", "kv1", "kv2"];

/// WGSL access to the cache.
pub const WGSL: &str = wgsl!("shared/kv");

/// How keys and values are stored; `shaders/shared/kv.wgsl` has the layouts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(non_camel_case_types, reason = "the names that GGUF gives these types")]
pub enum KvType {
    /// Two f16 a word: read by `unpack2x16float` on every device.
    #[default]
    F16,
    /// One f32 a word: for exact comparison with a reference.
    F32,
    /// Signed bytes with a scale a block: about 0.53 of the memory of f16.
    Q8_0,
    /// Nibbles with a scale a block: about 0.28 of the memory of f16.
    Q4_0,
}

impl KvType {
    /// All of them.
    pub const ALL: [KvType; 4] = [KvType::F16, KvType::F32, KvType::Q8_0, KvType::Q4_0];

    /// The name by which it is chosen: `f16`, `f32`, `q8_0` or `q4_0`.
    pub const fn name(self) -> &'static str {
        match self {
            KvType::F16 => "f16",
            KvType::F32 => "f32",
            KvType::Q8_0 => "q8_0",
            KvType::Q4_0 => "q4_0",
        }
    }

    /// The type of this name.
    pub fn from_name(name: &str) -> Option<KvType> {
        KvType::ALL.into_iter().find(|ty| ty.name() == name)
    }

    /// Numbers in a word.
    pub const fn numbers_per_word(self) -> u32 {
        match self {
            KvType::F32 => 1,
            KvType::F16 => 2,
            KvType::Q8_0 => 4,
            KvType::Q4_0 => 8,
        }
    }

    /// True for the types whose blocks have scales.
    pub const fn is_quantised(self) -> bool {
        matches!(self, KvType::Q8_0 | KvType::Q4_0)
    }

    /// The number of the type in `shaders/shared/kv.wgsl`.
    const fn code(self) -> u32 {
        match self {
            KvType::F32 => 0,
            KvType::F16 => 1,
            KvType::Q8_0 => 2,
            KvType::Q4_0 => 3,
        }
    }
}

/// A cache type that cannot hold heads of a width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a key/value cache of type {} holds heads whose width is a multiple of {multiple}, and this model's are {head_dim} wide; \
     choose another of f16, f32, q8_0 and q4_0",
    ty.name()
)]
pub struct UnsupportedKv {
    /// The type that was asked for.
    pub ty: KvType,
    /// Width of a head.
    pub head_dim: u32,
    /// What the width would have to be a multiple of.
    pub multiple: u32,
}

/// Shape of a layer's cache: `[page, keys or values, kv_head, PAGE, head_dim]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct KvShape {
    /// Key/value heads.
    pub kv_heads: u32,
    /// Width of a head.
    pub head_dim: u32,
    /// Entries of a sequence's row in the page table.
    pub pages_per_sequence: u32,
    /// How numbers are stored.
    pub ty: KvType,
    /// Pages of each segment but the last, which may have fewer.
    pub segment_pages: u32,
}

impl KvShape {
    /// Whether the type can hold heads of this width.
    ///
    /// # Errors
    /// [`UnsupportedKv`] where it cannot: kernels read four numbers at once, and blocks have eight or more.
    pub fn supports(&self) -> Result<(), UnsupportedKv> {
        let multiple = if self.ty.is_quantised() { 8 } else { 4 };
        match self.head_dim > 0 && self.head_dim.is_multiple_of(multiple) {
            true => Ok(()),
            false => Err(UnsupportedKv { ty: self.ty, head_dim: self.head_dim, multiple }),
        }
    }

    /// Numbers that share a scale: 32, or the largest of 16 and 8 that divides a head's width.
    pub fn block(&self) -> u32 {
        1 << self.head_dim.trailing_zeros().clamp(3, 5)
    }

    /// Words of the numbers of one position of one head.
    pub fn number_words(&self) -> u32 {
        self.head_dim / self.ty.numbers_per_word()
    }

    /// Words of one position of one head: its numbers, then the scales, two a word.
    pub fn position_words(&self) -> u32 {
        let blocks = if self.ty.is_quantised() { self.head_dim / self.block() } else { 0 };
        self.number_words() + blocks.div_ceil(2)
    }

    /// Bytes of a page: keys, then values.
    pub fn page_bytes(&self) -> u64 {
        2 * u64::from(self.position_words()) * u64::from(PAGE) * u64::from(self.kv_heads) * 4
    }

    /// Pages that a binding of this device holds.
    pub fn binding_pages(&self, limits: &Limits) -> u64 {
        limits.binding.min(limits.buffer) / self.page_bytes()
    }

    /// Pages of a cache at most, in segments of so many: words of it are counted in 32 bits.
    pub fn most_pages(&self, segment_pages: u64) -> u64 {
        segment_pages.saturating_mul(MAX_SEGMENTS as u64).min((4 << 32) / self.page_bytes())
    }

    /// Words of a segment.
    pub fn segment_words(&self) -> usize {
        (u64::from(self.segment_pages) * self.page_bytes() / 4) as usize
    }

    /// True where `row` has a place in the cache: a finished row has none, and neither has a position that the table has no
    /// page for.
    pub fn has_place(&self, row: &Row) -> bool {
        !row.is_finished() && row.position / PAGE < self.pages_per_sequence
    }

    /// Word at which the key of `position` of `head` begins, given the page table of its sequence.
    pub fn key_word(&self, table: &[u32], head: u32, position: u32) -> usize {
        let page = table[(position / PAGE) as usize];
        (((page * 2 * self.kv_heads + head) * PAGE + position % PAGE) * self.position_words()) as usize
    }

    /// Word of the value that belongs to a key.
    pub fn value_word(&self, key_word: usize) -> usize {
        key_word + (self.kv_heads * PAGE * self.position_words()) as usize
    }

    /// The `override` constants of `shaders/shared/kv.wgsl`.
    pub fn constants(&self) -> Vec<(&'static str, f64)> {
        vec![
            ("KV_HEADS", self.kv_heads.into()),
            ("HEAD_DIM", self.head_dim.into()),
            ("PAGES_PER_SEQUENCE", self.pages_per_sequence.into()),
            ("KV_TYPE", self.ty.code().into()),
            ("KV_BLOCK", self.block().into()),
            ("KV_NUMBER_WORDS", self.number_words().into()),
            ("KV_WORDS", self.position_words().into()),
        ]
    }

    /// The same for a cache of so many segments.
    pub(super) fn constants_of(&self, segments: usize) -> Vec<(&'static str, f64)> {
        let mut constants = self.constants();
        if segments > 1 {
            constants.push(("SEGMENT_WORDS", self.segment_words() as f64));
        }
        constants
    }
}

/// The segments of a cache as operands.
pub(super) fn operands(cache: &[TensorRef], access: Access) -> impl Iterator<Item = Operand> {
    SEGMENTS.into_iter().zip(cache).map(move |(name, place)| match access {
        Access::Read => Operand::read(name, "array<u32>", place),
        Access::Write => Operand::write(name, "array<u32>", place),
    })
}

/// Names of so many segments.
pub(super) fn names(segments: usize) -> impl Iterator<Item = &'static str> {
    SEGMENTS.into_iter().take(segments)
}

/// Constants of a cache that kernels do not need which read words of it as they are.
pub(super) const OF_NUMBERS: [&str; 3] = ["KV_TYPE", "KV_BLOCK", "KV_NUMBER_WORDS"];

/// What a cache of several segments adds to the class of a kernel.
pub(super) fn class(segments: usize) -> String {
    if segments > 1 { format!(" {segments} segments") } else { String::new() }
}

/// WGSL of `kv_read`, the word of a cache of so many segments.
pub(super) fn reads(segments: usize) -> String {
    segment_words(segments).to_owned() + &read(segments)
}

/// WGSL of `kv_write`, which sets a word.
pub(super) fn writes(segments: usize) -> String {
    segment_words(segments).to_owned() + &write(segments)
}

/// WGSL of both.
pub(super) fn reads_and_writes(segments: usize) -> String {
    [segment_words(segments), &read(segments), &write(segments)].concat()
}

fn segment_words(segments: usize) -> &'static str {
    if segments > 1 { "override SEGMENT_WORDS: u32;\n" } else { "" }
}

fn read(segments: usize) -> String {
    by_segment("fn kv_read(at: u32) -> u32", segments, |segment, at| format!("return {segment}[{at}];"))
}

fn write(segments: usize) -> String {
    by_segment("fn kv_write(at: u32, word: u32)", segments, |segment, at| format!("{segment}[{at}] = word; return;"))
}

/// A function whose body asks in which segment the word `at` is.
fn by_segment(signature: &str, segments: usize, access: impl Fn(&str, &str) -> String) -> String {
    let mut text = format!("{signature} {{\n");
    for (number, segment) in SEGMENTS[..segments].iter().enumerate() {
        let at = if number == 0 { "at".to_string() } else { format!("at - {number}u * SEGMENT_WORDS") };
        let access = access(segment, &at);
        match number + 1 < segments {
            true => text += &format!("    if at < {}u * SEGMENT_WORDS {{ {access} }}\n", number + 1),
            false => text += &format!("    {access}\n"),
        }
    }
    text + "}\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(ty: KvType, head_dim: u32) -> KvShape {
        KvShape { kv_heads: 1, head_dim, pages_per_sequence: 1, ty, segment_pages: 1 }
    }

    #[test]
    fn kv_type_is_found_by_its_name() {
        for ty in KvType::ALL {
            assert_eq!(KvType::from_name(ty.name()), Some(ty));
        }
        for name in ["", "F16", "q8", "q4_1", "q8_0 "] {
            assert_eq!(KvType::from_name(name), None, "{name:?}");
        }
    }

    #[test]
    fn kv_shape_counts_the_words_of_numbers_and_scales() {
        // Width, block, words of a position in the order of KvType::ALL.
        let known = [
            (8, 8, [4, 8, 3, 2]),
            (24, 8, [12, 24, 8, 5]),
            (64, 32, [32, 64, 17, 9]),
            (80, 16, [40, 80, 23, 13]),
            (96, 32, [48, 96, 26, 14]),
            (128, 32, [64, 128, 34, 18]),
        ];
        for (head_dim, block, words) in known {
            assert_eq!(shape(KvType::Q8_0, head_dim).block(), block, "{head_dim}");
            assert_eq!(KvType::ALL.map(|ty| shape(ty, head_dim).position_words()), words, "{head_dim}");
        }
    }

    #[test]
    fn kv_access_of_one_segment_asks_nothing() {
        assert_eq!(reads(1), "fn kv_read(at: u32) -> u32 {\n    return kv0[at];\n}\n");
        let three = writes(3);
        assert!(
            three.contains("if at < 2u * SEGMENT_WORDS { kv1[at - 1u * SEGMENT_WORDS] = word; return; }"),
            "{three}"
        );
    }

    #[test]
    fn kv_shape_rejects_widths_that_a_type_cannot_hold() {
        for ty in KvType::ALL {
            for head_dim in [0, 2, 8, 20, 66, 80, 128] {
                let held = [8, 80, 128].contains(&head_dim) || (head_dim == 20 && !ty.is_quantised());
                assert_eq!(shape(ty, head_dim).supports().is_ok(), held, "{ty:?} {head_dim}");
            }
        }
        let message = shape(KvType::Q4_0, 20).supports().unwrap_err().to_string();
        assert!(message.contains("q4_0") && message.contains("20 wide"), "{message}");
    }
}
