//! The layers that architectures are made of: what a `forward()` calls, and the weights behind each call.

use super::config::Config;
use super::rope::{FACTORS, LONG_FACTORS, SHORT_FACTORS};
use super::weights::{HostVector, LoadError, Matrix, Vector, WeightRegistry};
use crate::device::{Device, Slice, Storage};
use crate::gpu::AdapterInfo;
use crate::kernels::attention::{Attention, AttentionReduce, AttentionShape};
use crate::kernels::embed::Embed;
use crate::kernels::gated_activation::GatedActivation;
use crate::kernels::gemm::Gemm;
use crate::kernels::gemv::{Gemv, MAX_ROWS};
use crate::kernels::matmul::{Epilogue, Matmul};
use crate::kernels::rms_norm::RmsNorm;
use crate::kernels::rope::{RopeKv, RopeShape};
use crate::kernels::{Activation, Tensor, TensorRef};
use crate::kv::KvCache;
use crate::plan::Recorder;

/// Query, key and value projections and what follows them.
#[derive(Debug)]
pub struct AttentionWeights {
    qkv: Vec<(u32, Matrix)>,
    head_norms: Option<Vector>,
    out: Matrix,
}

impl AttentionWeights {
    /// Registers the attention of layer `index`. Files hold query, key and value apart or as one matrix.
    pub fn register(
        registry: &mut WeightRegistry<'_>,
        config: &Config,
        index: u32,
    ) -> Result<AttentionWeights, LoadError> {
        let name = |part: &str| format!("blk.{index}.attn_{part}");
        let (q, kv) = (config.q_width(), config.kv_width());
        let qkv = match registry.has(&name("qkv.weight")) {
            true => vec![(0, registry.matrix(&name("qkv"), config.qkv_width(), config.hidden)?)],
            false => registry.fused_qkv(&[(&name("q"), q), (&name("k"), kv), (&name("v"), kv)], config.hidden)?,
        };
        let out = registry.matrix(&name("output"), config.hidden, q)?;
        Ok(AttentionWeights { qkv, head_norms: None, out })
    }

    /// With a norm over each query and key head.
    pub fn with_head_norms(
        mut self,
        registry: &mut WeightRegistry<'_>,
        config: &Config,
        index: u32,
    ) -> Result<Self, LoadError> {
        let name = |part: &str| format!("blk.{index}.attn_{part}_norm.weight");
        let dim = config.head_dim;
        self.head_norms = Some(registry.vector(&[(&name("q"), dim), (&name("k"), dim)])?);
        Ok(self)
    }
}

/// A gated feed-forward layer.
#[derive(Debug)]
pub struct GatedMlp {
    gate_up: GateUp,
    down: Matrix,
}

#[derive(Debug)]
enum GateUp {
    Fused(Matrix),
    Apart { gate: Matrix, up: Matrix },
}

impl GatedMlp {
    /// Registers the feed-forward layer of layer `index`.
    pub fn register(registry: &mut WeightRegistry<'_>, config: &Config, index: u32) -> Result<GatedMlp, LoadError> {
        let name = |part: &str| format!("blk.{index}.ffn_{part}");
        let (gate, up) = (name("gate"), name("up"));
        let gate_up = match registry.fused_gate_up(&gate, &up, config.ffn, config.hidden)? {
            Some(fused) => GateUp::Fused(fused),
            None => GateUp::Apart {
                gate: registry.matrix(&gate, config.ffn, config.hidden)?,
                up: registry.matrix(&up, config.ffn, config.hidden)?,
            },
        };
        let down = registry.matrix(&name("down"), config.hidden, config.ffn)?;
        Ok(GatedMlp { gate_up, down })
    }
}

/// The table of rotation angles, and the factors it is made from.
#[derive(Debug)]
pub struct RopeTable {
    storage: Storage,
    factors: Option<HostVector>,
}

impl RopeTable {
    /// Registers the factors, where the file has some, and allocates the table for `context` positions.
    pub fn register(registry: &mut WeightRegistry<'_>, config: &Config, context: u32) -> Result<RopeTable, LoadError> {
        let name = config.rope.factors(|name| registry.has(name), context);
        let factors = name.map(|name| registry.host(name, config.rope.dims / 2)).transpose()?;
        // Of LongRoPE's factors one set is for shorter contexts and one for longer.
        if name != Some(FACTORS) {
            registry.ignore(&[LONG_FACTORS, SHORT_FACTORS]);
        }
        Ok(RopeTable { storage: registry.memory("angles", config.rope.table_len(context) * 4)?, factors })
    }

    /// Computes and uploads the table, once the file has been read.
    pub fn upload(&self, device: &Device, config: &Config, context: u32) {
        let factors = self.factors.as_ref().map(|factors| factors.borrow().clone()).unwrap_or_default();
        device.write(&self.storage, 0, bytemuck::cast_slice(&config.rope.table(&factors, context)));
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
    /// The batch.
    pub batch: Slice,
    /// Rows at most.
    pub rows: u32,
    /// True for prefill: all rows are of one sequence.
    pub is_prefill: bool,
    /// What the device is.
    pub facts: &'a AdapterInfo,
}

impl Forward<'_> {
    fn batch(&self) -> TensorRef {
        self.batch.clone().into()
    }

    /// Rows of the embedding matrix, `[rows, hidden]`.
    pub fn embed(&mut self, table: &Matrix) -> Tensor {
        let out = self.recorder.tensor(self.rows, table.cols);
        for shard in &table.shards {
            self.recorder.push(Embed {
                batch: self.batch.clone().into(),
                table: shard.weights.clone(),
                first_row: shard.first,
                out: out.into(),
                rows: self.rows,
                scale: 1.0,
            });
        }
        out
    }

