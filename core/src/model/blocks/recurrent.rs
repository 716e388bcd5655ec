//! A recurrence in place of attention, or beside it: projections, a short convolution, the recurrence, a gate and a norm.

use super::conv::Channels;
use super::{Forward, Norm};
use crate::kernels::matmul::Epilogue;
use crate::kernels::scan::Scan;
use crate::kernels::scan_gates::ScanGates;
use crate::kernels::{Activation, Tensor};
use crate::kv::groups::CachePart;
use crate::model::config::Config;
use crate::model::layer_kind::RecurrentKind;
use crate::model::weights::{LoadError, Matrix, Rows, Vector, WeightRegistry};

/// The recurrence of a layer.
#[derive(Debug)]
pub struct Recurrent {
    kind: RecurrentKind,
    layer: u32,
    /// What goes into the convolution, and what its gates are made of where that is in one matrix.
    input: Matrix,
    /// What the answer is gated by.
    gate: Matrix,
    times: Times,
    /// f32 `[channels, length]`.
    conv: Vector,
    /// f32 `[channels]`.
    conv_bias: Option<Vector>,
    /// f32 `[2 or 3, heads]`: rates, biases and skips.
    learned: Vector,
    norm: GatedNorm,
    /// The output projection.
    pub out: Matrix,
}

/// Where the times of heads come from, and their steps.
#[derive(Debug)]
enum Times {
    /// Behind the channels of the input; steps are times.
    OfInput,
    /// Both from matrices of their own.
    Apart { times: Matrix, steps: Matrix },
}

/// The gate of an answer, and its norm.
#[derive(Debug)]
enum GatedNorm {
    /// Of each head, then the gate.
    Heads(Norm),
    /// The gate, then a norm of each of so many groups, with weights of its own.
    Groups(Norm, u32),
    None,
}

impl Recurrent {
    /// Registers the gated delta net of layer `index`, as Qwen3.5 has it.
    pub fn register_delta_net(
        registry: &mut WeightRegistry<'_>,
        config: &Config,
        index: u32,
        kind: RecurrentKind,
    ) -> Result<Recurrent, LoadError> {
        let name = |part: &str| format!("blk.{index}.{part}");
        let (scan, channels, hidden) = (kind.scan, kind.conv.channels, config.hidden);
        Ok(Recurrent {
            kind,
            layer: index,
            input: registry.matrix(&name("attn_qkv"), channels, hidden)?,
            gate: registry.matrix(&name("attn_gate"), scan.width(), hidden)?,
            times: Times::Apart {
                times: registry.matrix(&name("ssm_alpha"), scan.heads, hidden)?,
                steps: registry.matrix(&name("ssm_beta"), scan.heads, hidden)?,
            },
            conv: registry.numbers(&name("ssm_conv1d.weight"), &[kind.conv.length, channels])?,
            conv_bias: None,
            learned: registry.vector(&[(&name("ssm_a"), scan.heads), (&name("ssm_dt.bias"), scan.heads)])?,
            norm: GatedNorm::Heads(Norm::register(registry, config, &name("ssm_norm"), scan.values)?),
            out: registry.matrix(&name("ssm_out"), hidden, scan.width())?,
        })
    }

    /// Registers the Mamba 2 mixer of layer `index`. Some files have no norm.
    pub fn register_mamba(
        registry: &mut WeightRegistry<'_>,
        config: &Config,
        index: u32,
        kind: RecurrentKind,
    ) -> Result<Recurrent, LoadError> {
        let name = |part: &str| format!("blk.{index}.{part}");
        let (scan, channels, hidden) = (kind.scan, kind.conv.channels, config.hidden);
        let (heads, width) = (scan.heads, scan.width());
        let (input, bias) = (name("ssm_in"), name("ssm_conv1d.bias"));
        let of = width + channels + heads;
        let part = |first, rows| Rows { name: &input, of, first, rows };
        let groups = scan.key_heads;
        let norm = match registry.has(&name("ssm_norm.weight")) {
            false => GatedNorm::None,
            true => {
                GatedNorm::Groups(Norm::of_groups(registry, &name("ssm_norm.weight"), width / groups, groups)?, groups)
            }
        };
        let learned = [(&*name("ssm_a"), heads), (&name("ssm_dt.bias"), heads), (&name("ssm_d"), heads)];
        Ok(Recurrent {
            kind,
            layer: index,
            gate: registry.rows(part(0, width), hidden)?,
            input: registry.rows(part(width, channels + heads), hidden)?,
            times: Times::OfInput,
            conv: registry.numbers(&name("ssm_conv1d.weight"), &[kind.conv.length, channels])?,
            conv_bias: match registry.has(&bias) {
                true => Some(registry.vector(&[(&bias, channels)])?),
                false => None,
            },
            learned: registry.vector(&learned)?,
            norm,
            out: registry.matrix(&name("ssm_out"), hidden, width)?,
        })
    }
}

impl Forward<'_> {
    /// All of it but the output projection: `[rows, heads · values]`.
    pub fn recurrent(&mut self, x: Tensor, block: &Recurrent) -> Tensor {
        let scan = block.kind.scan;
        let input = self.linear(x, &block.input);
        let gates = self.scan_gates(x, input, block);
        let channels = Channels { kind: block.kind.conv, layer: block.layer, weights: &block.conv };
        self.keep_channels(input, 0, None, block.layer);
        let convolved = self.convolve(&channels, block.conv_bias.as_ref(), Some(Activation::Silu), None);
        let cache = self.kv.layer(block.layer, CachePart::State);
        let answer = self.recorder.tensor(self.rows, scan.width());
        self.recorder.push(Scan {
            batch: self.batch(),
            x: convolved.into(),
            gates: gates.into(),
            cache: cache.segments.into_iter().map(Into::into).collect(),
            pages: cache.table.into(),
            out: answer.into(),
            rows: self.rows,
            x_cols: convolved.cols,
            shape: scan,
            kv: cache.shape,
        });
        let gate = self.linear(x, &block.gate);
        match &block.norm {
            GatedNorm::None => self.gated(gate, answer, Activation::Silu),
            GatedNorm::Heads(norm) => {
                let normed = self.norm_of_parts(answer, norm, (scan.heads, false));
                self.gated(gate, normed, Activation::Silu)
            }
            GatedNorm::Groups(norm, groups) => {
                let gated = self.gated(gate, answer, Activation::Silu);
                self.norm_of_parts(gated, norm, (*groups, true))
            }
        }
    }

    fn scan_gates(&mut self, x: Tensor, input: Tensor, block: &Recurrent) -> Tensor {
        let heads = block.kind.scan.heads;
        let (x, times, steps) = match &block.times {
            Times::OfInput => (input, block.kind.conv.channels, None),
            Times::Apart { times, steps } => {
                let both = self.recorder.tensor(self.rows, 2 * heads);
                self.matmul(&x.into(), times, (both, 0), Epilogue::Store);
                self.matmul(&x.into(), steps, (both, heads), Epilogue::Store);
                (both, 0, Some(heads))
            }
        };
        let out = self.recorder.tensor(self.rows, 3 * heads);
        self.recorder.push(ScanGates {
            batch: self.batch(),
            x: x.into(),
            learned: block.learned.slice.clone().into(),
            out: out.into(),
            rows: self.rows,
            heads,
            stride: x.cols,
            times,
            steps,
            skips: steps.is_none(),
        });
        out
    }
}
