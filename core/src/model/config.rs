//! What a file says of its model, checked: sizes, RoPE, context.

use super::arch::Architecture;
use super::blocks::{NormKind, mtp_kinds};
use super::error::ModelError;
use super::experts::ExpertConfig;
use super::keys::Keys;
use super::layer_kind::{AttentionKind, LayerKind, RecurrentKind};
use super::pooling::{self, Pooling};
use super::rope::{Rope, Scaling};
use super::windows;
use crate::kernels::Activation;
use crate::kernels::rope::Temperature;
use crate::kv::groups::Lifetime;
use inglenook_format::gguf::Gguf;

/// Sizes and constants of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The architecture.
    pub architecture: &'static Architecture,
    /// `general.name`, or empty.
    pub name: String,
    /// Width of the residual stream.
    pub hidden: u32,
    /// Number of layers, without those that predict further tokens.
    pub layers: u32,
    /// Layers behind them that predict further tokens, and are no part of the main pass.
    pub predicting_layers: u32,
    /// What each layer is.
    pub layer_kinds: Vec<LayerKind>,
    /// What the first of the further layers keeps, as if of two layers behind the main ones.
    pub mtp_kinds: Vec<LayerKind>,
    /// The width of the models that it drafts for, reading their keys and values, where it is no model by itself.
    pub drafts_for: Option<u32>,
    /// Positions in front of a window that a drafter which reads its keys sees, too.
    pub lent_positions: u32,
    /// Query heads of the first layer that attends.
    pub heads: u32,
    /// Key/value heads of the first layer that attends.
    pub kv_heads: u32,
    /// Width of a head of the first layer that attends.
    pub head_dim: u32,
    /// Width of each layer's feed-forward layer.
    pub ffn: Vec<u32>,
    /// The experts that most layers have in its place, if any.
    pub experts: Option<ExpertConfig>,
    /// Its nonlinearity.
    pub activation: Activation,
    /// Whether a gate has it.
    pub is_gated: bool,
    /// Rows of the embedding: tokens of the vocabulary, and perhaps padding behind them.
    pub vocab: u32,
    /// What norms compute.
    pub norm: NormKind,
    /// The norms' epsilon.
    pub eps: f32,
    /// The ways in which queries and keys are rotated; the first is that of layers that see everything.
    pub ropes: Vec<Rope>,
    /// ALiBi: the exponent of the smallest slope, where scores lose by distance.
    pub max_bias: Option<f32>,
    /// How queries grow with their position, if they do.
    pub temperature: Option<Temperature>,
    /// How many standard deviations above their mean gates of each layer must be, where that is asked of them; empty: of none.
    pub sparsity: Vec<Option<f32>>,
    /// Columns of the inputs that each layer has of its own; 0 for none.
    pub per_layer_width: u32,
    /// What embeddings are multiplied by.
    pub embedding_scale: f32,
    /// What branches are multiplied by before they are added to the residual stream.
    pub residual_scale: f32,
    /// What logits are multiplied by.
    pub logit_scale: f32,
    /// Within what logits stay, if they are bounded.
    pub logit_cap: Option<f32>,
    /// The context up to which the model is right, where the file does not say which layers have a sliding window.
    pub window: Option<u32>,
    /// Tokens of context the model was trained for.
    pub context: u32,
    /// False where a token sees those that follow it, too: such a model generates nothing.
    pub is_causal: bool,
    /// What becomes of a text's vectors, where the file says it.
    pub pooling: Option<Pooling>,
    /// Whether the pooled vector goes through a classifier, which ranks texts.
    pub ranks: bool,
}

