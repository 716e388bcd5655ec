//! Granite 3 and 4: as Llama, with factors for embeddings, branches, attention scores and logits.

use super::{Architecture, DECODER};
use crate::kernels::rope::RopeStyle;
use crate::model::config::Config;
use crate::model::error::ModelError;
use crate::model::keys::Keys;

/// Granite.
pub const GRANITE: Architecture = Architecture {
    name: "granite",
    models: "Granite 3 and 4, dense",
    rope: RopeStyle::Interleaved,
    reads: FACTORS,
    configure,
    ..DECODER
};

/// Granite with experts.
pub const GRANITE_MOE: Architecture =
    Architecture { name: "granitemoe", models: "Granite 3 and 4 with experts", ..GRANITE };

/// Keys of the factors, and of experts.
const FACTORS: &[&str] = &["embedding_scale", "residual_scale", "attention.scale", "logit_scale", "expert_count"];

/// Reads the factors, of which 0 is none. Logits are divided by theirs.
fn configure(config: &mut Config, keys: &Keys<'_>) -> Result<(), ModelError> {
    let factor = |name| Ok::<_, ModelError>(keys.bound(name, 0.0)?.unwrap_or(1.0));
    config.embedding_scale = factor("embedding_scale")?;
    config.residual_scale = factor("residual_scale")?;
    config.logit_scale = 1.0 / factor("logit_scale")?;
    if let Some(scale) = keys.bound("attention.scale", 0.0)? {
        config.attentions_mut().for_each(|kind| kind.scale = scale);
    }
    if keys.flag("rope.scaling.finetuned")? == Some(false) {
        config.attentions_mut().for_each(|kind| kind.rope = None);
    }
    Ok(())
}
