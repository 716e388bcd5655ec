//! Seed-OSS: as Llama, with biases of query, key and value, and the feed-forward layer's norm under the name of one behind attention.

use super::{Architecture, DECODER};
use crate::model::blocks::{AttentionBlock, FeedForward, Layer, NormNames};
use crate::model::config::Config;
use crate::model::decoder::stack;
use crate::model::weights::{LoadError, WeightRegistry};

/// Seed-OSS.
pub const SEED_OSS: Architecture = Architecture {
    name: "seed_oss",
    models: "Seed-OSS 36B",
    decoder: |registry, config| stack(registry, config, layer),
    ..DECODER
};

fn layer(registry: &mut WeightRegistry<'_>, config: &Config, index: u32) -> Result<Layer, LoadError> {
    let attention = AttentionBlock::register(registry, config, index)?;
    let feed_forward = FeedForward::register(registry, config, index)?;
    Layer::register(registry, config, index, NormNames::PRE_MISNAMED, attention, feed_forward)
}
