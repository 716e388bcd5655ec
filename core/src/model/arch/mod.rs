//! The architectures, a file each: what its layers are made of.
//!
//! To add one: a file here (where no other has such layers), a line in each `match` below, and in `Architecture::ALL`. The compiler finds what is missing.

mod llama;
mod qwen3;

use super::blocks::{Forward, PreNormLayer, RopeTable};
use super::config::{Architecture, Config};
use super::weights::{LoadError, WeightRegistry};
use crate::kernels::Tensor;
use crate::kernels::rope::RopeStyle;

/// The layers of a model, by their kind.
#[derive(Debug)]
pub(super) enum Decoder {
    /// Pre-norm layers, all alike.
    PreNorm(Vec<PreNormLayer>),
}

impl Decoder {
    /// Registers the weights of all layers.
    pub fn register(registry: &mut WeightRegistry<'_>, config: &Config) -> Result<Decoder, LoadError> {
        let layer = match config.architecture {
            Architecture::Llama | Architecture::Qwen2 => llama::layer,
            Architecture::Qwen3 => qwen3::layer,
        };
        let layers = (0..config.layers).map(|index| layer(registry, config, index));
        Ok(Decoder::PreNorm(layers.collect::<Result<_, _>>()?))
    }

    /// Records the layers, which add to the residual stream `x`.
    pub fn forward(&self, pass: &mut Forward<'_>, x: Tensor, rope: &RopeTable) {
        let Decoder::PreNorm(layers) = self;
        layers.iter().enumerate().for_each(|(index, layer)| layer.forward(pass, index, x, rope));
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
