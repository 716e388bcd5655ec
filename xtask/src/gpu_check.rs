//! `cargo xtask gpu-check`: the program's own check of a GPU, with all that it needs.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::shell::{read, run, say};
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
    /// Build and fetch only, and print the command to run where the GPU is: it needs the two files that it names, and nothing else
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
    let program = workspace.target.join("release/inglenook");
    let mut arguments = vec!["gpu-check".into(), "--device".into(), options.device.clone()];
    arguments.extend(["--commit".into(), commit(workspace)?]);
    if let Some(budget) = options.budget {
        arguments.extend(["--budget".into(), budget.to_string()]);
    }
    if options.quick {
        arguments.push("--quick".into());
    }
    let model = if options.quick { None } else { fetched(workspace) };
    if options.prepare {
        let model = model.map(|model| format!(" --smollm2 {}", model.display())).unwrap_or_default();
        println!("{} {}{model}", program.display(), arguments.join(" "));
        return Ok(());
    }
    let mut command = Command::new(program);
    command.args(arguments);
    if let Some(model) = model {
        command.arg("--smollm2").arg(model);
    }
    // Relative to where the user stands.
    run(command.arg("--out").arg(std::path::absolute(&options.out).context("the output has no path")?))
}

/// SmolLM2, where it can be had.
fn fetched(workspace: &Workspace) -> Option<PathBuf> {
    smollm2::model(workspace)
        .inspect_err(|error| say(&format!("without SmolLM2, which cannot be fetched: {error:#}")))
        .ok()
}

fn commit(workspace: &Workspace) -> Result<String> {
    let mut git = Command::new("git");
    git.current_dir(&workspace.root).args(["describe", "--always", "--dirty", "--exclude=*"]);
    Ok(read(&mut git)?.trim().to_string())
}
