//! Qwen3, dense: as Llama, with a norm over each query and key head before RoPE on half-split pairs.

use crate::model::blocks::{AttentionBlock, PreNormLayer};
use crate::model::config::Config;
use crate::model::weights::{LoadError, WeightRegistry};

/// Registers layer `index`.
pub fn layer(registry: &mut WeightRegistry<'_>, config: &Config, index: u32) -> Result<PreNormLayer, LoadError> {
    let attention = AttentionBlock::register(registry, config, index)?.with_head_norms(registry, config, index)?;
    PreNormLayer::register(registry, config, index, attention)
}
