//! What a file says of its model, checked: sizes, RoPE, context.

use crate::format::gguf::{Gguf, GgufError, Metadata};
use crate::kernels::rope::RopeStyle;

/// A model that inglenook cannot run, or a file that contradicts itself.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ModelError {
    /// The file's metadata or tensors are at fault.
    #[error(transparent)]
    Gguf(#[from] GgufError),
    /// An architecture that is not implemented.
    #[error("models of the architecture `{found}` are not supported yet; supported are {supported}")]
    Architecture {
        /// As the file names it.
        found: String,
        /// What would work.
        supported: String,
    },
    /// A feature of a known architecture that is not implemented.
    #[error("this model uses {feature}, which is not supported yet")]
    Feature {
        /// The feature, in words.
        feature: String,
    },
    /// A size that is out of range or contradicts another.
    #[error("the model file says {what}, which cannot be; download it again or get it from another source")]
    Size {
        /// The contradiction, in words.
        what: String,
    },
    /// A tensor whose shape is not what the sizes ask for.
    #[error(
        "the tensor `{name}` is {found:?}, and the model's sizes ask for {wanted:?}; the file is damaged or mislabelled"
    )]
    Shape {
        /// The tensor.
        name: String,
        /// Its dimensions, rows last.
        found: Vec<u64>,
        /// The dimensions expected.
        wanted: Vec<u64>,
    },
}

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
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Config {
    /// The architecture.
    pub architecture: Architecture,
    /// `general.name`, or empty.
    pub name: String,
    /// Width of the residual stream.
    pub hidden: u32,
    /// Number of layers.
    pub layers: u32,
    /// Query heads.
    pub heads: u32,
    /// Key/value heads; divides `heads`.
    pub kv_heads: u32,
    /// Width of a head; a multiple of 8.
    pub head_dim: u32,
    /// Width of the feed-forward layer.
    pub ffn: u32,
    /// Tokens in the vocabulary: rows of the embedding.
    pub vocab: u32,
    /// The norms' epsilon.
    pub eps: f32,
    /// RoPE's base.
    pub rope_base: f32,
    /// Dimensions of a head that are rotated; even.
    pub rope_dims: u32,
    /// All frequencies are divided by this (linear scaling).
    pub rope_scale: f32,
    /// Which dimensions form a pair.
    #[serde(skip)]
    pub rope_style: RopeStyle,
    /// Tokens of context the model was trained for.
    pub context: u32,
}

impl Config {
    /// Reads and checks the configuration of a file.
    ///
    /// # Errors
    /// [`ModelError`]: unknown architecture, missing keys, sizes that cannot be.
    pub fn read(gguf: &Gguf) -> Result<Config, ModelError> {
        let meta = &gguf.metadata;
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
        let config = Config {
            architecture,
            name: meta.opt_str("general.name")?.unwrap_or_default().to_string(),
            hidden,
            layers: keys.size("block_count", 1 << 10)?,
            heads,
            kv_heads: keys.optional("attention.head_count_kv")?.unwrap_or(heads),
            head_dim,
            ffn: keys.size("feed_forward_length", 1 << 18)?,
            vocab: u32::try_from(embedding.rows()).map_err(|_| size("its vocabulary has over 2^32 tokens"))?,
            eps: meta.f32(&keys.key("attention.layer_norm_rms_epsilon"))?,
            rope_base: meta.opt_f32(&keys.key("rope.freq_base"))?.unwrap_or(10_000.0),
            rope_dims: keys.optional("rope.dimension_count")?.unwrap_or(head_dim),
            rope_scale: keys.rope_scale()?,
            rope_style: match architecture {
                Architecture::Llama => RopeStyle::Interleaved,
                Architecture::Qwen2 | Architecture::Qwen3 => RopeStyle::HalfSplit,
            },
            context: keys.size("context_length", 1 << 24)?,
        };
        config.check(&keys)?;
        Ok(config)
    }

    fn check(&self, keys: &Keys<'_>) -> Result<(), ModelError> {
        let Config { hidden, heads, kv_heads, head_dim, ffn, rope_dims, .. } = *self;
        if kv_heads == 0 || !heads.is_multiple_of(kv_heads) {
            return Err(size(format!("{heads} query heads share {kv_heads} key/value heads")));
        }
        if head_dim == 0 || head_dim > 512 || !head_dim.is_multiple_of(8) {
            return Err(size(format!("its heads are {head_dim} wide")));
        }
        if keys.optional("attention.value_length")?.is_some_and(|value| value != head_dim) {
            return Err(ModelError::Feature { feature: "values of another width than keys".into() });
        }
        if rope_dims == 0 || rope_dims > head_dim || !rope_dims.is_multiple_of(2) {
            return Err(size(format!("{rope_dims} of {head_dim} dimensions are rotated")));
        }
        if !hidden.is_multiple_of(32) || !ffn.is_multiple_of(32) || !(heads * head_dim).is_multiple_of(32) {
            return Err(ModelError::Feature {
                feature: format!("rows of {hidden} or {ffn} weights, no multiple of 32"),
            });
        }
        let sane = |value: f32| value.is_finite() && value > 0.0;
        if !sane(self.eps) || !sane(self.rope_base) || !sane(self.rope_scale) {
            return Err(size("its norm epsilon or RoPE constants are not positive numbers"));
        }
        if keys.optional("expert_count")?.is_some_and(|count| count > 0) {
            return Err(ModelError::Feature { feature: "a mixture of experts".into() });
        }
        Ok(())
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

/// The keys of one architecture.
struct Keys<'a> {
    meta: &'a Metadata,
    prefix: &'a str,
}

impl Keys<'_> {
    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }

    fn optional(&self, name: &str) -> Result<Option<u32>, ModelError> {
        Ok(self.meta.opt_u32(&self.key(name))?)
    }

    /// A size between 1 and `max`.
    fn size(&self, name: &str, max: u32) -> Result<u32, ModelError> {
        let value = self.meta.u32(&self.key(name))?;
        match value {
            value if (1..=max).contains(&value) => Ok(value),
            value => Err(size(format!("`{}` is {value}", self.key(name)))),
        }
    }

    fn rope_scale(&self) -> Result<f32, ModelError> {
        match self.meta.opt_str(&self.key("rope.scaling.type"))? {
            None | Some("none") => Ok(1.0),
            Some("linear") => Ok(self.meta.opt_f32(&self.key("rope.scaling.factor"))?.unwrap_or(1.0)),
            Some(other) => Err(ModelError::Feature { feature: format!("RoPE scaling of the type `{other}`") }),
        }
    }
}

fn size(what: impl Into<String>) -> ModelError {
    ModelError::Size { what: what.into() }
}
