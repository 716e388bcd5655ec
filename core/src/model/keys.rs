//! The keys of one architecture: what is read, and what would change the computation and is refused.
//!
//! A key that is not known here is taken for a remark. So every key that is known to change what a model computes must either
//! be read in `config.rs`, in `rope.rs` or by its architecture, or stand in [`CHANGES`].

use super::error::ModelError;
use inglenook_format::gguf::{Array, Metadata, Value};

/// Keys that change what a model computes in ways that are not implemented: the key behind `{arch}.`, what it asks for, and
/// the values with which it asks for nothing. Source: the keys that llama.cpp reads.
const CHANGES: &[(&str, &str, &[f64])] = &[
    ("expert_count", "a mixture of experts", &[0.0]),
    ("use_parallel_residual", "attention and feed-forward layers side by side", &[0.0]),
    ("logit_scale", "scaled logits", &[0.0, 1.0]),
    ("embedding_scale", "scaled embeddings", &[0.0, 1.0]),
    ("residual_scale", "scaled residuals", &[0.0, 1.0]),
    ("attn_logit_softcapping", "capped attention scores", &[0.0]),
    ("final_logit_softcapping", "capped logits", &[0.0]),
    ("attention.clamp_kqv", "clamped queries, keys and values", &[0.0]),
    ("attention.max_alibi_bias", "attention biased by distance (ALiBi)", &[0.0]),
    ("attention.output_scale", "scaled attention outputs", &[0.0, 1.0]),
    ("attention.value_scale", "scaled values", &[0.0, 1.0]),
    ("attention.temperature_scale", "attention scaled by position", &[0.0]),
    ("attention.chunk_size", "attention in chunks", &[0.0]),
    ("attention.shared_kv_layers", "layers that share keys and values", &[0.0]),
    ("attention.q_lora_rank", "latent attention", &[0.0]),
    ("attention.kv_lora_rank", "latent attention", &[0.0]),
    ("attention.rope_pattern", "layers without positions", &[1.0]),
    ("no_rope_layer_interval", "layers without positions", &[0.0]),
    ("full_attention_interval", "layers without attention", &[0.0, 1.0]),
    ("embedding_length_per_layer_input", "embeddings of their own for each layer", &[0.0]),
    ("activation_sparsity_scale", "sparse activations", &[0.0]),
    ("rope.dimension_sections", "positions in several dimensions", &[0.0]),
    ("rope.scaling.yarn_ext_factor", "YaRN with an extrapolation factor of its own", &[1.0, -1.0]),
    ("vision.block_count", "images", &[0.0]),
];

/// The keys of one architecture.
pub(super) struct Keys<'a> {
    pub meta: &'a Metadata,
    pub prefix: &'a str,
}

