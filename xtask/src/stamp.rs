//! Stamps: a small file beside an output that says which inputs it was made from.
//!
//! Contents are hashed, not times: a fresh checkout or a switch of branches touches every time and changes little.

use std::collections::hash_map::DefaultHasher;
use std::hash::Hasher;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// What an output was made from, as one hash.
pub struct Inputs(DefaultHasher);

impl Inputs {
    /// Begin with what is no file: versions, options.
    pub fn new(words: &[&str]) -> Self {
        let mut hasher = DefaultHasher::new();
        for word in words {
            hasher.write(word.as_bytes());
            hasher.write_u8(0xff);
        }
        Self(hasher)
    }

    /// Add a file, or a folder with all below it except what is built or fetched. What does not exist counts as absent.
    ///
    /// # Errors
    /// When something that exists cannot be read.
    pub fn add(&mut self, path: &Path) -> Result<()> {
        let mut files = Vec::new();
        collect(path, &mut files)?;
        files.sort();
        for file in &files {
            let contents = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
            let name = file.strip_prefix(path).unwrap_or(file);
            self.0.write(name.as_os_str().as_encoded_bytes());
            self.0.write_u64(contents.len() as u64);
            self.0.write(&contents);
        }
        self.0.write_usize(files.len());
        Ok(())
    }

    /// The stamp's text.
    pub fn finish(self) -> String {
        format!("{:016x}\n", self.0.finish())
    }
}

/// Names of folders that hold nothing an output is made from.
const NOT_INPUTS: [&str; 4] = ["node_modules", "dist", "target", ".git"];

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if path.is_file() {
        files.push(path.to_owned());
    }
    if !path.is_dir() || path.file_name().is_some_and(|name| NOT_INPUTS.iter().any(|skipped| name == *skipped)) {
        return Ok(());
    }
    for entry in std::fs::read_dir(path).with_context(|| format!("cannot list {}", path.display()))? {
        collect(&entry?.path(), files)?;
    }
    Ok(())
}

/// Whether the stamp file says exactly this.
pub fn is_current(stamp: &Path, inputs: &str) -> bool {
    std::fs::read_to_string(stamp).is_ok_and(|written| written == inputs)
}

/// Write the stamp, once the output stands.
///
/// # Errors
/// When the file cannot be written.
pub fn write(stamp: &Path, inputs: &str) -> Result<()> {
    std::fs::write(stamp, inputs).with_context(|| format!("cannot write {}", stamp.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("xtask-stamp-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(path.join("src/deep")).unwrap();
        std::fs::write(path.join("src/a.rs"), "one").unwrap();
        std::fs::write(path.join("src/deep/b.rs"), "two").unwrap();
        path
    }

    fn hash(path: &Path) -> String {
        let mut inputs = Inputs::new(&["v1"]);
        inputs.add(path).unwrap();
        inputs.finish()
    }

    #[test]
    fn contents_names_and_options_count_and_times_do_not() {
        let path = folder("counts");
        let first = hash(&path);
        std::fs::write(path.join("src/a.rs"), "one").unwrap();
        assert_eq!(hash(&path), first, "rewriting the same contents");
        std::fs::write(path.join("src/deep/b.rs"), "three").unwrap();
        let changed = hash(&path);
        assert_ne!(changed, first, "contents");
        std::fs::rename(path.join("src/a.rs"), path.join("src/c.rs")).unwrap();
        assert_ne!(hash(&path), changed, "names");
        let mut other = Inputs::new(&["v2"]);
        other.add(&path).unwrap();
        assert_ne!(other.finish(), hash(&path), "options");
        std::fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn words_do_not_run_together() {
        assert_ne!(Inputs::new(&["ab", "c"]).finish(), Inputs::new(&["a", "bc"]).finish());
    }

    #[test]
    fn fetched_and_built_folders_are_left_out() {
        let path = folder("left-out");
        let first = hash(&path);
        std::fs::create_dir_all(path.join("node_modules/x")).unwrap();
        std::fs::write(path.join("node_modules/x/index.js"), "").unwrap();
        assert_eq!(hash(&path), first);
        std::fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn a_stamp_is_current_only_for_its_own_inputs() {
        let path = folder("current");
        let stamp = path.join(".stamp");
        assert!(!is_current(&stamp, "a\n"));
        write(&stamp, "a\n").unwrap();
        assert!(is_current(&stamp, "a\n"));
        assert!(!is_current(&stamp, "b\n"));
        std::fs::remove_dir_all(path).unwrap();
    }
}
