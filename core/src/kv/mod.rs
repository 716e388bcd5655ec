//! The key/value cache: pages of positions, per layer, and the tables that say which pages a sequence has.
//!
//! A layer's cache is `[page, keys or values, kv_head, position in page, head_dim]`, in one buffer or, where a binding holds no more, in a
//! few segments. A sequence's positions lie in pages
//! named by its row of its group's block table, so sequences may grow and share without anything being moved. Which pages are whose is
//! decided elsewhere ([`pages`], [`prefix`], the engine's scheduler); here is their memory.

pub mod groups;
pub mod pages;
pub mod path_key;
pub mod prefix;
pub mod tiers;

use crate::device::{Device, Slice, Storage};
use crate::gpu::GpuError;
use crate::kernels::kv::{KvShape, KvType, PAGE};
use groups::{CachePart, KvGroupSpec};

/// The cache of all layers. Clones are the same cache.
#[derive(Debug, Clone)]
pub struct KvCache {
    device: Device,
    options: KvOptions,
    groups: Vec<GroupCache>,
}

/// The cache of a group's layers.
#[derive(Debug, Clone)]
struct GroupCache {
    shape: KvShape,
    /// Of each layer its segments.
    layers: Vec<Vec<Storage>>,
    /// u32 `[slots, pages_per_sequence]`.
    table: Storage,
    pages: u32,
}

/// How large a cache is to be.
#[derive(Debug, Clone)]
pub struct KvOptions {
    /// Which layers share a pool.
    pub groups: Vec<KvGroupSpec>,
    /// Positions a sequence may have; rounded up to whole pages.
    pub context: u32,
    /// Sequences at once: rows of a block table.
    pub slots: u32,
    /// Pages of each group's pool; none where each slot owns as many as it can have, from the start.
    pub pages: Option<Vec<u32>>,
    /// How numbers are stored.
    pub ty: KvType,
    /// Bytes of a segment at most, where that is less than a binding holds.
    pub segment_bytes: Option<u64>,
    /// Whether the layers of a group have the same memory, each in its turn: where no later step reads what a step has written.
    pub is_scratch: bool,
}

/// What kernels ask of the cache of a layer.
#[derive(Debug)]
pub struct LayerCache {
    /// Its segments.
    pub segments: Vec<Slice>,
    /// The block table, u32 `[slots, pages_per_sequence]`.
    pub table: Slice,
    /// Its shape.
    pub shape: KvShape,
}

impl KvOptions {
    /// The shape of a layer of each group.
    pub fn shapes(&self) -> impl Iterator<Item = KvShape> {
        self.groups.iter().map(|group| KvShape {
            kv_heads: group.kv_heads,
            head_dim: group.head_dim,
            pages_per_sequence: self.context.div_ceil(PAGE).max(1),
            ty: group.ty.unwrap_or(self.ty),
            segment_pages: u32::MAX,
        })
    }

    /// Bytes of a cache in which each slot owns as many pages as it can have, also behind windows.
    pub fn bytes_of_slots(&self) -> u64 {
        let pages = |shape: &KvShape| u64::from(shape.pages_per_sequence) * u64::from(self.slots);
        let groups = self.groups.iter().zip(self.shapes());
        groups.map(|(group, shape)| shape.page_bytes() * pages(&shape) * group.layers.len() as u64).sum()
    }
}

impl GroupCache {
    fn new(
        device: &Device,
        mut shape: KvShape,
        layers: usize,
        options: &KvOptions,
        pages: Option<u32>,
    ) -> Result<Self, GpuError> {
        let entries = shape.pages_per_sequence * options.slots;
        let pages = pages.unwrap_or(entries);
        let (page, most) = (shape.page_bytes(), options.segment_bytes.unwrap_or(u64::MAX));
        let segment_pages = shape.binding_pages(&device.facts().limits).min(most / page);
        let most = shape.most_pages(segment_pages);
        if u64::from(pages) > most {
            let (limit, wanted) = (page * most, page * u64::from(pages));
            return Err(GpuError::TooSmall { what: "bindings (the key/value cache)", limit, wanted });
        }
        shape.segment_pages = u32::try_from(segment_pages).unwrap_or(u32::MAX).min(pages).max(1);
        let sizes =
            (0..pages).step_by(shape.segment_pages as usize).map(|first| shape.segment_pages.min(pages - first));
        let sizes: Vec<u64> = sizes.map(|pages| page * u64::from(pages)).collect();
        let layer = || sizes.iter().map(|bytes| device.buffer("keys and values", *bytes)).collect();
        let layers = match options.is_scratch {
            true => vec![layer()?; layers],
            false => (0..layers).map(|_| layer()).collect::<Result<Vec<_>, GpuError>>()?,
        };
        let table: Vec<u32> = (0..entries).map(|entry| if entry < pages { entry } else { 0 }).collect();
        Ok(GroupCache { shape, layers, table: device.upload("page table", &table)?, pages })
    }

