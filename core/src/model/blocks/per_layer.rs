//! Inputs of their own for each layer (per-layer embeddings of Gemma 3n and 4): a part of a second embedding, with a projection of the first.

use super::{Forward, Norm};
use crate::kernels::Tensor;
use crate::kernels::gated_activation::GatedActivation;
use crate::kernels::matmul::Epilogue;
use crate::kernels::rms_norm::NormTarget;
use crate::model::config::Config;
use crate::model::weights::{LoadError, Matrix, WeightRegistry};
use std::f32::consts::FRAC_1_SQRT_2;

/// The second embedding, and the projection.
#[derive(Debug)]
pub struct PerLayerInputs {
    width: u32,
    layers: u32,
    table: Matrix,
    projection: Matrix,
    norm: Norm,
}

impl PerLayerInputs {
    /// Registers those of `width` columns a layer. The table may have more rows than the vocabulary.
    pub fn register(registry: &mut WeightRegistry<'_>, config: &Config, width: u32) -> Result<Self, LoadError> {
        let (name, columns) = ("per_layer_token_embd.weight", config.layers * width);
        let rows = registry.row_count(name)?;
        Ok(PerLayerInputs {
            width,
            layers: config.layers,
            table: registry.table(name, rows, columns)?,
            projection: registry.matrix("per_layer_model_proj", columns, config.hidden)?,
            norm: Norm::register(registry, config, "per_layer_proj_norm", width)?,
        })
    }

    /// Bytes of the table, of which a token reads a row.
    pub fn table_bytes(&self) -> u64 {
        self.table.shards.iter().map(|shard| shard.weights.quants.storage.bytes()).sum()
    }
}

/// What a layer does with its input.
#[derive(Debug)]
pub struct PerLayerGate {
    gate: Matrix,
    projection: Matrix,
    norm: Norm,
}

impl PerLayerGate {
    /// Registers that of layer `index`.
    pub fn register(
        registry: &mut WeightRegistry<'_>,
        config: &Config,
        index: u32,
        width: u32,
    ) -> Result<PerLayerGate, LoadError> {
        let name = |part: &str| format!("blk.{index}.{part}");
        Ok(PerLayerGate {
            gate: registry.matrix(&name("inp_gate"), width, config.hidden)?,
            projection: registry.matrix(&name("proj"), config.hidden, width)?,
            norm: Norm::register(registry, config, &name("post_norm"), config.hidden)?,
        })
    }
}

impl Forward<'_> {
    /// The inputs of all layers, `[rows, layers · width]`: `(norm(projection · x / √hidden) + √width · table[token]) / √2`.
    pub fn per_layer_inputs(&mut self, x: Tensor, inputs: &PerLayerInputs) -> Tensor {
        let PerLayerInputs { width, layers, .. } = *inputs;
        let out = self.embed(&inputs.table, (width as f32).sqrt() * FRAC_1_SQRT_2);
        let scale = Epilogue::Scale(1.0 / (self.config.hidden as f32).sqrt());
        let projected = self.finished(x, &inputs.projection, scale);
        let to = NormTarget { adds: true, factor: FRAC_1_SQRT_2, ..NormTarget::rows(width) };
        self.norm_parts_into((projected, layers, width), &inputs.norm, out, to);
        out
    }

    /// `norm(projection · (gelu(gate · x) ⊙ input of layer index))`, added to each of `outs`.
    pub fn add_per_layer_input(
        &mut self,
        x: Tensor,
        index: usize,
        inputs: Tensor,
        gate: &PerLayerGate,
        outs: &[Tensor],
    ) {
        let gated = self.linear(x, &gate.gate);
        let inner = self.recorder.tensor(self.rows, gated.cols);
        self.recorder.push(GatedActivation {
            batch: self.batch(),
            gate: gated.into(),
            up: inputs.into(),
            up_stride: inputs.cols,
            up_offset: index as u32 * gated.cols,
            out: inner.into(),
            rows: self.rows,
            cols: gated.cols,
            activation: self.config.activation,
        });
        let branch = self.linear(inner, &gate.projection);
        outs.iter().for_each(|out| self.norm_into(branch, &gate.norm, *out, NormTarget::added(out.cols)));
    }
}
