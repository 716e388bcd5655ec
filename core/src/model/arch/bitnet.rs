//! BitNet b1.58: as Llama, with RoPE on half-split pairs, and norms of what goes into each output projection. Weights are ternary.

use super::{Architecture, DECODER};
use crate::kernels::Activation;
use crate::model::blocks::{AttentionBlock, FeedForward, Layer, Mlp, NormNames};
use crate::model::config::Config;
use crate::model::decoder::stack;
use crate::model::error::ModelError;
use crate::model::keys::Keys;
use crate::model::weights::{LoadError, WeightRegistry};

/// BitNet b1.58.
pub const BITNET: Architecture = Architecture {
    name: "bitnet",
    models: "BitNet b1.58",
    configure,
    decoder: |registry, config| stack(registry, config, layer),
    ..DECODER
};

/// No key says how gates act: Microsoft's 2B4T, which has Llama 3's tokenizer, squares what is positive, and the older reproductions, which
/// have Llama 2's, have SiLU.
fn configure(config: &mut Config, keys: &Keys<'_>) -> Result<(), ModelError> {
    if keys.meta.text("tokenizer.ggml.model") == Some("gpt2") {
        config.activation = Activation::ReluSquared;
    }
    Ok(())
}

fn layer(registry: &mut WeightRegistry<'_>, config: &Config, index: u32) -> Result<Layer, LoadError> {
    let attention = AttentionBlock::register(registry, config, index)?.with_out_norm(registry, config, index)?;
    let mlp = Mlp::register(registry, config, index)?.with_inner_norm(registry, config, index)?;
    Layer::register(registry, config, index, NormNames::PRE, attention, FeedForward::Dense(mlp))
}
