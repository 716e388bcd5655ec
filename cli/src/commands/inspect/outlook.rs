//! How a model would run here, from its header alone: the memory it needs, the contexts that fit, and how fast it could be.

use std::fmt::Write;

use anyhow::Result;
use inglenook::device::Device;
use inglenook::format::gguf::Gguf;
use inglenook::gpu::GpuOptions;
use inglenook::kernels::kv::{KvShape, KvType};
use inglenook::model::fit::{FitError, FitOptions, MemoryNeeds, check_needs};
use inglenook::model::layer_kind::kv_groups;
use inglenook::model::{Config, Model};
use inglenook::placement::Placement;
use serde_json::{Value, json};

use crate::arguments::DeviceArguments;
use crate::commands::bench::bandwidth;
use crate::show;

/// Contexts that are shown where the model was trained for so many tokens; that number is, too.
const CONTEXTS: [u32; 5] = [4096, 8192, 32_768, 65_536, 131_072];
/// Tokens of a prefill step.
const ROWS: u32 = 256;
/// Bits a weight of the usual mixes, with what they are called.
const MIXES: [(&str, f64); 5] = [("Q8_0", 8.5), ("Q6_K", 6.56), ("Q4_K_M", 4.85), ("Q3_K_M", 3.91), ("Q2_K", 2.96)];

/// What is to be expected.
#[derive(Debug)]
pub struct Outlook {
    /// Which device, and why that one.
    place: String,
    /// Its memory, where that is known.
    memory: Option<u64>,
    needs: MemoryNeeds,
    /// Types that the model's heads can be cached in.
    types: Vec<KvType>,
    contexts: Vec<Row>,
    /// Bytes of weights read for each token.
    read: u64,
    /// Bytes that the device moves in a second.
    bandwidth: f64,
    /// Why nothing fits, and what would.
    problem: Option<String>,
}

/// One context.
#[derive(Debug)]
struct Row {
    tokens: u32,
    /// All memory under each type, and whether there is as much.
    cells: Vec<(u64, bool)>,
}

impl Outlook {
    /// Of a model that can be run, for one conversation on the device that is asked for.
    ///
    /// # Errors
    /// When the device cannot be had, or its speed not be measured.
    pub fn new(gguf: &Gguf, arguments: &DeviceArguments) -> Result<Outlook> {
        let gpu = GpuOptions { default_limits: arguments.default_limits, ..GpuOptions::default() };
        let Placement { device, reason, .. } = pollster::block_on(Placement::choose(&arguments.device, &gpu))?;
        let config = Config::read(gguf)?;
        let limits = device.facts().limits;
        let needs = |options: &FitOptions| Model::memory_needed(gguf, &limits, options);
        let types: Vec<KvType> = KvType::ALL.into_iter().filter(|ty| can_cache(&config, *ty)).collect();
        let mut tokens: Vec<u32> = CONTEXTS.into_iter().filter(|tokens| *tokens < config.context).collect();
        tokens.push(config.context);
        let mut contexts = Vec::new();
        for tokens in tokens {
            let mut cells = Vec::new();
            for ty in &types {
                let options = options(tokens, *ty);
                let needs = needs(&options)?;
                let fits = check_needs(&config, &needs, &device, &options).is_ok();
                cells.push((needs.total(tokens.into()), fits));
            }
            contexts.push(Row { tokens, cells });
        }
        let smallest = options(contexts[0].tokens, KvType::F16);
        let needs = needs(&smallest)?;
        let error = check_needs(&config, &needs, &device, &smallest).err();
        Ok(Outlook {
            place: format!("{} ({reason})", device.facts().name),
            memory: device.memory(),
            problem: error.map(|error| remedy(gguf, &device, &needs, &error)),
            needs,
            types,
            contexts,
            read: read_bytes(gguf, &config),
            bandwidth: bandwidth::copy(&device)?,
        })
    }

    /// Tokens a second at most: what is read for each takes so long.
    fn rate(&self, context: u64) -> f64 {
        self.bandwidth / (self.read + self.needs.kv_per_token * context) as f64
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let context = |row: &Row| {
            let cells = self.types.iter().zip(&row.cells);
            let cells = cells.map(|(ty, (bytes, fits))| (ty.name(), json!({ "bytes": bytes, "fits": fits })));
            json!({ "tokens": row.tokens, "memory": cells.collect::<std::collections::BTreeMap<_, _>>() })
        };
        json!({
            "device": self.place,
            "device_memory": self.memory,
            "weights": self.needs.weights,
            "activations": self.needs.activations,
            "kv_per_token": self.needs.kv_per_token,
            "kv_windows": self.needs.kv_windows,
            "contexts": self.contexts.iter().map(context).collect::<Vec<_>>(),
            "read_per_token": self.read,
            "bandwidth": self.bandwidth.round(),
            "tokens_per_second": (self.rate(0) * 10.0).round() / 10.0,
            "problem": self.problem,
        })
    }

