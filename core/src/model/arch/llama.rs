//! Llama 2 and 3, Mistral, SmolLM2: pre-norm decoders with RoPE on neighbouring pairs (files hold queries and keys
//! permuted so), grouped queries and a gated SiLU feed-forward layer. Llama 3.x scales its frequencies by the tensor
//! `rope_freqs.weight`. Qwen2 and 2.5 are the same but for RoPE on half-split pairs, and biases of query, key and value, which are taken
//! wherever a file has some. Mixtral has experts in place of feed-forward layers.

use super::{Architecture, DECODER};
use crate::kernels::rope::RopeStyle;
use crate::model::blocks::{AttentionBlock, FeedForward, Layer, NormNames};
use crate::model::config::Config;
use crate::model::experts::EXPERT_KEYS;
use crate::model::weights::{LoadError, WeightRegistry};
use crate::model::windows::WindowPattern;

/// Llama and its kin.
pub const LLAMA: Architecture = Architecture {
    name: "llama",
    models: "Llama 2 and 3, Mistral 7B, Nemo and Small 24B, Mixtral, SmolLM2 and others of their layout",
    rope: RopeStyle::Interleaved,
    // Mistral 7B v0.1 and its kin.
    windows: WindowPattern::All,
    reads: EXPERT_KEYS,
    ..DECODER
};

/// Qwen2 and 2.5.
pub const QWEN2: Architecture =
    Architecture { name: "qwen2", models: "Qwen2, Qwen2.5, DeepSeek R1 distills", ..DECODER };

/// A pre-norm layer.
pub fn layer(registry: &mut WeightRegistry<'_>, config: &Config, index: u32) -> Result<Layer, LoadError> {
    let attention = AttentionBlock::register(registry, config, index)?;
    let feed_forward = FeedForward::register(registry, config, index)?;
    Layer::register(registry, config, index, NormNames::PRE, attention, feed_forward)
}
