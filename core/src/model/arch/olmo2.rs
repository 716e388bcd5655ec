//! OLMo 2 and 3: norms behind each branch alone, and norms over all query heads together and all key heads together. In OLMo 3 three of
//! each four layers see a window, and their frequencies are not stretched.

use super::{Architecture, DECODER};
use crate::model::blocks::{AttentionBlock, FeedForward, Layer, NormNames};
use crate::model::config::Config;
use crate::model::decoder::stack;
use crate::model::error::ModelError;
use crate::model::keys::Keys;
use crate::model::rope::Scaling;
use crate::model::weights::{LoadError, WeightRegistry};
use crate::model::windows::WindowPattern;

/// OLMo 2 and 3.
pub const OLMO2: Architecture = Architecture {
    name: "olmo2",
    models: "OLMo 2, OLMo 3",
    windows: WindowPattern::Every(4),
    reads: &["rope.freq_base_swa"],
    configure,
    decoder: |registry, config| stack(registry, config, layer),
    ..DECODER
};

fn configure(config: &mut Config, keys: &Keys<'_>) -> Result<(), ModelError> {
    let base = keys.bound("rope.freq_base_swa", 0.0)?.unwrap_or(config.ropes[0].base);
    if config.ropes[0].scaling != Scaling::None || base != config.ropes[0].base {
        config.turn_windows_by(base)?;
    }
    Ok(())
}

fn layer(registry: &mut WeightRegistry<'_>, config: &Config, index: u32) -> Result<Layer, LoadError> {
    let attention = AttentionBlock::register_with_whole_norms(registry, config, index)?;
    let feed_forward = FeedForward::register(registry, config, index)?;
    Layer::register(registry, config, index, NormNames::POST, attention, feed_forward)
}
