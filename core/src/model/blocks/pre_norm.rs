//! A layer that norms what goes into its attention and what goes into its gated feed-forward layer, and adds both to the residual stream.

use super::{AttentionBlock, Forward, GatedMlp, RopeTable};
use crate::kernels::Tensor;
use crate::model::config::Config;
use crate::model::weights::{LoadError, Vector, WeightRegistry};

/// The weights of one layer.
#[derive(Debug)]
pub struct PreNormLayer {
    attention_norm: Vector,
    attention: AttentionBlock,
    mlp_norm: Vector,
    mlp: GatedMlp,
}

impl PreNormLayer {
    /// Registers the weights of layer `index` around its `attention`.
    pub fn register(
        registry: &mut WeightRegistry<'_>,
        config: &Config,
        index: u32,
        attention: AttentionBlock,
    ) -> Result<PreNormLayer, LoadError> {
        let norm = |part: &str| format!("blk.{index}.{part}_norm.weight");
        Ok(PreNormLayer {
            attention_norm: registry.vector(&[(&norm("attn"), config.hidden)])?,
            attention,
            mlp_norm: registry.vector(&[(&norm("ffn"), config.hidden)])?,
            mlp: GatedMlp::register(registry, config, index)?,
        })
    }

    /// Records layer `index`, which adds to the residual stream `x`.
    pub fn forward(&self, pass: &mut Forward<'_>, index: usize, x: Tensor, rope: &RopeTable) {
        let h = pass.rms_norm(x, &self.attention_norm);
        pass.tap(index, "attn_norm", h);
        let qkv = pass.project(h, &self.attention);
        let rotated = pass.rotate(qkv, &self.attention, rope);
        pass.write(&rotated, &self.attention);
        let attended = pass.attend(&rotated, &self.attention);
        pass.tap(index, "attended", attended);
        pass.add_linear(attended, &self.attention.out, x);
        pass.tap(index, "attn_residual", x);
        let h = pass.rms_norm(x, &self.mlp_norm);
        pass.tap(index, "ffn_norm", h);
        let gated = pass.gated(h, &self.mlp);
        pass.tap(index, "gated", gated);
        pass.add_linear(gated, &self.mlp.down, x);
        pass.tap(index, "out", x);
    }
}
