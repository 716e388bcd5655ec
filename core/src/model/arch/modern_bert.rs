//! ModernBERT: a norm before each branch, without biases; GELU gates in one matrix with what they gate. Of each three layers the first sees all
//! of its text and the others 64 tokens each way, with a RoPE base of their own. The first layer reads the embedding's norm.

use super::{Architecture, DECODER};
use crate::kernels::Activation;
use crate::model::blocks::{AttentionBlock, FeedForward, Layer, NormKind, NormNames};
use crate::model::config::Config;
use crate::model::decoder::stack;
use crate::model::error::ModelError;
use crate::model::keys::Keys;
use crate::model::weights::{LoadError, WeightRegistry};
use crate::model::windows::WindowPattern;

/// ModernBERT.
pub const MODERN_BERT: Architecture = Architecture {
    name: "modern-bert",
    models: "ModernBERT, GTE, Granite Embedding R2 (embeddings, reranking)",
    windows: WindowPattern::AfterFirst(3),
    reads: &["rope.freq_base_swa"],
    is_causal: false,
    configure,
    decoder: |registry, config| stack(registry, config, layer),
    ..DECODER
};

fn configure(config: &mut Config, keys: &Keys<'_>) -> Result<(), ModelError> {
    config.norm = NormKind::Layer;
    if keys.text("hidden_activation")?.is_none() {
        config.activation = Activation::Gelu;
    }
    config.turn_windows_by(keys.number("rope.freq_base_swa")?.unwrap_or(10_000.0))?;
    config.centre_windows();
    Ok(())
}

fn layer(registry: &mut WeightRegistry<'_>, config: &Config, index: u32) -> Result<Layer, LoadError> {
    let attention = AttentionBlock::register(registry, config, index)?;
    let feed_forward = FeedForward::register(registry, config, index)?;
    let names = if index == 0 { NormNames::PRE_BUT_FIRST } else { NormNames::PRE };
    Layer::register(registry, config, index, names, attention, feed_forward)
}
