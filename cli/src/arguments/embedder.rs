//! Arguments of the commands that embed and rank texts.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use inglenook::{EmbedderOptions, Purpose};

use super::DeviceArguments;

/// Which model, where it runs, and how long its texts may be.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Model and device")]
pub struct EmbedderArguments {
    /// A GGUF file, or a folder as Hugging Face keeps models
    #[arg(short, long, value_name = "FILE")]
    pub model: PathBuf,
    #[command(flatten)]
    pub device: DeviceArguments,
    /// Tokens of the longest text [default: 2048, or what the model was trained for if that is less]
    #[arg(long, value_name = "TOKENS", value_parser = clap::value_parser!(u32).range(1..))]
    pub context: Option<u32>,
    /// Leave out what is too much of a text, instead of refusing it
    #[arg(long)]
    pub truncate: bool,
    /// Threads on which the CPU computes, where it does [default: as many as there are cores, and never more]
    #[arg(long, value_name = "COUNT")]
    threads: Option<usize>,
    /// On the CPU, compute with activations as they are, instead of rounding them to 16 bits
    #[arg(long)]
    exact_activations: bool,
}

impl EmbedderArguments {
    /// How the embedder is to be made.
    pub fn options(&self, purpose: Purpose) -> EmbedderOptions {
        EmbedderOptions {
            purpose,
            context: self.context,
            threads: self.threads,
            exact_activations: self.exact_activations,
            ..EmbedderOptions::default()
        }
    }
}

/// Where texts come from.
#[derive(Debug, Clone, Args)]
pub struct TextArguments {
    /// Read texts from this file, a line each; `-` is standard input
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
}

impl TextArguments {
    /// These texts, and behind them the lines of the file; without either, those of standard input.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn texts(&self, given: &[String]) -> Result<Vec<String>> {
        let is_standard_input = |path: &PathBuf| path.as_os_str() == "-";
        let lines = match &self.file {
            None if !given.is_empty() => String::new(),
            Some(path) if !is_standard_input(path) => super::text_file(path)?,
            _ => std::io::read_to_string(std::io::stdin()).context("cannot read the texts")?,
        };
        let lines = lines.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned);
        Ok(given.iter().cloned().chain(lines).collect())
    }
}
