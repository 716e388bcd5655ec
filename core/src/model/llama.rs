//! Llama 2 and 3, Mistral, SmolLM2: pre-norm decoders with RoPE on neighbouring pairs (files hold queries and keys
//! permuted so), grouped queries and a gated SiLU feed-forward layer. Llama 3.x scales its frequencies by the tensor
//! `rope_freqs.weight`. Qwen2 and 2.5 differ in that they rotate half-split pairs. Biases are taken wherever a file has some.

use super::layers::{AttentionWeights, Forward, GatedMlp};
use super::weights::{LoadError, WeightRegistry};
use super::{Config, Layer, Model};
use crate::kernels::Tensor;

/// Registers the weights of layer `index`.
pub(super) fn register(registry: &mut WeightRegistry<'_>, config: &Config, index: u32) -> Result<Layer, LoadError> {
    let norm = |part: &str| format!("blk.{index}.{part}_norm.weight");
    Ok(Layer {
        attention_norm: registry.vector(&[(&norm("attn"), config.hidden)])?,
        attention: AttentionWeights::register(registry, config, index)?,
        mlp_norm: registry.vector(&[(&norm("ffn"), config.hidden)])?,
        mlp: GatedMlp::register(registry, config, index)?,
    })
}

/// The forward pass, up to the last norm.
pub(super) fn forward(pass: &mut Forward<'_>, model: &Model) -> Tensor {
    let x = pass.embed(&model.embedding);
    pass.recorder.tap("embed", x);
    for (index, layer) in model.layers.iter().enumerate() {
        let h = pass.rms_norm(x, &layer.attention_norm);
        pass.recorder.tap(format!("layer{index}.attn_norm"), h);
        let attended = pass.attention(h, &layer.attention, &model.angles, index as u32);
        pass.recorder.tap(format!("layer{index}.attended"), attended);
        pass.add_attention(attended, &layer.attention, x);
        pass.recorder.tap(format!("layer{index}.attn_residual"), x);
        let h = pass.rms_norm(x, &layer.mlp_norm);
        pass.recorder.tap(format!("layer{index}.ffn_norm"), h);
        let gated = pass.gated(h, &layer.mlp);
        pass.recorder.tap(format!("layer{index}.gated"), gated);
        pass.add_down(gated, &layer.mlp, x);
        pass.recorder.tap(format!("layer{index}.out"), x);
    }
    let out = pass.rms_norm(x, &model.norm);
    pass.recorder.tap("final_norm", out);
    out
}
