//! Attention in four calls: project, rotate, write, attend. An architecture may leave one out or do another thing in between.

use super::{Forward, Norm, RopeTable};
use crate::device::Slice;
use crate::kernels::attention::{Attention, AttentionReduce, AttentionShape};
use crate::kernels::matmul::Epilogue;
use crate::kernels::rms_norm::NormTarget;
use crate::kernels::rope::{HeadNorm, RopeKv, RopeShape, RopeStyle};
use crate::kernels::{Activation, Tensor};
use crate::kv::groups::CachePart;
use crate::model::config::Config;
use crate::model::layer_kind::AttentionKind;
use crate::model::weights::{LoadError, Matrix, Rows, Vector, WeightRegistry};

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
    pub head_norms: Option<(Vector, HeadNorm)>,
    /// Norms over all query heads together, and all key heads together.
    pub whole_norms: Option<[Norm; 2]>,
    /// f32 `[heads]`: logits that join each softmax without a value, as gpt-oss learns them.
    pub sinks: Option<Vector>,
    /// What the answer is gated by, by a sigmoid.
    pub gate: Option<Vec<(u32, Matrix)>>,
    /// A norm of what goes into the output projection.
    pub out_norm: Option<Norm>,
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
        let kind = *config.attention(index);
        let (q, kv) = (kind.q_width(), kind.kv_width());
        let (query, key, value) = (name("q"), name("k"), name("v"));
        let apart = [Rows::all(&query, q), Rows::all(&key, kv), Rows::all(&value, kv)];
        let qkv = match registry.has(&name("qkv.weight")) {
            true => vec![(0, registry.matrix(&name("qkv"), kind.qkv_width(), config.hidden)?)],
            false => registry.fused_qkv(&apart, config.hidden)?,
        };
        AttentionBlock::with_projections(registry, config, index, qkv)
    }

    /// Registers the attention of layer `index` where it may lack values, whose place its raw keys then take, or read the cache of another
    /// layer, so that it has queries alone; files may hold keys nobody reads.
    pub fn register_with_shared_keys(
        registry: &mut WeightRegistry<'_>,
        config: &Config,
        index: u32,
    ) -> Result<AttentionBlock, LoadError> {
        let name = |part: &str| format!("blk.{index}.attn_{part}");
        let kind = *config.attention(index);
        let (q, kv) = (kind.q_width(), kind.kv_width());
        let (query, key, value) = (name("q"), name("k"), name("v"));
        let (keys, values) = (Rows::all(&key, kv), Rows::all(&value, kv));
        let qkv = match (kind.cache_of, registry.has(&name("v.weight"))) {
            (Some(_), _) => {
                ["k.weight", "v.weight", "k_norm.weight"].iter().for_each(|part| registry.ignore(name(part)));
                vec![(0, registry.matrix(&query, q, config.hidden)?)]
            }
            (None, true) => registry.fused_qkv(&[Rows::all(&query, q), keys, values], config.hidden)?,
            (None, false) => registry.fused_qkv(&[Rows::all(&query, q), keys, keys], config.hidden)?,
        };
        AttentionBlock::with_projections(registry, config, index, qkv)
    }

    /// Registers the attention of layer `index` where each query head's rows are followed by those of its gate.
    pub fn register_with_gates(
        registry: &mut WeightRegistry<'_>,
        config: &Config,
        index: u32,
    ) -> Result<AttentionBlock, LoadError> {
        let name = |part: &str| format!("blk.{index}.attn_{part}");
        let kind = *config.attention(index);
        let (query, key, value) = (name("q"), name("k"), name("v"));
        let (rows, of) = (kind.head_dim, 2 * kind.q_width());
        let of_head = |head, first| Rows { name: &query, of, first: first + 2 * head * rows, rows };
        let gate: Vec<Rows<'_>> = (0..kind.heads).map(|head| of_head(head, rows)).collect();
        let others = [Rows::all(&key, kind.kv_width()), Rows::all(&value, kind.kv_width())];
        let qkv: Vec<Rows<'_>> = (0..kind.heads).map(|head| of_head(head, 0)).chain(others).collect();
        let qkv = registry.fused_qkv(&qkv, config.hidden)?;
        let gate = registry.fused_qkv(&gate, config.hidden)?;
        Ok(AttentionBlock { gate: Some(gate), ..AttentionBlock::with_projections(registry, config, index, qkv)? })
    }

    /// Registers the attention of layer `index` where all query heads have one norm, and all key heads.
    pub fn register_with_whole_norms(
        registry: &mut WeightRegistry<'_>,
        config: &Config,
        index: u32,
    ) -> Result<AttentionBlock, LoadError> {
        let name = |part: &str| format!("blk.{index}.attn_{part}");
        let kind = *config.attention(index);
        let (q, kv) = (kind.q_width(), kind.kv_width());
        let mut apart = Vec::new();
        for (part, first, rows) in [("q", 0, q), ("k", q, kv), ("v", q + kv, kv)] {
            apart.push((first, registry.matrix(&name(part), rows, config.hidden)?));
        }
        let mut block = AttentionBlock::with_projections(registry, config, index, apart)?;
        let mut norm = |part, width| Norm::register(registry, config, &name(part), width);
        block.whole_norms = Some([norm("q_norm", q)?, norm("k_norm", kv)?]);
        Ok(block)
    }

    /// The same where the layer has such norms, else as [`AttentionBlock::register`].
    pub fn register_with_whole_norms_if_any(
        registry: &mut WeightRegistry<'_>,
        config: &Config,
        index: u32,
    ) -> Result<AttentionBlock, LoadError> {
        match registry.has(&format!("blk.{index}.attn_q_norm.weight")) {
            true => AttentionBlock::register_with_whole_norms(registry, config, index),
            false => AttentionBlock::register(registry, config, index),
        }
    }

    fn with_projections(
        registry: &mut WeightRegistry<'_>,
        config: &Config,
        index: u32,
        qkv: Vec<(u32, Matrix)>,
    ) -> Result<AttentionBlock, LoadError> {
        let name = |part: &str| format!("blk.{index}.attn_{part}");
        let kind = *config.attention(index);
        let out = registry.matrix(&name("output"), config.hidden, kind.q_width())?;
        let sinks = name("sinks.weight");
        let sinks = match registry.has(&sinks) {
            true => Some(registry.vector(&[(&sinks, kind.heads)])?),
            false => None,
        };
        let (head_norms, whole_norms, gate, out_norm) = (None, None, None, None);
        let cache_layer = kind.cache_of.unwrap_or(index);
        Ok(AttentionBlock { kind, cache_layer, qkv, head_norms, whole_norms, sinks, gate, out_norm, out })
    }

    /// Columns of what is projected.
    fn projected_width(&self) -> u32 {
        if self.kind.cache_of.is_some() { self.kind.q_width() } else { self.kind.qkv_width() }
    }

    /// With a norm over each query and key head.
    pub fn with_head_norms(
        mut self,
        registry: &mut WeightRegistry<'_>,
        config: &Config,
        index: u32,
    ) -> Result<Self, LoadError> {
        let name = |part: &str| format!("blk.{index}.attn_{part}_norm.weight");
        let dim = self.kind.head_dim;
        let weights = match self.kind.cache_of {
            None => registry.vector(&[(&name("q"), dim), (&name("k"), dim)])?,
            Some(_) => registry.vector(&[(&name("q"), dim)])?,
        };
        self.head_norms = Some((weights, HeadNorm { eps: config.eps, after: false }));
        Ok(self)
    }

    /// With these norms behind the rotation, where there are some.
    pub fn norms_after_rope(mut self) -> Self {
        self.head_norms = self.head_norms.map(|(weights, norm)| (weights, HeadNorm { after: true, ..norm }));
        self
    }

    /// With a norm of what goes into the output projection.
    pub fn with_out_norm(
        mut self,
        registry: &mut WeightRegistry<'_>,
        config: &Config,
        index: u32,
    ) -> Result<Self, LoadError> {
        let name = format!("blk.{index}.attn_sub_norm");
        self.out_norm = Some(Norm::register(registry, config, &name, self.kind.q_width())?);
        Ok(self)
    }
}

