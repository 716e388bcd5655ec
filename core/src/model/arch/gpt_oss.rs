//! gpt-oss: experts whose gates are clamped, biases everywhere, a learned logit a head that joins each softmax, and a window in every second
//! layer. The feed-forward layer's norm has the name of one behind attention.

use super::{Architecture, DECODER};
use crate::kernels::Activation;
use crate::kernels::experts::route::Gating;
use crate::model::blocks::{AttentionBlock, FeedForward, Layer, NormNames};
use crate::model::config::Config;
use crate::model::decoder::stack;
use crate::model::error::ModelError;
use crate::model::experts::EXPERT_KEYS;
use crate::model::keys::Keys;
use crate::model::rope::Scaling;
use crate::model::weights::{LoadError, WeightRegistry};
use crate::model::windows::WindowPattern;

/// gpt-oss.
pub const GPT_OSS: Architecture = Architecture {
    name: "gpt-oss",
    models: "gpt-oss-20b, gpt-oss-120b",
    windows: WindowPattern::Every(2),
    reads: EXPERT_KEYS,
    configure,
    decoder: |registry, config| stack(registry, config, layer),
    ..DECODER
};

fn configure(config: &mut Config, _: &Keys<'_>) -> Result<(), ModelError> {
    config.activation = Activation::ClampedSilu;
    if let Some(experts) = &mut config.experts {
        experts.routing.gating = Gating::SoftmaxOfChosen;
    }
    // As in transformers; llama.cpp rounds. No key says so.
    if let Scaling::Yarn(yarn) = &mut config.ropes[0].scaling {
        yarn.rounds = false;
    }
    Ok(())
}

fn layer(registry: &mut WeightRegistry<'_>, config: &Config, index: u32) -> Result<Layer, LoadError> {
    let attention = AttentionBlock::register(registry, config, index)?;
    let feed_forward = FeedForward::register(registry, config, index)?;
    Layer::register(registry, config, index, NormNames::PRE_MISNAMED, attention, feed_forward)
}
