//! `cargo xtask wasm`: build the WebAssembly modules and their JavaScript: the engine into npm/wasm/, and what a page loads on demand,
//! grammars into npm/wasm-grammar/, what shows several files as one into npm/wasm-convert/, and the kernels of the CPU into npm/wasm-cpu/ and
//! npm/wasm-cpu-relaxed/; and the engine with the checks for browsers inside, into tests/browser/selftest*/.

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

/// One way of building a module.
struct Flavour {
    name: &'static str,
    package: &'static str,
    /// What the module is called: the package's name as an identifier.
    module: &'static str,
    /// What it is made from. Folders that do not exist count as absent.
    inputs: &'static [&'static str],
    /// Where the output goes, from the repository's root: `MODULE.js`, `MODULE_bg.wasm` and their types.
    output: &'static str,
    profile: &'static str,
    /// The folder of that profile in cargo's target folder.
    folder: &'static str,
    features: &'static str,
    /// Whether it may use relaxed vectors, which not all browsers have.
    relaxed: bool,
    optimised: bool,
    /// Whether wasm-bindgen writes its JavaScript; without, the output is `MODULE.wasm` alone.
    bound: bool,
}

/// What users get.
const WEB: Flavour = Flavour {
    name: "web",
    package: "inglenook-wasm",
    module: "inglenook_wasm",
    inputs: &[
        "Cargo.toml",
        "Cargo.lock",
        ".cargo/config.toml",
        "core/Cargo.toml",
        "core/src",
        "core/build.rs",
        "format/Cargo.toml",
        "format/src",
        "grammar/Cargo.toml",
        "grammar/src",
        "shaders",
        "text/Cargo.toml",
        "text/build.rs",
        "text/src",
        "wasm/Cargo.toml",
        "wasm/host",
        "wasm/src",
    ],
    output: "npm/wasm",
    profile: "web",
    folder: "web",
    features: "",
    relaxed: false,
    optimised: true,
    bound: true,
};
/// What users' pages load when a request first asks for a form of answer.
const GRAMMAR: Flavour = Flavour {
    name: "grammar",
    package: "inglenook-grammar-wasm",
    module: "inglenook_grammar_wasm",
    inputs: &[
        "Cargo.toml",
        "Cargo.lock",
        ".cargo/config.toml",
        "grammar/Cargo.toml",
        "grammar/src",
        "wasm/grammar/Cargo.toml",
        "wasm/grammar/src",
    ],
    output: "npm/wasm-grammar",
    ..WEB
};
/// What users' pages load for a model of several files.
const CONVERT: Flavour = Flavour {
    name: "convert",
    package: "inglenook-convert-wasm",
    module: "inglenook_convert_wasm",
    inputs: &[
        "Cargo.toml",
        "Cargo.lock",
        ".cargo/config.toml",
        "format/Cargo.toml",
        "format/src",
        "grammar/Cargo.toml",
        "grammar/src",
        "text/Cargo.toml",
        "text/build.rs",
        "text/src",
        "wasm/convert/Cargo.toml",
        "wasm/convert/src",
        "wasm/host",
    ],
    output: "npm/wasm-convert",
    profile: "web-convert",
    folder: "web-convert",
    ..WEB
};
/// What an engine on the CPU loads: fast instead of small, also for a developer in a hurry.
const CPU: Flavour = Flavour {
    name: "cpu",
    package: "inglenook-cpu-wasm",
    module: "inglenook_cpu_wasm",
    inputs: &[
        "Cargo.toml",
        "Cargo.lock",
        ".cargo/config.toml",
        "core/Cargo.toml",
        "core/src",
        "core/build.rs",
        "cpu/Cargo.toml",
        "cpu/src",
        "format/Cargo.toml",
        "format/src",
        "shaders",
        "wasm/cpu/Cargo.toml",
        "wasm/cpu/src",
    ],
    output: "npm/wasm-cpu",
    profile: "web-cpu",
    folder: "web-cpu",
    bound: false,
    ..WEB
};
/// The same for a processor that multiplies bytes.
const CPU_RELAXED: Flavour = Flavour { name: "cpu-relaxed", output: "npm/wasm-cpu-relaxed", relaxed: true, ..CPU };
/// What users get, for a developer in a hurry.
const DEV: Flavour = Flavour { name: "dev", profile: "dev", folder: "debug", optimised: false, ..WEB };
const GRAMMAR_DEV: Flavour =
    Flavour { name: "grammar-dev", profile: "dev", folder: "debug", optimised: false, ..GRAMMAR };
const CONVERT_DEV: Flavour =
    Flavour { name: "convert-dev", profile: DEV.profile, folder: DEV.folder, optimised: false, ..CONVERT };
/// With the checks that need a device, for tests/browser.
const SELFTEST: Flavour = Flavour { name: "selftest", output: "tests/browser/selftest", features: "selftest", ..DEV };
const CPU_SELFTEST: Flavour = Flavour {
    name: "cpu-selftest",
    output: "tests/browser/selftest-cpu",
    profile: DEV.profile,
    folder: DEV.folder,
    features: "selftest",
    optimised: false,
    ..CPU
};
const CPU_RELAXED_SELFTEST: Flavour = Flavour {
    name: "cpu-relaxed-selftest",
    output: "tests/browser/selftest-cpu-relaxed",
    relaxed: true,
    ..CPU_SELFTEST
};

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

