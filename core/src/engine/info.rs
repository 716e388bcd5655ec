//! What is loaded, for people and programs.

use super::request::Recommended;
use crate::gpu::AdapterInfo;
use crate::model::{Architecture, Config};
use crate::placement::Measured;
use crate::plan::KernelChoice;
use inglenook_format::gguf::Gguf;

/// What is loaded, for people and programs.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Info {
    /// The model.
    pub model: ModelInfo,
    /// The device.
    pub adapter: AdapterInfo,
    /// Why it runs there.
    pub reason: String,
    /// What was measured to choose it; `None` where nothing was.
    pub measured: Option<Measured>,
    /// Device memory, bytes.
    pub memory: Memory,
    /// Variants chosen for this device.
    pub kernels: Vec<KernelChoice>,
}

/// The model's facts.
#[derive(Debug, Clone, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelInfo {
    /// `general.name`, or empty.
    pub name: String,
    /// Architecture.
    pub architecture: &'static Architecture,
    /// Number of weights in the file.
    pub parameters: u64,
    /// Tokens of context it was loaded with.
    pub context_length: u32,
    /// Tokens of context it was trained for.
    pub trained_context_length: u32,
    /// Types of its weights, most frequent first.
    pub weight_types: Vec<String>,
    /// What it is for: to `generate` answers, to `embed` texts or to `rank` them.
    pub purpose: &'static str,
    /// True where it has a chat template.
    pub chat: bool,
    /// Sampling the file recommends.
    pub recommended: Recommended,
}

/// Device memory by use, bytes.
#[derive(Debug, Clone, Copy, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Memory {
    /// Weights.
    pub weights: u64,
    /// Keys and values.
    pub kv_cache: u64,
    /// Activations of all plans.
    pub activations: u64,
}

impl Memory {
    /// All of it.
    pub fn total(&self) -> u64 {
        self.weights + self.kv_cache + self.activations
    }

    /// That of two models.
    pub(super) fn plus(self, other: Memory) -> Memory {
        Memory {
            weights: self.weights + other.weights,
            kv_cache: self.kv_cache + other.kv_cache,
            activations: self.activations + other.activations,
        }
    }
}

/// The facts of a model that was loaded with `context` tokens.
pub(super) fn model_info(
    gguf: &Gguf,
    config: &Config,
    context: u32,
    chat: bool,
    recommended: Recommended,
) -> ModelInfo {
    let (parameters, weight_types) = weight_types(gguf);
    ModelInfo {
        name: config.name.clone(),
        architecture: config.architecture,
        parameters,
        context_length: context,
        trained_context_length: config.context,
        weight_types,
        purpose: config.purpose(),
        chat,
        recommended,
    }
}

/// Number of weights in a file, and their types, the most frequent first.
pub(super) fn weight_types(gguf: &Gguf) -> (u64, Vec<String>) {
    let mut weights: Vec<(String, u64)> = Vec::new();
    for tensor in gguf.tensors() {
        let name = tensor.ty.name();
        match weights.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += tensor.weights(),
            None => weights.push((name.into_owned(), tensor.weights())),
        }
    }
    let parameters = weights.iter().map(|(_, count)| count).sum();
    let mut by_count: Vec<(String, u64)> = Vec::new();
    for (name, count) in weights {
        by_count.insert(by_count.partition_point(|(_, other)| *other >= count), (name, count));
    }
    (parameters, by_count.into_iter().map(|(name, _)| name).collect())
}
