//! Attention in four calls: project, rotate, write, attend. An architecture may leave one out or do another thing in between.

use super::{Forward, RopeTable};
use crate::device::Slice;
use crate::kernels::Tensor;
use crate::kernels::attention::{Attention, AttentionReduce, AttentionShape};
use crate::kernels::matmul::Epilogue;
use crate::kernels::rope::{RopeKv, RopeShape};
use crate::model::config::Config;
use crate::model::layer_kind::{AttentionKind, LayerKind};
use crate::model::weights::{LoadError, Matrix, Vector, WeightRegistry};

/// The attention of a layer: its sizes, its cache and its weights.
#[derive(Debug)]
pub struct AttentionBlock {
    /// Its sizes.
    pub kind: AttentionKind,
    /// The layer of the cache that it reads, and writes if it has keys of its own.
    pub cache_layer: u32,
    /// Query, key and value projections: each matrix with the column it begins at.
    pub qkv: Vec<(u32, Matrix)>,
    /// f32 `[2, head_dim]`: norms over each query head and each key head.
    pub head_norms: Option<Vector>,
    /// f32 `[heads]`: logits that join each softmax without a value, as gpt-oss learns them.
    pub sinks: Option<Vector>,
    /// The output projection.
    pub out: Matrix,
}

/// Queries, keys and values of a step, `[rows, qkv_width]`, and how they are rotated when they are written.
#[derive(Debug)]
pub struct Rotated {
    qkv: Tensor,
    norms: Slice,
    angles: Slice,
    shape: RopeShape,
}

impl AttentionBlock {
    /// Registers the attention of layer `index`. Files hold query, key and value apart or as one matrix, and sinks where the
    /// model has some.
    pub fn register(
        registry: &mut WeightRegistry<'_>,
        config: &Config,
        index: u32,
    ) -> Result<AttentionBlock, LoadError> {
        let name = |part: &str| format!("blk.{index}.attn_{part}");
        let (q, kv) = (config.q_width(), config.kv_width());
        let qkv = match registry.has(&name("qkv.weight")) {
            true => vec![(0, registry.matrix(&name("qkv"), config.qkv_width(), config.hidden)?)],
            false => registry.fused_qkv(&[(&name("q"), q), (&name("k"), kv), (&name("v"), kv)], config.hidden)?,
        };
        let out = registry.matrix(&name("output"), config.hidden, q)?;
        let sinks = name("sinks.weight");
        let sinks = match registry.has(&sinks) {
            true => Some(registry.vector(&[(&sinks, config.heads)])?),
            false => None,
        };
        let LayerKind::Attention(kind) = config.kind(index);
        Ok(AttentionBlock { kind, cache_layer: index, qkv, head_norms: None, sinks, out })
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

impl Forward<'_> {
    /// Queries, keys and values side by side, `[rows, qkv_width]`.
    pub fn project(&mut self, x: Tensor, block: &AttentionBlock) -> Tensor {
        let qkv = self.recorder.tensor(self.rows, self.config.qkv_width());
        for (first, matrix) in &block.qkv {
            self.matmul(&x.into(), matrix, (qkv, *first), Epilogue::Store);
        }
        qkv
    }

    /// How queries and keys are normed and rotated; this happens in the dispatch of [`Forward::write`].
    pub fn rotate(&mut self, qkv: Tensor, block: &AttentionBlock, rope: &RopeTable) -> Rotated {
        let angles = rope.angles();
        Rotated {
            qkv,
            // A kernel without norms binds any memory in their place.
            norms: block.head_norms.as_ref().map_or_else(|| angles.storage.slice(0, 4), |norms| norms.slice.clone()),
            angles,
            shape: RopeShape {
                heads: self.config.heads,
                dims: self.config.rope.dims,
                style: self.config.rope.style,
                norm: block.head_norms.as_ref().map(|_| self.config.eps),
            },
        }
    }

    /// Puts keys and values of these rows into the cache.
    pub fn write(&mut self, rotated: &Rotated, block: &AttentionBlock) {
        let cache = self.kv.layer(block.cache_layer);
        self.recorder.push(RopeKv {
            batch: self.batch(),
            qkv: rotated.qkv.into(),
            norms: rotated.norms.clone().into(),
            angles: rotated.angles.clone().into(),
            cache: cache.segments.into_iter().map(Into::into).collect(),
            pages: cache.table.into(),
            rows: self.rows,
            rope: rotated.shape,
            kv: cache.shape,
        });
    }

    /// Attention over the positions that the cache holds, before the output projection: `[rows, heads · head_dim]`.
    pub fn attend(&mut self, rotated: &Rotated, block: &AttentionBlock) -> Tensor {
        let (config, cache) = (self.config, self.kv.layer(block.cache_layer));
        let shape = AttentionShape {
            heads: config.heads,
            qkv_width: config.qkv_width(),
            scale: 1.0 / (block.kind.head_dim as f32).sqrt(),
            kv_splits: self.kv_splits(block),
            is_prefill: self.is_prefill,
            window: block.kind.lifetime.window,
            keep: block.kind.lifetime.keep,
        };
        let parts = self.recorder.tensor(self.rows, shape.out_cols(&cache.shape));
        self.recorder.push(Attention {
            batch: self.batch(),
            q: rotated.qkv.into(),
            cache: cache.segments.into_iter().map(Into::into).collect(),
            pages: cache.table.into(),
            out: parts.into(),
            sinks: block.sinks.as_ref().map(|sinks| sinks.slice.clone().into()),
            rows: self.rows,
            shape,
            kv: cache.shape,
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
            head_dim: block.kind.head_dim,
            kv_splits: shape.kv_splits,
        });
        out
    }

    /// Ranges into which decode splits the positions, so that a GPU has work for all its cores. A software adapter has few
    /// cores, and prefill enough rows.
    fn kv_splits(&self, block: &AttentionBlock) -> u32 {
        match (self.is_prefill, self.facts.software) {
            (true, _) | (_, true) => 1,
            _ => (256 / block.kind.kv_heads).clamp(4, 32),
        }
    }
}
