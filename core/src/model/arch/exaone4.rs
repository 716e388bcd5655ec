//! EXAONE 4: norms behind each branch, and over each query and key head. In the 32B three of each four layers see a window; the fourth sees
//! all and rotates nothing.

use super::{Architecture, DECODER};
use crate::model::blocks::{AttentionBlock, FeedForward, Layer, NormNames};
use crate::model::config::Config;
use crate::model::decoder::stack;
use crate::model::error::ModelError;
use crate::model::keys::Keys;
use crate::model::weights::{LoadError, WeightRegistry};
use crate::model::windows::WindowPattern;

/// EXAONE 4.
pub const EXAONE4: Architecture = Architecture {
    name: "exaone4",
    models: "EXAONE 4",
    windows: WindowPattern::Every(4),
    configure,
    decoder: |registry, config| stack(registry, config, layer),
    ..DECODER
};

fn configure(config: &mut Config, _: &Keys<'_>) -> Result<(), ModelError> {
    if config.attentions_mut().any(|kind| kind.lifetime.window.is_some()) {
        config.attentions_mut().filter(|kind| kind.lifetime.window.is_none()).for_each(|kind| kind.rope = None);
    }
    Ok(())
}

fn layer(registry: &mut WeightRegistry<'_>, config: &Config, index: u32) -> Result<Layer, LoadError> {
    let attention = AttentionBlock::register(registry, config, index)?.with_head_norms(registry, config, index)?;
    let feed_forward = FeedForward::register(registry, config, index)?;
    Layer::register(registry, config, index, NormNames::POST, attention, feed_forward)
}
