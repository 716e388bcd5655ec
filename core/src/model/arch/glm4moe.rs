//! GLM-4.5 and 4.6: experts chosen by sigmoids, and one that every token goes to; the first layers have none. Norms of query and key heads
//! in the largest. The feed-forward layer's norm has the name of one behind attention.

use super::{Architecture, DECODER};
use crate::kernels::experts::route::Gating;
use crate::model::blocks::{AttentionBlock, FeedForward, Layer, NormNames};
use crate::model::config::Config;
use crate::model::decoder::stack;
use crate::model::error::ModelError;
use crate::model::experts::EXPERT_KEYS;
use crate::model::keys::Keys;
use crate::model::weights::{LoadError, WeightRegistry};

/// GLM-4.5 and 4.6.
pub const GLM4_MOE: Architecture = Architecture {
    name: "glm4moe",
    models: "GLM-4.5, GLM-4.5-Air, GLM-4.6",
    reads: EXPERT_KEYS,
    configure,
    decoder: |registry, config| stack(registry, config, layer),
    mtp: Some(layer),
    ..DECODER
};

fn configure(config: &mut Config, keys: &Keys<'_>) -> Result<(), ModelError> {
    if let Some(experts) = &mut config.experts {
        if keys.optional("expert_gating_func")?.is_none_or(|way| way == 0) {
            experts.routing.gating = Gating::Sigmoid;
        }
        experts.routing.normalises = keys.flag("expert_weights_norm")?.unwrap_or(false);
    }
    Ok(())
}

fn layer(registry: &mut WeightRegistry<'_>, config: &Config, index: u32) -> Result<Layer, LoadError> {
    let mut attention = AttentionBlock::register(registry, config, index)?;
    if registry.has(&format!("blk.{index}.attn_q_norm.weight")) {
        attention = attention.with_head_norms(registry, config, index)?;
    }
    let feed_forward = FeedForward::register(registry, config, index)?;
    Layer::register(registry, config, index, NormNames::PRE_MISNAMED, attention, feed_forward)
}
