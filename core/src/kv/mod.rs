//! The key/value cache: pages of positions, per layer, and the table that says which pages a sequence has.
//!
//! Keys and values of a layer are `[page, kv_head, position in page, head_dim]`. A sequence's positions lie in pages
//! named by its row of the page table, so sequences may grow and share without anything being moved.

pub mod pages;

use crate::device::{Device, Slice, Storage};
use crate::gpu::GpuError;
use crate::kernels::kv::{KvShape, KvType, PAGE};

/// The cache of all layers.
#[derive(Debug)]
pub struct KvCache {
    shape: KvShape,
    layers: Vec<[Storage; 2]>,
    table: Storage,
    sequences: u32,
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
    /// Sequences at once.
    pub sequences: u32,
    /// How numbers are stored.
    pub ty: KvType,
}

impl KvCache {
    /// Allocates the cache. Each sequence owns its pages.
    ///
    /// # Errors
    /// [`GpuError::TooSmall`] when a layer's keys exceed what the device can bind.
    pub fn new(device: &Device, options: &KvOptions) -> Result<KvCache, GpuError> {
        let pages = options.context.div_ceil(PAGE).max(1);
        let shape = KvShape {
            kv_heads: options.kv_heads,
            head_dim: options.head_dim,
            pages_per_sequence: pages,
            ty: options.ty,
        };
        let bytes = shape.page_bytes() * u64::from(pages) * u64::from(options.sequences);
        let limit = device.facts().limits.binding;
        if bytes > limit {
            return Err(GpuError::TooSmall { what: "bindings (the key/value cache)", limit, wanted: bytes });
        }
        let layer = || Ok([device.buffer("keys", bytes)?, device.buffer("values", bytes)?]);
        let layers = (0..options.layers).map(|_| layer()).collect::<Result<Vec<_>, GpuError>>()?;
        let table: Vec<u32> = (0..pages * options.sequences).collect();
        let table = device.upload("page table", &table)?;
        Ok(KvCache { shape, layers, table, sequences: options.sequences })
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

    /// The page table, u32 `[sequences, pages_per_sequence]`.
    pub fn table(&self) -> Slice {
        self.table.all()
    }

    /// Positions a sequence may have.
    pub fn context(&self) -> u32 {
        self.shape.pages_per_sequence * PAGE
    }

    /// Bytes of keys, values and table.
    pub fn bytes(&self) -> u64 {
        self.layers.iter().flatten().map(Storage::bytes).sum::<u64>() + self.table.bytes()
    }

    /// Sequences it has room for.
    pub fn sequences(&self) -> u32 {
        self.sequences
    }
}
