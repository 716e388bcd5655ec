//! The npm packages of each folder that has a lock file; fetched again only when that file changed.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::shell::{find_program, npm, run, say};
use crate::stamp::{self, Inputs};
use crate::workspace::Workspace;

/// The folders with npm packages, in the order in which they depend on each other.
pub const FOLDERS: [&str; 3] = ["npm", "demo", "tests/browser"];

/// Fetch what is missing or changed.
///
/// # Errors
/// When Node is missing, or npm fails.
pub fn ensure(workspace: &Workspace) -> Result<()> {
    for folder in FOLDERS {
        let path = workspace.root.join(folder);
        if path.join("package.json").is_file() {
            ensure_folder(&path, folder)?;
        }
    }
    Ok(())
}

fn ensure_folder(path: &Path, name: &str) -> Result<()> {
    if find_program(&["npm"]).is_none() {
        bail!("Node and npm are missing: install Node 20.19 or later (Debian: apt-get install nodejs npm)");
    }
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
    run(npm(path).args(["ci", "--ignore-scripts"]))
        .with_context(|| format!("the npm packages of {name}/ are missing"))?;
    stamp::write(&stamp, &inputs)
}
