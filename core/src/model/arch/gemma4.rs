//! Gemma 4: as Gemma 3, with heads of one width in windowed layers and another in full ones, norms of values, scores that are not scaled,
//! inputs of their own for each layer, and last layers that read the keys and values of earlier ones. In the 26B each layer has experts
//! beside its dense layer, which another norm of the stream chooses among, and full layers have no values but their raw keys.

use super::{Architecture, DECODER};
use crate::kernels::rms_norm::NormTarget;
use crate::kernels::scale::Scale;
use crate::kernels::{Activation, Tensor};
use crate::model::blocks::{
    AttentionBlock, Experts, FeedForward, Forward, Layer, Mlp, Norm, NormNames, PerLayerGate, PerLayerInputs,
    RopeTable, hidden_states,
};
use crate::model::config::Config;
use crate::model::decoder::Decoder;
use crate::model::error::ModelError;
use crate::model::keys::Keys;
use crate::model::layer_kind::LayerKind;
use crate::model::weights::{LoadError, Vector, WeightRegistry};
use crate::model::windows::WindowPattern;

/// Gemma 4.
pub const GEMMA4: Architecture = Architecture {
    name: "gemma4",
    models: "Gemma 4",
    windows: WindowPattern::Every(6),
    reads: &[
        "final_logit_softcapping",
        "rope.freq_base_swa",
        "attention.key_length_swa",
        "attention.shared_kv_layers",
        "embedding_length_per_layer_input",
        "expert_count",
    ],
    configure,
    decoder: |registry, config| Ok(Box::new(Gemma4::register(registry, config)?)),
    ..DECODER
};

fn configure(config: &mut Config, keys: &Keys<'_>) -> Result<(), ModelError> {
    configure_layers(config, keys)?;
    // For a drafter beside it, which stands two positions before the next token's and sees a window's length from there.
    config.mtp_kinds = vec![LayerKind::Conv(hidden_states(config.hidden))];
    config.lent_positions = 2;
    config.share_keys(keys.optional("attention.shared_kv_layers")?.unwrap_or(0))
}

/// Reads what its files say, but for who shares keys.
pub(super) fn configure_layers(config: &mut Config, keys: &Keys<'_>) -> Result<(), ModelError> {
    config.embedding_scale = (config.hidden as f32).sqrt();
    config.activation = Activation::GeluTanh;
    config.logit_cap = keys.bound("final_logit_softcapping", 30.0)?;
    config.per_layer_width = keys.optional("embedding_length_per_layer_input")?.unwrap_or(0);
    let local = keys.optional("attention.key_length_swa")?.unwrap_or(config.head_dim);
    if keys.optional("attention.value_length_swa")?.is_some_and(|width| width != local) {
        return Err(ModelError::feature("values of another width than keys in its windowed layers"));
    }
    config.turn_windows_by(keys.number("rope.freq_base_swa")?.unwrap_or(10_000.0))?;
    config.ropes[1].dims = keys.optional("rope.dimension_count_swa")?.unwrap_or(local);
    config.attentions_mut().for_each(|kind| {
        (kind.scale, kind.norms_values) = (1.0, true);
        kind.head_dim = if kind.lifetime.window.is_some() { local } else { kind.head_dim };
    });
    Ok(())
}

#[derive(Debug)]
struct Gemma4 {
    inputs: Option<PerLayerInputs>,
    layers: Vec<Gemma4Layer>,
}

#[derive(Debug)]
struct Gemma4Layer {
    layer: Layer,
    beside: Option<Beside>,
    input: Option<PerLayerGate>,
    /// What the stream is multiplied by behind the layer.
    scale: Option<Vector>,
}

/// Experts beside the dense layer.
#[derive(Debug)]
struct Beside {
    experts: Experts,
    router_norm: Norm,
    before: Norm,
    after: Norm,
    after_dense: Norm,
}

impl Gemma4 {
    fn register(registry: &mut WeightRegistry<'_>, config: &Config) -> Result<Gemma4, LoadError> {
        let inputs = match config.per_layer_width {
            0 => None,
            width => Some(PerLayerInputs::register(registry, config, width)?),
        };
        let layers = (0..config.layers).map(|index| Gemma4Layer::register(registry, config, index));
        Ok(Gemma4 { inputs, layers: layers.collect::<Result<_, _>>()? })
    }
}

