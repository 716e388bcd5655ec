//! Qwen3.5 and 3.6: of each four layers three are gated delta nets, and the fourth attends, with a gate of its answer. With experts there is one
//! that every token goes to, by a gate of each token. The feed-forward layer's norm has the name of one behind attention.

use super::{Architecture, DECODER};
use crate::model::blocks::{AttentionBlock, FeedForward, Layer, Mixer, NormNames, Recurrent};
use crate::model::config::Config;
use crate::model::decoder::stack;
use crate::model::error::ModelError;
use crate::model::keys::Keys;
use crate::model::layer_kind::{LayerKind, RecurrentKind};
use crate::model::weights::{LoadError, WeightRegistry};
use inglenook_format::gguf::{Array, Value};

/// Qwen3.5, dense.
pub const QWEN35: Architecture = Architecture {
    name: "qwen35",
    models: "Qwen3.5, Qwen3.6",
    // Of text all three positions are one.
    reads: &["full_attention_interval", "rope.dimension_sections"],
    configure,
    decoder: |registry, config| stack(registry, config, layer),
    mtp: Some(layer),
    ..DECODER
};

/// Qwen3.5 with experts.
pub const QWEN35_MOE: Architecture = Architecture {
    name: "qwen35moe",
    models: "Qwen3.5-35B-A3B, Qwen3.6-35B-A3B",
    reads: &["full_attention_interval", "rope.dimension_sections", "expert_count"],
    ..QWEN35
};

/// Files name the layers that are recurrent, or how often one is not.
fn configure(config: &mut Config, keys: &Keys<'_>) -> Result<(), ModelError> {
    let recurrent = RecurrentKind::delta_net(keys, config.eps)?;
    let interval = keys.optional("full_attention_interval")?.unwrap_or(4).max(1);
    let name = keys.key("attention.recurrent_layers");
    let named = match keys.meta.get(&name) {
        None => None,
        Some(Value::Array(Array::Bool(flags))) if flags.len() >= config.layer_kinds.len() => Some(flags),
        Some(_) => return Err(ModelError::size(format!("`{name}` is not a flag for each layer"))),
    };
    for (index, kind) in config.layer_kinds.iter_mut().enumerate() {
        let is_recurrent = match named {
            Some(flags) => flags[index],
            None => !(index as u32 + 1).is_multiple_of(interval),
        };
        if is_recurrent {
            *kind = LayerKind::Recurrent(recurrent);
        }
    }
    Ok(())
}

fn layer(registry: &mut WeightRegistry<'_>, config: &Config, index: u32) -> Result<Layer, LoadError> {
    let mixer: Mixer = match config.layer_kinds.get(index as usize) {
        Some(LayerKind::Recurrent(kind)) => Recurrent::register_delta_net(registry, config, index, *kind)?.into(),
        _ => AttentionBlock::register_with_gates(registry, config, index)?
            .with_head_norms(registry, config, index)?
            .into(),
    };
    let feed_forward = FeedForward::register(registry, config, index)?;
    Layer::register(registry, config, index, NormNames::PRE_MISNAMED, mixer, feed_forward)
}
