//! The stages of `cargo xtask test`, cheapest first, so that a slip is told soon.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::counts::{Counts, run_check, run_tests};
use crate::setup::{arm, wasm_target};
use crate::shell::{npm, run, say};
use crate::workspace::Workspace;
use crate::{apps, browser, packages, setup, size, wasm};

/// One stage: what it is called, what it is for, and how it runs.
pub struct Stage {
    pub name: &'static str,
    pub about: &'static str,
    pub run: fn(&Workspace) -> (Counts, Result<()>),
}

pub const STAGES: &[Stage] = &[
    Stage { name: "setup", about: "what the other stages need", run: set_up },
    Stage { name: "fmt", about: "Rust is formatted", run: format },
    Stage { name: "clippy", about: "no warning in native Rust", run: clippy },
    Stage { name: "clippy-wasm", about: "no warning in Rust for the browser", run: clippy_wasm },
    Stage { name: "rust", about: "unit and integration tests, Vulkan included", run: rust_tests },
    Stage { name: "arm", about: "the kernels of the CPU on AArch64, by qemu", run: arm_tests },
    Stage { name: "wasm", about: "the WebAssembly module builds", run: build_wasm },
    Stage { name: "demo", about: "the npm package and the demo page build", run: build_demo },
    Stage { name: "typescript", about: "types, lint and unit tests of the npm packages", run: typescript },
    Stage { name: "size", about: "what a page downloads stays small", run: check_size },
    Stage { name: "browser", about: "in Chromium, in Firefox and in Node", run: browser_tests },
    Stage { name: "apps", about: "the packed npm package, built by bundlers, answers", run: apps_tests },
];

/// npm folders, and the scripts of theirs that check without a count.
const NPM_FOLDERS: [&str; 3] = ["npm", "demo", "tests/browser"];
const NPM_CHECKS: [&str; 2] = ["check", "lint"];

fn set_up(workspace: &Workspace) -> (Counts, Result<()>) {
    as_check(setup::everything(workspace))
}

fn format(workspace: &Workspace) -> (Counts, Result<()>) {
    run_check(cargo(workspace).args(["fmt", "--all", "--check"]))
}

/// What runs in browsers, but for the modules of the CPU.
const WEB: [&str; 4] = ["inglenook-wasm", "inglenook-wasm-host", "inglenook-grammar-wasm", "inglenook-convert-wasm"];

fn clippy(workspace: &Workspace) -> (Counts, Result<()>) {
    // With the fuzz targets, which nothing else builds; what runs in browsers has a stage of its own.
    let others = WEB.iter().chain(&["inglenook-cpu-wasm"]).flat_map(|web| ["--exclude", *web]);
    let clippy = ["clippy", "--quiet", "--all-targets"];
    run_check(cargo(workspace).args(clippy).arg("--workspace").args(others).args(["--", "--deny", "warnings"]))
}

fn clippy_wasm(workspace: &Workspace) -> (Counts, Result<()>) {
    // The module of the CPU by itself, since it has the engine without the web; relaxed vectors are its kernels' alone.
    let web: Vec<&str> = WEB.iter().flat_map(|web| ["--package", *web]).collect();
    let (cpu, kernels) = (["--package", "inglenook-cpu-wasm"], ["--package", "inglenook-cpu"]);
    let builds: [(&[&str], &[&str]); 3] = [(&[], &web), (&[], &cpu), (&wasm_target::RELAXED, &kernels)];
    as_check(builds.into_iter().try_for_each(|(flags, packages)| clippy_for_web(workspace, flags, packages)))
}

fn clippy_for_web(workspace: &Workspace, flags: &[&str], packages: &[&str]) -> Result<()> {
    let mut cargo = wasm_target::cargo()?;
    cargo.current_dir(&workspace.root).args(flags);
    let target = ["--quiet", "--target", wasm_target::TARGET];
    if wasm_target::has_clippy() {
        return run(cargo.arg("clippy").args(target).args(packages).args(["--", "--deny", "warnings"]));
    }
    say("the toolchain that can build for the browser has no clippy: checking that the code compiles");
    run(cargo.arg("check").args(target).args(packages))
}