impl Config {
    /// Reads and checks the configuration of a file.
    ///
    /// # Errors
    /// [`ModelError`]: unknown architecture, missing keys, sizes that cannot be, keys that ask for what is not implemented.
    pub fn read(gguf: &Gguf) -> Result<Config, ModelError> {
        gguf.check_whole()?;
        let meta = &gguf.metadata;
        let kind = meta.text("general.type").map(str::trim).filter(|kind| !kind.is_empty());
        if let Some(kind) = kind.filter(|kind| !kind.eq_ignore_ascii_case("model")) {
            return Err(ModelError::feature(format!("what is no model by itself (`general.type` is `{kind}`)")));
        }
        let prefix = meta.str("general.architecture")?;
        let architecture = Architecture::from_name(prefix)?;
        let keys = Keys { meta, prefix };
        let hidden = keys.size("embedding_length", 1 << 16)?;
        let blocks = keys.size("block_count", 1 << 10)?;
        let layers = if architecture.is_drafter { blocks } else { main_layers(gguf, &keys, blocks)? };
        let context = keys.size("context_length", 1 << 24)?;
        let heads = keys.of_layers("attention.head_count", blocks, 1 << 10)?;
        let kv_heads = match keys.meta.get(&keys.key("attention.head_count_kv")) {
            Some(_) => keys.of_layers("attention.head_count_kv", blocks, 1 << 10)?,
            None => heads.clone(),
        };
        let head_dim = match keys.optional("attention.key_length")? {
            Some(length) => length,
            None => hidden / heads[0].max(1),
        };
        let embedding = gguf.tensor("token_embd.weight")?;
        let windows = windows::read(&keys, architecture.windows, layers, context)?;
        // Where all layers have experts, files may leave out the width of dense ones.
        let (dense, of_experts) = ("feed_forward_length", "expert_feed_forward_length");
        let has = |name| keys.meta.get(&keys.key(name)).is_some();
        let ffn = keys.of_layers(if has(of_experts) && !has(dense) { of_experts } else { dense }, blocks, 1 << 18)?;
        let kind = |(window, (heads, kv_heads)): (_, (&u32, &u32))| {
            LayerKind::Attention(AttentionKind {
                heads: *heads,
                kv_heads: *kv_heads,
                head_dim,
                lifetime: Lifetime { window, ..Lifetime::default() },
                rope: Some(0),
                scale: 1.0 / (head_dim as f32).sqrt(),
                cap: None,
                norms_values: false,
                cache_of: None,
                first: 0,
            })
        };
        let mut config = Config {
            architecture,
            name: meta.text("general.name").unwrap_or_default().to_string(),
            hidden,
            layers,
            predicting_layers: blocks - layers,
            layer_kinds: windows.layers.into_iter().zip(heads.iter().zip(&kv_heads)).map(kind).collect(),
            mtp_kinds: Vec::new(),
            drafts_for: None,
            lent_positions: 0,
            heads: heads[0],
            kv_heads: kv_heads[0],
            head_dim,
            experts: match architecture.reads.contains(&"expert_count") {
                true => ExpertConfig::read(&keys, ffn[0])?,
                false => None,
            },
            ffn,
            activation: activation(&keys)?,
            is_gated: true,
            vocab: u32::try_from(embedding.rows())
                .map_err(|_| ModelError::size("its vocabulary has over 2^32 tokens"))?,
            norm: NormKind::Rms,
            eps: epsilon(&keys)?,
            ropes: vec![Rope::read(&keys, architecture.rope, head_dim, context)?],
            max_bias: None,
            temperature: None,
            sparsity: Vec::new(),
            per_layer_width: 0,
            embedding_scale: 1.0,
            residual_scale: 1.0,
            logit_scale: 1.0,
            logit_cap: None,
            window: windows.context,
            context,
            is_causal: architecture.is_causal,
            pooling: None,
            ranks: false,
        };
        pooling::configure(&mut config, &keys)?;
        (architecture.configure)(&mut config, &keys)?;
        let first = config.attentions_mut().next().copied();
        if let Some(AttentionKind { heads, kv_heads, head_dim, .. }) = first {
            (config.heads, config.kv_heads, config.head_dim) = (heads, kv_heads, head_dim);
        }
        config.check(&keys, head_dim)?;
        if config.predicting_layers > 0 {
            config.mtp_kinds = mtp_kinds(&config);
        }
        Ok(config)
    }

    /// `length` is the width of heads that the file gives for layers that see everything.
    fn check(&self, keys: &Keys<'_>, length: u32) -> Result<(), ModelError> {
        for kind in &self.layer_kinds {
            let AttentionKind { heads, kv_heads, head_dim, .. } = match kind {
                LayerKind::Attention(kind) | LayerKind::Parallel(kind, _) => *kind,
                LayerKind::Conv(_) | LayerKind::Recurrent(_) | LayerKind::FeedForward => continue,
            };
            if kv_heads == 0 || heads == 0 || !heads.is_multiple_of(kv_heads) {
                return Err(ModelError::size(format!("{heads} query heads share {kv_heads} key/value heads")));
            }
            if head_dim == 0 || head_dim > 512 || !head_dim.is_multiple_of(8) {
                return Err(ModelError::size(format!("its heads are {head_dim} wide")));
            }
            if !(heads * head_dim).is_multiple_of(32) {
                return Err(ModelError::feature(format!("rows of {} weights, no multiple of 32", heads * head_dim)));
            }
        }
        keys.refuse("attention.value_length", "values of another width", &[f64::from(length)])?;
        // Where layers may be without, that is 0.
        let optional = self.architecture.reads.contains(&"feed_forward_length");
        for width in self.ffn.iter().filter(|width| !optional || **width > 0).chain([&self.hidden]) {
            if *width == 0 || !width.is_multiple_of(32) {
                return Err(ModelError::feature(format!("rows of {width} weights, no multiple of 32")));
            }
        }
        if !self.eps.is_finite() || self.eps <= 0.0 {
            return Err(ModelError::size("its norms' epsilon is not a positive number"));
        }
        let reads = self.architecture.reads;
        if !reads.contains(&"attention.scale") {
            let scale = 1.0 / f64::from(length).sqrt();
            keys.refuse("attention.scale", "attention scores of another scale", &[0.0, scale])?;
        }
        if !reads.contains(&"attention.key_length_swa") {
            for name in ["attention.key_length_swa", "attention.value_length_swa"] {
                keys.refuse(name, "heads of several widths", &[f64::from(length)])?;
            }
        }
        if !reads.contains(&"rope.freq_base_swa") {
            let base = f64::from(self.ropes[0].base);
            keys.refuse("rope.freq_base_swa", "two bases for RoPE", &[0.0, base])?;
        }
        keys.refuse_changes(reads)
    }

