//! How a model would run on a device, from its header alone: the memory it needs, the contexts that fit, and how fast it could be.

use super::fit::{FitError, FitOptions, MemoryNeeds, check_needs, size};
use super::layer_kind::kv_groups;
use super::{Config, LoadError, Model};
use crate::device::Device;
use crate::kernels::kv::{KvShape, KvType, UnsupportedKv};
use inglenook_format::gguf::Gguf;
use inglenook_format::order::sort_by;

/// Contexts that are told where the model was trained for more tokens; that number is told, too.
const CONTEXTS: [u32; 5] = [4096, 8192, 32_768, 65_536, 131_072];
/// Tokens of a prefill step.
const ROWS: u32 = 256;
/// Bits a weight of the usual mixes, with what they are called.
const MIXES: [(&str, f64); 5] = [("Q8_0", 8.5), ("Q6_K", 6.56), ("Q4_K_M", 4.85), ("Q3_K_M", 3.91), ("Q2_K", 2.96)];

/// What is to be expected of a model on a device, with one conversation.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outlook {
    /// Tokens of context by which it is judged.
    pub context_length: u32,
    /// How keys and values are stored then.
    pub kv_type: KvType,
    /// Bytes of its parts then.
    pub needs: MemoryNeeds,
    /// Bytes of all of it.
    pub total: u64,
    /// From the shortest to the longest.
    pub contexts: Vec<ContextMemory>,
    /// Bytes of weights that are read for each token.
    pub read_per_token: u64,
    /// Why it does not fit as it was asked for, and what would.
    #[serde(skip)]
    pub problem: Option<OutlookProblem>,
}

/// What a context of so many tokens takes.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct ContextMemory {
    /// Its length.
    pub tokens: u32,
    /// For each type in which the model's keys and values can be stored.
    pub memory: Vec<KvMemory>,
}

/// What it takes with keys and values of a type.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KvMemory {
    /// The type.
    pub kv_type: KvType,
    /// All memory, weights and activations included.
    pub bytes: u64,
    /// Whether there is as much, as far as the device tells, and the device can bind it.
    pub fits: bool,
}

/// Why a model does not run as it was asked for, though it could otherwise.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum OutlookProblem {
    /// Memory.
    #[error("{error}{remedy}")]
    Fit {
        /// What is lacking.
        error: FitError,
        /// What would help beside what the error says: a part of a sentence, or nothing.
        remedy: String,
    },
    /// Heads that this type of cache cannot hold.
    #[error(transparent)]
    Kv(#[from] UnsupportedKv),
}

impl Outlook {
    /// Of a model that can be run. It is judged by `context`, by default the shortest of the table, with keys and values of type `kv`.
    ///
    /// # Errors
    /// As [`Model::check`].
    pub fn new(gguf: &Gguf, device: &Device, context: Option<u32>, kv: KvType) -> Result<Outlook, LoadError> {
        let config = Config::read(gguf)?;
        let limits = device.facts().limits;
        let mut tokens: Vec<u32> = CONTEXTS.into_iter().filter(|tokens| *tokens < config.context).collect();
        tokens.extend(context.map(|context| context.clamp(1, config.context)));
        tokens.push(config.context);
        sort_by(&mut tokens, Ord::cmp);
        tokens.dedup();
        let judged = options(context.map_or(tokens[0], |context| context.clamp(1, config.context)), kv);
        let mut contexts = Vec::new();
        for tokens in tokens {
            let mut memory = Vec::new();
            for kv_type in KvType::ALL.into_iter().filter(|ty| cached_as(&config, *ty).is_ok()) {
                let options = options(tokens, kv_type);
                let needs = Model::memory_needed(gguf, &limits, &options)?;
                let fits = check_needs(&config, &needs, device, &options).is_ok();
                memory.push(KvMemory { kv_type, bytes: needs.total(tokens.into()), fits });
            }
            contexts.push(ContextMemory { tokens, memory });
        }
        let needs = Model::memory_needed(gguf, &limits, &judged)?;
        let problem = match (cached_as(&config, kv), check_needs(&config, &needs, device, &judged)) {
            (Err(error), _) => Some(error.into()),
            (_, Err(error)) => Some(OutlookProblem::Fit { remedy: remedy(gguf, device, &needs, &error), error }),
            _ => None,
        };
        let total = needs.total(judged.context.into());
        let read_per_token = read_bytes(gguf, &config);
        Ok(Outlook { context_length: judged.context, kv_type: kv, needs, total, contexts, read_per_token, problem })
    }

    /// Tokens a second at most, behind `context` tokens, on a device that moves so many bytes a second: what is read for each takes so long.
    pub fn rate(&self, bandwidth: f64, context: u64) -> f64 {
        bandwidth / (self.read_per_token + self.needs.kv_per_token * context) as f64
    }
}

/// One conversation, whose tokens are all that is kept.
fn options(context: u32, kv: KvType) -> FitOptions {
    FitOptions { context, cache_tokens: context, slots: 1, kv, rows: ROWS, mtp: false }
}

