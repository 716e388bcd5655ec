//! Directories in memory.

use std::collections::BTreeMap;

use inglenook_format::hf::{Directory, HfError, HfModel, open};
use inglenook_format::quant::{TensorType, dequantise};
use inglenook_format::source::{LocalFuture, Memory, Source, SourceError};
use serde_json::{Value, json};

/// Files by their names.
#[derive(Clone, Default)]
pub struct Files(pub BTreeMap<String, Vec<u8>>);

impl Directory for Files {
    fn open<'a>(&'a self, name: &'a str) -> LocalFuture<'a, Result<Option<Box<dyn Source>>, SourceError>> {
        let file = self.0.get(name).map(|bytes| Box::new(Memory(bytes.clone())) as Box<dyn Source>);
        Box::pin(std::future::ready(Ok(file)))
    }
}

impl Files {
    pub fn with(mut self, name: &str, bytes: impl Into<Vec<u8>>) -> Files {
        self.0.insert(name.into(), bytes.into());
        self
    }

    pub fn open(&self) -> Result<HfModel, HfError> {
        pollster::block_on(open(self))
    }
}

/// A tensor of a checkpoint.
pub type Stored = (String, &'static str, Vec<u64>, Vec<u8>);

pub fn stored(name: &str, dtype: &'static str, shape: &[u64], bytes: Vec<u8>) -> Stored {
    (name.into(), dtype, shape.to_vec(), bytes)
}

/// Numbers of some shape, all different, as F32.
pub fn numbers(name: &str, shape: &[u64]) -> Stored {
    let count: u64 = shape.iter().product();
    let bytes = (0..count).flat_map(|i| ((i % 509) as f32 / 64.0 - 4.0).to_le_bytes()).collect();
    stored(name, "F32", shape, bytes)
}

/// A safetensors file.
pub fn safetensors(tensors: &[Stored]) -> Vec<u8> {
    let mut header = serde_json::Map::new();
    let mut data = Vec::new();
    for (name, dtype, shape, bytes) in tensors {
        let offsets = [data.len(), data.len() + bytes.len()];
        header.insert(name.clone(), json!({ "dtype": dtype, "shape": shape, "data_offsets": offsets }));
        data.extend(bytes);
    }
    let header = Value::Object(header).to_string();
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &data].concat()
}

/// The configuration of a Llama of one layer.
pub fn config() -> Value {
    json!({
        "model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 8, "hidden_size": 32, "intermediate_size": 64,
        "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 128,
        "rms_norm_eps": 1e-5, "rope_theta": 10000.0
    })
}

/// The tensors of such a Llama.
pub fn tensors() -> Vec<Stored> {
    let layer = |name: &str, shape: &[u64]| numbers(&format!("model.layers.0.{name}.weight"), shape);
    vec![
        numbers("model.embed_tokens.weight", &[8, 32]),
        numbers("model.norm.weight", &[32]),
        layer("input_layernorm", &[32]),
        layer("post_attention_layernorm", &[32]),
        layer("self_attn.q_proj", &[32, 32]),
        layer("self_attn.k_proj", &[16, 32]),
        layer("self_attn.v_proj", &[16, 32]),
        layer("self_attn.o_proj", &[32, 32]),
        layer("mlp.gate_proj", &[64, 32]),
        layer("mlp.up_proj", &[64, 32]),
        layer("mlp.down_proj", &[32, 64]),
    ]
}

/// A directory of these.
pub fn directory(config: &Value, tensors: &[Stored]) -> Files {
    Files::default().with("config.json", config.to_string()).with("model.safetensors", safetensors(tensors))
}

/// A tensor's type and numbers.
pub fn values(model: &HfModel, name: &str) -> (TensorType, Vec<f32>) {
    let info = model.gguf.tensor(name).unwrap();
    let mut raw = vec![0; info.bytes as usize];
    pollster::block_on(model.source.read_at(info.offset, &mut raw)).unwrap();
    let ty = info.weight_type().unwrap();
    let mut values = vec![0.0; info.weights() as usize];
    dequantise(ty, &raw, &mut values).unwrap();
    (info.ty, values)
}
