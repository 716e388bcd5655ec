//! The metadata of the virtual file while it is put together. A key that is set again has its last value.

use crate::gguf::{Array, Value};

/// Keys and values, in the order in which keys came first.
#[derive(Debug, Clone, Default)]
pub(super) struct Keys {
    arch: &'static str,
    pub entries: Vec<(String, Value)>,
}

impl Keys {
    /// The keys of an architecture, by its name in GGUF files.
    pub fn new(arch: &'static str) -> Keys {
        let mut keys = Keys { arch, entries: Vec::new() };
        keys.whole("general.architecture", arch);
        keys
    }

    /// Sets a key by its whole name.
    pub fn whole(&mut self, key: &str, value: impl Into<Value>) {
        let value = value.into();
        match self.entries.iter_mut().find(|(other, _)| other == key) {
            Some((_, old)) => *old = value,
            None => self.entries.push((key.to_owned(), value)),
        }
    }

    /// Sets `{arch}.{name}`.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.whole(&format!("{}.{name}", self.arch), value);
    }

    /// Takes `{arch}.{name}` out.
    pub fn remove(&mut self, name: &str) {
        let key = format!("{}.{name}", self.arch);
        self.entries.retain(|(other, _)| *other != key);
    }

    /// Sets `{arch}.{name}` where there is a value.
    pub fn set_some<T: Into<Value>>(&mut self, name: &str, value: Option<T>) {
        if let Some(value) = value {
            self.set(name, value);
        }
    }

    /// Sets a number that GGUF has as f32.
    pub fn float(&mut self, name: &str, value: Option<f64>) {
        self.set_some(name, value.map(|value| value as f32));
    }

    /// Lengthens lists of a layer each by layers that have what is not true of them.
    pub fn lengthen(&mut self, from: usize, to: usize) {
        for (_, value) in &mut self.entries {
            if let Value::Array(Array::Bool(layers)) = value
                && layers.len() == from
            {
                layers.resize(to, false);
            }
        }
    }

    /// Sets integers, one for each layer.
    pub fn per_layer(&mut self, name: &str, values: impl Iterator<Item = u32>) {
        self.set(name, Value::Array(Array::I32(values.map(|value| value as i32).collect())));
    }
}