fn cached_as(config: &Config, ty: KvType) -> Result<(), UnsupportedKv> {
    kv_groups(&config.layer_kinds).into_iter().try_for_each(|group| {
        let ty = group.ty.unwrap_or(ty);
        let (kv_heads, head_dim) = (group.kv_heads, group.head_dim);
        KvShape { kv_heads, head_dim, pages_per_sequence: 0, ty, segment_pages: 1 }.supports()
    })
}

/// Bytes of weights that a token reads: of an embedding that is not the head, too, a row alone, and of experts those that are chosen.
fn read_bytes(gguf: &Gguf, config: &Config) -> u64 {
    let has_head = gguf.find("output.weight").is_some();
    let layer = |name: &str| name.strip_prefix("blk.").and_then(|rest| rest.split('.').next()?.parse::<u32>().ok());
    let bytes = gguf.tensors().iter().map(|tensor| {
        let name = tensor.name.as_str();
        let is_table = name == "token_embd.weight" && has_head || name.starts_with("per_layer_token_embd");
        let is_run = layer(name).is_none_or(|layer| layer < config.layers);
        match config.experts {
            _ if is_table || !is_run => 0,
            Some(experts) if name.contains("_exps.") => {
                tensor.bytes / u64::from(experts.routing.experts.max(1)) * u64::from(experts.routing.used)
            }
            _ => tensor.bytes,
        }
    });
    bytes.sum()
}

/// What would help where the weights are too large: fewer bits for each.
fn remedy(gguf: &Gguf, device: &Device, needs: &MemoryNeeds, error: &FitError) -> String {
    let FitError::Weights { memory, .. } = error else { return String::new() };
    let weights: u64 = gguf.tensors().iter().map(|tensor| tensor.weights()).sum();
    let now = needs.weights as f64 * 8.0 / weights.max(1) as f64;
    let fitting = MIXES.iter().find(|(_, bits)| *bits < now && weights as f64 * bits / 8.0 * 1.1 < *memory as f64);
    let name = device.facts().name;
    match fitting {
        Some((mix, bits)) => {
            let bytes = (weights as f64 * bits / 8.0) as u64;
            format!(". In {mix} it would be about {}, which fits {name}", size(bytes))
        }
        None => format!(". No usual type would make it small enough for {name}"),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use inglenook_format::source::Memory;

    use super::*;

    fn gguf(path: &str) -> Gguf {
        let path = format!("{}/../{path}", env!("CARGO_MANIFEST_DIR"));
        pollster::block_on(Gguf::read(&Memory(fs::read(path).expect("a file of the checkout")))).expect("a header")
    }

    #[test]
    fn outlook_of_a_small_model_fits_and_grows_with_its_context() {
        let gguf = gguf("models/ember/ember-q8_0.gguf");
        let outlook = Outlook::new(&gguf, &Device::Cpu, None, KvType::F16).expect("it can be run");
        assert_eq!(outlook.problem, None);
        assert!(outlook.rate(1e9, 0) > outlook.rate(1e9, 4096));
        for ContextMemory { memory, .. } in &outlook.contexts {
            let [f16, f32] = [KvType::F16, KvType::F32]
                .map(|ty| memory.iter().find(|cell| cell.kv_type == ty).expect("every head can be cached so"));
            assert!(f16.fits && f32.fits && f16.bytes < f32.bytes);
        }
        let asked = Outlook::new(&gguf, &Device::Cpu, Some(100), KvType::F32).expect("it can be run");
        assert_eq!(asked.contexts.iter().map(|row| row.tokens).next(), Some(100));
        assert_eq!(asked.needs.kv_per_token, 2 * outlook.needs.kv_per_token);
        let cell = asked.contexts[0].memory.iter().find(|cell| cell.kv_type == KvType::F32).expect("it was asked for");
        assert_eq!((asked.context_length, asked.total), (100, cell.bytes));
    }

    #[test]
    fn cache_that_heads_do_not_fit_is_a_problem_that_names_it() {
        let gguf = gguf("tests/goldens/models/llama.gguf");
        let config = Config::read(&gguf).expect("a configuration");
        let outlook = |kv| Outlook::new(&gguf, &Device::Cpu, None, kv).expect("it can be run");
        for kv in KvType::ALL {
            assert_eq!(outlook(kv).problem.is_some(), cached_as(&config, kv).is_err(), "{kv:?}");
        }
    }

    #[test]
    fn only_chosen_experts_are_read_for_a_token() {
        let gguf = gguf("tests/goldens/models/qwen3moe.gguf");
        let config = Config::read(&gguf).expect("a configuration");
        let bytes = |part: &str| -> u64 {
            gguf.tensors().iter().filter(|tensor| tensor.name.contains(part)).map(|tensor| tensor.bytes).sum()
        };
        // Three of six experts, and none of the embedding, which is not the head.
        let expected = bytes("") - bytes("token_embd") - bytes("_exps.") / 2;
        assert_eq!(read_bytes(&gguf, &config), expected);
    }
}
