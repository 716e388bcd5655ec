//! `cargo xtask wasm`: build the WebAssembly module and its JavaScript into npm/wasm/; and the same with the checks for
//! browsers inside, into tests/browser/selftest/.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::setup::{self, wasm_target};
use crate::shell::{read, run, say};
use crate::stamp::{self, Inputs};
use crate::workspace::Workspace;

/// How to build.
#[derive(clap::Args)]
pub struct Options {
    /// Unoptimised and quick to build, with names for debugging
    #[arg(long)]
    dev: bool,
}

/// One way of building the module.
struct Flavour {
    name: &'static str,
    /// Where the output goes, from the repository's root: `inglenook_wasm.js`, `inglenook_wasm_bg.wasm` and their types.
    output: &'static str,
    profile: &'static str,
    /// The folder of that profile in cargo's target folder.
    folder: &'static str,
    features: &'static str,
    optimised: bool,
}

/// What users get.
const WEB: Flavour =
    Flavour { name: "web", output: "npm/wasm", profile: "web", folder: "web", features: "", optimised: true };
/// The same, for a developer in a hurry.
const DEV: Flavour = Flavour { name: "dev", profile: "dev", folder: "debug", optimised: false, ..WEB };
/// With the checks that need a device, for tests/browser.
const SELFTEST: Flavour = Flavour { name: "selftest", output: "tests/browser/selftest", features: "selftest", ..DEV };

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

/// Build the module of the npm package, unless the inputs are those of the last build.
///
/// # Errors
/// When a step fails; the sentence names it.
pub fn build(workspace: &Workspace, options: &Options) -> Result<()> {
    build_flavour(workspace, if options.dev { &DEV } else { &WEB })
}

/// The module as users get it.
///
/// # Errors
/// When a step fails; the sentence names it.
pub fn build_web(workspace: &Workspace) -> Result<()> {
    build_flavour(workspace, &WEB)
}

/// The module with the checks for browsers.
///
/// # Errors
/// When a step fails; the sentence names it.
pub fn build_selftest(workspace: &Workspace) -> Result<()> {
    build_flavour(workspace, &SELFTEST)
}

fn build_flavour(workspace: &Workspace, flavour: &Flavour) -> Result<()> {
    let output = workspace.root.join(flavour.output);
    let stamp = output.join(".stamp");
    let inputs = inputs(workspace, flavour)?;
    if stamp::is_current(&stamp, &inputs) {
        return Ok(());
    }
    // A half-made output must not pass for a finished one, nor files of an older build for its own.
    if output.exists() {
        std::fs::remove_dir_all(&output).with_context(|| format!("cannot empty {}", output.display()))?;
    }
    let module = compile(workspace, flavour)?;
    bind(workspace, &module, &output, flavour)?;
    let bound = output.join("inglenook_wasm_bg.wasm");
    if flavour.optimised {
        optimise(workspace, &bound)?;
    }
    let size = std::fs::metadata(&bound).with_context(|| format!("{} was not written", bound.display()))?.len();
    say(&format!("{}/inglenook_wasm_bg.wasm: {:.2} MB", flavour.output, size as f64 / 1e6));
    stamp::write(&stamp, &inputs)
}

fn inputs(workspace: &Workspace, flavour: &Flavour) -> Result<String> {
    let rustc = read(Command::new("rustc").arg("--version"))?;
    let mut inputs = Inputs::new(&[rustc.trim(), flavour.name]);
    for path in INPUTS {
        inputs.add(&workspace.root.join(path))?;
    }
    Ok(inputs.finish())
}

fn compile(workspace: &Workspace, flavour: &Flavour) -> Result<PathBuf> {
    say(&format!("compiling the WebAssembly module ({})", flavour.name));
    let folder = workspace.target.join(wasm_target::TARGET).join(flavour.folder);
    let module = folder.join("inglenook_wasm.wasm");
    // Flavours (and checkouts that share a target folder) write the same file, and cargo does not notice that another's
    // is lying there: without one it links anew.
    for old in [&module, &folder.join("deps/inglenook_wasm.wasm")] {
        let _ = std::fs::remove_file(old);
    }
    run(wasm_target::cargo()?
        .current_dir(&workspace.root)
        .args(["build", "--quiet", "--package", "inglenook-wasm", "--lib", "--target", wasm_target::TARGET])
        .args(["--profile", flavour.profile, "--features", flavour.features]))?;
    if !module.is_file() {
        bail!("cargo wrote no {}: is the wasm crate a `cdylib`?", module.display());
    }
    Ok(module)
}

fn bind(workspace: &Workspace, module: &Path, output: &Path, flavour: &Flavour) -> Result<()> {
    say("writing its JavaScript with wasm-bindgen");
    let mut command = Command::new(setup::wasm_bindgen(workspace)?);
    command.arg(module).args(["--target", "web", "--out-dir"]).arg(output);
    if !flavour.optimised {
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
