//! Typed access to `config.json`. What a multimodal model says of its text model counts as if it stood at the top.

use serde_json::{Map, Value};

use super::error::HfError;

/// A number that stands for a missing key. Source: the configuration classes of transformers.
pub(super) type Default = (&'static str, f64);

/// The configuration of a text model.
#[derive(Debug, Clone)]
pub(super) struct Config {
    values: Map<String, Value>,
    /// Of the whole file, before a text model's own.
    architecture: String,
    defaults: &'static [Default],
}

impl Config {
    /// Takes the whole file.
    pub fn new(root: Map<String, Value>) -> Config {
        let first = root.get("architectures").and_then(|names| names.get(0)).and_then(Value::as_str);
        let architecture = first.unwrap_or_default().to_owned();
        let mut values = root.clone();
        if let Some(Value::Object(text)) = root.get("text_config") {
            values.extend(text.iter().map(|(key, value)| (key.clone(), value.clone())));
        }
        Config { values, architecture, defaults: &[] }
    }

    /// The same, with numbers for keys that configuration classes fill in.
    pub fn with_defaults(mut self, defaults: &'static [Default]) -> Config {
        self.defaults = defaults;
        self
    }

    /// What `model_type` says, of the text model where there is one.
    pub fn model_type(&self) -> &str {
        self.str("model_type").unwrap_or_default()
    }

    /// The first of `architectures`.
    pub fn architecture(&self) -> &str {
        &self.architecture
    }

    /// The value of a key; null counts as missing.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.values.get(key).filter(|value| !value.is_null())
    }

    /// An object of that name.
    pub fn object(&self, key: &str) -> Option<&Map<String, Value>> {
        self.get(key).and_then(Value::as_object)
    }

    /// The text of a key, where it is one.
    pub fn str(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Value::as_str)
    }

    /// Whether a key says true.
    pub fn is_true(&self, key: &str) -> bool {
        self.get(key).and_then(Value::as_bool).unwrap_or(false)
    }

    /// The integer of the first of these keys that is there.
    pub fn opt_uint(&self, keys: &[&str]) -> Result<Option<u32>, HfError> {
        let Some((key, value)) = self.first(keys) else {
            return Ok(self.default(keys).map(|number| number as u32));
        };
        let integer =
            value.as_u64().or_else(|| value.as_f64().filter(|x| x.fract() == 0.0 && *x >= 0.0).map(|x| x as u64));
        let fits = integer.and_then(|integer| u32::try_from(integer).ok());
        fits.map(Some).ok_or_else(|| bad(key, value, "a whole number below 2^32"))
    }

    /// The integer of a key.
    pub fn uint(&self, key: &str) -> Result<u32, HfError> {
        self.opt_uint(&[key])?.ok_or_else(|| missing(key))
    }

    /// An integer of a key that divides something.
    pub fn size(&self, key: &str) -> Result<u64, HfError> {
        match self.uint(key)? {
            0 => Err(bad(key, &Value::from(0), "a number above 0")),
            size => Ok(size.into()),
        }
    }

    /// The number of the first of these keys that is there.
    pub fn opt_float(&self, keys: &[&str]) -> Result<Option<f64>, HfError> {
        match self.first(keys) {
            None => Ok(self.default(keys)),
            Some((key, value)) => value.as_f64().map(Some).ok_or_else(|| bad(key, value, "a number")),
        }
    }

    /// The number of a key.
    pub fn float(&self, key: &str) -> Result<f64, HfError> {
        self.opt_float(&[key])?.ok_or_else(|| missing(key))
    }

    /// The numbers of a key, where it is there.
    pub fn opt_floats(&self, key: &str) -> Result<Option<Vec<f64>>, HfError> {
        self.get(key).map(|value| floats(key, value)).transpose()
    }

    /// For each layer, whether the key's list has one of these texts there; `None` where there is no list.
    pub fn layers_are(&self, key: &str, texts: &[&str]) -> Result<Option<Vec<bool>>, HfError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let wanted = "a list with a text for each layer";
        let list = value.as_array().ok_or_else(|| bad(key, value, wanted))?;
        if list.len() as u64 != self.layers()? {
            return Err(bad(key, value, wanted));
        }
        Ok(Some(list.iter().map(|kind| kind.as_str().is_some_and(|kind| texts.contains(&kind))).collect()))
    }

    /// Number of layers.
    pub fn layers(&self) -> Result<u64, HfError> {
        const MAX_LAYERS: u32 = 4096;
        let keys = ["n_layers", "num_hidden_layers", "n_layer", "num_layers"];
        match self.opt_uint(&keys)? {
            // A hybrid may have a list of its layers alone.
            None => match self.get("layers_block_type").and_then(Value::as_array) {
                Some(layers) if layers.len() <= MAX_LAYERS as usize => Ok(layers.len() as u64),
                _ => Err(missing("num_hidden_layers")),
            },
            Some(layers) if layers > MAX_LAYERS => Err(bad("num_hidden_layers", &Value::from(layers), "fewer layers")),
            Some(layers) => Ok(layers.into()),
        }
    }

    /// Heads of attention.
    pub fn heads(&self) -> Result<u64, HfError> {
        self.size("num_attention_heads")
    }

    /// Heads of keys and values.
    pub fn kv_heads(&self) -> Result<u64, HfError> {
        if self.opt_uint(&["num_key_value_heads"])?.is_some() { self.size("num_key_value_heads") } else { self.heads() }
    }

    /// Width of a head.
    pub fn head_dim(&self) -> Result<u64, HfError> {
        match self.opt_uint(&["head_dim"])? {
            Some(_) => self.size("head_dim"),
            None => Ok(self.size("hidden_size")? / self.heads()?),
        }
    }

    fn first<'k>(&self, keys: &[&'k str]) -> Option<(&'k str, &Value)> {
        keys.iter().find_map(|key| self.get(key).map(|value| (*key, value)))
    }

    fn default(&self, keys: &[&str]) -> Option<f64> {
        self.defaults.iter().find(|(key, _)| keys.contains(key)).map(|(_, number)| *number)
    }
}

/// The numbers of a list.
pub(super) fn floats(key: &str, value: &Value) -> Result<Vec<f64>, HfError> {
    const MAX_NUMBERS: usize = 65_536;
    let list = value.as_array().filter(|list| list.len() <= MAX_NUMBERS);
    let numbers = list.and_then(|list| list.iter().map(Value::as_f64).collect());
    numbers.ok_or_else(|| bad(key, value, "a list of numbers"))
}

pub(super) fn missing(key: &str) -> HfError {
    HfError::MissingKey { key: key.into() }
}

pub(super) fn bad(key: &str, value: &Value, wanted: &'static str) -> HfError {
    const SHOWN: usize = 60;
    HfError::BadValue { key: key.into(), found: value.to_string().chars().take(SHOWN).collect(), wanted }
}
