//! Qwen3, dense: as Llama, with a norm over each query and key head before RoPE on half-split pairs.

use super::layers::{AttentionWeights, GatedMlp};
use super::weights::{LoadError, WeightRegistry};
use super::{Config, Layer};

/// Registers the weights of layer `index`.
pub(super) fn register(registry: &mut WeightRegistry<'_>, config: &Config, index: u32) -> Result<Layer, LoadError> {
    let norm = |part: &str| format!("blk.{index}.{part}_norm.weight");
    Ok(Layer {
        attention_norm: registry.vector(&[(&norm("attn"), config.hidden)])?,
        attention: AttentionWeights::register(registry, config, index)?.with_head_norms(registry, config, index)?,
        mlp_norm: registry.vector(&[(&norm("ffn"), config.hidden)])?,
        mlp: GatedMlp::register(registry, config, index)?,
    })
}
