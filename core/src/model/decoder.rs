//! What stands between a model's embedding and its last norm.

use super::blocks::{Forward, Layer, RopeTable};
use super::config::Config;
use super::weights::{LoadError, WeightRegistry};
use crate::kernels::Tensor;
use std::fmt;

/// The layers of a model.
pub trait Decoder {
    /// Records them over the embeddings `x`, which they may write; gives what the last norm takes.
    fn forward(&self, pass: &mut Forward<'_>, x: Tensor, ropes: &[RopeTable]) -> Tensor;

    /// Bytes of weights that a token does not read: those of experts that it does not go to, and of tables.
    fn unread_bytes(&self) -> u64;
}

/// That it is one: what each layer holds would cost a page kilobytes that nobody reads.
impl fmt::Debug for dyn Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Decoder")
    }
}

impl Decoder for Vec<Layer> {
    fn forward(&self, pass: &mut Forward<'_>, x: Tensor, ropes: &[RopeTable]) -> Tensor {
        self.iter().enumerate().for_each(|(index, layer)| layer.forward(pass, index, x, ropes));
        x
    }

    fn unread_bytes(&self) -> u64 {
        self.iter().map(Layer::unread_bytes).sum()
    }
}

/// Layers that add to one residual stream, one after the other; `layer` registers each.
pub fn stack(
    registry: &mut WeightRegistry<'_>,
    config: &Config,
    layer: impl Fn(&mut WeightRegistry<'_>, &Config, u32) -> Result<Layer, LoadError>,
) -> Result<Box<dyn Decoder>, LoadError> {
    let layers = (0..config.layers).map(|index| layer(registry, config, index));
    Ok(Box::new(layers.collect::<Result<Vec<Layer>, _>>()?))
}
