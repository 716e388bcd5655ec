//! Arguments that several commands share.

use std::path::PathBuf;

use clap::Args;
use inglenook::engine::request::{Request, RequestError, Stop};

use crate::device::Choice;

/// Which model, and where it runs.
#[derive(Debug, Args)]
#[command(next_help_heading = "Model and device")]
pub struct ModelArguments {
    /// A GGUF file; without one, the built-in model ember
    #[arg(short, long, value_name = "FILE")]
    pub model: Option<PathBuf>,
    #[command(flatten)]
    pub device: DeviceArguments,
    /// Tokens of context [default: 4096, or what the model was trained for if that is less]
    #[arg(long, value_name = "TOKENS", value_parser = clap::value_parser!(u32).range(1..))]
    pub context: Option<u32>,
    /// Keep keys and values in f32 instead of f16: twice the memory, exact comparisons
    #[arg(long)]
    pub exact_kv: bool,
    /// Say on standard error what was loaded, where it runs and how fast it was
    #[arg(short, long)]
    pub verbose: bool,
}

/// Where it runs.
#[derive(Debug, Args)]
pub struct DeviceArguments {
    /// `auto` (the best GPU, else the CPU), `gpu`, `cpu`, or a part of an adapter's name
    #[arg(short, long, value_name = "DEVICE", default_value = "auto")]
    pub device: Choice,
    /// Ask the GPU for no more than every WebGPU device gives
    #[arg(long)]
    pub default_limits: bool,
}

/// How tokens are chosen.
#[derive(Debug, Args)]
#[command(next_help_heading = "Sampling")]
pub struct SamplingArguments {
    /// Tokens to generate at most [default: until the context is full]
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_tokens: Option<u32>,
    /// 0 for the most likely token always [default: what the model recommends, else 0.7]
    #[arg(short, long, value_name = "T", allow_negative_numbers = true)]
    pub temperature: Option<f32>,
    /// Choose among the K most likely tokens
    #[arg(long, value_name = "K")]
    pub top_k: Option<u32>,
    /// Choose among the most likely tokens that together reach probability P
    #[arg(long, value_name = "P")]
    pub top_p: Option<f32>,
    /// Choose among tokens at least P times as likely as the most likely
    #[arg(long, value_name = "P")]
    pub min_p: Option<f32>,
    /// Divide the logits of tokens that occurred before by X
    #[arg(long, value_name = "X")]
    pub repetition_penalty: Option<f32>,
    /// The same seed and prompt give the same answer
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// End the answer at this text, without it; may be given several times
    #[arg(long, value_name = "TEXT")]
    pub stop: Vec<String>,
}

impl SamplingArguments {
    /// Refuses what no model could do, before one is loaded.
    ///
    /// # Errors
    /// What is out of range.
    pub fn check(&self) -> Result<(), RequestError> {
        Request { prompt: Some("any".into()), ..self.request() }.check()
    }

    /// A request that chooses tokens this way, still without a prompt.
    pub fn request(&self) -> Request {
        Request {
            max_tokens: self.max_tokens,
            temperature: self.temperature,
            top_k: self.top_k,
            top_p: self.top_p,
            min_p: self.min_p,
            repetition_penalty: self.repetition_penalty,
            seed: self.seed,
            stop: Stop::Many(self.stop.clone()),
            ..Request::default()
        }
    }
}
