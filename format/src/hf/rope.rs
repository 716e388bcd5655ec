//! RoPE: the keys and the tensors that say how positions become angles.
//!
//! `config.json` has one of two forms: `rope_theta`, `rope_scaling` and others at the top (transformers 4), or `rope_parameters`, where all
//! is in one object or in one for each kind of layer (transformers 5).

use serde_json::{Map, Value};

use super::config::{Config, bad, floats, missing};
use super::error::HfError;
use super::keys::Keys;
use super::tensor::Tensor;

/// What a model says of its positions.
#[derive(Debug, Clone, Default)]
pub(super) struct Rope {
    /// Of all layers, or of those that see everything.
    full: Map<String, Value>,
    /// The base of layers with a window, where it is one of its own.
    window_theta: Option<f64>,
}

impl Rope {
    /// Reads either form. `theta` stands for a base that is missing.
    pub fn read(config: &Config, theta: f64) -> Result<Rope, HfError> {
        let found = config.object("rope_parameters").or(config.object("rope_scaling")).cloned().unwrap_or_default();
        let full = found.get("full_attention").and_then(Value::as_object);
        let window = found.get("sliding_attention").and_then(Value::as_object);
        if full.is_some() || window.is_some() {
            let window_theta = window.and_then(|window| window.get("rope_theta")).and_then(Value::as_f64);
            return Ok(Rope { full: full.cloned().unwrap_or_default(), window_theta });
        }
        let mut full = found;
        let thetas = ["global_rope_theta", "rope_global_theta", "rope_theta", "rotary_emb_base"];
        let local = ["local_rope_theta", "rope_local_theta", "swa_rope_theta", "rope_local_base_freq"];
        let mut fill = |key: &str, value: Option<f64>| {
            if let (false, Some(value)) = (full.contains_key(key), value) {
                full.insert(key.into(), value.into());
            }
        };
        fill("rope_theta", Some(config.opt_float(&thetas)?.unwrap_or(theta)));
        fill("partial_rotary_factor", config.opt_float(&["partial_rotary_factor", "rope_pct", "rope_percent"])?);
        fill("original_max_position_embeddings", config.opt_float(&["original_max_position_embeddings"])?);
        Ok(Rope { full, window_theta: config.opt_float(&local)? })
    }

    /// How angles are scaled, in lower case; empty where they are not.
    pub fn kind(&self) -> String {
        let kind = self.full.get("rope_type").or(self.full.get("type")).and_then(Value::as_str);
        kind.filter(|kind| *kind != "default").unwrap_or_default().to_lowercase()
    }

    /// A number.
    pub fn number(&self, key: &str) -> Result<Option<f64>, HfError> {
        let value = self.full.get(key).filter(|value| !value.is_null());
        value.map(|value| value.as_f64().ok_or_else(|| bad(key, value, "a number"))).transpose()
    }

    /// A number that must be there.
    pub fn need(&self, key: &str) -> Result<f64, HfError> {
        self.number(key)?.ok_or_else(|| missing(key))
    }

    /// Numbers, where there are some.
    pub fn numbers(&self, key: &str) -> Result<Option<Vec<f64>>, HfError> {
        let value = self.full.get(key).filter(|value| !value.is_null());
        value.map(|value| floats(key, value)).transpose()
    }

    /// The base.
    pub fn theta(&self) -> Result<f64, HfError> {
        self.need("rope_theta")
    }

    /// The part of a head that turns.
    pub fn partial(&self, default: f64) -> Result<f64, HfError> {
        Ok(self.number("partial_rotary_factor")?.unwrap_or(default))
    }

    /// The keys that all architectures have.
    pub fn keys(&self, keys: &mut Keys) -> Result<(), HfError> {
        let kind = self.kind();
        let factor = self.number("factor")?;
        match kind.as_str() {
            "linear" if factor.is_some() => {
                keys.set("rope.scaling.type", "linear");
                keys.float("rope.scaling.factor", factor);
            }
            "yarn" if factor.is_some() => {
                keys.set("rope.scaling.type", "yarn");
                keys.float("rope.scaling.factor", factor);
                let original = self.need("original_max_position_embeddings")?;
                keys.set("rope.scaling.original_context_length", original as u32);
                keys.float("rope.scaling.yarn_ext_factor", self.number("extrapolation_factor")?);
                let attention = self.number("attention_factor")?.or(self.number("attn_factor")?);
                keys.float("rope.scaling.yarn_attn_factor", attention);
                keys.float("rope.scaling.yarn_beta_fast", self.number("beta_fast")?);
                keys.float("rope.scaling.yarn_beta_slow", self.number("beta_slow")?);
            }
            "su" | "longrope" => keys.set("rope.scaling.type", "longrope"),
            // Written by the architectures that have them, or as tensors.
            "" | "dynamic" | "llama3" | "proportional" | "mrope" | "linear" | "yarn" => {}
            other => return Err(HfError::unsupported(format!("positions of the kind {other:?}"))),
        }
        if let Some(sections) = self.numbers("mrope_section")? {
            let padded = sections.iter().copied().chain([0.0; 4]).take(4);
            keys.per_layer("rope.dimension_sections", padded.map(|section| section as u32));
        }
        keys.float("rope.freq_base", self.number("rope_theta")?);
        keys.float("rope.freq_base_swa", self.window_theta);
        Ok(())
    }

    /// What Llama 3 divides each frequency by, where it does. Source: `_compute_llama3_parameters` of transformers.
    pub fn llama3_factors(&self, head_dim: u64, default_factor: f64) -> Result<Option<Tensor>, HfError> {
        if self.kind() != "llama3" {
            return Ok(None);
        }
        let base = self.theta()? as f32;
        let factor = self.number("factor")?.unwrap_or(default_factor);
        let low = self.number("low_freq_factor")?.unwrap_or(1.0);
        let high = self.number("high_freq_factor")?.unwrap_or(4.0);
        let original = self.number("original_max_position_embeddings")?.unwrap_or(8192.0);
        let factor_of = |i: u64| {
            let frequency = 1.0 / base.powf((2 * i) as f32 / head_dim as f32);
            let wavelength = f64::from(2.0 * std::f32::consts::PI / frequency);
            if wavelength < original / high {
                1.0
            } else if wavelength > original / low {
                factor as f32
            } else {
                let smooth = (original / wavelength - low) / (high - low);
                (1.0 / ((1.0 - smooth) / factor + smooth)) as f32
            }
        };
        const MAX_HEAD: u64 = 4096;
        if head_dim > MAX_HEAD {
            return Err(bad("head_dim", &head_dim.into(), "a size of a head"));
        }
        Ok(Some(Tensor::given((0..head_dim / 2).map(factor_of).collect())))
    }
}
