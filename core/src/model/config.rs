//! What a file says of its model, checked: sizes, RoPE, context.

use super::error::ModelError;
use super::keys::Keys;
use super::layer_kind::{AttentionKind, LayerKind};
use super::rope::Rope;
use super::windows;
use crate::kv::groups::Lifetime;
use inglenook_format::gguf::Gguf;

/// Architectures that inglenook runs, under GGUF's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    /// Llama 2 and 3, Mistral, SmolLM2 and all that share their layout.
    Llama,
    /// Qwen2 and 2.5.
    Qwen2,
    /// Qwen3, dense.
    Qwen3,
}

impl Architecture {
    const ALL: [(&'static str, Architecture); 3] =
        [("llama", Architecture::Llama), ("qwen2", Architecture::Qwen2), ("qwen3", Architecture::Qwen3)];

    fn from_name(name: &str) -> Result<Architecture, ModelError> {
        Architecture::ALL.iter().find(|(known, _)| *known == name).map(|(_, architecture)| *architecture).ok_or_else(
            || ModelError::Architecture {
                found: name.into(),
                supported: Architecture::ALL.map(|(known, _)| known).join(", "),
            },
        )
    }
}

/// Sizes and constants of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The architecture.
    pub architecture: Architecture,
    /// `general.name`, or empty.
    pub name: String,
    /// Width of the residual stream.
    pub hidden: u32,
    /// Number of layers.
    pub layers: u32,
    /// What each layer is.
    pub layer_kinds: Vec<LayerKind>,
    /// Query heads.
    pub heads: u32,
    /// Key/value heads; divides `heads`.
    pub kv_heads: u32,
    /// Width of a head; a multiple of 8.
    pub head_dim: u32,
    /// Width of the feed-forward layer.
    pub ffn: u32,
    /// Rows of the embedding: tokens of the vocabulary, and perhaps padding behind them.
    pub vocab: u32,
    /// The norms' epsilon.
    pub eps: f32,
    /// How queries and keys are rotated.
    pub rope: Rope,
    /// The context up to which the model is right, where the file does not say which layers have a sliding window.
    pub window: Option<u32>,
    /// Tokens of context the model was trained for.
    pub context: u32,
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
        let heads = keys.size("attention.head_count", 1 << 10)?;
        let head_dim = match keys.optional("attention.key_length")? {
            Some(length) => length,
            None => hidden / heads,
        };
        let embedding = gguf.tensor("token_embd.weight")?;
        let context = keys.size("context_length", 1 << 24)?;
        let layers = keys.size("block_count", 1 << 10)?;
        let kv_heads = keys.optional("attention.head_count_kv")?.unwrap_or(heads);
        let windows = windows::read(&keys, architecture, layers, context)?;
        let kind =
            |window| LayerKind::Attention(AttentionKind { kv_heads, head_dim, lifetime: Lifetime { window, keep: 0 } });
        let config = Config {
            architecture,
            name: meta.text("general.name").unwrap_or_default().to_string(),
            hidden,
            layers,
            layer_kinds: windows.layers.into_iter().map(kind).collect(),
            heads,
            kv_heads,
            head_dim,
            ffn: keys.size("feed_forward_length", 1 << 18)?,
            vocab: u32::try_from(embedding.rows())
                .map_err(|_| ModelError::size("its vocabulary has over 2^32 tokens"))?,
            eps: meta.f32(&keys.key("attention.layer_norm_rms_epsilon"))?,
            rope: Rope::read(&keys, architecture.rope_style(), head_dim, context)?,
            window: windows.context,
            context,
        };
        config.check(&keys)?;
        Ok(config)
    }

    fn check(&self, keys: &Keys<'_>) -> Result<(), ModelError> {
        let Config { hidden, heads, kv_heads, head_dim, ffn, .. } = *self;
        if kv_heads == 0 || !heads.is_multiple_of(kv_heads) {
            return Err(ModelError::size(format!("{heads} query heads share {kv_heads} key/value heads")));
        }
        if head_dim == 0 || head_dim > 512 || !head_dim.is_multiple_of(8) {
            return Err(ModelError::size(format!("its heads are {head_dim} wide")));
        }
        for name in ["attention.value_length", "attention.key_length_swa", "attention.value_length_swa"] {
            keys.refuse(name, "heads of several widths", &[f64::from(head_dim)])?;
        }
        if !hidden.is_multiple_of(32) || !ffn.is_multiple_of(32) || !(heads * head_dim).is_multiple_of(32) {
            return Err(ModelError::feature(format!("rows of {hidden} or {ffn} weights, no multiple of 32")));
        }
        if !self.eps.is_finite() || self.eps <= 0.0 {
            return Err(ModelError::size("its norms' epsilon is not a positive number"));
        }
        let scale = 1.0 / f64::from(head_dim).sqrt();
        keys.refuse("attention.scale", "attention scores of another scale", &[0.0, scale])?;
        if let Some(activation) = keys.text("hidden_activation")?.filter(|name| !["silu", "swish"].contains(name)) {
            return Err(ModelError::feature(format!("the activation `{activation}`")));
        }
        keys.refuse_changes()
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

    /// What layer `index` is.
    pub fn kind(&self, index: u32) -> LayerKind {
        self.layer_kinds[index as usize]
    }

    /// Columns of the query projection.
    pub fn q_width(&self) -> u32 {
        self.heads * self.head_dim
    }

    /// Columns of the key projection, and of the value projection.
    pub fn kv_width(&self) -> u32 {
        self.kv_heads * self.head_dim
    }

    /// Columns of query, key and value side by side.
    pub fn qkv_width(&self) -> u32 {
        self.q_width() + 2 * self.kv_width()
    }
}
