//! Norms of rows, of either kind.

use super::Forward;
use crate::kernels::Tensor;
use crate::kernels::layer_norm::LayerNorm;
use crate::kernels::rms_norm::{NormTarget, RmsNorm};
use crate::model::config::Config;
use crate::model::weights::{LoadError, Vector, WeightRegistry};

/// What a model's norms compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormKind {
    /// Division by the root mean square.
    Rms,
    /// The mean taken off, then division by the standard deviation.
    Layer,
}

/// A norm over rows of some width.
#[derive(Debug)]
pub struct Norm {
    kind: NormKind,
    weight: Vector,
    bias: Option<Vector>,
}

impl Norm {
    /// Registers `NAME.weight`, or `NAME` as some files have it, and `NAME.bias` where the file has one.
    pub fn register(
        registry: &mut WeightRegistry<'_>,
        config: &Config,
        name: &str,
        width: u32,
    ) -> Result<Norm, LoadError> {
        let kind = config.norm;
        let weight = format!("{name}.weight");
        let weight = if registry.has(name) { name } else { &weight };
        let weight = registry.vector(&[(weight, width)])?;
        let bias = format!("{name}.bias");
        let bias = match kind == NormKind::Layer && registry.has(&bias) {
            true => Some(registry.vector(&[(&bias, width)])?),
            false => None,
        };
        Ok(Norm { kind, weight, bias })
    }
}

impl Norm {
    /// Registers root-mean-square norms of so many groups, each with weights of its own.
    pub fn of_groups(
        registry: &mut WeightRegistry<'_>,
        name: &str,
        width: u32,
        groups: u32,
    ) -> Result<Norm, LoadError> {
        let weight = registry.numbers(name, &[width, groups])?;
        Ok(Norm { kind: NormKind::Rms, weight, bias: None })
    }
}

impl Forward<'_> {
    /// The norm of each of the parts of each row of `x`, root mean square alone: so many, of so many columns.
    pub fn norm_parts_into(&mut self, (x, parts, cols): (Tensor, u32, u32), norm: &Norm, out: Tensor, to: NormTarget) {
        let (batch, rows, eps) = (self.batch(), self.rows, self.config.eps);
        let (x, out, weight) = (x.into(), out.into(), norm.weight.slice.clone().into());
        let weights_of_parts = false;
        self.recorder.push(RmsNorm { batch, x, weight, out, to, rows, parts, weights_of_parts, cols, eps });
    }

    /// The norm of each of so many parts of each row of `x`, root mean square alone; all by the same weights, or each by its own.
    pub fn norm_of_parts(&mut self, x: Tensor, norm: &Norm, (parts, weights_of_parts): (u32, bool)) -> Tensor {
        let normed = self.recorder.tensor(self.rows, x.cols);
        let (batch, rows, eps, cols) = (self.batch(), self.rows, self.config.eps, x.cols / parts);
        let (x, out, weight) = (x.into(), normed.into(), norm.weight.slice.clone().into());
        let to = NormTarget::rows(cols);
        self.recorder.push(RmsNorm { batch, x, weight, out, to, rows, parts, weights_of_parts, cols, eps });
        normed
    }

    /// The norm of each row.
    pub fn norm(&mut self, x: Tensor, norm: &Norm) -> Tensor {
        let out = self.recorder.tensor(self.rows, x.cols);
        self.norm_into(x, norm, out, NormTarget::rows(x.cols));
        out
    }

    /// The norm of each row, put `to` where it belongs.
    pub fn norm_into(&mut self, x: Tensor, norm: &Norm, out: Tensor, to: NormTarget) {
        let (batch, rows, cols, eps) = (self.batch(), self.rows, x.cols, self.config.eps);
        let (x, out, weight) = (x.into(), out.into(), norm.weight.slice.clone().into());
        match norm.kind {
            NormKind::Rms => {
                let (parts, weights_of_parts) = (1, false);
                self.recorder.push(RmsNorm { batch, x, weight, out, to, rows, parts, weights_of_parts, cols, eps });
            }
            NormKind::Layer => {
                let bias = norm.bias.as_ref().map(|bias| bias.slice.clone().into());
                self.recorder.push(LayerNorm { batch, x, weight, bias, out, to, rows, cols, eps });
            }
        }
    }
}
