//! The npm packages that are built from TypeScript: npm/ (what users install) and demo/ (the page that uses it).

use std::path::Path;

use anyhow::{Context, Result};

use crate::shell::{npm, read, run, say};
use crate::stamp::{self, Inputs};
use crate::workspace::Workspace;
use crate::{setup, wasm};

/// Build the module and the npm package, unless they are current.
///
/// # Errors
/// When a build fails; the sentence names it.
pub fn build_library(workspace: &Workspace) -> Result<()> {
    setup::for_wasm(workspace)?;
    wasm::build_web(workspace)?;
    // The embedded model and some shaders are copied into the package.
    build(workspace, "npm", &["models/ember", "shaders"])
}

/// Build the demo page on the library.
///
/// # Errors
/// When a build fails; the sentence names it.
pub fn build_demo(workspace: &Workspace) -> Result<()> {
    build_library(workspace)?;
    build(workspace, "demo", &["npm"])
}

/// `npm run build` in a folder whose output is `dist/`, unless it is current.
fn build(workspace: &Workspace, folder: &str, built_on: &[&str]) -> Result<()> {
    let path = workspace.root.join(folder);
    // Not in dist/, which a build may empty and a package would ship.
    let stamp = path.join("node_modules/.inglenook-build");
    if path.join("dist").is_dir() && stamp::is_current(&stamp, &inputs(workspace, folder, built_on)?) {
        return Ok(());
    }
    say(&format!("building {folder}/"));
    run(npm(&path).args(["run", "build"])).with_context(|| format!("{folder}/ could not be built"))?;
    // Hashed again, since a build may copy files (the model) into the folder beside dist/.
    stamp::write(&stamp, &inputs(workspace, folder, built_on)?)
}

fn inputs(workspace: &Workspace, folder: &str, built_on: &[&str]) -> Result<String> {
    let mut inputs = Inputs::new(&[]);
    for path in built_on.iter().chain([&folder]) {
        inputs.add(&workspace.root.join(path))?;
    }
    Ok(inputs.finish())
}

/// Whether the folder's package.json has a script of this name.
pub fn has_script(folder: &Path, script: &str) -> bool {
    let Ok(text) = std::fs::read_to_string(folder.join("package.json")) else { return false };
    let package: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    package["scripts"][script].is_string()
}

/// The files that `npm publish` would send, relative to the folder.
///
/// # Errors
/// When npm fails or its answer cannot be read.
pub fn published_files(folder: &Path) -> Result<Vec<String>> {
    let answer = read(npm(folder).args(["pack", "--dry-run", "--json", "--ignore-scripts"]))?;
    parse_pack(&answer).context("`npm pack --dry-run --json` gave an answer without a list of files")
}

/// npm answers with a list of packages, or (since npm 12) with an object keyed by their names.
fn parse_pack(answer: &str) -> Option<Vec<String>> {
    let packages: serde_json::Value = serde_json::from_str(answer).ok()?;
    let package = match &packages {
        serde_json::Value::Array(list) => list.first()?,
        serde_json::Value::Object(map) => map.values().next()?,
        _ => return None,
    };
    package["files"].as_array()?.iter().map(|file| Some(file["path"].as_str()?.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_shapes_of_npm_pack_are_read() {
        let files = ["dist/index.js", "wasm/a.wasm"];
        let list = r#"[{"name":"x","files":[{"path":"dist/index.js","size":1},{"path":"wasm/a.wasm"}]}]"#;
        assert_eq!(parse_pack(list).unwrap(), files);
        let keyed = r#"{"x":{"files":[{"path":"dist/index.js"},{"path":"wasm/a.wasm"}]}}"#;
        assert_eq!(parse_pack(keyed).unwrap(), files);
    }

    #[test]
    fn an_answer_without_files_is_refused() {
        assert!(parse_pack("[]").is_none());
        assert!(parse_pack(r#"[{"name":"x"}]"#).is_none());
        assert!(parse_pack("not JSON").is_none());
    }
}