    /// The norm of each row, `[rows, hidden]`.
    pub fn rms_norm(&mut self, x: Tensor, weight: &Vector) -> Tensor {
        let out = self.recorder.tensor(self.rows, x.cols);
        self.recorder.push(RmsNorm {
            batch: self.batch(),
            x: x.into(),
            weight: weight.slice.clone().into(),
            out: out.into(),
            rows: self.rows,
            cols: x.cols,
            eps: self.config.eps,
        });
        out
    }

    /// `x · matrixᵀ`, `[rows, outputs]`; as all products here, with the bias that the matrix has, if any.
    pub fn linear(&mut self, x: impl Into<TensorRef>, matrix: &Matrix) -> Tensor {
        let out = self.recorder.tensor(self.rows, matrix.outputs);
        self.matmul(&x.into(), matrix, (out, 0), Epilogue::Store);
        out
    }

    /// `residual += x · matrixᵀ`.
    pub fn add_linear(&mut self, x: Tensor, matrix: &Matrix, residual: Tensor) {
        self.matmul(&x.into(), matrix, (residual, 0), Epilogue::Add);
    }

    /// Attention over all earlier positions, before the output projection: `[rows, heads · head_dim]`. Keys and values of
    /// these rows enter the cache.
    pub fn attention(&mut self, x: Tensor, weights: &AttentionWeights, angles: &RopeTable, layer: u32) -> Tensor {
        let config = self.config;
        let qkv = self.recorder.tensor(self.rows, config.qkv_width());
        for (first, matrix) in &weights.qkv {
            self.matmul(&x.into(), matrix, (qkv, *first), Epilogue::Store);
        }
        let (keys, values) = self.kv.layer(layer);
        let norms = weights.head_norms.as_ref().map_or_else(|| angles.storage.slice(0, 4), |norms| norms.slice.clone());
        self.recorder.push(RopeKv {
            batch: self.batch(),
            qkv: qkv.into(),
            norms: norms.into(),
            angles: angles.storage.all().into(),
            keys: keys.clone().into(),
            values: values.clone().into(),
            pages: self.kv.table().into(),
            rows: self.rows,
            rope: RopeShape {
                heads: config.heads,
                dims: config.rope.dims,
                style: config.rope.style,
                norm: weights.head_norms.as_ref().map(|_| config.eps),
            },
            kv: self.kv.shape(),
        });
        let shape = AttentionShape {
            heads: config.heads,
            qkv_width: config.qkv_width(),
            scale: 1.0 / (config.head_dim as f32).sqrt(),
            kv_splits: self.kv_splits(),
            is_prefill: self.is_prefill,
        };
        let kv = self.kv.shape();
        let parts = self.recorder.tensor(self.rows, shape.out_cols(&kv));
        self.recorder.push(Attention {
            batch: self.batch(),
            q: qkv.into(),
            keys: keys.into(),
            values: values.into(),
            pages: self.kv.table().into(),
            out: parts.into(),
            rows: self.rows,
            shape,
            kv,
        });
        if shape.kv_splits == 1 {
            return parts;
        }
        let out = self.recorder.tensor(self.rows, config.q_width());
        self.recorder.push(AttentionReduce {
            batch: self.batch(),
            parts: parts.into(),
            out: out.into(),
            rows: self.rows,
            heads: config.heads,
            head_dim: config.head_dim,
            kv_splits: shape.kv_splits,
        });
        out
    }

    /// `residual += attended · outputᵀ`.
    pub fn add_attention(&mut self, attended: Tensor, weights: &AttentionWeights, residual: Tensor) {
        self.add_linear(attended, &weights.out, residual);
    }

    /// `silu(x · gateᵀ) · (x · upᵀ)`, `[rows, ffn]`.
    pub fn gated(&mut self, x: Tensor, weights: &GatedMlp) -> Tensor {
        match &weights.gate_up {
            GateUp::Fused(matrix) => {
                let out = self.recorder.tensor(self.rows, matrix.outputs);
                self.matmul(&x.into(), matrix, (out, 0), Epilogue::Gated(Activation::Silu));
                out
            }
            GateUp::Apart { gate, up } => {
                let (gate, up) = (self.linear(x, gate), self.linear(x, up));
                let out = self.recorder.tensor(self.rows, gate.cols);
                self.recorder.push(GatedActivation {
                    batch: self.batch(),
                    gate: gate.into(),
                    up: up.into(),
                    out: out.into(),
                    rows: self.rows,
                    cols: gate.cols,
                    activation: Activation::Silu,
                });
                out
            }
        }
    }

    /// `residual += gated · downᵀ`.
    pub fn add_down(&mut self, gated: Tensor, weights: &GatedMlp, residual: Tensor) {
        self.add_linear(gated, &weights.down, residual);
    }

    /// Parts into which decode kv_splits the positions, so that a GPU has work for all its cores. A software adapter has few
    /// cores, and prefill enough rows.
    fn kv_splits(&self) -> u32 {
        match (self.is_prefill, self.facts.software) {
            (true, _) | (_, true) => 1,
            _ => (256 / self.config.kv_heads).clamp(4, 32),
        }
    }

    /// One dispatch for each shard: into the columns of `out` from `first` on.
    fn matmul(&mut self, x: &TensorRef, matrix: &Matrix, (out, first): (Tensor, u32), epilogue: Epilogue) {
        for shard in &matrix.shards {
            let matmul = Matmul {
                batch: self.batch(),
                x: x.clone(),
                weights: shard.weights.clone(),
                bias: shard.bias.clone().map(TensorRef::Fixed),
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
