//! A short convolution in place of attention, as LFM2 has it.

use super::Forward;
use crate::kernels::Tensor;
use crate::kernels::conv::{Columns, Conv, ConvStore, channels};
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

impl Forward<'_> {
    /// All of it but the output projection: `[rows, channels]`.
    pub fn short_conv(&mut self, x: Tensor, block: &ShortConv) -> Tensor {
        let projected = self.linear(x, &block.input);
        let (stride, width) = (projected.cols, block.kind.channels);
        let cache = self.kv.layer(block.layer);
        debug_assert_eq!(channels(&cache.shape), width);
        self.recorder.push(ConvStore {
            batch: self.batch(),
            x: projected.into(),
            cache: cache.segments.iter().cloned().map(Into::into).collect(),
            pages: cache.table.clone().into(),
            rows: self.rows,
            columns: Columns { stride, offset: 0 },
            times: Some(2 * width),
            kv: cache.shape,
        });
        let out = self.recorder.tensor(self.rows, width);
        self.recorder.push(Conv {
            batch: self.batch(),
            cache: cache.segments.into_iter().map(Into::into).collect(),
            pages: cache.table.into(),
            weights: block.weights.slice.clone().into(),
            gates: Some((projected.into(), Columns { stride, offset: width })),
            out: out.into(),
            rows: self.rows,
            length: block.kind.length,
            activation: None,
            kv: cache.shape,
        });
        out
    }
}
