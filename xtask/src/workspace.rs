//! Where things are: the repository's root and cargo's target folder.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The paths every chore starts from.
pub struct Workspace {
    /// The repository's root folder.
    pub root: PathBuf,
    /// Cargo's target folder, wherever the user's configuration puts it.
    pub target: PathBuf,
}

impl Workspace {
    /// Ask cargo, since `build.target-dir` may stand in a configuration file outside the repository.
    ///
    /// # Errors
    /// When cargo does not run or its answer cannot be read.
    pub fn find() -> Result<Self> {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
        let output = Command::new("cargo")
            .args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"])
            .arg(&manifest)
            .output()
            .context("cargo is not on the PATH: install Rust with rustup")?;
        if !output.status.success() {
            bail!("`cargo metadata` failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Self::from_metadata(&output.stdout)
    }

    fn from_metadata(json: &[u8]) -> Result<Self> {
        let metadata: serde_json::Value = serde_json::from_slice(json).context("`cargo metadata` wrote no JSON")?;
        let path = |key: &str| -> Result<PathBuf> {
            let value = metadata[key].as_str();
            Ok(value.with_context(|| format!("`cargo metadata` names no {key}"))?.into())
        };
        Ok(Self { root: path("workspace_root")?, target: path("target_directory")? })
    }

    /// Where programs that chores install for themselves live: `target/tools`, so that nothing outside changes.
    pub fn tools(&self) -> PathBuf {
        self.target.join("tools")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_come_from_cargo_metadata() {
        let found = Workspace::from_metadata(br#"{"workspace_root":"/a","target_directory":"/b/t"}"#).unwrap();
        assert_eq!(found.root, Path::new("/a"));
        assert_eq!(found.tools(), Path::new("/b/t/tools"));
    }

    #[test]
    fn a_missing_path_is_named() {
        let error = Workspace::from_metadata(br#"{"workspace_root":"/a"}"#).err().unwrap();
        assert!(error.to_string().contains("target_directory"));
    }
}
