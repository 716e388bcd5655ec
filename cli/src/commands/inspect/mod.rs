//! `inglenook inspect`: what a GGUF file holds.

mod json;
mod text;

use std::borrow::Cow;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use inglenook::engine::{Engine, ignored};
use inglenook::format::gguf::{Gguf, TensorInfo};
use inglenook::source::{LocalFuture, Source, SourceError};

use crate::load;

/// Show a GGUF file's metadata and tensors, and whether its model can be run
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

/// Prints them, whether the model can be run or not.
///
/// # Errors
/// When the file cannot be opened or its header is no valid GGUF.
pub fn run(options: &Options) -> Result<()> {
    let path: Option<&Path> = options.file.as_deref();
    let source = load::source(path)?;
    let name = load::name(path);
    let header = pollster::block_on(Gguf::read(&Endless(source.as_ref())));
    let file =
        File::new(name.clone(), source.len(), header.with_context(|| format!("cannot read {name}"))?, options.full);
    let shown = if options.json { serde_json::to_string_pretty(&json::object(&file))? } else { text::report(&file) };
    writeln!(io::stdout(), "{shown}")?;
    Ok(())
}

/// A file whose length nobody tells, so that a header is shown though the file was cut off behind it.
struct Endless<'a>(&'a dyn Source);

impl Source for Endless<'_> {
    fn len(&self) -> Option<u64> {
        None
    }

    fn read_at<'a>(&'a self, offset: u64, buf: &'a mut [u8]) -> LocalFuture<'a, Result<(), SourceError>> {
        self.0.read_at(offset, buf)
    }
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
}

impl File {
    fn new(name: String, bytes: Option<u64>, gguf: Gguf, full: bool) -> File {
        let end = gguf.tensors().iter().map(TensorInfo::end).max();
        let problem = match (end, bytes) {
            (Some(end), Some(bytes)) if end > bytes => {
                Some(format!("the file was cut off: its tensors end at byte {end}, and it has {bytes}"))
            }
            _ => Engine::check(&gguf).err().map(|error| error.to_string()),
        };
        let notes = ignored(&gguf.metadata);
        File { name, bytes, gguf, full, problem, notes }
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
