//! Gemma 3: layers with a norm before and after each branch (files have the norms' 1 added), norms of query and key heads, GELU gates, and
//! embeddings multiplied by the root of their width. Of each six layers five see a window, and turn by a base of their own. EmbeddingGemma has
//! the same layers, in which tokens see those behind them, too.

use super::{Architecture, DECODER};
use crate::kernels::Activation;
use crate::model::blocks::{AttentionBlock, FeedForward, Layer, NormNames};
use crate::model::config::Config;
use crate::model::decoder::stack;
use crate::model::error::ModelError;
use crate::model::keys::Keys;
use crate::model::weights::{LoadError, WeightRegistry};
use crate::model::windows::WindowPattern;

/// Gemma 3.
pub const GEMMA3: Architecture = Architecture {
    name: "gemma3",
    models: "Gemma 3, 270M to 27B",
    windows: WindowPattern::Every(6),
    reads: &["final_logit_softcapping", "rope.freq_base_swa"],
    configure,
    decoder: |registry, config| stack(registry, config, layer),
    ..DECODER
};

/// EmbeddingGemma. Its windows reach half as far before a token and as far behind it.
pub const GEMMA_EMBEDDING: Architecture = Architecture {
    name: "gemma-embedding",
    models: "EmbeddingGemma (embeddings)",
    is_causal: false,
    configure: |config, keys| {
        configure(config, keys)?;
        config.centre_windows();
        Ok(())
    },
    prompts: &[
        ("query", "task: search result | query: "),
        ("document", "title: none | text: "),
        ("question_answering", "task: question answering | query: "),
        ("fact_verification", "task: fact checking | query: "),
        ("classification", "task: classification | query: "),
        ("clustering", "task: clustering | query: "),
        ("similarity", "task: sentence similarity | query: "),
        ("code_retrieval", "task: code retrieval | query: "),
    ],
    ..GEMMA3
};

/// Layers of the 27B, whose queries are scaled by another width than their heads': no key says so.
const LAYERS_OF_27B: u32 = 62;

fn configure(config: &mut Config, keys: &Keys<'_>) -> Result<(), ModelError> {
    config.embedding_scale = (config.hidden as f32).sqrt();
    config.activation = Activation::GeluTanh;
    config.logit_cap = keys.bound("final_logit_softcapping", 0.0)?;
    config.turn_windows_by(keys.number("rope.freq_base_swa")?.unwrap_or(10_000.0))?;
    if config.layers == LAYERS_OF_27B {
        let scale = 1.0 / (config.hidden as f32 / config.heads as f32).sqrt();
        config.attentions_mut().for_each(|kind| kind.scale = scale);
    }
    Ok(())
}

fn layer(registry: &mut WeightRegistry<'_>, config: &Config, index: u32) -> Result<Layer, LoadError> {
    let attention = AttentionBlock::register(registry, config, index)?.with_head_norms(registry, config, index)?;
    let feed_forward = FeedForward::register(registry, config, index)?;
    Layer::register(registry, config, index, NormNames::SANDWICH, attention, feed_forward)
}
