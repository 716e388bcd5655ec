//! What tests for AArch64 need on other machines: a Rust target, a linker for it, and an emulator.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::apt;
use crate::shell::{find_program, read};

const TARGET: &str = "aarch64-unknown-linux-gnu";
const LINKER: &str = "aarch64-linux-gnu-gcc";
const EMULATOR: &str = "qemu-aarch64";
/// Where Debian has the C library for the target.
const SYSROOT: &str = "/usr/aarch64-linux-gnu";
const PACKAGES: [&str; 3] = ["gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross", "qemu-user"];

/// Install what is missing.
///
/// # Errors
/// A sentence that says what is missing and how to install it.
pub fn ensure() -> Result<()> {
    read(Command::new("rustup").args(["target", "add", TARGET]))
        .with_context(|| format!("the Rust target {TARGET} is missing: `rustup target add {TARGET}` adds it"))?;
    if find_program(&[LINKER]).is_some() && find_program(&[EMULATOR]).is_some() && Path::new(SYSROOT).is_dir() {
        return Ok(());
    }
    apt::install(&PACKAGES)
}

/// `cargo` with a chore for AArch64.
pub fn cargo(chore: &str) -> Command {
    let mut cargo = Command::new("cargo");
    cargo.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", LINKER);
    cargo.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER", format!("{EMULATOR} -L {SYSROOT}"));
    cargo.args([chore, "--quiet", "--target", TARGET]);
    cargo
}
