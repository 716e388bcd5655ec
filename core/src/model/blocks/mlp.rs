//! The feed-forward layer of dense decoders.

use super::{Forward, Norm};
use crate::kernels::Tensor;
use crate::kernels::matmul::Epilogue;
use crate::kernels::row_scale::RowRule;
use crate::model::config::Config;
use crate::model::weights::{LoadError, Matrix, Rows, WeightRegistry};

/// `down · (act(gate · x) * (up · x))`, or without a gate `down · act(up · x)`.
#[derive(Debug)]
pub struct Mlp {
    up: Up,
    /// A norm of what goes into `down`.
    inner_norm: Option<Norm>,
    /// The projection back to the residual stream.
    pub down: Matrix,
}

#[derive(Debug)]
enum Up {
    Fused(Matrix),
    Apart {
        gate: Matrix,
        up: Matrix,
        /// How many standard deviations above the mean of its row a gate must be, where most are left out.
        deviations: Option<f32>,
    },
    Ungated(Matrix),
}

impl Mlp {
    /// Registers the feed-forward layer of layer `index`. Files hold gate and up apart or, as Phi-3's, in one tensor.
    pub fn register(registry: &mut WeightRegistry<'_>, config: &Config, index: u32) -> Result<Mlp, LoadError> {
        Mlp::register_named(registry, config, |part| format!("blk.{index}.ffn_{part}"), config.ffn(index))
    }

    /// Registers the same where gates stay that are so many standard deviations above the mean of their row, as in Gemma 3n.
    pub fn register_sparse(
        registry: &mut WeightRegistry<'_>,
        config: &Config,
        index: u32,
        deviations: f32,
    ) -> Result<Mlp, LoadError> {
        let (hidden, ffn) = (config.hidden, config.ffn(index));
        let mut matrix = |part: &str, rows, cols| registry.matrix(&format!("blk.{index}.ffn_{part}"), rows, cols);
        let (gate, up) = (matrix("gate", ffn, hidden)?, matrix("up", ffn, hidden)?);
        let down = matrix("down", hidden, ffn)?;
        Ok(Mlp { up: Up::Apart { gate, up, deviations: Some(deviations) }, inner_norm: None, down })
    }

    /// Registers one of `ffn` columns, whose `gate`, `up` and `down` have these names.
    pub fn register_named(
        registry: &mut WeightRegistry<'_>,
        config: &Config,
        name: impl Fn(&str) -> String,
        ffn: u32,
    ) -> Result<Mlp, LoadError> {
        let (gate, up, hidden) = (name("gate"), name("up"), config.hidden);
        let up = match config.is_gated {
            false => Up::Ungated(registry.matrix(&up, ffn, hidden)?),
            true => {
                let [gate, up] = match registry.has(&format!("{gate}.weight")) {
                    true => [Rows::all(&gate, ffn), Rows::all(&up, ffn)],
                    false => [0, ffn].map(|first| Rows { name: &up, of: 2 * ffn, first, rows: ffn }),
                };
                match registry.fused_gate_up(gate, up, hidden)? {
                    Some(fused) => Up::Fused(fused),
                    None => Up::Apart {
                        gate: registry.rows(gate, hidden)?,
                        up: registry.rows(up, hidden)?,
                        deviations: None,
                    },
                }
            }
        };
        Ok(Mlp { up, inner_norm: None, down: registry.matrix(&name("down"), hidden, ffn)? })
    }

    /// With a norm of what goes into the last projection.
    pub fn with_inner_norm(
        mut self,
        registry: &mut WeightRegistry<'_>,
        config: &Config,
        index: u32,
    ) -> Result<Self, LoadError> {
        let name = format!("blk.{index}.ffn_sub_norm");
        self.inner_norm = Some(Norm::register(registry, config, &name, config.ffn(index))?);
        Ok(self)
    }
}

impl Forward<'_> {
    /// What goes into the last projection, `[rows, ffn]`.
    pub fn mlp(&mut self, x: Tensor, mlp: &Mlp) -> Tensor {
        let inner = self.activated(x, &mlp.up);
        mlp.inner_norm.as_ref().map_or(inner, |norm| self.norm(inner, norm))
    }

    fn activated(&mut self, x: Tensor, up: &Up) -> Tensor {
        let activation = self.config.activation;
        match up {
            Up::Fused(matrix) => self.finished(x, matrix, Epilogue::Gated(activation)),
            Up::Ungated(matrix) => self.finished(x, matrix, Epilogue::Activate(activation)),
            Up::Apart { gate, up, deviations } => {
                let (gate, up) = (self.linear(x, gate), self.linear(x, up));
                if let Some(deviations) = *deviations {
                    self.scale_rows(gate, RowRule::Sparse { deviations });
                }
                self.gated(gate, up, activation)
            }
        }
    }
}
