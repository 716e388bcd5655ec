//! Qwen3, dense: as Llama, with a norm over each query and key head before RoPE on half-split pairs.

use super::layers::{AttentionWeights, GatedMlp};
use super::weights::{Catalogue, LoadError};
use super::{Config, Layer};

/// Declares the weights of layer `index`.
pub(super) fn declare(catalogue: &mut Catalogue<'_>, config: &Config, index: u32) -> Result<Layer, LoadError> {
    let norm = |part: &str| format!("blk.{index}.{part}_norm.weight");
    Ok(Layer {
        attention_norm: catalogue.vector(&[(&norm("attn"), config.hidden)])?,
        attention: AttentionWeights::declare(catalogue, config, index)?.with_head_norms(catalogue, config, index)?,
        mlp_norm: catalogue.vector(&[(&norm("ffn"), config.hidden)])?,
        mlp: GatedMlp::declare(catalogue, config, index)?,
    })
}
