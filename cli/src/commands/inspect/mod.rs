//! `inglenook inspect`: what a GGUF file holds.

mod json;
mod text;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use inglenook::format::gguf::{Gguf, TensorInfo};

use crate::load;

/// Show a GGUF file's metadata and tensors
#[derive(Debug, Args)]
pub struct Options {
    /// The file; without one, the built-in model ember
    file: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Show arrays and long texts whole
    #[arg(long)]
    full: bool,
}

/// Prints them.
///
/// # Errors
/// When the file cannot be opened or is no valid GGUF.
pub fn run(options: &Options) -> Result<()> {
    let path: Option<&Path> = options.file.as_deref();
    let source = load::source(path)?;
    let name = load::name(path);
    let gguf = pollster::block_on(Gguf::read(source.as_ref())).with_context(|| format!("cannot read {name}"))?;
    let file = File { name, bytes: source.len(), gguf, full: options.full };
    let shown = if options.json { serde_json::to_string_pretty(&json::object(&file))? } else { text::report(&file) };
    writeln!(io::stdout(), "{shown}")?;
    Ok(())
}

/// A file and how to show it.
struct File {
    name: String,
    bytes: Option<u64>,
    gguf: Gguf,
    full: bool,
}

impl File {
    /// What the tensors of each weight type come to, the type with most bytes first.
    fn totals(&self) -> Vec<Total> {
        let mut totals: Vec<Total> = Vec::new();
        for tensor in self.gguf.tensors() {
            let name = tensor.ty.name();
            match totals.iter_mut().find(|total| total.ty == name) {
                Some(total) => total.add(tensor),
                None => {
                    let mut total = Total { ty: name, tensors: 0, weights: 0, bytes: 0 };
                    total.add(tensor);
                    totals.push(total);
                }
            }
        }
        totals.sort_by_key(|total| std::cmp::Reverse(total.bytes));
        totals
    }
}

/// All tensors of one weight type.
#[derive(Debug, PartialEq, serde::Serialize)]
struct Total {
    #[serde(rename = "type")]
    ty: &'static str,
    tensors: u64,
    weights: u64,
    bytes: u64,
}

impl Total {
    fn add(&mut self, tensor: &TensorInfo) {
        self.tensors += 1;
        self.weights += tensor.weights();
        self.bytes += tensor.bytes;
    }
}
