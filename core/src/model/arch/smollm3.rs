//! SmolLM3: as Llama, where of each four layers the last rotates nothing.

use super::{Architecture, DECODER};
use crate::kernels::rope::RopeStyle;
use crate::model::config::Config;
use crate::model::error::ModelError;
use crate::model::keys::Keys;

/// SmolLM3.
pub const SMOLLM3: Architecture =
    Architecture { name: "smollm3", models: "SmolLM3", rope: RopeStyle::Interleaved, configure, ..DECODER };

fn configure(config: &mut Config, _: &Keys<'_>) -> Result<(), ModelError> {
    config.attentions_mut().skip(3).step_by(4).for_each(|kind| kind.rope = None);
    Ok(())
}
