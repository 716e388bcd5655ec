//! Gemma 3n: four residual streams of which a layer computes the first (`kernels/altup.rs`), a low-rank branch beside attention (Laurel), inputs
//! of their own for each layer, first layers whose gates are sparse, and last layers that read the keys and values of earlier ones.

use super::{Architecture, DECODER};
use crate::kernels::altup::{Altup, STREAMS};
use crate::kernels::blend::Blend;
use crate::kernels::matmul::Epilogue;
use crate::kernels::rms_norm::NormTarget;
use crate::kernels::row_scale::RowRule;
use crate::kernels::{Activation, Tensor, TensorRef};
use crate::model::blocks::{
    AttentionBlock, FeedForward, Forward, Layer, Mlp, Norm, NormNames, PerLayerGate, PerLayerInputs, RopeTable,
};
use crate::model::config::Config;
use crate::model::decoder::Decoder;
use crate::model::error::ModelError;
use crate::model::keys::Keys;
use crate::model::weights::{LoadError, Matrix, Vector, WeightRegistry};
use crate::model::windows::WindowPattern;
use inglenook_format::gguf::{Array, Value};
use std::f32::consts::FRAC_1_SQRT_2;

/// Gemma 3n.
pub const GEMMA3N: Architecture = Architecture {
    name: "gemma3n",
    models: "Gemma 3n",
    windows: WindowPattern::Every(5),
    reads: &[
        "final_logit_softcapping",
        "rope.freq_base_swa",
        "attention.shared_kv_layers",
        "embedding_length_per_layer_input",
        "activation_sparsity_scale",
    ],
    configure,
    decoder: |registry, config| Ok(Box::new(Gemma3n::register(registry, config)?)),
    ..DECODER
};

fn configure(config: &mut Config, keys: &Keys<'_>) -> Result<(), ModelError> {
    config.embedding_scale = (config.hidden as f32).sqrt();
    config.activation = Activation::GeluTanh;
    config.logit_cap = keys.bound("final_logit_softcapping", 30.0)?;
    config.per_layer_width = keys.size("embedding_length_per_layer_input", 1 << 12)?;
    config.turn_windows_by(keys.number("rope.freq_base_swa")?.unwrap_or(10_000.0))?;
    config.attentions_mut().for_each(|kind| (kind.scale, kind.norms_values) = (1.0, true));
    for (name, only) in [("altup.active_idx", 0), ("altup.num_inputs", STREAMS as u32)] {
        if let Some(other) = keys.optional(name)?.filter(|value| *value != only) {
            return Err(ModelError::feature(format!("alternating updates whose `{}` is {other}", keys.key(name))));
        }
    }
    config.sparsity = sparsity(keys, config.layers)?;
    let readers = keys.optional("attention.shared_kv_layers")?.unwrap_or(0);
    config.share_keys(readers)
}

/// How many standard deviations above the mean gates must be, of each layer where they are sparse: minus infinity is dense.
fn sparsity(keys: &Keys<'_>, layers: u32) -> Result<Vec<Option<f32>>, ModelError> {
    let name = keys.key("activation_sparsity_scale");
    match keys.meta.get(&name) {
        None => Ok(vec![None; layers as usize]),
        Some(Value::Array(Array::F32(scales)))
            if scales.len() == layers as usize && scales.iter().all(|scale| *scale < f32::INFINITY) =>
        {
            Ok(scales.iter().map(|scale| Some(*scale).filter(|scale| scale.is_finite())).collect())
        }
        Some(_) => Err(ModelError::size(format!("`{name}` is not a number for each of its {layers} layers"))),
    }
}

#[derive(Debug)]
struct Gemma3n {
    inputs: PerLayerInputs,
    /// Projections of the embedding into the other streams, and of those back.
    into: Vec<Matrix>,
    back: Vec<Matrix>,
    layers: Vec<Gemma3nLayer>,
}

#[derive(Debug)]
struct Gemma3nLayer {
    layer: Layer,
    streams: Streams,
    laurel: Laurel,
    input: PerLayerGate,
}

/// What a layer has learned of its streams.
#[derive(Debug)]
struct Streams {
    router_norm: Norm,
    router: Matrix,
    /// f32 `[16, 4]`.
    predict: Vector,
    /// f32 `[4, 4]`, then `[hidden]`: what the first stream is scaled by for the layer's input.
    correct: Vector,
}

/// A branch of low rank.
#[derive(Debug)]
struct Laurel {
    down: Matrix,
    up: Matrix,
    norm: Norm,
}

impl Gemma3n {
    fn register(registry: &mut WeightRegistry<'_>, config: &Config) -> Result<Gemma3n, LoadError> {
        let mut others = |name: &str| {
            let others = (0..STREAMS as u32 - 1)
                .map(|number| registry.part_of_stack(name, (number, STREAMS as u32 - 1), config.hidden, config.hidden));
            others.collect::<Result<Vec<Matrix>, LoadError>>()
        };
        let (into, back) = (others("altup_proj")?, others("altup_unembd_proj")?);
        let inputs = PerLayerInputs::register(registry, config, config.per_layer_width)?;
        let layers = (0..config.layers).map(|index| Gemma3nLayer::register(registry, config, index));
        Ok(Gemma3n { inputs, into, back, layers: layers.collect::<Result<_, _>>()? })
    }
}

