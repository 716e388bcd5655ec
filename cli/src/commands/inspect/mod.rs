//! `inglenook inspect`: what a GGUF file holds, whether its model can be run here, and how.

mod json;
mod near;
mod outlook;
mod text;

use std::borrow::Cow;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use inglenook::engine::{ignored, inspect};
use inglenook::format::gguf::{Gguf, TensorInfo};

use self::outlook::Outlook;
use crate::arguments::DeviceArguments;
use crate::load;
use crate::remote::Remote;

const EXAMPLES: &str = "\
Examples:
  inglenook inspect qwen3-0.6b-q4_k_m.gguf
  inglenook inspect https://huggingface.co/OWNER/NAME/resolve/main/model.gguf
  inglenook inspect --json --device cpu model.gguf";

/// Show a GGUF file's metadata and tensors, whether its model can be run here, in how much memory and how fast
///
/// Reads the header alone, which says all of it; of a file on a server, too, with the help of `curl`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// The file, or its address (http or https); without one, the built-in model ember
    #[arg(value_name = "FILE|URL")]
    file: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Show arrays and long texts whole
    #[arg(long)]
    full: bool,
    #[command(flatten)]
    device: DeviceArguments,
}

/// Prints them, whether the model can be run or not.
///
/// # Errors
/// When the file cannot be opened or its header is no valid GGUF.
pub fn run(options: &Options) -> Result<()> {
    let path: Option<&Path> = options.file.as_deref();
    let source = match path.and_then(Remote::address) {
        Some(address) => Box::new(Remote::new(address)),
        None => load::source(path)?,
    };
    let name = load::name(path);
    let header = pollster::block_on(inspect::read_header(source.as_ref()));
    let header = header.with_context(|| format!("cannot read {name}"))?;
    let file = File::new(name, source.len(), header, options)?;
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
    /// Why the model cannot be run here.
    problem: Option<String>,
    /// What of the file is ignored.
    notes: Vec<String>,
    /// How it would run, if it can be.
    outlook: Option<Outlook>,
}

impl File {
    fn new(name: String, bytes: Option<u64>, gguf: Gguf, options: &Options) -> Result<File> {
        let problem = inspect::problem(&gguf, bytes).map(|problem| problem.message);
        let mut notes = ignored(&gguf.metadata);
        if problem.is_some() {
            notes.extend(near::hints(&gguf));
        }
        let outlook = match problem {
            None => Some(Outlook::new(&gguf, &options.device)?),
            Some(_) => None,
        };
        Ok(File { name, bytes, gguf, full: options.full, problem, notes, outlook })
    }

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
    ty: Cow<'static, str>,
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
