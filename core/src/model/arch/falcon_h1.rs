//! Falcon-H1: each layer has attention and Mamba 2 side by side. All its multipliers are in the file's weights.

use super::{Architecture, DECODER};
use crate::model::blocks::{AttentionBlock, FeedForward, Layer, Mixer, NormNames, Recurrent};
use crate::model::config::Config;
use crate::model::decoder::stack;
use crate::model::error::ModelError;
use crate::model::keys::Keys;
use crate::model::layer_kind::{LayerKind, RecurrentKind};
use crate::model::weights::{LoadError, WeightRegistry};

/// Falcon-H1.
pub const FALCON_H1: Architecture = Architecture {
    name: "falcon-h1",
    models: "Falcon-H1",
    configure,
    decoder: |registry, config| stack(registry, config, layer),
    ..DECODER
};

fn configure(config: &mut Config, keys: &Keys<'_>) -> Result<(), ModelError> {
    let recurrent = RecurrentKind::mamba(keys)?;
    for kind in &mut config.layer_kinds {
        if let LayerKind::Attention(attention) = *kind {
            *kind = LayerKind::Parallel(attention, recurrent);
        }
    }
    Ok(())
}

fn layer(registry: &mut WeightRegistry<'_>, config: &Config, index: u32) -> Result<Layer, LoadError> {
    let attention = AttentionBlock::register(registry, config, index)?;
    let mixer = match config.layer_kinds[index as usize] {
        LayerKind::Parallel(_, kind) => {
            let recurrent = Recurrent::register_mamba(registry, config, index, kind)?;
            Mixer::Parallel(attention.into(), recurrent.into())
        }
        _ => attention.into(),
    };
    let feed_forward = FeedForward::register(registry, config, index)?;
    Layer::register(registry, config, index, NormNames::PRE, mixer, feed_forward)
}
