//! A short convolution in place of attention, as LFM2 has it.

use super::Forward;
use crate::kernels::conv::{self, Columns, Conv, ConvStore};
use crate::kernels::{Activation, Tensor};
use crate::kv::groups::CachePart;
use crate::model::config::Config;
use crate::model::layer_kind::ConvKind;
use crate::model::weights::{LoadError, Matrix, Vector, WeightRegistry};

/// `out · (C ⊙ conv(B ⊙ X))`, where B, C and X are projections of what goes in.
#[derive(Debug)]
pub struct ShortConv {
    kind: ConvKind,
    layer: u32,
    /// B, C and X, one below the other.
    input: Matrix,
    /// f32 `[channels, length]`.
    weights: Vector,
    /// The output projection.
    pub out: Matrix,
}

impl ShortConv {
    /// Registers that of layer `index`.
    pub fn register(
        registry: &mut WeightRegistry<'_>,
        config: &Config,
        index: u32,
        kind: ConvKind,
    ) -> Result<ShortConv, LoadError> {
        let name = |part: &str| format!("blk.{index}.shortconv.{part}");
        let hidden = config.hidden;
        Ok(ShortConv {
            kind,
            layer: index,
            input: registry.matrix(&name("in_proj"), 3 * hidden, hidden)?,
            weights: registry.numbers(&name("conv.weight"), &[kind.length, kind.channels])?,
            out: registry.matrix(&name("out_proj"), hidden, hidden)?,
        })
    }
}

/// A convolution over channels that its layer keeps.
#[derive(Debug, Clone, Copy)]
pub struct Channels<'w> {
    /// Its sizes.
    pub kind: ConvKind,
    /// The layer.
    pub layer: u32,
    /// f32 `[channels, length]`.
    pub weights: &'w Vector,
}

impl Forward<'_> {
    /// All of it but the output projection: `[rows, channels]`.
    pub fn short_conv(&mut self, x: Tensor, block: &ShortConv) -> Tensor {
        let projected = self.linear(x, &block.input);
        let width = block.kind.channels;
        let channels = Channels { kind: block.kind, layer: block.layer, weights: &block.weights };
        self.keep_channels(projected, 0, Some(2 * width), block.layer);
        self.convolve(&channels, None, None, Some((projected, width)))
    }

    /// Keeps columns of `x` from `offset` on for a layer, by those from `times` on if there are some.
    pub fn keep_channels(&mut self, x: Tensor, offset: u32, times: Option<u32>, layer: u32) {
        let cache = self.kv.layer(layer, CachePart::Conv);
        self.recorder.push(ConvStore {
            batch: self.batch(),
            x: x.into(),
            cache: cache.segments.into_iter().map(Into::into).collect(),
            pages: cache.table.into(),
            rows: self.rows,
            columns: Columns { stride: x.cols, offset },
            times,
            kv: cache.shape,
        });
    }

    /// What the convolution makes of what is kept, `[rows, channels]`: by columns of `gates` from one on if there are some.
    pub fn convolve(
        &mut self,
        channels: &Channels<'_>,
        bias: Option<&Vector>,
        activation: Option<Activation>,
        gates: Option<(Tensor, u32)>,
    ) -> Tensor {
        let cache = self.kv.layer(channels.layer, CachePart::Conv);
        debug_assert_eq!(conv::channels(&cache.shape), channels.kind.channels);
        let out = self.recorder.tensor(self.rows, channels.kind.channels);
        self.recorder.push(Conv {
            batch: self.batch(),
            cache: cache.segments.into_iter().map(Into::into).collect(),
            pages: cache.table.into(),
            weights: channels.weights.slice.clone().into(),
            bias: bias.map(|bias| bias.slice.clone().into()),
            gates: gates.map(|(gates, offset)| (gates.into(), Columns { stride: gates.cols, offset })),
            out: out.into(),
            rows: self.rows,
            length: channels.kind.length,
            activation,
            kv: cache.shape,
        });
        out
    }
}
