//! LFM2: most layers have a short convolution in place of attention, the others norms of query and key heads. The last norm has the name of
//! one of embeddings. LFM2-8B-A1B (`lfm2moe`) has experts behind its first layers.

use super::{Architecture, DECODER};
use crate::model::blocks::{AttentionBlock, FeedForward, Layer, Mixer, NormNames, ShortConv};
use crate::model::config::Config;
use crate::model::decoder::stack;
use crate::model::error::ModelError;
use crate::model::experts::EXPERT_KEYS;
use crate::model::keys::Keys;
use crate::model::layer_kind::{ConvKind, LayerKind};
use crate::model::weights::{LoadError, WeightRegistry};
use crate::model::windows::WindowPattern;

/// LFM2 and 2.5.
pub const LFM2: Architecture = Architecture {
    name: "lfm2",
    models: "LFM2, LFM2.5",
    windows: WindowPattern::All,
    final_norm: "token_embd_norm",
    configure,
    decoder: |registry, config| stack(registry, config, layer),
    ..DECODER
};

/// LFM2 with experts.
pub const LFM2_MOE: Architecture = Architecture { name: "lfm2moe", models: "LFM2-8B-A1B", reads: EXPERT_KEYS, ..LFM2 };

/// A layer without key heads is a convolution.
fn configure(config: &mut Config, keys: &Keys<'_>) -> Result<(), ModelError> {
    let length = keys.size("shortconv.l_cache", 1 << 8)?;
    for kind in &mut config.layer_kinds {
        if matches!(kind, LayerKind::Attention(attention) if attention.kv_heads == 0) {
            *kind = LayerKind::Conv(ConvKind { channels: config.hidden, length });
        }
    }
    Ok(())
}

fn layer(registry: &mut WeightRegistry<'_>, config: &Config, index: u32) -> Result<Layer, LoadError> {
    let mixer: Mixer = match config.layer_kinds[index as usize] {
        LayerKind::Conv(kind) => ShortConv::register(registry, config, index, kind)?.into(),
        _ => AttentionBlock::register(registry, config, index)?.with_head_norms(registry, config, index)?.into(),
    };
    let feed_forward = FeedForward::register(registry, config, index)?;
    Layer::register(registry, config, index, NormNames::PRE, mixer, feed_forward)
}
