//! `cargo xtask goldens`: make the reference results of tests/goldens again, with the Python libraries they come from.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::shell::{find_program, run, say};
use crate::stamp::{self, Inputs};
use crate::workspace::Workspace;

/// What the generator is told.
#[derive(clap::Args)]
pub struct Options {
    /// Passed on to tests/goldens/generate.py
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Run the generator in a virtual environment of its own under cargo's target folder.
///
/// # Errors
/// When Python is missing, or the packages or the generator fail.
pub fn goldens(workspace: &Workspace, options: &Options) -> Result<()> {
    let python = environment(workspace)?;
    say("making tests/goldens again");
    run(Command::new(python)
        .current_dir(workspace.root.join("tests/goldens"))
        .arg("generate.py")
        .args(&options.arguments))
}

/// The virtual environment's Python, with the packages of requirements.txt.
///
/// # Errors
/// When Python is missing, or the packages cannot be installed.
pub fn environment(workspace: &Workspace) -> Result<PathBuf> {
    let requirements = workspace.root.join("tests/goldens/requirements.txt");
    let mut inputs = Inputs::new(&[]);
    inputs.add(&requirements)?;
    let inputs = inputs.finish();
    let folder = workspace.target.join("goldens-venv");
    let python = folder.join("bin/python");
    let stamp = folder.join(".stamp");
    if stamp::is_current(&stamp, &inputs) {
        return Ok(python);
    }
    if find_program(&["python3"]).is_none() {
        bail!("Python is missing: install Python 3.10 or later (Debian: apt-get install python3 python3-venv)");
    }
    say("installing the Python packages of tests/goldens (several GB, minutes)");
    run(Command::new("python3").args(["-m", "venv"]).arg(&folder))
        .context("a virtual environment could not be made (Debian: apt-get install python3-venv)")?;
    run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--requirement"]).arg(&requirements))?;
    stamp::write(&stamp, &inputs)?;
    Ok(python)
}
