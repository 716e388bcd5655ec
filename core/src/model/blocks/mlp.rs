//! The gated feed-forward layer of dense decoders.

use super::Forward;
use crate::kernels::gated_activation::GatedActivation;
use crate::kernels::matmul::Epilogue;
use crate::kernels::{Activation, Tensor};
use crate::model::config::Config;
use crate::model::weights::{LoadError, Matrix, WeightRegistry};

/// `down · (silu(gate · x) * (up · x))`.
#[derive(Debug)]
pub struct GatedMlp {
    gate_up: GateUp,
    /// The projection back to the residual stream.
    pub down: Matrix,
}

#[derive(Debug)]
enum GateUp {
    Fused(Matrix),
    Apart { gate: Matrix, up: Matrix },
}

impl GatedMlp {
    /// Registers the feed-forward layer of layer `index`.
    pub fn register(registry: &mut WeightRegistry<'_>, config: &Config, index: u32) -> Result<GatedMlp, LoadError> {
        let name = |part: &str| format!("blk.{index}.ffn_{part}");
        let (gate, up) = (name("gate"), name("up"));
        let gate_up = match registry.fused_gate_up(&gate, &up, config.ffn, config.hidden)? {
            Some(fused) => GateUp::Fused(fused),
            None => GateUp::Apart {
                gate: registry.matrix(&gate, config.ffn, config.hidden)?,
                up: registry.matrix(&up, config.ffn, config.hidden)?,
            },
        };
        let down = registry.matrix(&name("down"), config.hidden, config.ffn)?;
        Ok(GatedMlp { gate_up, down })
    }
}

impl Forward<'_> {
    /// `silu(x · gateᵀ) · (x · upᵀ)`, `[rows, ffn]`.
    pub fn gated(&mut self, x: Tensor, mlp: &GatedMlp) -> Tensor {
        match &mlp.gate_up {
            GateUp::Fused(matrix) => {
                let out = self.recorder.tensor(self.rows, matrix.outputs);
                self.matmul(&x.into(), matrix, (out, 0), Epilogue::Gated(Activation::Silu));
                out
            }
            GateUp::Apart { gate, up } => {
                let (gate, up) = (self.linear(x, gate), self.linear(x, up));
                let out = self.recorder.tensor(self.rows, gate.cols);
                self.recorder.push(GatedActivation {
                    batch: self.batch(),
                    gate: gate.into(),
                    up: up.into(),
                    out: out.into(),
                    rows: self.rows,
                    cols: gate.cols,
                    activation: Activation::Silu,
                });
                out
            }
        }
    }
}