    /// Refuses a run over more positions than attention would see.
    ///
    /// # Errors
    /// [`ModelError::Feature`].
    pub(super) fn check_context(&self, context: u32) -> Result<(), ModelError> {
        match self.window {
            Some(window) if context > window => Err(ModelError::feature(format!(
                "a sliding window of {window} tokens in a context of {context} (a context of at most {window} works)"
            ))),
            _ => Ok(()),
        }
    }

    /// What it is for: to `generate` answers, to `embed` texts or to `rank` them, or to `draft` for another.
    pub fn purpose(&self) -> &'static str {
        match (self.generates(), self.drafts_for, self.ranks) {
            (true, ..) => "generate",
            (_, Some(_), _) => "draft",
            (_, None, false) => "embed",
            (_, None, true) => "rank",
        }
    }

    /// Whether the model answers, and does not embed or rank texts.
    pub fn generates(&self) -> bool {
        self.is_causal && self.pooling.is_none() && self.drafts_for.is_none()
    }

    /// Refuses a model that generates nothing.
    ///
    /// # Errors
    /// [`ModelError::Feature`].
    pub fn check_generates(&self) -> Result<(), ModelError> {
        self.check_is_whole()?;
        match self.generates() {
            true => Ok(()),
            false => Err(ModelError::feature("answers of a model that embeds or ranks texts")),
        }
    }

    /// Refuses a drafter that works beside another model alone.
    ///
    /// # Errors
    /// [`ModelError::Drafter`].
    pub fn check_is_whole(&self) -> Result<(), ModelError> {
        match self.drafts_for {
            None => Ok(()),
            Some(_) => Err(ModelError::Drafter { architecture: self.architecture.name }),
        }
    }

    /// The width of the hidden states that it keeps for a drafter beside it, where there are such drafters.
    pub fn width_of_hidden_states(&self) -> Option<u32> {
        match self.mtp_kinds[..] {
            [LayerKind::Conv(kind)] => Some(kind.channels),
            _ => None,
        }
    }

    /// The last layer that has keys and values of its own, of those that see a window or of the others.
    pub fn last_keys(&self, is_windowed: bool) -> Option<u32> {
        let has_keys = |kind: &LayerKind| match kind {
            LayerKind::Attention(kind) => kind.cache_of.is_none() && kind.lifetime.window.is_some() == is_windowed,
            _ => false,
        };
        self.layer_kinds.iter().rposition(has_keys).map(|layer| layer as u32)
    }

    /// The attention of layer `index`.
    pub fn attention(&self, index: u32) -> &AttentionKind {
        match self.layer_kinds.get(index as usize).or(self.mtp_kinds.first()) {
            Some(LayerKind::Attention(kind) | LayerKind::Parallel(kind, _)) => kind,
            _ => unreachable!("its architecture knows which layers attend"),
        }
    }

    /// The attention of every layer that has some, to be changed.
    pub(super) fn attentions_mut(&mut self) -> impl Iterator<Item = &mut AttentionKind> {
        self.layer_kinds.iter_mut().filter_map(|kind| match kind {
            LayerKind::Attention(kind) | LayerKind::Parallel(kind, _) => Some(kind),
            LayerKind::Conv(_) | LayerKind::Recurrent(_) | LayerKind::FeedForward => None,
        })
    }

    /// Makes a recurrence of each layer that would attend to no key heads.
    pub(super) fn recur_without_keys(&mut self, recurrent: RecurrentKind) {
        for kind in &mut self.layer_kinds {
            if matches!(kind, LayerKind::Attention(attention) if attention.kv_heads == 0) {
                *kind = LayerKind::Recurrent(recurrent);
            }
        }
    }

    /// Lets layers that see a window rotate by this base, not stretched; the others stay as they are.
    ///
    /// # Errors
    /// A base that is no positive number.
    pub(super) fn turn_windows_by(&mut self, base: f32) -> Result<(), ModelError> {
        if !base.is_finite() || base <= 0.0 {
            return Err(ModelError::size("the base of its windowed layers' RoPE is not a positive number"));
        }
        let local =
            Rope { base, scaling: Scaling::None, attention_factor: 1.0, has_factors: false, ..self.ropes[0].clone() };
        let number = self.ropes.len();
        self.ropes.push(local);
        self.attentions_mut().filter(|kind| kind.lifetime.window.is_some()).for_each(|kind| kind.rope = Some(number));
        Ok(())
    }

    /// Lets windows of so many positions reach as far behind a token as before it: half of them each way.
    pub(super) fn centre_windows(&mut self) {
        let windows = self.attentions_mut().filter_map(|kind| kind.lifetime.window.as_mut());
        windows.for_each(|window| *window = *window / 2 + 1);
    }

    /// Lets each of the last `readers` layers read the keys and values of the last layer before them that sees as far.
    ///
    /// # Errors
    /// No such layer.
    pub(super) fn share_keys(&mut self, readers: u32) -> Result<(), ModelError> {
        let own = self.layers.saturating_sub(readers);
        for reader in own..self.layers {
            let window = self.attention(reader).lifetime.window;
            let owner = (0..own).rev().find(|owner| self.attention(*owner).lifetime.window == window);
            let Some(owner) = owner else {
                return Err(ModelError::size(format!("no layer has keys and values for layer {reader}")));
            };
            if let LayerKind::Attention(kind) = &mut self.layer_kinds[reader as usize] {
                kind.cache_of = Some(owner);
            }
        }
        Ok(())
    }

    /// What each layer is of those that run, perhaps with what MTP keeps, or a drafter beside the model.
    pub fn running_kinds(&self, mtp: bool) -> Vec<LayerKind> {
        let mut kinds = self.layer_kinds.clone();
        if mtp {
            let windows = kinds.iter_mut().filter_map(|kind| match kind {
                LayerKind::Attention(kind) => kind.lifetime.window.as_mut(),
                _ => None,
            });
            windows.for_each(|window| *window += self.lent_positions);
            kinds.extend(&self.mtp_kinds);
        }
        kinds
    }

    /// Width of the feed-forward layer of layer `index`.
    pub fn ffn(&self, index: u32) -> u32 {
        self.ffn[index as usize]
    }
}