    fn page_bytes(&self) -> u64 {
        self.shape.page_bytes() * self.layers.len() as u64
    }
}

impl KvCache {
    /// Allocates the cache.
    ///
    /// # Errors
    /// [`GpuError::TooSmall`] when a layer exceeds what the device can bind.
    pub fn new(device: &Device, options: &KvOptions) -> Result<KvCache, GpuError> {
        let pages = |number: usize| options.pages.as_ref().and_then(|pages| pages.get(number).copied());
        let groups = options.groups.iter().zip(options.shapes()).enumerate();
        let groups = groups
            .map(|(number, (group, shape))| GroupCache::new(device, shape, group.layers.len(), options, pages(number)));
        let groups = groups.collect::<Result<Vec<_>, GpuError>>()?;
        let cache = KvCache { device: device.clone(), options: options.clone(), groups };
        // What a copy needs of the device is made now, and not while answers are under way.
        (0..cache.groups.len()).for_each(|group| cache.copy(group, 0, cache.groups[group].pages - 1));
        Ok(cache)
    }

    /// How large it is.
    pub fn options(&self) -> &KvOptions {
        &self.options
    }

    /// Copies a page of a group, of all its layers.
    pub fn copy(&self, group: usize, from: u32, to: u32) {
        if from != to {
            self.device.copy(&self.page(group, from).zip(self.page(group, to)).collect::<Vec<_>>());
        }
    }

    /// Whether a layer keeps that.
    pub fn has_layer(&self, layer: u32, part: CachePart) -> bool {
        self.options.groups.iter().any(|group| group.part == part && group.layers.contains(&layer))
    }

    /// The cache of what a layer keeps, which it does.
    pub fn layer(&self, layer: u32, part: CachePart) -> LayerCache {
        let places = self.options.groups.iter().zip(&self.groups).filter(|(spec, _)| spec.part == part);
        let mut places =
            places.filter_map(|(spec, cache)| Some((cache, spec.layers.iter().position(|l| *l == layer)?)));
        let Some((group, at)) = places.next() else { unreachable!("what each layer keeps is in a group") };
        let segments = group.layers[at].iter().map(Storage::all).collect();
        LayerCache { segments, table: group.table.all(), shape: group.shape }
    }

    /// Says that the pages of `slot` in a group from its page number `first` on are these.
    pub fn set_pages(&self, group: usize, slot: u32, first: u32, pages: &[u32]) {
        let GroupCache { shape, table, .. } = &self.groups[group];
        let at = u64::from(slot * shape.pages_per_sequence + first) * 4;
        self.device.write(table, at, bytemuck::cast_slice(pages));
    }

    /// Positions a sequence may have.
    pub fn context(&self) -> u32 {
        self.options.context.div_ceil(PAGE).max(1) * PAGE
    }

    /// Pages of each group's pool.
    pub fn pages(&self) -> impl Iterator<Item = u32> {
        self.groups.iter().map(|group| group.pages)
    }

    /// Bytes of a page of each group: keys and values of all its layers.
    pub fn page_bytes(&self) -> impl Iterator<Item = u64> {
        self.groups.iter().map(GroupCache::page_bytes)
    }

    /// Bytes of keys, values and tables.
    pub fn bytes(&self) -> u64 {
        let layers = if self.options.is_scratch { 1 } else { usize::MAX };
        let storages = |group: &GroupCache| group.layers.iter().take(layers).flatten().map(Storage::bytes).sum::<u64>();
        self.groups.iter().map(|group| storages(group) + group.table.bytes()).sum()
    }

    /// Where a page of a group lies: keys, then values of each of its layers.
    pub fn page(&self, group: usize, page: u32) -> impl Iterator<Item = Slice> {
        let GroupCache { shape, layers, .. } = &self.groups[group];
        let (bytes, segment, within) = (shape.page_bytes(), page / shape.segment_pages, page % shape.segment_pages);
        layers.iter().map(move |segments| segments[segment as usize].slice(u64::from(within) * bytes, bytes))
    }
}
