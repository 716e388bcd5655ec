//! The npm packages of each folder that has a lock file; fetched again only when that file changed.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::shell::{find_program, npm, read, run, say};
use crate::stamp::{self, Inputs};
use crate::workspace::Workspace;

/// The folders with npm packages, in the order in which they depend on each other.
pub const FOLDERS: [&str; 3] = ["npm", "demo", "tests/browser"];

/// The folder with the engines to compare with.
const PEERS: &str = "benches/peers";

/// What Vite 8 runs on.
const OLDEST_NODE: (u32, u32) = (20, 19);

/// Fetch what is missing or changed.
///
/// # Errors
/// When Node is missing, or npm fails.
pub fn ensure(workspace: &Workspace) -> Result<()> {
    ensure_node()?;
    for folder in FOLDERS {
        let path = workspace.root.join(folder);
        if path.join("package.json").is_file() {
            ensure_folder(&path, folder, "ci")?;
        }
    }
    Ok(())
}

/// The packages of benches/peers, which only its chore needs, in cargo's target folder; returns the folder node_modules.
///
/// # Errors
/// When npm fails.
pub fn peers(workspace: &Workspace) -> Result<PathBuf> {
    let (from, into) = (workspace.root.join(PEERS), workspace.target.join("peers"));
    std::fs::create_dir_all(&into).with_context(|| format!("cannot make {}", into.display()))?;
    for file in ["package.json", "package-lock.json"] {
        std::fs::copy(from.join(file), into.join(file)).with_context(|| format!("cannot copy {PEERS}/{file}"))?;
    }
    // The lock file has the programs of node-llama-cpp for Linux; `npm ci` would refuse it on account of those for other systems.
    ensure_folder(&into, PEERS, "install")?;
    Ok(into.join("node_modules"))
}

fn ensure_node() -> Result<()> {
    let wanted = format!("install Node {}.{} or later, and npm", OLDEST_NODE.0, OLDEST_NODE.1);
    if find_program(&["npm"]).is_none() {
        bail!("npm is missing: {wanted}");
    }
    let answer = read(Command::new("node").arg("--version")).with_context(|| format!("Node is missing: {wanted}"))?;
    match parse_version(&answer) {
        Some(version) if version >= OLDEST_NODE => Ok(()),
        _ => bail!("Node {} is too old: {wanted}", answer.trim()),
    }
}

/// Major and minor of an answer like `v20.19.4`.
fn parse_version(answer: &str) -> Option<(u32, u32)> {
    let mut numbers = answer.trim().strip_prefix('v')?.split('.').map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

fn ensure_folder(path: &Path, name: &str, install: &str) -> Result<()> {
    let lock = path.join("package-lock.json");
    if !lock.is_file() {
        bail!("{name}/package-lock.json is missing: run `npm install` in {name}/ and commit it");
    }
    let mut inputs = Inputs::new(&[]);
    inputs.add(&lock)?;
    let inputs = inputs.finish();
    // Inside node_modules, so that deleting the packages deletes the stamp too.
    let stamp = path.join("node_modules/.inglenook-stamp");
    if stamp::is_current(&stamp, &inputs) {
        return Ok(());
    }
    say(&format!("fetching the npm packages of {name}/"));
    // No install scripts: several packages would download browsers or prebuilt programs that we never use.
    run(npm(path).args([install, "--ignore-scripts"]))
        .with_context(|| format!("the npm packages of {name}/ are missing"))?;
    stamp::write(&stamp, &inputs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lock_files_name_no_registry() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let apps = std::fs::read_dir(root.join("tests/apps")).unwrap().map(|entry| entry.unwrap().path());
        let folders =
            FOLDERS.iter().chain([&PEERS]).map(|folder| root.join(folder)).chain(apps.filter(|path| path.is_dir()));
        for lock in folders.map(|folder| folder.join("package-lock.json")) {
            let text = std::fs::read_to_string(&lock).unwrap_or_else(|error| panic!("{}: {error}", lock.display()));
            let host = text.lines().find(|line| line.contains("\"resolved\": \"http"));
            assert_eq!(host, None, "{}: write it with omit-lockfile-registry-resolved=true", lock.display());
        }
    }

    #[test]
    fn node_versions_compare_as_numbers() {
        assert!(parse_version("v20.19.4\n").unwrap() >= OLDEST_NODE);
        assert!(parse_version("v100.0.0").unwrap() >= OLDEST_NODE);
        assert!(parse_version("v20.9.0").unwrap() < OLDEST_NODE);
        assert!(parse_version("v18.20.0").unwrap() < OLDEST_NODE);
        assert_eq!(parse_version("command not found"), None);
    }
}
