//! A drafter with a file of its own that reads the keys and values of the model that it drafts for, and has none: Gemma 4's.
//!
//! A step takes the newest token by the model's own embedding, and beside it what the model's last norm gave for the token before, or what the
//! step before handed on. All steps of a draft stand at one position, the newest token's, whose own keys are not there yet.
//! Source: `gemma4_assistant` and `SinglePositionMultiTokenCandidateGenerator` in Hugging Face's transformers.

use super::blocks::{Channels, Forward, hidden_states, shift};
use super::config::Config;
use super::error::ModelError;
use super::weights::{LoadError, Matrix, Vector, WeightRegistry};
use super::{LayerKind, Model};
use crate::device::{Device, Storage};
use crate::kernels::Tensor;
use crate::kernels::anchor_rows::AnchorRows;
use crate::kernels::conv::Columns;
use crate::kernels::copy::Copy;

/// What joins it to that model.
#[derive(Debug)]
pub struct Joint {
    /// From a token's embedding and a hidden state side by side to a row of the drafter's stream.
    input: Matrix,
    /// From the drafter's last norm to what stands for a hidden state.
    output: Matrix,
    /// See [`shift`].
    shift: Vector,
}

impl Joint {
    /// Registers that of a drafter for models of this width.
    pub fn register(registry: &mut WeightRegistry<'_>, config: &Config, width: u32) -> Result<Joint, LoadError> {
        // Which words are near each other: a way to compute fewer logits, which is not needed for the others.
        ["masked_embd_centroids.weight", "masked_embd_ordering"].iter().for_each(|name| registry.ignore(*name));
        Ok(Joint {
            input: registry.matrix("nextn.pre_projection", config.hidden, 2 * width)?,
            output: registry.matrix("nextn.post_projection", width, config.hidden)?,
            shift: Vector { slice: registry.memory("shift", u64::from(width) * 8)?.all() },
        })
    }

    /// Uploads what it computes itself, once the file has been read.
    pub fn upload(&self, device: &Device) {
        device.write(&self.shift.slice.storage, 0, bytemuck::cast_slice(&shift(self.output.outputs)));
    }
}

impl Model {
    /// Whether it is a drafter that works beside another model alone.
    pub fn is_assistant(&self) -> bool {
        self.joint.is_some()
    }

    /// Refuses to draft for a model of other sizes.
    ///
    /// # Errors
    /// [`ModelError::Size`].
    pub fn check_assists(&self, model: &Config) -> Result<(), ModelError> {
        let Some(width) = self.config.drafts_for else { return Ok(()) };
        if model.width_of_hidden_states() != Some(width) {
            let (name, hidden) = (model.architecture.name, model.hidden);
            return Err(ModelError::size(format!(
                "it drafts for a `gemma4` of width {width}, and the model is a `{name}` of width {hidden}"
            )));
        }
        for kind in &self.config.layer_kinds {
            let LayerKind::Attention(kind) = kind else { continue };
            let owner = model.last_keys(kind.lifetime.window.is_some()).map(|layer| model.attention(layer));
            if owner.is_none_or(|owner| (owner.kv_heads, owner.head_dim) != (kind.kv_heads, kind.head_dim)) {
                let (heads, width) = (kind.kv_heads, kind.head_dim);
                return Err(ModelError::size(format!(
                    "it reads {heads} key heads {width} wide, which the model has not"
                )));
            }
        }
        Ok(())
    }

    /// Records a step of this drafter over the rows of `pass`, a pass of `model`, by a batch that it writes, up to its norm: `[rows, hidden]`.
    /// Rows may follow that go on from these. Rows at position 0 have no answer.
    pub fn forward_beside(&self, pass: &mut Forward<'_>, model: &Model, anchored: &Storage) -> Tensor {
        let Some(joint) = &self.joint else { unreachable!("whoever drafts beside a model is joined to it") };
        let (width, layer) = (model.config.hidden, model.config.layers);
        let channels = Channels { kind: hidden_states(width), layer, weights: &joint.shift };
        let token = pass.embed(&model.embedding, model.config.embedding_scale);
        let before = pass.convolve(&channels, None, None, None);
        let both = pass.recorder.tensor(pass.rows, 2 * width);
        for (half, offset) in [(token, 0), (before, width)] {
            let (rows, to) = (pass.rows, Columns { stride: 2 * width, offset });
            pass.recorder.push(Copy { source: half.into(), copy: both.into(), rows, cols: width, to });
        }
        let (batch, rows) = (pass.batch(), pass.rows);
        pass.recorder.push(AnchorRows { batch, anchored: anchored.all().into(), rows });
        let mut own = Forward {
            recorder: &mut *pass.recorder,
            config: &self.config,
            kv: pass.kv,
            adapters: None,
            batch: anchored.all(),
            rows: pass.rows,
            is_prefill: false,
            facts: pass.facts,
            reads: Some(&model.config),
        };
        let x = own.linear(both, &joint.input);
        let x = self.decoder.forward(&mut own, x, &self.ropes);
        let out = self.norm.as_ref().map_or(x, |norm| own.norm(x, norm));
        let next = own.linear(out, &joint.output);
        pass.keep_channels(next, 0, None, layer);
        out
    }
}
