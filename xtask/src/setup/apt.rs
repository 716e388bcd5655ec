//! Browsers and a software Vulkan driver, from Debian's packages when they are missing.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::shell::{find_program, run, say};

/// Wait this long for another apt on the same machine, rather than fail.
const LOCK_SECONDS: u32 = 600;

/// Elsewhere wgpu takes Metal or DX12, which come with the system.
const NEEDS_VULKAN: bool = cfg!(target_os = "linux");

/// Something from outside that chores need: how to tell that it is there, and the Debian package that brings it.
struct Need {
    name: &'static str,
    package: &'static str,
    present: fn() -> bool,
}

const NEEDS: [Need; 4] = [
    Need { name: "Chromium", package: "chromium", present: || chromium().is_some() },
    Need { name: "Firefox", package: "firefox-esr", present: || firefox().is_some() },
    Need { name: "the Vulkan loader", package: "libvulkan1", present: || !NEEDS_VULKAN || has_vulkan_loader() },
    Need {
        name: "lavapipe",
        package: "mesa-vulkan-drivers",
        present: || !NEEDS_VULKAN || lavapipe_manifest().is_some(),
    },
];

/// Chromium, or the program that the environment variable `CHROMIUM` names.
pub fn chromium() -> Option<PathBuf> {
    named_by("CHROMIUM").or_else(|| find_program(&["chromium", "chromium-browser", "google-chrome"]))
}

/// Firefox, or the program that the environment variable `FIREFOX` names.
pub fn firefox() -> Option<PathBuf> {
    named_by("FIREFOX").or_else(|| find_program(&["firefox-esr", "firefox"]))
}

/// The manifest by which the Vulkan loader finds lavapipe, Mesa's software driver.
pub fn lavapipe_manifest() -> Option<PathBuf> {
    let folder = std::fs::read_dir("/usr/share/vulkan/icd.d").ok()?;
    let is_lavapipe =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("lvp_icd"));
    folder.flatten().map(|entry| entry.path()).find(is_lavapipe)
}

fn named_by(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_file())
}

fn has_vulkan_loader() -> bool {
    let machine = std::env::consts::ARCH;
    let folders = [format!("/usr/lib/{machine}-linux-gnu"), "/usr/lib64".into(), "/usr/lib".into()];
    folders.iter().any(|folder| Path::new(folder).join("libvulkan.so.1").exists())
}

/// Install whichever of Chromium, Firefox, the Vulkan loader and lavapipe is missing.
///
/// # Errors
/// A sentence that names what is missing, where apt is absent or fails.
pub fn ensure_browsers_and_vulkan() -> Result<()> {
    let missing: Vec<&Need> = NEEDS.iter().filter(|need| !(need.present)()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.iter().map(|need| need.name).collect::<Vec<_>>().join(", ");
    say(&format!("missing: {names}"));
    install(&missing.iter().map(|need| need.package).collect::<Vec<_>>())?;
    match missing.iter().find(|need| !(need.present)()) {
        Some(need) => bail!("{} is still missing after installing the package {}", need.name, need.package),
        None => Ok(()),
    }
}

/// `apt-get install`, waiting for another apt's lock.
///
/// # Errors
/// A sentence that names the packages, where apt is absent or fails.
pub fn install(packages: &[&str]) -> Result<()> {
    let list = packages.join(" ");
    if find_program(&["apt-get"]).is_none() {
        bail!(
            "missing: {list}. There is no apt-get here: install what these Debian packages bring in your system's own way"
        );
    }
    say(&format!("installing with apt-get: {list}"));
    // The lists may be fresh already, or another apt may be fetching them: only the installation must succeed.
    if let Err(refusal) = run(apt().arg("update")) {
        say(&format!("{refusal:#}; trying with the package lists at hand"));
    }
    match run(apt().args(["install", "--yes", "--no-install-recommends"]).args(packages)) {
        Ok(()) => Ok(()),
        Err(refusal) => bail!("missing: {list}. {refusal:#}: run `apt-get install {list}` as root"),
    }
}

fn apt() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command.args(["--quiet=2", "-o", &format!("DPkg::Lock::Timeout={LOCK_SECONDS}")]);
    command
}
