//! What is asked of all commands that run a model over a text.

use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use inglenook::kernels::kv::KvType;

use crate::arguments::DeviceArguments;

/// Which text, and how it is cut.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Text")]
pub struct TextArguments {
    /// The text, in UTF-8; `-` is standard input [default: a short one in many languages, which comes with the program]
    #[arg(short, long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Tokens of a chunk, which are all that the model sees at once
    #[arg(short, long, value_name = "TOKENS", default_value_t = 512, value_parser = clap::value_parser!(u32).range(4..))]
    pub context: u32,
    /// Chunks of the text at most
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    pub chunks: Option<u32>,
}

/// Which text, and how models run over it.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Device")]
pub struct ScoringArguments {
    #[command(flatten)]
    pub text: TextArguments,
    #[command(flatten)]
    pub device: DeviceArguments,
    /// How keys and values are stored
    #[arg(long, value_name = "TYPE", default_value = "f16", value_parser = PossibleValuesParser::new(KvType::ALL.map(KvType::name)).map(|name| KvType::from_name(&name).unwrap_or_default()))]
    pub kv_type: KvType,
    /// Threads on which the CPU computes, where it does [default: as many as there are cores, and never more]
    #[arg(long, value_name = "COUNT")]
    pub threads: Option<usize>,
    /// On the CPU, compute with activations as they are, instead of rounding them
    #[arg(long)]
    pub exact_activations: bool,
}
