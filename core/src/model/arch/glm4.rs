//! GLM-4-0414 and GLM-Z1: a norm before and after each branch, biases of query, key and value, gate and up in one tensor, and RoPE on
//! neighbouring pairs of half of a head's dimensions. GLM-4-9B-chat and ChatGLM3 (`chatglm`) are the same without the norms behind.

use super::{Architecture, DECODER};
use crate::kernels::rope::RopeStyle;
use crate::model::blocks::{AttentionBlock, FeedForward, Layer, NormNames};
use crate::model::config::Config;
use crate::model::decoder::stack;
use crate::model::weights::{LoadError, WeightRegistry};

/// GLM-4-0414.
pub const GLM4: Architecture = Architecture {
    name: "glm4",
    models: "GLM-4-9B-0414, GLM-4-32B-0414, GLM-Z1",
    rope: RopeStyle::Interleaved,
    decoder: |registry, config| stack(registry, config, layer),
    ..DECODER
};

/// GLM-4-9B-chat and ChatGLM3.
pub const CHATGLM: Architecture =
    Architecture { name: "chatglm", models: "GLM-4-9B-chat, ChatGLM3", rope: RopeStyle::Interleaved, ..DECODER };

fn layer(registry: &mut WeightRegistry<'_>, config: &Config, index: u32) -> Result<Layer, LoadError> {
    let attention = AttentionBlock::register(registry, config, index)?;
    let feed_forward = FeedForward::register(registry, config, index)?;
    Layer::register(registry, config, index, NormNames::SANDWICH, attention, feed_forward)
}
