//! Qwen3, dense: as Llama, with a norm over each query and key head before RoPE on half-split pairs.

use super::{Architecture, DECODER};
use crate::model::blocks::{AttentionBlock, FeedForward, Layer, NormNames};
use crate::model::config::Config;
use crate::model::decoder::stack;
use crate::model::weights::{LoadError, WeightRegistry};

/// Qwen3.
pub const QWEN3: Architecture = Architecture {
    name: "qwen3",
    models: "Qwen3, dense; Qwen3 Embedding, Qwen3 Reranker",
    prompts: &[
        ("query", "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:"),
        ("document", ""),
    ],
    decoder: |registry, config| stack(registry, config, layer),
    ..DECODER
};

fn layer(registry: &mut WeightRegistry<'_>, config: &Config, index: u32) -> Result<Layer, LoadError> {
    let attention = AttentionBlock::register(registry, config, index)?.with_head_norms(registry, config, index)?;
    let feed_forward = FeedForward::register(registry, config, index)?;
    Layer::register(registry, config, index, NormNames::PRE, attention, feed_forward)
}
