//! The `wasm-bindgen` program, of the very version that Cargo.lock pins: another version refuses the module.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::lockfile;
use crate::shell::{read, run, say};
use crate::workspace::Workspace;

/// The program that fits the lock file.
///
/// # Errors
/// When the workspace uses no wasm-bindgen, or the fitting program is not installed.
pub fn program(workspace: &Workspace) -> Result<PathBuf> {
    let version = pinned(workspace)?.context("Cargo.lock pins no wasm-bindgen: the wasm crate does not use it")?;
    fitting(workspace, &version)
        .with_context(|| format!("wasm-bindgen {version} is not installed: run `cargo xtask setup`"))
}

/// Install the fitting program under target/tools, unless it is there or on the PATH.
///
/// # Errors
/// When `cargo install` fails.
pub fn ensure(workspace: &Workspace) -> Result<()> {
    let Some(version) = pinned(workspace)? else {
        return Ok(());
    };
    if fitting(workspace, &version).is_some() {
        return Ok(());
    }
    say(&format!("installing wasm-bindgen {version} under target/tools, about 2 minutes"));
    // It works for seconds: compiling it less takes half as long. Without `--locked`: this crate's own lock file is refused by cargo.
    run(Command::new("cargo")
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
        .args(["install", "--quiet", "wasm-bindgen-cli", "--version", &version, "--root"])
        .arg(workspace.tools()))
    .with_context(|| format!("wasm-bindgen {version} is missing and could not be installed"))
}

fn pinned(workspace: &Workspace) -> Result<Option<String>> {
    lockfile::version(&workspace.root.join("Cargo.lock"), "wasm-bindgen")
}

fn fitting(workspace: &Workspace, version: &str) -> Option<PathBuf> {
    let own = workspace.tools().join("bin/wasm-bindgen");
    [own, PathBuf::from("wasm-bindgen")].into_iter().find(|program| {
        let answer = read(Command::new(program).arg("--version"));
        answer.is_ok_and(|answer| says_version(&answer, version))
    })
}

/// The program answers `wasm-bindgen 0.2.130` or `wasm-bindgen 0.2.130 (hash)`.
fn says_version(answer: &str, version: &str) -> bool {
    answer.split_whitespace().nth(1) == Some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_whole() {
        assert!(says_version("wasm-bindgen 0.2.130\n", "0.2.130"));
        assert!(says_version("wasm-bindgen 0.2.130 (abcdef)\n", "0.2.130"));
        assert!(!says_version("wasm-bindgen 0.2.13\n", "0.2.130"));
        assert!(!says_version("wasm-bindgen 0.2.130\n", "0.2.13"));
        assert!(!says_version("", "0.2.13"));
    }
}
