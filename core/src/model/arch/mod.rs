//! The architectures, a file each: what its layers are made of, and the forward pass through them.
//!
//! To add one: a file here, a line in each `match` below, and in `Architecture::ALL`. The compiler finds what is missing.

mod llama;
mod qwen2;
mod qwen3;

use super::blocks::{Forward, RopeTable};
use super::config::{Architecture, Config};
use super::weights::{LoadError, WeightRegistry};
use crate::kernels::Tensor;
use crate::kernels::rope::RopeStyle;

/// The layers of a model, by architecture.
#[derive(Debug)]
pub(super) enum Decoder {
    Llama(llama::Llama),
    Qwen2(qwen2::Qwen2),
    Qwen3(qwen3::Qwen3),
}

impl Decoder {
    /// Registers the weights of all layers.
    pub fn register(registry: &mut WeightRegistry<'_>, config: &Config) -> Result<Decoder, LoadError> {
        Ok(match config.architecture {
            Architecture::Llama => Decoder::Llama(llama::Llama::register(registry, config)?),
            Architecture::Qwen2 => Decoder::Qwen2(qwen2::Qwen2::register(registry, config)?),
            Architecture::Qwen3 => Decoder::Qwen3(qwen3::Qwen3::register(registry, config)?),
        })
    }

    /// Records the layers, which add to the residual stream `x`.
    pub fn forward(&self, pass: &mut Forward<'_>, x: Tensor, rope: &RopeTable) {
        match self {
            Decoder::Llama(model) => model.forward(pass, x, rope),
            Decoder::Qwen2(model) => model.forward(pass, x, rope),
            Decoder::Qwen3(model) => model.forward(pass, x, rope),
        }
    }
}

impl Architecture {
    /// Which dimensions its files' queries and keys rotate together.
    pub(super) fn rope_style(self) -> RopeStyle {
        match self {
            Architecture::Llama => RopeStyle::Interleaved,
            Architecture::Qwen2 | Architecture::Qwen3 => RopeStyle::HalfSplit,
        }
    }
}
