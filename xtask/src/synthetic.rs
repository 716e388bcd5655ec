//! `cargo xtask synthetic`: models of real shapes with random weights, made by the program itself when they are first
//! wanted, and again when what makes them has changed.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::shell::{run, say};
use crate::stamp::{self, Inputs};
use crate::workspace::Workspace;

/// Their names, as `inglenook synth` knows them.
pub const NAMES: [&str; 8] = ["42m", "0.3b", "0.5b", "4b", "8b", "16-layers", "2gb", "wide-embedding"];

/// What to make.
#[derive(clap::Args)]
pub struct Options {
    /// Which: 42m, 0.3b, 0.5b, 4b, 8b, 16-layers, 2gb, wide-embedding
    #[arg(required = true)]
    names: Vec<String>,
    /// Types of the matrices, in the place of the models' own: q4_0, q4_k_m, q8_0
    #[arg(long, value_name = "TYPE")]
    weights: Option<String>,
}

/// Make the models named, and print where they are.
///
/// # Errors
/// For another name, or when the program does not build or the disk is full.
pub fn synthetic(workspace: &Workspace, options: &Options) -> Result<()> {
    for name in &options.names {
        println!("{}", model_of_type(workspace, name, options.weights.as_deref())?.display());
    }
    Ok(())
}

/// The file of the model `name`, in `models` under cargo's target folder.
///
/// # Errors
/// As [`synthetic`].
pub fn model(workspace: &Workspace, name: &str) -> Result<PathBuf> {
    model_of_type(workspace, name, None)
}

/// The file of the model `name` with matrices of these types, or else of its own.
///
/// # Errors
/// As [`synthetic`].
pub fn model_of_type(workspace: &Workspace, name: &str, weights: Option<&str>) -> Result<PathBuf> {
    if !NAMES.contains(&name) {
        bail!("no synthetic model is called `{name}`: there are {}", NAMES.join(", "));
    }
    let words: Vec<&str> = [name].into_iter().chain(weights).collect();
    let full_name = words.join("-");
    let folder = workspace.target.join("models");
    let file = folder.join(format!("{full_name}.gguf"));
    let mut inputs = Inputs::new(&words);
    for made_by in ["cli/src/commands/synth", "format/src/quant/encode.rs", "format/src/gguf/write.rs"] {
        inputs.add(&workspace.root.join(made_by))?;
    }
    let inputs = inputs.finish();
    let stamp = folder.join(format!("{full_name}.stamp"));
    if file.is_file() && stamp::is_current(&stamp, &inputs) {
        return Ok(file);
    }
    say(&format!("making the synthetic model {full_name}"));
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let mut command = Command::new("cargo");
    command.current_dir(&workspace.root);
    command.args(["run", "--quiet", "--release", "--package", "inglenook-cli", "--", "synth", name]);
    command.arg(&file).args(weights.iter().flat_map(|weights| ["--weights", weights]));
    run(&mut command)?;
    stamp::write(&stamp, &inputs)?;
    Ok(file)
}