impl Forward<'_> {
    /// All of it but the output projection: `[rows, heads · head_dim]`.
    pub fn attention(&mut self, x: Tensor, block: &AttentionBlock, ropes: &[RopeTable]) -> Tensor {
        let qkv = self.project(x, block);
        let rotated = self.rotate(qkv, block, ropes);
        self.write(&rotated, block);
        let mut attended = self.attend(&rotated, block);
        if let Some(parts) = &block.gate {
            let gate = self.recorder.tensor(self.rows, block.kind.q_width());
            for (first, matrix) in parts {
                self.matmul(&x.into(), matrix, (gate, *first), Epilogue::Store);
            }
            attended = self.gated(gate, attended, Activation::Sigmoid);
        }
        block.out_norm.as_ref().map_or(attended, |norm| self.norm(attended, norm))
    }

    /// Queries, keys and values side by side, `[rows, qkv_width]`.
    pub fn project(&mut self, x: Tensor, block: &AttentionBlock) -> Tensor {
        let stride = block.projected_width();
        let qkv = self.recorder.tensor(self.rows, stride);
        let mut norms = block.whole_norms.iter().flatten();
        for (first, matrix) in &block.qkv {
            match norms.next() {
                None => self.matmul(&x.into(), matrix, (qkv, *first), Epilogue::Store),
                Some(norm) => {
                    let raw = self.linear(x, matrix);
                    self.norm_into(raw, norm, qkv, NormTarget { offset: *first, ..NormTarget::rows(stride) });
                }
            }
        }
        qkv
    }

    /// How queries and keys are normed and rotated; this happens in the dispatch of [`Forward::write`].
    pub fn rotate(&mut self, qkv: Tensor, block: &AttentionBlock, ropes: &[RopeTable]) -> Rotated {
        let number = block.kind.rope;
        let angles = ropes[number.unwrap_or(0)].angles();
        let rope = number.map(|number| &self.config.ropes[number]);
        let norm = block.head_norms.as_ref();
        Rotated {
            qkv,
            // A kernel without norms binds any memory in their place.
            norms: norm.map_or_else(|| angles.storage.slice(0, 4), |(weights, _)| weights.slice.clone()),
            angles,
            shape: RopeShape {
                norm: norm.map(|(_, norm)| *norm),
                value_norm: block.kind.norms_values.then_some(self.config.eps),
                temperature: self.config.temperature,
                ..RopeShape::plain(
                    block.kind.heads,
                    rope.map_or(0, |rope| rope.dims),
                    rope.map_or(RopeStyle::HalfSplit, |rope| rope.style),
                )
            },
        }
    }

    /// Norms and rotates queries and keys, and puts keys and values of these rows into the cache.
    pub fn write(&mut self, rotated: &Rotated, block: &AttentionBlock) {
        let cache = self.kv.layer(self.cache_layer(block), CachePart::Attention);
        self.recorder.push(RopeKv {
            batch: self.batch(),
            qkv: rotated.qkv.into(),
            norms: rotated.norms.clone().into(),
            angles: rotated.angles.clone().into(),
            cache: cache.segments.into_iter().map(Into::into).collect(),
            pages: cache.table.into(),
            rows: self.rows,
            rope: rotated.shape,
            has_keys: block.kind.cache_of.is_none(),
            kv: cache.shape,
        });
    }

    /// Attention over the positions that the cache holds, before the output projection: `[rows, heads · head_dim]`.
    pub fn attend(&mut self, rotated: &Rotated, block: &AttentionBlock) -> Tensor {
        let (kind, cache) = (&block.kind, self.kv.layer(self.cache_layer(block), CachePart::Attention));
        let shape = AttentionShape {
            heads: kind.heads,
            qkv_width: block.projected_width(),
            scale: kind.scale,
            cap: kind.cap,
            max_bias: self.config.max_bias,
            kv_splits: self.kv_splits(block),
            is_prefill: self.is_prefill,
            window: kind.lifetime.window,
            keep: kind.lifetime.keep,
            first: kind.first,
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
        let out = self.recorder.tensor(self.rows, kind.q_width());
        self.recorder.push(AttentionReduce {
            batch: self.batch(),
            parts: parts.into(),
            out: out.into(),
            rows: self.rows,
            heads: kind.heads,
            head_dim: kind.head_dim,
            kv_splits: shape.kv_splits,
        });
        out
    }

    /// The layer of the cache that a layer reads.
    fn cache_layer(&self, block: &AttentionBlock) -> u32 {
        let of_other = self.reads.and_then(|other| other.last_keys(block.kind.lifetime.window.is_some()));
        of_other.unwrap_or(block.cache_layer)
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
