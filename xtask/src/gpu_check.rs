//! `cargo xtask gpu-check`: the program's own check of a GPU, with all that it needs.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::shell::{read, run, say, show};
use crate::smollm2;
use crate::workspace::Workspace;

/// What to check.
#[derive(clap::Args)]
pub struct Options {
    /// The CSV file to write
    #[arg(long, value_name = "FILE", default_value = "benches/gpu-check.csv")]
    out: PathBuf,
    /// A few checks and the smallest model alone
    #[arg(long)]
    quick: bool,
    /// Seconds after which nothing new is begun
    #[arg(long, value_name = "SECONDS")]
    budget: Option<u64>,
    /// The GPU: `gpu` (the best one), or a part of an adapter's name
    #[arg(long, value_name = "DEVICE", default_value = "gpu")]
    device: String,
    /// Build and fetch only, and print the command to run where the GPU is: it needs the program and the model, and nothing else
    #[arg(long)]
    prepare: bool,
}

/// Build the program, fetch the model, and run the check.
///
/// # Errors
/// When the build fails, or anything that is checked is wrong.
pub fn gpu_check(workspace: &Workspace, options: &Options) -> Result<()> {
    let mut build = Command::new("cargo");
    build.current_dir(&workspace.root).args(["build", "--quiet", "--release", "--package", "inglenook-cli"]);
    run(&mut build)?;
    let mut command = Command::new(workspace.target.join("release/inglenook"));
    command.arg("gpu-check").arg("--device").arg(&options.device).arg("--commit").arg(commit(workspace)?);
    // Relative to where the user stands.
    command.arg("--out").arg(std::path::absolute(&options.out).context("the output has no path")?);
    if let Some(budget) = options.budget {
        command.arg("--budget").arg(budget.to_string());
    }
    if options.quick {
        command.arg("--quick");
    } else {
        match smollm2::model(workspace) {
            Ok(model) => drop(command.arg("--smollm2").arg(model)),
            Err(error) => say(&format!("without SmolLM2, which cannot be fetched: {error:#}")),
        }
    }
    if options.prepare {
        println!("{}", show(&command));
        return Ok(());
    }
    run(&mut command)
}

fn commit(workspace: &Workspace) -> Result<String> {
    let mut git = Command::new("git");
    git.current_dir(&workspace.root).args(["describe", "--always", "--dirty", "--exclude=*"]);
    Ok(read(&mut git)?.trim().to_string())
}