impl Gemma3nLayer {
    fn register(registry: &mut WeightRegistry<'_>, config: &Config, index: u32) -> Result<Gemma3nLayer, LoadError> {
        let name = |part: &str| format!("blk.{index}.{part}");
        let hidden = config.hidden;
        let attention = AttentionBlock::register_with_shared_keys(registry, config, index)?
            .with_head_norms(registry, config, index)?;
        let mlp = match config.sparsity[index as usize] {
            Some(deviations) => Mlp::register_sparse(registry, config, index, deviations)?,
            None => Mlp::register(registry, config, index)?,
        };
        let rank = registry.row_count(&name("laurel_l.weight"))?;
        let (coefficients, scale) = (name("altup_correct_coef.weight"), name("altup_correct_scale.weight"));
        Ok(Gemma3nLayer {
            layer: Layer::register(registry, config, index, NormNames::SANDWICH, attention, FeedForward::Dense(mlp))?,
            streams: Streams {
                router_norm: Norm::register(registry, config, &name("altup_router_norm"), hidden)?,
                router: registry.matrix(&name("altup_router"), STREAMS as u32, hidden)?,
                predict: registry.numbers(&name("altup_predict_coef.weight"), &[4, 16])?,
                correct: registry.side_by_side(&[(&coefficients, &[4, 4]), (&scale, &[hidden])])?,
            },
            laurel: Laurel {
                down: registry.matrix(&name("laurel_l"), rank, hidden)?,
                up: registry.matrix(&name("laurel_r"), hidden, rank)?,
                norm: Norm::register(registry, config, &name("laurel_post_norm"), hidden)?,
            },
            input: PerLayerGate::register(registry, config, index, config.per_layer_width)?,
        })
    }

    /// Changes the streams; `inputs` are those of all layers.
    fn forward(
        &self,
        pass: &mut Forward<'_>,
        index: usize,
        streams: [Tensor; STREAMS],
        inputs: Tensor,
        ropes: &[RopeTable],
    ) {
        let Gemma3nLayer { layer, streams: learned, laurel, input } = self;
        pass.altup(streams, streams[0], learned, None);
        // What the layer makes of the first stream: attention and Laurel read the same, and add to that.
        let (made, branches) = layer.mix(pass, index, streams[0], ropes);
        let low = pass.linear(made, &laurel.down);
        let low = pass.linear(low, &laurel.up);
        pass.norm_into(low, &laurel.norm, made, NormTarget::added(made.cols));
        layer.add_mixed(pass, branches, made);
        pass.blend(streams[0], made, FRAC_1_SQRT_2);
        layer.feed_forward(pass, index, made, made);
        pass.altup(streams, made, learned, Some(made));
        pass.add_per_layer_input(made, index, inputs, input, &streams[1..]);
        pass.tap(index, "out", streams[0]);
    }
}

impl Decoder for Gemma3n {
    fn forward(&self, pass: &mut Forward<'_>, x: Tensor, ropes: &[RopeTable]) -> Tensor {
        let inputs = pass.per_layer_inputs(x, &self.inputs);
        let alike = |pass: &mut Forward<'_>, of: Tensor, matrix: &Matrix| {
            let other = pass.linear(of, matrix);
            pass.scale_rows(other, RowRule::Like(x.into()));
            other
        };
        let others: Vec<Tensor> = self.into.iter().map(|matrix| alike(pass, x, matrix)).collect();
        let streams = [x, others[0], others[1], others[2]];
        for (index, layer) in self.layers.iter().enumerate() {
            layer.forward(pass, index, streams, inputs, ropes);
        }
        let back: Vec<Tensor> =
            self.back.iter().zip(&streams[1..]).map(|(matrix, stream)| alike(pass, *stream, matrix)).collect();
        for (number, stream) in back.into_iter().enumerate() {
            let is_last = number + 2 == STREAMS;
            pass.blend(stream, x, if is_last { 1.0 / STREAMS as f32 } else { 1.0 });
        }
        x
    }

    fn unread_bytes(&self) -> u64 {
        self.inputs.table_bytes()
    }
}

impl Forward<'_> {
    /// Predicts streams, routed by the first, or corrects them by what a layer has made of it, routed by that.
    fn altup(&mut self, streams: [Tensor; STREAMS], by: Tensor, learned: &Streams, made: Option<Tensor>) {
        let normed = self.recorder.tensor(self.rows, by.cols);
        let factor = 1.0 / by.cols as f32;
        self.norm_into(by, &learned.router_norm, normed, NormTarget { factor, ..NormTarget::rows(by.cols) });
        // A bound of 1 is a hyperbolic tangent.
        let router = self.finished(normed, &learned.router, Epilogue::Cap(1.0));
        let vector = if made.is_some() { &learned.correct } else { &learned.predict };
        self.recorder.push(Altup {
            batch: self.batch(),
            streams: streams.map(TensorRef::from),
            router: router.into(),
            learned: vector.slice.clone().into(),
            made: made.map(TensorRef::from),
            rows: self.rows,
            cols: by.cols,
        });
    }

    /// `out = factor · (out + x)`.
    fn blend(&mut self, x: Tensor, out: Tensor, factor: f32) {
        let (batch, rows) = (self.batch(), self.rows);
        self.recorder.push(Blend { batch, x: x.into(), out: out.into(), rows, cols: out.cols, factor });
    }
}
