//! LoRA adapters as PEFT keeps them: a folder with `adapter_config.json` and `adapter_model.safetensors`.
//!
//! The rules that turn a checkpoint into a GGUF file turn the adapter: what is done to a weight's rows is done to those of B.

use std::collections::BTreeMap;

use litemap::LiteMap;
use serde_json::{Map, Value, json};

use super::arch::Arch;
use super::checkpoint::{Checkpoint, Shards, Stored};
use super::config::Config;
use super::directory::{Directory, read_json};
use super::error::HfError;
use super::leaf::{Leaf, Place, float_type};
use super::names;
use super::peft::AdapterConfig;
use super::read::read;
use super::rules::Rules;
use super::tensor::{Op, Slice, Tensor};
use crate::gguf::Gguf;
use crate::lora::{Lora, LoraError, LowRank, check_shapes};
use crate::quant::WeightType;

/// The head that an adapter of it was trained on.
const FROZEN_HEAD: &str = "lm_head.base_layer.weight";
const WEIGHTS: &str = "adapter_model.safetensors";
/// The largest `adapter_config.json` accepted.
const MAX_CONFIG: usize = 1 << 20;

/// The two matrices of a module, with the shapes that they are stored in.
#[derive(Default)]
struct Pair {
    a: Option<Stored>,
    b: Option<Stored>,
}

/// Reads an adapter for the model whose header is `base`, and checks that it fits.
///
/// # Errors
/// Anything in [`LoraError`].
pub async fn read_lora(directory: &dyn Directory, base: &Gguf) -> Result<Lora, LoraError> {
    let root: Option<Map<String, Value>> = read_json(directory, "adapter_config.json", MAX_CONFIG).await?;
    let root = root.ok_or_else(|| HfError::MissingFile { file: "adapter_config.json".into() })?;
    let adapter = AdapterConfig::read(&root)?;
    let architecture = base.metadata.str("general.architecture")?;
    let config = base_config(base, architecture)?;
    let arch = Arch::of(&config)?;
    let config = config.with_defaults(arch.defaults);
    let rules = Rules { tables: arch.rules, config: &config, layers: config.layers()? };
    let Checkpoint { shards, tensors } = Checkpoint::open_file(directory, WEIGHTS).await?;
    let mut weights = LiteMap::new_vec();
    for (module, pair) in pairs(tensors)? {
        add(&adapter, &rules, &shards, (&module, pair), &mut weights).await?;
    }
    let lora = Lora { architecture: Some(architecture.to_owned()), weights };
    if lora.weights.is_empty() {
        return Err(LoraError::Empty);
    }
    lora.check(architecture, |name| base.find(name).map(|matrix| [matrix.row_len(), matrix.rows()]))?;
    Ok(lora)
}

/// As much of a configuration as rules ask for, from the keys of a GGUF file.
fn base_config(base: &Gguf, architecture: &str) -> Result<Config, LoraError> {
    let model_type = MODEL_TYPES.iter().find(|(known, _)| *known == architecture);
    let Some((_, model_type)) = model_type else {
        return Err(LoraError::unsupported(format!(
            "PEFT's names for weights, and models of the architecture {architecture:?}"
        )));
    };
    let number = |name: &str| base.metadata.opt_u64(&format!("{architecture}.{name}"));
    let mut config = Map::new();
    config.insert("model_type".into(), json!(model_type));
    let heads = number("attention.head_count")?;
    let of_heads = |width: u64| heads.filter(|heads| *heads > 0).map(|heads| width / heads);
    let head_dim = number("attention.key_length")?.or(number("embedding_length")?.and_then(of_heads));
    for (name, value) in [
        ("num_hidden_layers", number("block_count")?),
        ("hidden_size", number("embedding_length")?),
        ("num_attention_heads", heads),
        ("num_key_value_heads", number("attention.head_count_kv")?.or(heads)),
        ("head_dim", head_dim),
    ] {
        config.extend(value.map(|value| (name.to_owned(), json!(value))));
    }
    Ok(Config::new(config))
}

/// Architectures by their names in GGUF files, with a `model_type` of Hugging Face's whose weights have the same names.
const MODEL_TYPES: [(&str, &str); 16] = [
    ("llama", "llama"),
    ("mistral3", "ministral3"),
    ("qwen2", "qwen2"),
    ("qwen3", "qwen3"),
    ("qwen3moe", "qwen3_moe"),
    ("gemma2", "gemma2"),
    ("gemma3", "gemma3_text"),
    ("phi3", "phi3"),
    ("smollm3", "smollm3"),
    ("olmo2", "olmo2"),
    ("exaone4", "exaone4"),
    ("command-r", "cohere"),
    ("cohere2", "cohere2"),
    ("seed_oss", "seed_oss"),
    ("granite", "granite"),
    ("glm4", "glm4"),
];

