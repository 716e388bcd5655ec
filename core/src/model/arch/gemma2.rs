//! Gemma 2: as Gemma 3 without norms of heads, with bounded attention scores and logits, and one base for RoPE. Every second layer sees all.

use super::{Architecture, DECODER};
use crate::kernels::Activation;
use crate::model::blocks::{AttentionBlock, FeedForward, Layer, NormNames};
use crate::model::config::Config;
use crate::model::decoder::stack;
use crate::model::error::ModelError;
use crate::model::keys::Keys;
use crate::model::weights::{LoadError, WeightRegistry};
use crate::model::windows::WindowPattern;

/// Gemma 2.
pub const GEMMA2: Architecture = Architecture {
    name: "gemma2",
    models: "Gemma 2",
    windows: WindowPattern::Every(2),
    reads: &["attn_logit_softcapping", "final_logit_softcapping"],
    configure,
    decoder: |registry, config| stack(registry, config, layer),
    ..DECODER
};

/// Layers of the 27B, whose queries are scaled by another width than their heads': no key says so.
const LAYERS_OF_27B: u32 = 46;

fn configure(config: &mut Config, keys: &Keys<'_>) -> Result<(), ModelError> {
    config.embedding_scale = (config.hidden as f32).sqrt();
    config.activation = Activation::GeluTanh;
    config.logit_cap = keys.bound("final_logit_softcapping", 30.0)?;
    let cap = keys.bound("attn_logit_softcapping", 50.0)?;
    let width = (config.layers == LAYERS_OF_27B).then_some(config.hidden as f32 / config.heads as f32);
    config.attentions_mut().for_each(|kind| {
        kind.cap = cap;
        kind.scale = width.map_or(kind.scale, |width| 1.0 / width.sqrt());
    });
    Ok(())
}

fn layer(registry: &mut WeightRegistry<'_>, config: &Config, index: u32) -> Result<Layer, LoadError> {
    let attention = AttentionBlock::register(registry, config, index)?;
    let feed_forward = FeedForward::register(registry, config, index)?;
    Layer::register(registry, config, index, NormNames::SANDWICH, attention, feed_forward)
}
