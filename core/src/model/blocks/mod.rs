//! The blocks that architectures are made of: what a `forward()` calls, and the weights behind each call.

mod attention;
mod conv;
mod encoder;
mod entry;
mod experts;
mod layer;
mod lora;
mod mlp;
mod mtp;
mod norm;
mod per_layer;
mod pooled_head;
mod recurrent;

pub use attention::{AttentionBlock, Rotated};
pub use conv::Channels;
pub use conv::ShortConv;
pub use encoder::EncoderLayer;
pub use entry::Entry;
pub use experts::Experts;
pub use layer::{FeedForward, Layer, Mixer, NormNames};
pub use mlp::Mlp;
pub(super) use mtp::kinds as mtp_kinds;
pub use mtp::{Mtp, hidden_states, shift};
pub use norm::{Norm, NormKind};
pub use per_layer::{PerLayerGate, PerLayerInputs};
pub use pooled_head::PooledHead;
pub use recurrent::Recurrent;

use super::adapters::AdapterStacks;
use super::config::Config;
use super::rope::{FACTORS, LONG_FACTORS, Rope, SHORT_FACTORS};
use super::weights::{HostVector, LoadError, Matrix, WeightRegistry};
use crate::device::{Device, Slice, Storage};
use crate::gpu::AdapterInfo;
use crate::kernels::embed::{Embed, Lookup};
use crate::kernels::gated_activation::GatedActivation;
use crate::kernels::gemm::Gemm;
use crate::kernels::gemv::{Gemv, MAX_ROWS};
use crate::kernels::matmul::{Epilogue, Matmul};
use crate::kernels::row_scale::{RowRule, RowScale};
use crate::kernels::{Activation, Tensor, TensorRef};
use crate::kv::KvCache;
use crate::plan::Recorder;

/// The table of rotation angles, and the factors it is made from.
#[derive(Debug)]
pub struct RopeTable {
    storage: Storage,
    factors: Option<HostVector>,
}

impl RopeTable {
    /// Registers the factors, where the file has some, and allocates the table for `context` positions.
    pub fn register(registry: &mut WeightRegistry<'_>, rope: &Rope, context: u32) -> Result<RopeTable, LoadError> {
        let name = rope.factors(|name| registry.has(name), context);
        let factors = name.map(|name| registry.host(name, rope.dims / 2)).transpose()?;
        // Of LongRoPE's factors one set is for shorter contexts and one for longer.
        if name != Some(FACTORS) {
            [LONG_FACTORS, SHORT_FACTORS].into_iter().for_each(|name| registry.ignore(name));
        }
        Ok(RopeTable { storage: registry.memory("angles", rope.table_len(context) * 4)?, factors })
    }

    /// Computes and uploads the table, once the file has been read.
    pub fn upload(&self, device: &Device, rope: &Rope, context: u32) {
        let factors = self.factors.as_ref().map(|factors| factors.borrow().clone()).unwrap_or_default();
        device.write(&self.storage, 0, bytemuck::cast_slice(&rope.table(&factors, context)));
    }

    fn angles(&self) -> Slice {
        self.storage.all()
    }
}

/// A forward pass being recorded: `rows` tokens at most, whose ids and positions stand in the batch.
pub struct Forward<'a> {
    /// What is recorded into.
    pub recorder: &'a mut Recorder,
    /// The model's sizes.
    pub config: &'a Config,
    /// The cache.
    pub kv: &'a KvCache,
    /// The adapters that are loaded, if any are.
    pub adapters: Option<&'a AdapterStacks>,
    /// The batch.
    pub batch: Slice,
    /// Rows at most.
    pub rows: u32,
    /// True where rows stand together by sequence, positions rising: prefill, and encoders.
    pub is_prefill: bool,
    /// What the device is.
    pub facts: &'a AdapterInfo,
    /// Whose keys and values its layers read, where that is another model.
    pub reads: Option<&'a Config>,
}

impl Forward<'_> {
    /// The batch, as an operand.
    pub fn batch(&self) -> TensorRef {
        self.batch.clone().into()
    }

    /// Marks a stage of a layer for tests: see [`Recorder::tap`].
    pub fn tap(&mut self, layer: usize, stage: &str, tensor: Tensor) {
        self.recorder.tap(format!("layer{layer}.{stage}"), tensor);
    }

    /// Rows of an embedding matrix by a factor, `[rows, cols]`.
    pub fn embed(&mut self, table: &Matrix, scale: f32) -> Tensor {
        let out = self.recorder.tensor(self.rows, table.cols);
        self.look_up(table, scale, Lookup::Token, out);
        out
    }

    /// Rows of a table by a factor: those of tokens in place of `out`, others added to it.
    fn look_up(&mut self, table: &Matrix, scale: f32, by: Lookup, out: Tensor) {
        for shard in &table.shards {
            self.recorder.push(Embed {
                batch: self.batch(),
                table: shard.weights.clone(),
                first_row: shard.first,
                out: out.into(),
                rows: self.rows,
                scale,
                by,
            });
        }
    }

    /// `x · matrixᵀ`, `[rows, outputs]`; as all products here, with the bias that the matrix has, if any.
    pub fn linear(&mut self, x: impl Into<TensorRef>, matrix: &Matrix) -> Tensor {
        self.finished(x, matrix, Epilogue::Store)
    }

    /// The same, finished so.
    pub fn finished(&mut self, x: impl Into<TensorRef>, matrix: &Matrix, epilogue: Epilogue) -> Tensor {
        let out = self.recorder.tensor(self.rows, matrix.outputs);
        self.matmul(&x.into(), matrix, (out, 0), epilogue);
        out
    }

    /// `residual += x · matrixᵀ`, by the model's factor of what branches add.
    pub fn add_linear(&mut self, x: Tensor, matrix: &Matrix, residual: Tensor) {
        let epilogue = match self.config.residual_scale {
            1.0 => Epilogue::Add,
            factor => Epilogue::AddScaled(factor),
        };
        self.matmul(&x.into(), matrix, (residual, 0), epilogue);
    }

    /// Changes rows of `x` in place by figures of whole rows.
    pub fn scale_rows(&mut self, x: Tensor, rule: RowRule) {
        let (batch, rows) = (self.batch(), self.rows);
        self.recorder.push(RowScale { batch, x: x.into(), rule, rows, cols: x.cols });
    }

    /// `act(gate) * up`, of equal shapes.
    pub fn gated(&mut self, gate: Tensor, up: Tensor, activation: Activation) -> Tensor {
        let out = self.recorder.tensor(self.rows, gate.cols);
        self.recorder.push(GatedActivation {
            batch: self.batch(),
            gate: gate.into(),
            up: up.into(),
            up_stride: up.cols,
            up_offset: 0,
            out: out.into(),
            rows: self.rows,
            cols: gate.cols,
            activation,
        });
        out
    }

    /// One dispatch for each shard: into the columns of `out` from `first` on.
    fn matmul(&mut self, x: &TensorRef, matrix: &Matrix, (out, first): (Tensor, u32), epilogue: Epilogue) {
        let lowered = self.lower(x, matrix);
        for shard in &matrix.shards {
            let bias = self.bias_of(shard, &lowered);
            let matmul = Matmul {
                batch: self.batch(),
                x: x.clone(),
                weights: shard.weights.clone(),
                bias,
                out: out.into(),
                rows: self.rows,
                out_stride: out.cols,
                out_offset: first + shard.first,
                epilogue,
            };
            match self.rows <= MAX_ROWS {
                true => self.recorder.push(Gemv(matmul)),
                false => self.recorder.push(Gemm(matmul)),
            }
        }
    }
}