/// The matrices by the modules that they change.
fn pairs(tensors: BTreeMap<String, Stored>) -> Result<BTreeMap<String, Pair>, LoraError> {
    let mut pairs: BTreeMap<String, Pair> = BTreeMap::new();
    for (name, stored) in tensors {
        let module = name.strip_prefix("base_model.model.").unwrap_or(&name);
        if let Some(module) = module.strip_suffix(".lora_A.weight") {
            pairs.entry(module.to_owned()).or_default().a = Some(stored);
        } else if let Some(module) = module.strip_suffix(".lora_B.weight") {
            pairs.entry(module.to_owned()).or_default().b = Some(stored);
        } else if module == FROZEN_HEAD {
            // PEFT saves it along with matrices for the head, and never trains it.
            continue;
        } else {
            return Err(LoraError::unsupported(what(&name)));
        }
    }
    Ok(pairs)
}

/// What a tensor that is neither A nor B is.
fn what(name: &str) -> String {
    let kind = match name {
        _ if name.contains("lora_magnitude_vector") => "magnitudes (DoRA)",
        _ if name.contains("lora_embedding_") => "changes to embeddings",
        _ if name.ends_with(".bias") => "biases",
        _ => "whole weights",
    };
    format!("{kind} ({name:?})")
}

/// Rows and columns.
fn matrix(name: &str, stored: &Stored) -> Result<[u64; 2], LoraError> {
    match stored.shape[..] {
        [rows, columns] => Ok([rows, columns]),
        _ => Err(LoraError::NoMatrix { name: name.to_owned(), found: stored.shape.clone() }),
    }
}

/// Adds what one module becomes: usually one weight, and several where a GGUF file has them apart.
async fn add(
    adapter: &AdapterConfig,
    rules: &Rules<'_>,
    shards: &Shards,
    (module, pair): (&str, Pair),
    weights: &mut LiteMap<String, LowRank>,
) -> Result<(), LoraError> {
    let missing = |part| LoraError::Missing { name: module.to_owned(), part };
    let (a, b) = (pair.a.ok_or_else(|| missing("A"))?, pair.b.ok_or_else(|| missing("B"))?);
    let (a_shape, b_shape) = (matrix(module, &a)?, matrix(module, &b)?);
    check_shapes(module, a_shape, b_shape)?;
    let scale = adapter.scale(module, a_shape[0])?;
    let name = format!("{module}.weight");
    match names::parse(&name) {
        Some(parsed) if parsed.index.is_some() => {
            return Err(LoraError::unsupported(format!("changes to experts ({module:?})")));
        }
        Some(parsed) if parsed.rest.starts_with("embed_tokens") => {
            return Err(LoraError::unsupported(format!("changes to embeddings ({module:?})")));
        }
        _ => {}
    }
    let stored_slice = |stored: &Stored| -> Result<Slice, HfError> {
        let leaf = Leaf::Stored { at: Place::of(stored), ty: float_type(&name, stored.dtype)? };
        Ok(Slice::new(&name, leaf, stored.shape.clone()))
    };
    let whole = Slice::new(&name, Leaf::Zeros(WeightType::F32), vec![b_shape[0], a_shape[1]]);
    let of_weight = rules.apply(vec![whole])?;
    let of_b = rules.apply(vec![stored_slice(&b)?])?;
    if of_b.is_empty() {
        return Err(LoraError::UnknownWeight { name: module.to_owned() });
    }
    let a = floats(shards, &stored_slice(&a)?.into()).await?;
    for ((weight_name, weight), (_, b)) in of_weight.into_iter().zip(of_b) {
        if !keeps_rows_whole(&weight, a_shape[1]) {
            return Err(LoraError::unsupported(format!(
                "changes to {module:?}, whose columns change places in GGUF files"
            )));
        }
        let b = floats(shards, &b).await?;
        let low_rank = LowRank { rank: a_shape[0] as usize, a: a.clone(), b, scale };
        low_rank.check_numbers(&weight_name)?;
        if weights.insert(weight_name, low_rank).is_some() {
            return Err(HfError::DuplicateTensor { name }.into());
        }
    }
    Ok(())
}

/// Whether a weight of so many columns is made of whole rows, times numbers at most.
fn keeps_rows_whole(weight: &Tensor, columns: u64) -> bool {
    let of_rows = |slice: &Slice| slice.steps.iter().all(|step| step.unit.is_multiple_of(columns));
    let is_linear = |op: &Op| matches!(op, Op::Scale(_));
    weight.shape.len() == 2
        && weight.shape[1] == columns
        && weight.slices.iter().all(of_rows)
        && weight.ops.iter().all(is_linear)
}

/// All numbers of a tensor, whose bytes are in its file.
async fn floats(shards: &Shards, tensor: &Tensor) -> Result<Vec<f32>, LoraError> {
    let count = tensor.shape.iter().product::<u64>() as usize;
    let mut bytes = vec![0; count * 4];
    read(shards, tensor, WeightType::F32.into(), 0, &mut bytes).await?;
    Ok(bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
}