fn rust_tests(workspace: &Workspace) -> (Counts, Result<()>) {
    let mut command = cargo(workspace);
    use_lavapipe(&mut command, workspace);
    run_tests(command.args(["test", "--quiet", "--no-fail-fast"]))
}

fn arm_tests(workspace: &Workspace) -> (Counts, Result<()>) {
    if cfg!(target_arch = "aarch64") {
        say("skipped: this machine is one, and has run them with the others");
        return (Counts::default(), Ok(()));
    }
    if let Err(lack) = arm::ensure() {
        say(&format!("skipped: {lack:#}"));
        return (Counts::default(), Ok(()));
    }
    let package = ["--package", "inglenook-cpu"];
    let (counts, result) = run_check(arm::cargo("clippy").current_dir(&workspace.root).args(package).args([
        "--all-targets",
        "--",
        "--deny",
        "warnings",
    ]));
    if result.is_err() {
        return (counts, result);
    }
    let (of_tests, result) = run_tests(arm::cargo("test").current_dir(&workspace.root).args(package));
    (counts + of_tests, result)
}

fn build_wasm(workspace: &Workspace) -> (Counts, Result<()>) {
    as_check(wasm::build_web(workspace))
}

fn typescript(workspace: &Workspace) -> (Counts, Result<()>) {
    let mut total = Counts::default();
    for folder in NPM_FOLDERS {
        let (counts, result) = typescript_folder(&workspace.root.join(folder));
        total = total + counts;
        if result.is_err() {
            return (total, result);
        }
    }
    (total, Ok(()))
}

fn typescript_folder(folder: &Path) -> (Counts, Result<()>) {
    let mut total = Counts::default();
    for script in NPM_CHECKS.into_iter().filter(|script| packages::has_script(folder, script)) {
        let (counts, result) = run_check(npm(folder).args(["run", "--silent", script]));
        total = total + counts;
        if result.is_err() {
            return (total, result);
        }
    }
    if !packages::has_script(folder, "test") {
        return (total, Ok(()));
    }
    let (counts, result) = run_tests(npm(folder).env("NO_COLOR", "1").args(["run", "--silent", "test"]));
    (total + counts, result)
}

fn build_demo(workspace: &Workspace) -> (Counts, Result<()>) {
    as_check(packages::build_demo(workspace))
}

fn check_size(workspace: &Workspace) -> (Counts, Result<()>) {
    as_check(size::measure(workspace))
}

fn browser_tests(workspace: &Workspace) -> (Counts, Result<()>) {
    if let Err(error) = wasm::build_selftest(workspace) {
        return as_check(Err(error));
    }
    run_tests(&mut browser::runner(workspace, &browser::Options::default()))
}

fn apps_tests(workspace: &Workspace) -> (Counts, Result<()>) {
    match apps::runner(workspace) {
        Ok(mut runner) => run_tests(&mut runner),
        Err(error) => as_check(Err(error)),
    }
}

fn cargo(workspace: &Workspace) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(&workspace.root);
    command
}

/// Vulkan on lavapipe, for the same results on every machine; `INGLENOOK_REAL_GPU=1` leaves the machine's own driver.
fn use_lavapipe(command: &mut Command, workspace: &Workspace) {
    let real = std::env::var_os("INGLENOOK_REAL_GPU").is_some_and(|value| value == "1");
    if let Some(manifest) = setup::lavapipe_manifest().filter(|_| !real) {
        command.env("VK_ICD_FILENAMES", &manifest).env("VK_DRIVER_FILES", &manifest);
    }
    // Mesa warns of a missing run-time folder on every start.
    if std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        command.env("XDG_RUNTIME_DIR", &workspace.target);
    }
}

fn as_check(result: Result<()>) -> (Counts, Result<()>) {
    let passed = u32::from(result.is_ok());
    (Counts { passed, failed: 1 - passed }, result)
}
