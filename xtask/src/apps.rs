//! `cargo xtask apps`: small applications of several bundlers, each with the npm package as it would be published, answer in Chromium.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::shell::{npm, read, run};
use crate::workspace::Workspace;
use crate::{packages, setup};

/// Which applications.
#[derive(clap::Args)]
pub struct Options {
    /// Only the applications of tests/apps whose name contains this
    #[arg(long, value_name = "PART")]
    only: Option<String>,
}

/// Set up, build and pack the library, and run the applications that the options name.
///
/// # Errors
/// When a step of the set-up fails, or an application does not answer.
pub fn apps(workspace: &Workspace, options: &Options) -> Result<()> {
    setup::everything(workspace)?;
    let mut command = runner(workspace)?;
    if let Some(part) = &options.only {
        command.arg("--only").arg(part);
    }
    run(&mut command)
}

/// The runner's command, for a workspace that is set up; builds and packs the package.
///
/// # Errors
/// When the build fails, or npm cannot pack it.
pub fn runner(workspace: &Workspace) -> Result<Command> {
    packages::build_library(workspace)?;
    // Packages of the applications are kept here between runs.
    let work = workspace.target.join("apps");
    std::fs::create_dir_all(&work).with_context(|| format!("cannot make {}", work.display()))?;
    let tarball = pack(workspace, &work)?;
    let mut command = Command::new("node");
    command.current_dir(workspace.root.join("tests/apps")).arg("run.mjs");
    command.arg("--tarball").arg(tarball).arg("--work").arg(work);
    Ok(command)
}

fn pack(workspace: &Workspace, into: &Path) -> Result<PathBuf> {
    let package = workspace.root.join("npm");
    let answer = read(npm(&package).args(["pack", "--ignore-scripts", "--pack-destination"]).arg(into))?;
    let tarball = into.join(answer.trim().lines().last().unwrap_or_default());
    if !tarball.is_file() {
        bail!("`npm pack` named no file: {answer}");
    }
    Ok(tarball)
}
