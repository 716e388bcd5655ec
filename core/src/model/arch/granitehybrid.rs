//! Granite 4 H: as Granite, with Mamba 2 in most layers in place of attention.

use super::{Architecture, granite};
use crate::model::blocks::{AttentionBlock, FeedForward, Layer, Mixer, NormNames, Recurrent};
use crate::model::config::Config;
use crate::model::decoder::stack;
use crate::model::error::ModelError;
use crate::model::keys::Keys;
use crate::model::layer_kind::{LayerKind, RecurrentKind};
use crate::model::weights::{LoadError, WeightRegistry};

/// Granite 4 H.
pub const GRANITE_HYBRID: Architecture = Architecture {
    name: "granitehybrid",
    models: "Granite 4 H, Bamba",
    configure,
    decoder: |registry, config| stack(registry, config, layer),
    ..granite::GRANITE
};

fn configure(config: &mut Config, keys: &Keys<'_>) -> Result<(), ModelError> {
    (granite::GRANITE.configure)(config, keys)?;
    config.recur_without_keys(RecurrentKind::mamba(keys)?);
    Ok(())
}

fn layer(registry: &mut WeightRegistry<'_>, config: &Config, index: u32) -> Result<Layer, LoadError> {
    let mixer: Mixer = match config.layer_kinds[index as usize] {
        LayerKind::Recurrent(kind) => Recurrent::register_mamba(registry, config, index, kind)?.into(),
        _ => AttentionBlock::register(registry, config, index)?.into(),
    };
    let feed_forward = FeedForward::register(registry, config, index)?;
    Layer::register(registry, config, index, NormNames::PRE, mixer, feed_forward)
}