impl Gemma4Layer {
    fn register(registry: &mut WeightRegistry<'_>, config: &Config, index: u32) -> Result<Gemma4Layer, LoadError> {
        let attention = AttentionBlock::register_with_shared_keys(registry, config, index)?
            .with_head_norms(registry, config, index)?;
        let dense = FeedForward::Dense(Mlp::register(registry, config, index)?);
        let scale = format!("blk.{index}.layer_output_scale.weight");
        Ok(Gemma4Layer {
            layer: Layer::register(registry, config, index, NormNames::SANDWICH, attention, dense)?,
            beside: Beside::register(registry, config, index)?,
            input: match config.per_layer_width {
                0 => None,
                width => Some(PerLayerGate::register(registry, config, index, width)?),
            },
            scale: match registry.has(&scale) {
                true => Some(registry.vector(&[(&scale, 1)])?),
                false => None,
            },
        })
    }
}

impl Beside {
    fn register(registry: &mut WeightRegistry<'_>, config: &Config, index: u32) -> Result<Option<Beside>, LoadError> {
        let Some(experts) = &config.experts else { return Ok(None) };
        let name = |part: &str| format!("blk.{index}.{part}");
        let experts = Experts::register(registry, config, index, experts)?;
        let mut norm = |part: &str| Norm::register(registry, config, &name(part), config.hidden);
        let (before, after) = (norm("pre_ffw_norm_2")?, norm("post_ffw_norm_2")?);
        let after_dense = norm("post_ffw_norm_1")?;
        let router_norm = norm("ffn_gate_inp.scale")?;
        Ok(Some(Beside { experts, router_norm, before, after, after_dense }))
    }

    /// Both branches of the stream, each normed, as one.
    fn forward(&self, pass: &mut Forward<'_>, layer: &Layer, x: Tensor) -> Tensor {
        let rows = NormTarget::rows(x.cols);
        let dense = layer.feed_forward_alone(pass, x);
        let out = pass.norm(dense, &self.after_dense);
        let by = pass.recorder.tensor(pass.rows, x.cols);
        let factor = 1.0 / (x.cols as f32).sqrt();
        pass.norm_into(x, &self.router_norm, by, NormTarget { factor, ..rows });
        let input = pass.norm(x, &self.before);
        let branch = pass.recorder.tensor(pass.rows, x.cols);
        pass.experts_routed_by(by, input, &self.experts, branch, false);
        pass.norm_into(branch, &self.after, out, NormTarget { adds: true, ..rows });
        out
    }
}

impl Decoder for Gemma4 {
    fn forward(&self, pass: &mut Forward<'_>, x: Tensor, ropes: &[RopeTable]) -> Tensor {
        let inputs = self.inputs.as_ref().map(|inputs| pass.per_layer_inputs(x, inputs));
        for (index, Gemma4Layer { layer, beside, input, scale }) in self.layers.iter().enumerate() {
            layer.attend(pass, index, x, ropes);
            match beside {
                None => layer.feed_forward(pass, index, x, x),
                Some(beside) => {
                    let branch = beside.forward(pass, layer, x);
                    layer.add_normed(pass, branch, x);
                }
            }
            if let (Some(gate), Some(inputs)) = (input, inputs) {
                pass.add_per_layer_input(x, index, inputs, gate, &[x]);
            }
            if let Some(factor) = scale {
                let (batch, rows) = (pass.batch(), pass.rows);
                pass.recorder.push(Scale {
                    batch,
                    x: x.into(),
                    factor: factor.slice.clone().into(),
                    is_gate: false,
                    rows,
                    cols: x.cols,
                });
            }
            pass.tap(index, "scaled", x);
        }
        x
    }

    fn unread_bytes(&self) -> u64 {
        let experts =
            self.layers.iter().filter_map(|layer| layer.beside.as_ref()).map(|beside| beside.experts.unread_bytes());
        experts.sum::<u64>() + self.inputs.as_ref().map_or(0, PerLayerInputs::table_bytes)
    }
}
