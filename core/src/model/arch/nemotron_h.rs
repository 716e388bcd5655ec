//! Nemotron-H: a layer is one thing alone, Mamba 2, attention without positions, or a feed-forward layer that squares what is positive, dense
//! or of experts.

use super::{Architecture, DECODER};
use crate::kernels::Activation;
use crate::kernels::experts::route::Gating;
use crate::model::blocks::{AttentionBlock, FeedForward, Layer, Mixer, NormNames, Recurrent};
use crate::model::config::Config;
use crate::model::decoder::stack;
use crate::model::error::ModelError;
use crate::model::keys::Keys;
use crate::model::layer_kind::{LayerKind, RecurrentKind};
use crate::model::weights::{LoadError, WeightRegistry};

/// Nemotron-H, dense.
pub const NEMOTRON_H: Architecture = Architecture {
    name: "nemotron_h",
    models: "Nemotron-H, Nemotron Nano 9B and 12B v2",
    reads: &["feed_forward_length", "expert_count"],
    configure,
    decoder: |registry, config| stack(registry, config, layer),
    ..DECODER
};

/// Nemotron-H with experts.
pub const NEMOTRON_H_MOE: Architecture =
    Architecture { name: "nemotron_h_moe", models: "Nemotron 3 Nano 30B-A3B", ..NEMOTRON_H };

/// A layer with a width is a feed-forward layer, and one with key heads attends.
fn configure(config: &mut Config, keys: &Keys<'_>) -> Result<(), ModelError> {
    (config.activation, config.is_gated) = (Activation::ReluSquared, false);
    if let Some(experts) = &mut config.experts {
        experts.routing.gating = Gating::Sigmoid;
    }
    config.attentions_mut().for_each(|kind| kind.rope = None);
    for (kind, ffn) in config.layer_kinds.iter_mut().zip(&config.ffn) {
        if *ffn > 0 {
            *kind = LayerKind::FeedForward;
        }
    }
    config.recur_without_keys(RecurrentKind::mamba(keys)?);
    Ok(())
}

fn layer(registry: &mut WeightRegistry<'_>, config: &Config, index: u32) -> Result<Layer, LoadError> {
    let (names, mixer, feed_forward) = match config.layer_kinds[index as usize] {
        LayerKind::Recurrent(kind) => {
            let block = Recurrent::register_mamba(registry, config, index, kind)?;
            (NormNames::MIXER_ALONE, block.into(), FeedForward::None)
        }
        LayerKind::FeedForward => {
            (NormNames::FEED_FORWARD_ALONE, Mixer::None, FeedForward::register(registry, config, index)?)
        }
        _ => {
            let block = AttentionBlock::register(registry, config, index)?;
            (NormNames::MIXER_ALONE, block.into(), FeedForward::None)
        }
    };
    Layer::register(registry, config, index, names, mixer, feed_forward)
}