    /// For people.
    pub fn text(&self) -> String {
        let memory =
            self.memory.map_or("of unknown memory".to_string(), |bytes| format!("with {}", show::bytes(bytes)));
        let mut out = match &self.problem {
            None => format!("runs here, on {}, {memory}\n\nmemory with a context of\n", self.place),
            Some(problem) => format!("does not fit {}, {memory}: {problem}\n\nmemory with a context of\n", self.place),
        };
        let mut header = format!("{:>16}", "tokens");
        self.types.iter().for_each(|ty| header += &format!("{:>13}", ty.name()));
        out += &header;
        let mut exceeds = false;
        for Row { tokens, cells } in &self.contexts {
            let _ = write!(out, "\n{tokens:>16}");
            for (bytes, fits) in cells {
                let mark = if *fits { " " } else { "*" };
                exceeds |= !fits;
                let _ = write!(out, "{:>12}{mark}", show::bytes(*bytes));
            }
        }
        if exceeds {
            out += "\n* more than there is, or than the device can bind";
        }
        let _ = write!(
            out,
            "\n\nat most about {:.1} tokens a second, since {} of weights are read for each, at {:.1} GB/s",
            self.rate(0),
            show::bytes(self.read),
            self.bandwidth / 1e9,
        );
        let longest = self.contexts.last().map_or(0, |row| row.tokens);
        let _ = write!(out, "; {:.1} behind {longest} tokens", self.rate(longest.into()));
        out
    }
}

/// One conversation, whose tokens are all that is kept.
fn options(context: u32, kv: KvType) -> FitOptions {
    FitOptions { context, cache_tokens: context, slots: 1, kv, rows: ROWS, mtp: false }
}

fn can_cache(config: &Config, ty: KvType) -> bool {
    kv_groups(&config.layer_kinds).into_iter().all(|group| {
        let ty = group.ty.unwrap_or(ty);
        let shape =
            KvShape { kv_heads: group.kv_heads, head_dim: group.head_dim, pages_per_sequence: 0, ty, segment_pages: 1 };
        shape.supports().is_ok()
    })
}

/// Bytes of weights that a token reads: of an embedding that is not the head, too, a row alone, and of experts those that are chosen.
fn read_bytes(gguf: &Gguf, config: &Config) -> u64 {
    let has_head = gguf.find("output.weight").is_some();
    let layers = |name: &str| name.strip_prefix("blk.").and_then(|rest| rest.split('.').next()?.parse::<u32>().ok());
    let bytes = gguf.tensors().iter().map(|tensor| {
        let name = tensor.name.as_str();
        let is_table = name == "token_embd.weight" && has_head || name.starts_with("per_layer_token_embd");
        let is_run = layers(name).is_none_or(|layer| layer < config.layers);
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

/// What is wrong, and what would help: a shorter context, or fewer bits a weight.
fn remedy(gguf: &Gguf, device: &Device, needs: &MemoryNeeds, error: &FitError) -> String {
    let FitError::Weights { memory, .. } = error else { return error.to_string() };
    let weights: u64 = gguf.tensors().iter().map(|tensor| tensor.weights()).sum();
    let now = needs.weights as f64 * 8.0 / weights.max(1) as f64;
    let fitting = MIXES.iter().find(|(_, bits)| *bits < now && weights as f64 * bits / 8.0 * 1.1 < *memory as f64);
    let name = device.facts().name;
    match fitting {
        Some((mix, bits)) => {
            let bytes = (weights as f64 * bits / 8.0) as u64;
            format!("{error}. In {mix} it would be about {}, which fits {name}", show::bytes(bytes))
        }
        None => format!("{error}. No usual type would make it small enough for {name}"),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use inglenook::placement::DeviceChoice;
    use inglenook::source::Memory;

    use super::*;

    fn outlook(path: &str) -> Outlook {
        let path = format!("{}/../{path}", env!("CARGO_MANIFEST_DIR"));
        let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let gguf = pollster::block_on(Gguf::read(&Memory(bytes))).expect("a header");
        let cpu = DeviceArguments { device: DeviceChoice::Cpu, default_limits: false };
        Outlook::new(&gguf, &cpu).expect("the CPU is there")
    }

    #[test]
    fn outlook_of_a_small_model_fits_and_grows_with_its_context() {
        let outlook = outlook("models/ember/ember-q8_0.gguf");
        assert_eq!(outlook.problem, None);
        assert!(outlook.bandwidth > 1e6 && outlook.rate(0) > outlook.rate(4096));
        for Row { cells, .. } in &outlook.contexts {
            let [f16, f32] = [KvType::F16, KvType::F32].map(|ty| {
                cells[outlook.types.iter().position(|known| *known == ty).expect("every head can be cached so")]
            });
            assert!(f16.1 && f32.1 && f16.0 < f32.0);
        }
        assert!(outlook.text().contains("runs here, on CPU"), "{}", outlook.text());
        assert_eq!(outlook.json()["weights"], outlook.needs.weights);
    }

    #[test]
    fn only_chosen_experts_are_read_for_a_token() {
        let gguf = |name: &str| {
            let path = format!("{}/../tests/goldens/models/{name}.gguf", env!("CARGO_MANIFEST_DIR"));
            pollster::block_on(Gguf::read(&Memory(fs::read(path).expect("a golden")))).expect("a header")
        };
        let gguf = gguf("qwen3moe");
        let config = Config::read(&gguf).expect("a configuration");
        let bytes = |part: &str| -> u64 {
            gguf.tensors().iter().filter(|tensor| tensor.name.contains(part)).map(|tensor| tensor.bytes).sum()
        };
        // Three of six experts, and none of the embedding, which is not the head.
        let expected = bytes("") - bytes("token_embd") - bytes("_exps.") / 2;
        assert_eq!(read_bytes(&gguf, &config), expected);
    }
}
