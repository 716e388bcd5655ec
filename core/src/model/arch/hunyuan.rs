//! Hunyuan, dense: as Qwen3, with the norms of query and key heads behind RoPE.

use super::{Architecture, DECODER};
use crate::model::blocks::{AttentionBlock, FeedForward, Layer, NormNames};
use crate::model::config::Config;
use crate::model::decoder::stack;
use crate::model::weights::{LoadError, WeightRegistry};

/// Hunyuan, dense.
pub const HUNYUAN_DENSE: Architecture = Architecture {
    name: "hunyuan-dense",
    models: "Hunyuan 0.5B to 7B",
    decoder: |registry, config| stack(registry, config, layer),
    ..DECODER
};

fn layer(registry: &mut WeightRegistry<'_>, config: &Config, index: u32) -> Result<Layer, LoadError> {
    let attention = AttentionBlock::register(registry, config, index)?.with_head_norms(registry, config, index)?;
    let feed_forward = FeedForward::register(registry, config, index)?;
    Layer::register(registry, config, index, NormNames::PRE, attention.norms_after_rope(), feed_forward)
}
