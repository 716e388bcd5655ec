//! The shape of the key/value cache, as kernels see it.

use super::batch::Row;

/// Positions in a page.
pub const PAGE: u32 = 32;

/// WGSL access to the cache.
pub const WGSL: &str = include_str!("../../../shaders/shared/kv.wgsl");

/// How keys and values are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize)]
pub enum KvType {
    /// Two f16 a word: half the memory, read by `unpack2x16float` on every device.
    #[default]
    F16,
    /// One f32 a word: for exact comparison with a reference.
    F32,
}

impl KvType {
    /// All of them.
    pub const ALL: [KvType; 2] = [KvType::F16, KvType::F32];
}

/// Shape of a layer's keys, and of its values: `[page, kv_head, PAGE, head_dim]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KvShape {
    /// Key/value heads.
    pub kv_heads: u32,
    /// Width of a head.
    pub head_dim: u32,
    /// Entries of a sequence's row in the page table.
    pub pages_per_sequence: u32,
    /// How numbers are stored.
    pub ty: KvType,
}

impl KvShape {
    /// Words of one position of one head.
    pub fn position_words(&self) -> u32 {
        match self.ty {
            KvType::F16 => self.head_dim / 2,
            KvType::F32 => self.head_dim,
        }
    }

    /// Bytes of a page of keys.
    pub fn page_bytes(&self) -> u64 {
        u64::from(self.position_words()) * u64::from(PAGE) * u64::from(self.kv_heads) * 4
    }

    /// True where `row` has a place in the cache: a finished row has none, and neither has a position that the table has no
    /// page for.
    pub fn has_place(&self, row: &Row) -> bool {
        !row.is_finished() && row.position / PAGE < self.pages_per_sequence
    }

    /// Word at which `position` of `head` begins, given the page table of its sequence.
    pub fn word(&self, table: &[u32], head: u32, position: u32) -> usize {
        let page = table[(position / PAGE) as usize];
        (((page * self.kv_heads + head) * PAGE + position % PAGE) * self.position_words()) as usize
    }

    /// The `override` constants of `shaders/shared/kv.wgsl`.
    pub fn constants(&self) -> Vec<(&'static str, f64)> {
        vec![
            ("KV_HEADS", self.kv_heads.into()),
            ("HEAD_DIM", self.head_dim.into()),
            ("PAGES_PER_SEQUENCE", self.pages_per_sequence.into()),
            ("KV_F16", f64::from(u8::from(self.ty == KvType::F16))),
        ]
    }
}