impl Keys<'_> {
    /// The whole key.
    pub fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }

    /// An integer. What files give for each layer counts where it is the same for all.
    pub fn optional(&self, name: &str) -> Result<Option<u32>, ModelError> {
        let key = self.key(name);
        let same = match self.meta.get(&key) {
            Some(Value::Array(array)) => match array.integers().map(Iterator::collect::<Vec<i128>>).as_deref() {
                Some([first, rest @ ..]) if rest.iter().all(|other| other == first) => Some(*first),
                _ => return Err(ModelError::feature(format!("layers of different sizes (`{key}`)"))),
            },
            _ => return Ok(self.meta.opt_u32(&key)?),
        };
        let fits = same.and_then(|value| u32::try_from(value).ok());
        fits.map(Some).ok_or_else(|| ModelError::size(format!("`{key}` is out of range")))
    }

    /// A number for each of so many layers, of `max` at most: one for all, or one for each.
    pub fn of_layers(&self, name: &str, layers: u32, max: u32) -> Result<Vec<u32>, ModelError> {
        let key = self.key(name);
        let values = match self.meta.get(&key) {
            Some(Value::Array(array)) => {
                let values = array.integers().map(Iterator::collect::<Vec<i128>>);
                match values.as_deref() {
                    // What is the same in all layers counts for all, however many files name.
                    Some([first, rest @ ..]) if rest.iter().all(|other| other == first) => {
                        vec![*first; layers as usize]
                    }
                    Some(values) if values.len() == layers as usize => values.to_vec(),
                    _ => {
                        let what = format!("`{key}` is not a number for each of its {layers} layers");
                        return Err(ModelError::size(what));
                    }
                }
            }
            _ => vec![self.meta.u32(&key)?.into(); layers as usize],
        };
        let fitting = values.into_iter().map(|value| u32::try_from(value).ok().filter(|value| *value <= max));
        fitting.collect::<Option<_>>().ok_or_else(|| ModelError::size(format!("`{key}` is out of range")))
    }

    /// A positive number, or `default` where there is none; of 0, none.
    pub fn bound(&self, name: &str, default: f32) -> Result<Option<f32>, ModelError> {
        let value = self.number(name)?.unwrap_or(default);
        match value.is_finite() && value >= 0.0 {
            true => Ok(Some(value).filter(|value| *value > 0.0)),
            false => Err(ModelError::size(format!("`{}` is {value}", self.key(name)))),
        }
    }

    /// A truth value.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, ModelError> {
        let key = self.key(name);
        match self.meta.get(&key) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(ModelError::size(format!("`{key}` is neither true nor false"))),
        }
    }

    /// A size between 1 and `max`.
    pub fn size(&self, name: &str, max: u32) -> Result<u32, ModelError> {
        match self.optional(name)? {
            Some(value) if (1..=max).contains(&value) => Ok(value),
            Some(value) => Err(ModelError::size(format!("`{}` is {value}", self.key(name)))),
            // The error of a missing key.
            None => Ok(self.meta.u32(&self.key(name))?),
        }
    }

    /// A number of whatever type.
    pub fn number(&self, name: &str) -> Result<Option<f32>, ModelError> {
        let key = self.key(name);
        match self.meta.get(&key) {
            Some(value) if value.as_integer().is_some() => Ok(value.as_integer().map(|integer| integer as f32)),
            _ => Ok(self.meta.opt_f32(&key)?),
        }
    }

    /// A text.
    pub fn text(&self, name: &str) -> Result<Option<&str>, ModelError> {
        Ok(self.meta.opt_str(&self.key(name))?)
    }

    /// Refuses a key that is there with a value that changes something.
    pub fn refuse(&self, name: &str, what: &str, neutral: &[f64]) -> Result<(), ModelError> {
        let key = self.key(name);
        match self.meta.get(&key) {
            Some(value) if !is_neutral(value, neutral) => {
                Err(ModelError::feature(format!("{what} (`{key}` is {})", shown(value))))
            }
            _ => Ok(()),
        }
    }

    /// Refuses whatever of [`CHANGES`] would change something, but for what the architecture `reads`.
    pub fn refuse_changes(&self, reads: &[&str]) -> Result<(), ModelError> {
        let unread = CHANGES.iter().filter(|(name, ..)| !reads.contains(name));
        unread.into_iter().try_for_each(|(name, what, neutral)| self.refuse(name, what, neutral))
    }
}

/// Whether every number of a value is one of these, but for rounding.
fn is_neutral(value: &Value, neutral: &[f64]) -> bool {
    let is_one = |number: f64| neutral.iter().any(|one| (number - one).abs() <= 1e-4 * one.abs());
    match value {
        Value::Bool(value) => is_one(f64::from(u8::from(*value))),
        Value::F32(value) => is_one(f64::from(*value)),
        Value::F64(value) => is_one(*value),
        Value::Array(Array::Bool(values)) => values.iter().all(|value| is_one(f64::from(u8::from(*value)))),
        Value::Array(Array::F32(values)) => values.iter().all(|value| is_one(f64::from(*value))),
        Value::Array(Array::F64(values)) => values.iter().all(|value| is_one(*value)),
        Value::Array(array) => array.integers().is_some_and(|mut all| all.all(|value| is_one(value as f64))),
        scalar => scalar.as_integer().is_some_and(|value| is_one(value as f64)),
    }
}

/// A value as an error shows it.
fn shown(value: &Value) -> String {
    match value {
        Value::Bool(value) => value.to_string(),
        Value::F32(value) => value.to_string(),
        Value::F64(value) => value.to_string(),
        scalar => {
            scalar.as_integer().map_or_else(|| format!("of the type {}", scalar.type_name()), |value| value.to_string())
        }
    }
}
