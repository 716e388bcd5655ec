//! Qwen2 and 2.5: as Llama, with RoPE on half-split pairs and biases of query, key and value.

use crate::kernels::Tensor;
use crate::model::blocks::{AttentionBlock, Forward, GatedMlp, RopeTable};
use crate::model::config::Config;
use crate::model::weights::{LoadError, Vector, WeightRegistry};

#[derive(Debug)]
pub struct Qwen2 {
    layers: Vec<Layer>,
}

#[derive(Debug)]
struct Layer {
    attention_norm: Vector,
    attention: AttentionBlock,
    mlp_norm: Vector,
    mlp: GatedMlp,
}

impl Qwen2 {
    pub fn register(registry: &mut WeightRegistry<'_>, config: &Config) -> Result<Qwen2, LoadError> {
        let layers = (0..config.layers).map(|index| Layer::register(registry, config, index));
        Ok(Qwen2 { layers: layers.collect::<Result<_, _>>()? })
    }

    pub fn forward(&self, pass: &mut Forward<'_>, x: Tensor, rope: &RopeTable) {
        for (index, layer) in self.layers.iter().enumerate() {
            let h = pass.rms_norm(x, &layer.attention_norm);
            pass.tap(index, "attn_norm", h);
            let qkv = pass.project(h, &layer.attention);
            let rotated = pass.rotate(qkv, &layer.attention, rope);
            pass.write(&rotated, &layer.attention);
            let attended = pass.attend(&rotated, &layer.attention);
            pass.tap(index, "attended", attended);
            pass.add_linear(attended, &layer.attention.out, x);
            pass.tap(index, "attn_residual", x);
            let h = pass.rms_norm(x, &layer.mlp_norm);
            pass.tap(index, "ffn_norm", h);
            let gated = pass.gated(h, &layer.mlp);
            pass.tap(index, "gated", gated);
            pass.add_linear(gated, &layer.mlp.down, x);
            pass.tap(index, "out", x);
        }
    }
}

impl Layer {
    fn register(registry: &mut WeightRegistry<'_>, config: &Config, index: u32) -> Result<Layer, LoadError> {
        let norm = |part: &str| format!("blk.{index}.{part}_norm.weight");
        Ok(Layer {
            attention_norm: registry.vector(&[(&norm("attn"), config.hidden)])?,
            attention: AttentionBlock::register(registry, config, index)?,
            mlp_norm: registry.vector(&[(&norm("ffn"), config.hidden)])?,
            mlp: GatedMlp::register(registry, config, index)?,
        })
    }
}
