//! Arguments that several commands share.

mod embedder;
mod form;
mod lora;
mod mix;
mod prompt;
mod rule;
mod sampling;

use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use inglenook::engine::request::Request;
use inglenook::format::quant::mix::Mix;
use inglenook::kernels::kv::KvType;
use inglenook::placement::DeviceChoice;
use inglenook::text::ContentRules;
use serde_json::{Map, Value};

pub use embedder::{EmbedderArguments, TextArguments};
pub use form::FormArguments;
pub use lora::{AdapterArguments, LoraArgument};
pub use mix::mix_parser;
pub use prompt::PromptArguments;
pub use sampling::SamplingArguments;

/// Which model, and where it runs.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Model and device")]
pub struct ModelArguments {
    /// A GGUF file, or a folder as Hugging Face keeps models; without one, the built-in model ember
    #[arg(short, long, value_name = "FILE")]
    pub model: Option<PathBuf>,
    /// Convert its matrices to this type as they are read, as `inglenook convert` would
    #[arg(long, value_name = "TYPE", ignore_case = true, value_parser = mix_parser())]
    pub quantize: Option<&'static Mix>,
    #[command(flatten)]
    pub device: DeviceArguments,
    /// Tokens of context [default: 4096, or what the model was trained for if that is less]
    #[arg(long, value_name = "TOKENS", value_parser = clap::value_parser!(u32).range(1..))]
    pub context: Option<u32>,
    /// How keys and values are stored: f32 for exact comparisons, q8_0 and q4_0 for half and a quarter of the memory of f16
    #[arg(long, value_name = "TYPE", default_value = "f16", value_parser = PossibleValuesParser::new(KvType::ALL.map(KvType::name)).map(|name| kv_type(&name)))]
    pub kv_type: KvType,
    /// Threads on which the CPU computes, where it does [default: as many as there are cores, and never more]
    #[arg(long, value_name = "COUNT")]
    pub threads: Option<usize>,
    /// On the CPU, compute with activations as they are, instead of rounding them to 16 bits: slower, and seldom another token
    #[arg(long)]
    pub exact_activations: bool,
    /// Sequences that run at once, 1 to 8; further requests wait
    #[arg(long, value_name = "COUNT", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=8))]
    pub max_sequences: u32,
    /// Tokens of keys and values that are kept, of all conversations [default: the context]
    #[arg(long, value_name = "TOKENS", value_parser = clap::value_parser!(u32).range(1..))]
    pub cache_tokens: Option<u32>,
    /// Keep what was computed of conversations in this folder, so that a later run need not compute it again
    ///
    /// One folder serves all models and runs. It holds what conversations say, in a form that only their model reads.
    #[arg(long, value_name = "FOLDER")]
    pub page_store: Option<PathBuf>,
    /// Bytes that the folder may grow to; what was used least recently is removed
    #[arg(long, value_name = "BYTES", default_value_t = 4 << 30, requires = "page_store")]
    pub page_store_bytes: u64,
    /// A smaller GGUF file with the same vocabulary, whose model drafts tokens for an answer that runs alone, or Gemma 4's drafter
    #[arg(long, value_name = "FILE", conflicts_with = "no_speculation")]
    pub draft: Option<PathBuf>,
    /// Draft tokens, for an answer that runs alone, with a layer of the model itself that predicts a further one, if the file has it
    #[arg(long, conflicts_with_all = ["draft", "no_speculation"])]
    pub mtp: bool,
    /// Never draft tokens, such as those that the prompt or the answer had before; the tokens are the same either way
    #[arg(long)]
    pub no_speculation: bool,
    /// Say on standard error what was loaded, where it runs and how fast it was
    #[arg(short, long)]
    pub verbose: bool,
}

fn kv_type(name: &str) -> KvType {
    KvType::from_name(name).unwrap_or_default()
}

/// Where it runs.
#[derive(Debug, Clone, Args)]
pub struct DeviceArguments {
    /// `auto` (the best GPU, else the CPU), `gpu` (a software adapter, too), `cpu`, or a part of an adapter's name
    #[arg(short, long, value_name = "DEVICE", default_value = "auto")]
    pub device: DeviceChoice,
    /// Ask the GPU for no more than every WebGPU device gives
    #[arg(long)]
    pub default_limits: bool,
}

/// What is asked of an answer, but for the question.
#[derive(Debug, Args)]
pub struct AnswerArguments {
    #[command(flatten)]
    prompt: PromptArguments,
    #[command(flatten)]
    form: FormArguments,
    #[command(flatten)]
    pub sampling: SamplingArguments,
}

impl AnswerArguments {
    /// A request for such an answer, still without a prompt.
    ///
    /// # Errors
    /// A file that cannot be read, or what no model could do.
    pub fn request(&self) -> Result<Request> {
        let mut fields = Map::new();
        self.prompt.add_to(&mut fields)?;
        self.form.add_to(&mut fields)?;
        self.sampling.add_to(&mut fields);
        let request = read(fields)?;
        Request { prompt: Some("any".into()), ..request.clone() }.check()?;
        ContentRules::new(&request.stop.strings(), &request.content_rules)?;
        Ok(request)
    }
}

/// A request of these fields.
///
/// # Errors
/// What is wrong with them.
pub fn read(fields: Map<String, Value>) -> Result<Request> {
    let mut request = Request::from_json(&Value::Object(fields).to_string())?;
    // Without a library for time zones, the local clock is that of UTC.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    request.local_time.get_or_insert(now.as_secs() as i64);
    Ok(request)
}

/// The fields of a request in a file: those of the object that it is, or `messages` alone. Without a file, or where it is `-`, the
/// request is read from standard input.
///
/// # Errors
/// When it cannot be read, or is neither a list of messages nor an object.
pub fn request_fields(path: Option<&Path>) -> Result<Map<String, Value>> {
    let json = match path.filter(|path| *path != Path::new("-")) {
        Some(path) => json_file(path)?,
        None => {
            let text = io::read_to_string(io::stdin()).context("cannot read the conversation")?;
            serde_json::from_str(&text).context("the conversation is no JSON")?
        }
    };
    match json {
        Value::Array(_) => Ok(Map::from_iter([("messages".to_string(), json)])),
        Value::Object(fields) => Ok(fields),
        _ => bail!("the conversation is neither a list of messages nor an object with `messages`"),
    }
}

/// The JSON in a file.
///
/// # Errors
/// When the file cannot be read, or is no JSON.
pub fn json_file(path: &Path) -> Result<Value> {
    serde_json::from_str(&text_file(path)?).with_context(|| format!("{} is no JSON", path.display()))
}

/// The text in a file.
///
/// # Errors
/// When the file cannot be read, or is no UTF-8.
pub fn text_file(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}
