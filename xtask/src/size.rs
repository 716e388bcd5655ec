//! `cargo xtask size`: what a page downloads before the first word, without the model; fails above the limit. What a page loads only when
//! a request needs it is listed, too, and not counted.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::packages;
use crate::shell::read;
use crate::workspace::Workspace;

/// The limit on the text path of the npm package, in bytes after brotli.
const LIMIT: u64 = 800_000;

/// The same on each module that computes on the CPU: a page loads one of them.
const CPU_LIMIT: u64 = 250_000;

/// The parts that load on demand, by what their files' names begin with.
const ON_DEMAND: [&str; 5] = [GRAMMAR, CONVERT, CPU, CPU_RELAXED, SHADERS];
const GRAMMAR: &str = "dist/inglenook/inglenook-grammar.wasm";
const CONVERT: &str = "dist/inglenook/inglenook-convert.wasm";
const CPU: &str = "dist/inglenook/inglenook-cpu.wasm";
const CPU_RELAXED: &str = "dist/inglenook/inglenook-cpu-relaxed.wasm";
const SHADERS: &str = "dist/inglenook/shaders.txt";

/// Build the npm package, print the size of each part that a page downloads, and compare the sum with the limit.
///
/// # Errors
/// When the build fails, or the sum is above the limit.
pub fn size(workspace: &Workspace) -> Result<()> {
    packages::build_library(workspace)?;
    measure(workspace)
}

/// The same, for a package that is built.
///
/// # Errors
/// When the sum is above the limit.
pub fn measure(workspace: &Workspace) -> Result<()> {
    let package = workspace.root.join("npm");
    let mut files = packages::published_files(&package)?;
    files.retain(|file| is_downloaded(file));
    if !files.iter().any(|file| file.ends_with(".wasm")) {
        bail!("the npm package would be published without its WebAssembly module: see `files` in npm/package.json");
    }
    let sizes = brotli_sizes(workspace, &package, &files)?;
    let rows: Vec<(u64, &str)> = sizes.into_iter().zip(files.iter().map(String::as_str)).collect();
    let (on_demand, counted): (Vec<_>, Vec<_>) = rows.into_iter().partition(|(_, file)| is_on_demand(file));
    let of_cpu = on_demand.iter().filter(|(_, file)| [CPU, CPU_RELAXED].contains(file)).map(|(bytes, _)| *bytes).max();
    println!("{:>9.1} KB  on demand", list(on_demand) as f64 / 1e3);
    judge("the larger module for the CPU", of_cpu.unwrap_or(0), CPU_LIMIT)?;
    judge("the text path", list(counted), LIMIT)
}

/// Print what files take, the largest first, and give the sum.
fn list(mut rows: Vec<(u64, &str)>) -> u64 {
    rows.sort_by(|left, right| right.cmp(left));
    for (bytes, file) in &rows {
        println!("{:>9.1} KB  {file}", *bytes as f64 / 1e3);
    }
    rows.iter().map(|(bytes, _)| bytes).sum()
}

fn judge(what: &str, total: u64, limit: u64) -> Result<()> {
    println!("{:>9.1} KB  {what} after brotli, of at most {} KB", total as f64 / 1e3, limit / 1000);
    if total > limit {
        bail!("{what} is {} KB too large", (total - limit).div_ceil(1000));
    }
    Ok(())
}

/// Code for browsers, and neither types nor models (a page that brings its own model never downloads ours).
fn is_downloaded(file: &str) -> bool {
    let is_for_node = file == "dist/node.js" || file.starts_with("dist/node/");
    !is_for_node && ([".js", ".mjs", ".wasm"].iter().any(|ending| file.ends_with(ending)) || is_on_demand(file))
}

fn is_on_demand(file: &str) -> bool {
    ON_DEMAND.iter().any(|beginning| file.starts_with(beginning))
}

fn brotli_sizes(workspace: &Workspace, package: &Path, files: &[String]) -> Result<Vec<u64>> {
    let script = workspace.root.join("xtask/scripts/brotli-sizes.mjs");
    let answer = read(Command::new("node").current_dir(package).arg(script).args(files))?;
    serde_json::from_str(&answer).context("brotli-sizes.mjs wrote no list of sizes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_counts_and_types_and_models_do_not() {
        let counted: Vec<_> = [
            "dist/index.js",
            "dist/node.js",
            "dist/node/gpu.js",
            "dist/index.d.ts",
            "dist/inglenook/a.wasm",
            "dist/inglenook/a.gguf",
            "README.md",
        ]
        .into_iter()
        .filter(|file| is_downloaded(file))
        .collect();
        assert_eq!(counted, ["dist/index.js", "dist/inglenook/a.wasm"]);
    }

    #[test]
    fn what_loads_on_demand_is_told_apart() {
        assert!(
            ["grammar", "convert", "cpu"]
                .iter()
                .all(|name| is_on_demand(&format!("dist/inglenook/inglenook-{name}.wasm")))
        );
        assert!(is_downloaded("dist/inglenook/shaders.txt") && is_on_demand("dist/inglenook/shaders.txt"));
        assert!(!is_on_demand("dist/inglenook/inglenook.wasm") && !is_on_demand("dist/load-grammar.js"));
    }

    #[test]
    fn the_limit_itself_passes_and_a_byte_more_fails() {
        assert!(judge("it", LIMIT, LIMIT).is_ok());
        assert!(judge("it", LIMIT + 1, LIMIT).unwrap_err().to_string().contains("1 KB too large"));
    }
}
