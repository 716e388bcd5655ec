//! Versions out of Cargo.lock, so that a tool and the crate it belongs to cannot drift apart.

use std::path::Path;

use anyhow::{Context, Result};

/// The version of `package` that the lock file pins, or `None` where the workspace does not use it.
///
/// # Errors
/// When the lock file cannot be read.
pub fn version(lock: &Path, package: &str) -> Result<Option<String>> {
    let text = std::fs::read_to_string(lock).with_context(|| format!("cannot read {}", lock.display()))?;
    Ok(version_in(&text, package))
}

/// Cargo.lock is written by cargo alone, one `key = "value"` a line, so lines are enough.
fn version_in(lock: &str, package: &str) -> Option<String> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| line.trim() != name);
    lines.next()?;
    let version = lines.take_while(|line| *line != "[[package]]").find_map(|line| line.strip_prefix("version = "))?;
    Some(version.trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = r#"
[[package]]
name = "wasm-bindgen-futures"
version = "0.4.80"

[[package]]
name = "wasm-bindgen"
version = "0.2.130"
dependencies = [
 "cfg-if",
]

[[package]]
name = "unversioned"

[[package]]
name = "next"
version = "9.9.9"
"#;

    #[test]
    fn the_exact_name_is_found() {
        assert_eq!(version_in(LOCK, "wasm-bindgen").as_deref(), Some("0.2.130"));
    }

    #[test]
    fn an_unused_package_has_no_version() {
        assert_eq!(version_in(LOCK, "wasm"), None);
    }

    #[test]
    fn the_next_package_lends_no_version() {
        assert_eq!(version_in(LOCK, "unversioned"), None);
    }
}
