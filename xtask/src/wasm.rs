//! `cargo xtask wasm`: build the WebAssembly module and its JavaScript into npm/wasm/.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::setup::{self, wasm_target};
use crate::shell::{read, run, say};
use crate::stamp::{self, Inputs};
use crate::workspace::Workspace;

/// How to build.
#[derive(clap::Args, Default)]
pub struct Options {
    /// Unoptimised and quick to build, with names for debugging
    #[arg(long)]
    dev: bool,
}

/// What the module is made from. Folders that do not exist count as absent.
const INPUTS: [&str; 9] = [
    "Cargo.toml",
    "Cargo.lock",
    ".cargo/config.toml",
    "core/Cargo.toml",
    "core/src",
    "core/build.rs",
    "shaders",
    "wasm/Cargo.toml",
    "wasm/src",
];

/// What LLVM may have used (its defaults for this target, and `simd128`): wasm-opt must be told.
const FEATURES: [&str; 7] = [
    "--enable-simd",
    "--enable-bulk-memory",
    "--enable-bulk-memory-opt",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
];

/// The output folder: `inglenook_wasm.js`, `inglenook_wasm_bg.wasm` and their types.
pub fn output(workspace: &Workspace) -> PathBuf {
    workspace.root.join("npm/wasm")
}

/// Build, unless the inputs are those of the last build.
///
/// # Errors
/// When a step fails; the sentence names it.
pub fn build(workspace: &Workspace, options: &Options) -> Result<()> {
    let output = output(workspace);
    let stamp = output.join(".stamp");
    let inputs = inputs(workspace, options)?;
    if stamp::is_current(&stamp, &inputs) {
        return Ok(());
    }
    // A half-made output must not pass for a finished one.
    let _ = std::fs::remove_file(&stamp);
    let module = compile(workspace, options)?;
    bind(workspace, &module, &output, options)?;
    let bound = output.join("inglenook_wasm_bg.wasm");
    if !options.dev {
        optimise(workspace, &bound)?;
    }
    let size = std::fs::metadata(&bound).with_context(|| format!("{} was not written", bound.display()))?.len();
    say(&format!("npm/wasm/inglenook_wasm_bg.wasm: {:.2} MB", size as f64 / 1e6));
    stamp::write(&stamp, &inputs)
}

fn inputs(workspace: &Workspace, options: &Options) -> Result<String> {
    let rustc = read(Command::new("rustc").arg("--version"))?;
    let mut inputs = Inputs::new(&[rustc.trim(), if options.dev { "dev" } else { "web" }]);
    for path in INPUTS {
        inputs.add(&workspace.root.join(path))?;
    }
    Ok(inputs.finish())
}

fn compile(workspace: &Workspace, options: &Options) -> Result<PathBuf> {
    say("compiling the WebAssembly module");
    let (profile, folder) = if options.dev { ("dev", "debug") } else { ("web", "web") };
    run(wasm_target::cargo()?
        .current_dir(&workspace.root)
        .args(["build", "--quiet", "--package", "inglenook-wasm", "--lib", "--profile", profile])
        .args(["--target", wasm_target::TARGET]))?;
    let module = workspace.target.join(wasm_target::TARGET).join(folder).join("inglenook_wasm.wasm");
    if !module.is_file() {
        bail!("cargo wrote no {}: is the wasm crate a `cdylib`?", module.display());
    }
    Ok(module)
}

fn bind(workspace: &Workspace, module: &Path, output: &Path, options: &Options) -> Result<()> {
    say("writing its JavaScript with wasm-bindgen");
    let mut command = Command::new(setup::wasm_bindgen(workspace)?);
    command.arg(module).args(["--target", "web", "--out-dir"]).arg(output);
    if options.dev {
        command.arg("--keep-debug");
    }
    run(&mut command)
}

/// Shrink in place. Stripping happens here and not in cargo, since wasm-bindgen needs the section of target features.
fn optimise(workspace: &Workspace, module: &Path) -> Result<()> {
    let program = workspace.root.join("npm/node_modules/.bin/wasm-opt");
    if !program.exists() {
        bail!("wasm-opt is missing: it comes with the npm package binaryen, a devDependency of npm/package.json");
    }
    say("shrinking it with wasm-opt, up to a minute");
    run(Command::new(program)
        .arg(module)
        .args(["-Os", "--strip-debug", "--strip-producers", "--strip-target-features"])
        .args(FEATURES)
        .arg("--output")
        .arg(module))
}
