//! Command R and Aya (`command-r`), and Command R7B and A (`cohere2`): attention and feed-forward layer read the same norm, which takes off
//! the mean, and logits have a factor. Of each four layers of Command R7B three see a window; the fourth sees all and rotates nothing.

use super::{Architecture, DECODER};
use crate::kernels::rope::RopeStyle;
use crate::model::blocks::{AttentionBlock, FeedForward, Layer, NormKind, NormNames};
use crate::model::config::Config;
use crate::model::decoder::stack;
use crate::model::error::ModelError;
use crate::model::keys::Keys;
use crate::model::weights::{LoadError, WeightRegistry};
use crate::model::windows::WindowPattern;

/// Command R7B, Command A.
pub const COHERE2: Architecture = Architecture {
    name: "cohere2",
    models: "Command R7B, Command A",
    windows: WindowPattern::Every(4),
    configure: |config, keys| {
        config.attentions_mut().filter(|kind| kind.lifetime.window.is_none()).for_each(|kind| kind.rope = None);
        configure(config, keys)
    },
    ..COMMAND_R
};

/// Command R, Aya.
pub const COMMAND_R: Architecture = Architecture {
    name: "command-r",
    models: "Command R, Aya",
    rope: RopeStyle::Interleaved,
    reads: &["logit_scale"],
    configure,
    decoder: |registry, config| stack(registry, config, layer),
    ..DECODER
};

fn configure(config: &mut Config, keys: &Keys<'_>) -> Result<(), ModelError> {
    config.norm = NormKind::Layer;
    config.logit_scale = keys.bound("logit_scale", 0.0)?.unwrap_or(1.0);
    Ok(())
}

fn layer(registry: &mut WeightRegistry<'_>, config: &Config, index: u32) -> Result<Layer, LoadError> {
    let attention = AttentionBlock::register(registry, config, index)?;
    let feed_forward = FeedForward::register(registry, config, index)?;
    Layer::register(registry, config, index, NormNames::PARALLEL, attention, feed_forward)
}