/// How many of the layers are part of the main pass: those that predict further tokens come behind, or are left out of the file.
fn main_layers(gguf: &Gguf, keys: &Keys<'_>, blocks: u32) -> Result<u32, ModelError> {
    let predicting = keys.optional("nextn_predict_layers")?.unwrap_or(0);
    let layers = blocks.saturating_sub(predicting);
    if layers == 0 {
        return Err(ModelError::size(format!("none of its {blocks} layers is part of the main pass")));
    }
    for layer in layers..blocks {
        let of_layer = format!("blk.{layer}.");
        let is_main = gguf.find(&format!("{of_layer}attn_norm.weight")).is_some()
            && !gguf.tensors().iter().any(|tensor| tensor.name.starts_with(&format!("{of_layer}nextn.")));
        if is_main {
            keys.refuse("nextn_predict_layers", "layers that predict further tokens without their parts", &[0.0])?;
        }
    }
    Ok(layers)
}

/// The nonlinearity that a file names, or SiLU.
fn activation(keys: &Keys<'_>) -> Result<Activation, ModelError> {
    match keys.text("hidden_activation")? {
        None | Some("silu" | "swish") => Ok(Activation::Silu),
        Some("gelu") => Ok(Activation::Gelu),
        Some("gelu_pytorch_tanh" | "gelu_new" | "gelu_tanh") => Ok(Activation::GeluTanh),
        Some("relu2") => Ok(Activation::ReluSquared),
        Some(other) => Err(ModelError::feature(format!("the activation `{other}`"))),
    }
}

/// The epsilon of norms, of either kind.
fn epsilon(keys: &Keys<'_>) -> Result<f32, ModelError> {
    match keys.number("attention.layer_norm_rms_epsilon")? {
        Some(eps) => Ok(eps),
        None => match keys.number("attention.layer_norm_epsilon")? {
            Some(eps) => Ok(eps),
            // The error of a missing key.
            None => Ok(keys.meta.f32(&keys.key("attention.layer_norm_rms_epsilon"))?),
        },
    }
}
