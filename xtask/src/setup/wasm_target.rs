//! A toolchain that can build for `wasm32-unknown-unknown`.
//!
//! The ordinary way is `rustup target add`. Where rustup's server is out of reach, Debian's `rustc-web` packages serve:
//! they carry no standard library for this target, so it is built once from their source and put in its place.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::apt;
use crate::shell::{read, run, say};
use crate::workspace::Workspace;

/// The target's name.
pub const TARGET: &str = "wasm32-unknown-unknown";
/// What makes `cargo` build with relaxed vectors, too.
pub const RELAXED: [&str; 2] =
    ["--config", r#"target.wasm32-unknown-unknown.rustflags=["-Ctarget-feature=+relaxed-simd"]"#];
/// The name under which rustup knows Debian's toolchain.
const DEBIAN_TOOLCHAIN: &str = "debian-web";
const DEBIAN_PACKAGES: [&str; 5] = ["rustc-web", "cargo-web", "rust-web-src", "rust-web-llvm", "lld-22"];

/// `cargo` with a toolchain that has the target. What it builds names no folder of this machine.
///
/// # Errors
/// When no such toolchain is installed.
pub fn cargo() -> Result<Command> {
    let mut command = Command::new("cargo");
    if !active_toolchain_has_target() {
        if !debian_toolchain_has_target() {
            bail!("no Rust toolchain here can build for {TARGET}: run `cargo xtask setup`");
        }
        // The running toolchain's libraries must not be found before Debian's own.
        command.env("RUSTUP_TOOLCHAIN", DEBIAN_TOOLCHAIN).env_remove("LD_LIBRARY_PATH");
    }
    if let Some(sources) = crate_sources() {
        let flag = format!("--remap-path-prefix={}=", sources.display());
        command.args(["--config", &format!("target.{TARGET}.rustflags=[{flag:?}]")]);
    }
    Ok(command)
}

/// Where cargo keeps the sources of crates, whose paths stand in the messages of panics.
fn crate_sources() -> Option<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    home.or_else(|| Some(std::env::home_dir()?.join(".cargo"))).map(|home| home.join("registry/src"))
}

/// Whether the toolchain of `cargo()` has clippy; Debian's has not.
pub fn has_clippy() -> bool {
    active_toolchain_has_target()
}

/// Install the target, one way or the other.
///
/// # Errors
/// A sentence that says what was tried and what to do.
pub fn ensure(workspace: &Workspace) -> Result<()> {
    if active_toolchain_has_target() || debian_toolchain_has_target() {
        return Ok(());
    }
    say(&format!("adding the Rust target {TARGET} (rustup target add)"));
    if read(Command::new("rustup").args(["target", "add", TARGET])).is_ok() {
        return Ok(());
    }
    say("rustup could not add it; taking Debian's rustc-web instead, about 2 minutes");
    from_debian(workspace)
        .with_context(|| format!("the Rust target {TARGET} is missing: `rustup target add {TARGET}` adds it"))
}

fn active_toolchain_has_target() -> bool {
    library_folder(&mut Command::new("rustc")).is_some_and(|folder| has_std(&folder))
}

fn debian_toolchain_has_target() -> bool {
    let mut rustc = Command::new("rustc");
    rustc.env("RUSTUP_TOOLCHAIN", DEBIAN_TOOLCHAIN).env_remove("LD_LIBRARY_PATH");
    library_folder(&mut rustc).is_some_and(|folder| has_std(&folder))
}

/// Where a compiler looks for this target's libraries, whether or not they exist.
fn library_folder(rustc: &mut Command) -> Option<PathBuf> {
    let sysroot = read(rustc.args(["--print", "sysroot"])).ok()?;
    Some(Path::new(sysroot.trim()).join("lib/rustlib").join(TARGET).join("lib"))
}

fn has_std(folder: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return false;
    };
    entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libstd-"))
}

fn from_debian(workspace: &Workspace) -> Result<()> {
    apt::install(&DEBIAN_PACKAGES)?;
    run(Command::new("rustup").args(["toolchain", "link", DEBIAN_TOOLCHAIN, "/usr"]))?;
    say("building the standard library for the target, about 1 minute");
    let stub = workspace.tools().join("wasm-std");
    let built = build_std(&stub)?;
    let installed = Path::new("/usr/lib/rustlib").join(TARGET).join("lib");
    copy_libraries(&built, &installed)
}

/// Build the standard library by building an empty library that depends on it; returns the folder of its parts.
fn build_std(stub: &Path) -> Result<PathBuf> {
    std::fs::create_dir_all(stub.join("src"))?;
    // An empty `[workspace]` keeps cargo from taking the stub for a member of ours.
    let manifest = "[package]\nname = \"stub\"\nversion = \"0.0.0\"\nedition = \"2021\"\n[workspace]\n";
    std::fs::write(stub.join("Cargo.toml"), manifest)?;
    std::fs::write(stub.join("src/lib.rs"), "")?;
    let target = stub.join("target");
    run(Command::new("cargo")
        .current_dir(stub)
        .env("RUSTUP_TOOLCHAIN", DEBIAN_TOOLCHAIN)
        .env("RUSTC_BOOTSTRAP", "1")
        .env_remove("LD_LIBRARY_PATH")
        .args(["build", "--quiet", "--release", "-Zbuild-std=std,panic_abort,panic_unwind", "--target", TARGET])
        .arg("--target-dir")
        .arg(&target))?;
    Ok(target.join(TARGET).join("release/deps"))
}

fn copy_libraries(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to).with_context(|| format!("cannot create {}: are you root?", to.display()))?;
    for entry in std::fs::read_dir(from).with_context(|| format!("cannot list {}", from.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if is_library_part(&name) {
            let copied = std::fs::copy(&path, to.join(&name));
            copied.with_context(|| format!("cannot copy {name} to {}: are you root?", to.display()))?;
        }
    }
    Ok(())
}

fn is_library_part(name: &str) -> bool {
    name.ends_with(".rlib") && !name.starts_with("libstub-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stub_itself_is_no_part_of_the_standard_library() {
        assert!(is_library_part("libstd-0123.rlib"));
        assert!(!is_library_part("libstub-0123.rlib"));
        assert!(!is_library_part("libstd-0123.rmeta"));
    }

    #[test]
    fn an_empty_or_absent_folder_has_no_std() {
        assert!(!has_std(Path::new("/no/such/folder")));
        assert!(!has_std(&std::env::temp_dir().join("..")));
    }
}