/// Build the modules of the npm package, unless the inputs are those of the last build.
///
/// # Errors
/// When a step fails; the sentence names it.
pub fn build(workspace: &Workspace, options: &Options) -> Result<()> {
    let bound = if options.dev { [&DEV, &GRAMMAR_DEV, &CONVERT_DEV] } else { [&WEB, &GRAMMAR, &CONVERT] };
    let mut flavours = bound.into_iter().chain([&CPU, &CPU_RELAXED]);
    flavours.try_for_each(|flavour| build_flavour(workspace, flavour))
}

/// The modules as users get them.
///
/// # Errors
/// When a step fails; the sentence names it.
pub fn build_web(workspace: &Workspace) -> Result<()> {
    build(workspace, &Options { dev: false })
}

/// The modules with the checks for browsers.
///
/// # Errors
/// When a step fails; the sentence names it.
pub fn build_selftest(workspace: &Workspace) -> Result<()> {
    [&SELFTEST, &CPU_SELFTEST, &CPU_RELAXED_SELFTEST]
        .into_iter()
        .try_for_each(|flavour| build_flavour(workspace, flavour))
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
    let name = format!("{}{}.wasm", flavour.module, if flavour.bound { "_bg" } else { "" });
    let file = output.join(&name);
    if flavour.bound {
        bind(workspace, &module, &output, flavour)?;
    } else {
        std::fs::create_dir_all(&output).with_context(|| format!("cannot make {}", output.display()))?;
        std::fs::copy(&module, &file).with_context(|| format!("cannot write {}", file.display()))?;
    }
    if flavour.optimised {
        optimise(workspace, &file, flavour)?;
    }
    let size = std::fs::metadata(&file).with_context(|| format!("{} was not written", file.display()))?.len();
    say(&format!("{}/{name}: {:.2} MB", flavour.output, size as f64 / 1e6));
    stamp::write(&stamp, &inputs)
}

fn inputs(workspace: &Workspace, flavour: &Flavour) -> Result<String> {
    let rustc = read(Command::new("rustc").arg("--version"))?;
    let mut inputs = Inputs::new(&[rustc.trim(), flavour.name]);
    // How they are made is written here.
    for path in flavour.inputs.iter().chain(&["xtask/src/wasm.rs"]) {
        inputs.add(&workspace.root.join(path))?;
    }
    Ok(inputs.finish())
}

fn compile(workspace: &Workspace, flavour: &Flavour) -> Result<PathBuf> {
    say(&format!("compiling the WebAssembly module {} ({})", flavour.module, flavour.name));
    let folder = workspace.target.join(wasm_target::TARGET).join(flavour.folder);
    let file = format!("{}.wasm", flavour.module);
    let module = folder.join(&file);
    // Flavours (and checkouts that share a target folder) write the same file, and cargo does not notice that another's
    // is lying there: without one it links anew.
    for old in [&module, &folder.join("deps").join(&file)] {
        let _ = std::fs::remove_file(old);
    }
    let mut cargo = wasm_target::cargo()?;
    if flavour.relaxed {
        cargo.args(wasm_target::RELAXED);
    }
    run(cargo
        .current_dir(&workspace.root)
        .args(["build", "--quiet", "--package", flavour.package, "--lib", "--target", wasm_target::TARGET])
        .args(["--profile", flavour.profile, "--features", flavour.features]))?;
    if !module.is_file() {
        bail!("cargo wrote no {}: is the wasm crate a `cdylib`?", module.display());
    }
    Ok(module)
}

fn bind(workspace: &Workspace, module: &Path, output: &Path, flavour: &Flavour) -> Result<()> {
    say("writing its JavaScript with wasm-bindgen");
    let mut command = Command::new(setup::wasm_bindgen(workspace)?);
    // The package says itself where the module is: bundlers would take the default for a second copy of the file.
    command.arg(module).args(["--target", "web", "--omit-default-module-path", "--out-dir"]).arg(output);
    if !flavour.optimised {
        command.arg("--keep-debug");
    }
    run(&mut command)
}

/// Shrink in place. Stripping happens here and not in cargo, since wasm-bindgen needs the section of target features.
fn optimise(workspace: &Workspace, module: &Path, flavour: &Flavour) -> Result<()> {
    let program = workspace.root.join("npm/node_modules/.bin/wasm-opt");
    if !program.exists() {
        bail!("wasm-opt is missing: it comes with the npm package binaryen, a devDependency of npm/package.json");
    }
    // More than this takes minutes; it made products up to twice as slow in V8, whose kernels are in the order that LLVM gave them, and the
    // engine's module smaller, but 5 % larger after brotli.
    say("shrinking it with wasm-opt, up to a minute");
    run(Command::new(program)
        .arg(module)
        .arg("-O1")
        .args(["--strip-debug", "--strip-producers", "--strip-target-features"])
        .args(FEATURES)
        .args(flavour.relaxed.then_some("--enable-relaxed-simd"))
        .arg("--output")
        .arg(module))
}
