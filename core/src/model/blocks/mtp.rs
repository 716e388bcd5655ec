//! A layer behind the main ones that predicts one token further (multi-token prediction, MTP), for drafts.
//!
//! Its row for position `p` takes the token there and what the model's last norm gave at `p − 1`, which is kept in the cache as channels of a
//! convolution are. So the row depends on the tokens up to its own, as all rows do: prefixes, rewinds and copies follow by themselves.
//! There is nothing before position 0, whose row no other sees.

use super::conv::Channels;
use super::{Forward, Layer, Norm, RopeTable};
use crate::device::Device;
use crate::kernels::Tensor;
use crate::kernels::matmul::Epilogue;
use crate::kernels::rms_norm::NormTarget;
use crate::kv::groups::CachePart;
use crate::model::config::Config;
use crate::model::error::ModelError;
use crate::model::layer_kind::{AttentionKind, ConvKind, LayerKind};
use crate::model::weights::{LoadError, Matrix, Vector, WeightRegistry};

/// The layer, and what leads into it and out of it.
#[derive(Debug)]
pub struct Mtp {
    index: u32,
    /// Of the token's embedding, and of the hidden state.
    norms: [Norm; 2],
    /// Both side by side to a row of the layer's stream.
    input: Matrix,
    layer: Layer,
    /// None where the model's last norm serves.
    norm: Option<Norm>,
    /// None where the model's own serves.
    embedding: Option<Matrix>,
    /// None where the model's own serves.
    head: Option<Matrix>,
    /// See [`shift`].
    shift: Vector,
    /// What its weights take, bytes.
    pub bytes: u64,
}

impl Mtp {
    /// Registers the first layer behind the main ones.
    ///
    /// # Errors
    /// A file without one, or an architecture whose further layers are not known; else as [`WeightRegistry::matrix`].
    pub fn register(registry: &mut WeightRegistry<'_>, config: &Config) -> Result<Mtp, LoadError> {
        let name = config.architecture.name;
        let Some(layer) = config.architecture.mtp else {
            return Err(ModelError::feature(format!("MTP layers of the architecture `{name}`")).into());
        };
        if config.predicting_layers == 0 {
            return Err(ModelError::NoMtp { key: format!("{name}.nextn_predict_layers") }.into());
        }
        if config.mtp_kinds.is_empty() {
            return Err(ModelError::feature("an MTP layer behind layers of which none attends to all positions").into());
        }
        let (before, index, hidden) = (registry.bytes(), config.layers, config.hidden);
        let part = |part: &str| format!("blk.{index}.nextn.{part}");
        let norms = [
            Norm::register(registry, config, &part("enorm"), hidden)?,
            Norm::register(registry, config, &part("hnorm"), hidden)?,
        ];
        let input = registry.matrix(&part("eh_proj"), hidden, 2 * hidden)?;
        let layer = layer(registry, config, index)?;
        let norm = match registry.has(&part("shared_head_norm.weight")) {
            true => Some(Norm::register(registry, config, &part("shared_head_norm"), hidden)?),
            false => None,
        };
        let embedding = match registry.has(&part("embed_tokens.weight")) {
            true => Some(registry.table(&part("embed_tokens.weight"), config.vocab, hidden)?),
            false => None,
        };
        let head = match registry.has(&part("shared_head_head.weight")) {
            true => Some(registry.matrix(&part("shared_head_head"), config.vocab, hidden)?),
            false => None,
        };
        let shift = Vector { slice: registry.memory("shift", u64::from(hidden) * 8)?.all() };
        let bytes = registry.bytes() - before;
        Ok(Mtp { index, norms, input, layer, norm, embedding, head, shift, bytes })
    }

    /// Uploads what it computes itself, once the file has been read.
    pub fn upload(&self, device: &Device, hidden: u32) {
        device.write(&self.shift.slice.storage, 0, bytemuck::cast_slice(&shift(hidden)));
    }

    /// Whether a pass's cache has room for it.
    pub fn is_kept(&self, pass: &Forward<'_>) -> bool {
        pass.kv.has_layer(self.index, CachePart::Attention)
    }

    /// The table of embeddings.
    fn embedding<'a>(&'a self, of_model: &'a Matrix) -> &'a Matrix {
        self.embedding.as_ref().unwrap_or(of_model)
    }

    /// The head.
    pub fn head<'a>(&'a self, of_model: &'a Matrix) -> &'a Matrix {
        self.head.as_ref().unwrap_or(of_model)
    }
}

/// What the layer keeps: keys and values as the last layer that sees all does, and hidden states.
pub fn kinds(config: &Config) -> Vec<LayerKind> {
    let sees_all = |kind: &&LayerKind| matches!(kind, LayerKind::Attention(kind) if kind.lifetime.window.is_none());
    let Some(LayerKind::Attention(kind)) = config.layer_kinds.iter().rfind(sees_all) else { return Vec::new() };
    let attention = AttentionKind { first: 1, cache_of: None, ..*kind };
    vec![LayerKind::Attention(attention), LayerKind::Conv(hidden_states(config.hidden))]
}

/// Hidden states that are kept for the rows at the next positions.
pub fn hidden_states(width: u32) -> ConvKind {
    ConvKind { channels: width, length: 2 }
}

/// What a convolution reads them by, f32 `[width, 2]`: 1 for the position before, 0 for a row's own.
pub fn shift(width: u32) -> Vec<f32> {
    [1.0, 0.0].repeat(width as usize)
}

impl Forward<'_> {
    /// Keeps hidden states, `[rows, hidden]`, for the rows at the next positions.
    pub fn keep_hidden(&mut self, hidden: Tensor, mtp: &Mtp) {
        self.keep_channels(hidden, 0, None, mtp.index + 1);
    }

    /// Keeps keys and values of these rows.
    pub fn write_mtp(&mut self, mtp: &Mtp, embedding: &Matrix, ropes: &[RopeTable]) {
        let x = self.enter_mtp(mtp, embedding);
        mtp.layer.write_keys(self, x, ropes);
    }

    /// The layer, and the norm behind it: `[rows, hidden]`. Rows at position 0 have no answer.
    pub fn mtp(&mut self, mtp: &Mtp, (embedding, norm): (&Matrix, Option<&Norm>), ropes: &[RopeTable]) -> Tensor {
        let x = self.enter_mtp(mtp, embedding);
        mtp.layer.forward(self, mtp.index as usize, x, ropes);
        mtp.norm.as_ref().or(norm).map_or(x, |norm| self.norm(x, norm))
    }

    fn enter_mtp(&mut self, mtp: &Mtp, embedding: &Matrix) -> Tensor {
        let [of_token, of_hidden] = &mtp.norms;
        let hidden = self.config.hidden;
        let token = self.embed(mtp.embedding(embedding), self.config.embedding_scale);
        let kept = Channels { kind: hidden_states(hidden), layer: mtp.index + 1, weights: &mtp.shift };
        let before = self.convolve(&kept, None, None, None);
        let both = self.recorder.tensor(self.rows, 2 * hidden);
        self.norm_into(token, of_token, both, NormTarget::rows(2 * hidden));
        self.norm_into(before, of_hidden, both, NormTarget { offset: hidden, ..NormTarget::rows(2 * hidden) });
        self.finished(both, &mtp.input, Epilogue::Store)
    }
}
