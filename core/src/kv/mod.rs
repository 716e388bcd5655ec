//! The key/value cache: pages of positions, per layer, and the table that says which pages a sequence has.
//!
//! Keys and values of a layer are `[page, kv_head, position in page, head_dim]`. A sequence's positions lie in pages
//! named by its row of the page table, so sequences may grow and share without anything being moved. Which pages are whose is
//! decided elsewhere ([`pages`], [`prefix`], the engine's scheduler); here is their memory.

pub mod pages;
pub mod path_key;
pub mod prefix;
pub mod tiers;

use crate::device::{Device, Slice, Storage};
use crate::gpu::GpuError;
use crate::kernels::kv::{KvShape, KvType, PAGE};

/// The cache of all layers.
#[derive(Debug)]
pub struct KvCache {
    device: Device,
    shape: KvShape,
    layers: Vec<[Storage; 2]>,
    table: Storage,
    pages: u32,
}

/// How large a cache is to be.
#[derive(Debug, Clone, Copy)]
pub struct KvOptions {
    /// Layers.
    pub layers: u32,
    /// Key/value heads.
    pub kv_heads: u32,
    /// Width of a head.
    pub head_dim: u32,
    /// Positions a sequence may have; rounded up to whole pages.
    pub context: u32,
    /// Sequences at once: rows of the page table.
    pub slots: u32,
    /// Pages of the pool; none where each slot owns as many as it can have, from the start.
    pub pages: Option<u32>,
    /// How numbers are stored.
    pub ty: KvType,
}

impl KvOptions {
    /// The shape of a layer.
    pub fn shape(&self) -> KvShape {
        KvShape {
            kv_heads: self.kv_heads,
            head_dim: self.head_dim,
            pages_per_sequence: self.context.div_ceil(PAGE).max(1),
            ty: self.ty,
        }
    }
}

impl KvCache {
    /// Allocates the cache.
    ///
    /// # Errors
    /// [`GpuError::TooSmall`] when a layer's keys exceed what the device can bind.
    pub fn new(device: &Device, options: &KvOptions) -> Result<KvCache, GpuError> {
        let shape = options.shape();
        let entries = shape.pages_per_sequence * options.slots;
        let pages = options.pages.unwrap_or(entries);
        let bytes = shape.page_bytes() * u64::from(pages);
        let limit = device.facts().limits.binding;
        if bytes > limit {
            return Err(GpuError::TooSmall { what: "bindings (the key/value cache)", limit, wanted: bytes });
        }
        let layer = || Ok([device.buffer("keys", bytes)?, device.buffer("values", bytes)?]);
        let layers = (0..options.layers).map(|_| layer()).collect::<Result<Vec<_>, GpuError>>()?;
        let table: Vec<u32> = (0..entries).map(|entry| if entry < pages { entry } else { 0 }).collect();
        let table = device.upload("page table", &table)?;
        let cache = KvCache { device: device.clone(), shape, layers, table, pages };
        // What a copy needs of the device is made now, and not while answers are under way.
        cache.copy(0, pages - 1);
        Ok(cache)
    }

    /// Copies a page, of all layers.
    pub fn copy(&self, from: u32, to: u32) {
        if from != to {
            self.device.copy(&self.page(from).zip(self.page(to)).collect::<Vec<_>>());
        }
    }

    /// Its shape, for kernels.
    pub fn shape(&self) -> KvShape {
        self.shape
    }

    /// Keys and values of a layer.
    pub fn layer(&self, layer: u32) -> (Slice, Slice) {
        let [keys, values] = &self.layers[layer as usize];
        (keys.all(), values.all())
    }

    /// The page table, u32 `[slots, pages_per_sequence]`.
    pub fn table(&self) -> Slice {
        self.table.all()
    }

    /// Says that the pages of `slot` from its page number `first` on are these.
    pub fn set_pages(&self, slot: u32, first: u32, pages: &[u32]) {
        let at = u64::from(slot * self.shape.pages_per_sequence + first) * 4;
        self.device.write(&self.table, at, bytemuck::cast_slice(pages));
    }

    /// Positions a sequence may have.
    pub fn context(&self) -> u32 {
        self.shape.pages_per_sequence * PAGE
    }

    /// Pages of the pool.
    pub fn pages(&self) -> u32 {
        self.pages
    }

    /// Bytes of a page: keys and values of all layers.
    pub fn page_bytes(&self) -> u64 {
        self.shape.page_bytes() * 2 * self.layers.len() as u64
    }

    /// Bytes of keys, values and table.
    pub fn bytes(&self) -> u64 {
        self.layers.iter().flatten().map(Storage::bytes).sum::<u64>() + self.table.bytes()
    }

    /// Where a page lies: keys, then values of each layer.
    pub fn page(&self, page: u32) -> impl Iterator<Item = Slice> {
        let bytes = self.shape.page_bytes();
        self.layers.iter().flatten().map(move |storage| storage.slice(u64::from(page) * bytes, bytes))
    }
}
