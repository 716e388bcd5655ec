//! Tensors that the file has and nobody registered: refused, unless they are known to change nothing.

use std::ops::Range;

use super::WeightRegistry;
use crate::model::error::ModelError;
use inglenook_format::gguf::TensorInfo;

/// Names of unused tensors that an error tells.
const TOLD: usize = 3;

impl WeightRegistry<'_> {
    /// Refuses what the file has and nobody has registered, but for these layers.
    ///
    /// # Errors
    /// [`ModelError::UnusedTensors`].
    pub fn check_unused(&self, layers: Range<u32>) -> Result<(), ModelError> {
        let is_behind = |name: &str| layer_of(name).is_some_and(|layer| layers.contains(&layer));
        let used = |name: &str| {
            self.destinations.contains_key(name)
                || self.ignored.iter().any(|ignored| ignored == name)
                || is_behind(name)
        };
        let mut unused =
            self.gguf.tensors().iter().filter(|tensor| !used(&tensor.name) && !is_harmless(tensor)).peekable();
        if unused.peek().is_none() {
            return Ok(());
        }
        let told: Vec<&str> = unused.by_ref().take(TOLD).map(|tensor| tensor.name.as_str()).collect();
        let more = match unused.count() {
            0 => String::new(),
            count => format!(" and {count} more"),
        };
        let architecture = self.gguf.metadata.text("general.architecture").unwrap_or_default().to_owned();
        Err(ModelError::UnusedTensors { architecture, names: told.join(", ") + &more })
    }
}

/// The layer that a tensor is of.
fn layer_of(name: &str) -> Option<u32> {
    name.strip_prefix("blk.")?.split('.').next()?.parse().ok()
}

/// Whether a tensor that nobody has registered changes nothing of a text model's answers.
fn is_harmless(tensor: &TensorInfo) -> bool {
    let name = tensor.name.as_str();
    // Whole numbers outside the layers are no weights: what calibrations and trainers leave behind (steps, counts, position ids).
    // Within them they may be permutations, and `d2t` and `t2d` map tokens.
    let in_layers = ["blk.", "output", "token_embd"].iter().any(|part| name.starts_with(part));
    tensor.ty.is_integer() && !in_layers && !["d2t", "t2d"].contains(&name)
        // RoPE's frequencies as old converters copied them; they follow from the base.
        || name.contains("attn_rot_embd") || name.contains("rotary_emb.inv_freq") || name.contains("rotary_pos_emb.inv_freq")
        // How activations were scaled to be quantised while the weights were calibrated.
        || name.ends_with(".input_scale")
        // Statistics of the same origin.
        || ["calibration.", "imatrix.", "quantize."].iter().any(|prefix| name.starts_with(prefix))
        || name.ends_with(".in_sum2") || name.ends_with(".counts")
        // Encoders of images and sounds in one file with the text model, and what joins them to it.
        || ["v.", "a.", "mm."].iter().any(|prefix| name.starts_with(prefix))
}
