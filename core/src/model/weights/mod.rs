//! Weights of a model: registered by its architecture, loaded from its file, held on a device.
//!
//! First everything is registered (`registry.rs`), and what the file has beyond that is refused (`unused.rs`). Then the file is
//! read once, front to back (`loader.rs`).

mod loader;
mod registry;
mod unused;

pub use registry::{Matrices, Rows, WeightRegistry};

use std::cell::RefCell;
use std::rc::Rc;

use super::error::ModelError;
use super::fit::FitError;
use crate::device::Slice;
use crate::gpu::GpuError;
use crate::kernels::weights::WeightShard;
use inglenook_format::source::SourceError;

/// Why weights could not be loaded.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LoadError {
    /// The model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The model or its context is larger than the device.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// The device.
    #[error(transparent)]
    Gpu(#[from] GpuError),
    /// The file could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
}

/// A weight matrix on a device, `[rows, cols]`, in shards that fit a binding.
#[derive(Debug, Clone)]
pub struct Matrix {
    /// Values that a product with it has: its rows, or half of them where gate and up are fused.
    pub outputs: u32,
    /// Columns.
    pub cols: u32,
    /// Its shards.
    pub shards: Vec<Shard>,
}

/// Part of a matrix.
#[derive(Debug, Clone)]
pub struct Shard {
    /// The first output it gives.
    pub first: u32,
    /// The weights.
    pub weights: WeightShard,
    /// f32 `[weights.rows]`, added to products; none where the file has no bias.
    pub bias: Option<Slice>,
    /// What its rows are in the file, in their order.
    pub parts: Vec<Part>,
}

/// Rows of a shard that are rows of one matrix of the file.
#[derive(Debug, Clone)]
pub struct Part {
    /// The matrix, with `.weight`.
    pub name: Rc<str>,
    /// The first row in the file's matrix.
    pub from: u32,
    /// How many.
    pub rows: u32,
    /// The first row in the shard.
    pub to: u32,
}

/// The same matrix of each of many experts.
#[derive(Debug, Clone)]
pub struct ExpertMatrix {
    /// Its shards.
    pub shards: Vec<ExpertShard>,
}

/// The matrices of some experts, one below the other.
#[derive(Debug, Clone)]
pub struct ExpertShard {
    /// The first expert, and how many there are.
    pub experts: (u32, u32),
    /// The weights.
    pub weights: WeightShard,
    /// f32 `[weights.rows]`, where the file has biases.
    pub bias: Option<Slice>,
}

impl ExpertMatrix {
    /// Device memory of its weights.
    pub fn bytes(&self) -> u64 {
        self.shards.iter().map(|shard| shard.weights.quants.storage.bytes()).sum()
    }
}

/// Where rows of a tensor of the file have gone.
#[cfg(not(target_arch = "wasm32"))]
#[derive(Debug, Clone)]
pub struct Placed {
    /// The tensor.
    pub name: String,
    /// Its rows, perhaps beside others'.
    pub weights: WeightShard,
    /// Its columns.
    pub cols: u32,
    /// Matrices that the tensor holds: 1, or the number of experts.
    pub matrices: u32,
}

/// f32 values on a device.
#[derive(Debug, Clone)]
pub struct Vector {
    /// Where they are.
    pub slice: Slice,
}

/// f32 values in host memory, there once the file has been read.
pub type HostVector = Rc<RefCell<Vec<f32>>>;
