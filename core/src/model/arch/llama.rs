//! Llama 2 and 3, Mistral, SmolLM2: pre-norm decoders with RoPE on neighbouring pairs (files hold queries and keys
//! permuted so), grouped queries and a gated SiLU feed-forward layer. Llama 3.x scales its frequencies by the tensor
//! `rope_freqs.weight`. Qwen2 and 2.5 are the same but for RoPE on half-split pairs, and biases of query, key and value, which are taken
//! wherever a file has some.

use crate::model::blocks::{AttentionBlock, PreNormLayer};
use crate::model::config::Config;
use crate::model::weights::{LoadError, WeightRegistry};

/// Registers layer `index`.
pub fn layer(registry: &mut WeightRegistry<'_>, config: &Config, index: u32) -> Result<PreNormLayer, LoadError> {
    let attention = AttentionBlock::register(registry, config, index)?;
    PreNormLayer::register(registry, config, index, attention)
}
