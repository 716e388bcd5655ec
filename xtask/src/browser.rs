//! `cargo xtask browser`: the tests in Chromium, Firefox and Node, and screenshots of a page.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::shell::run;
use crate::workspace::Workspace;
use crate::{packages, setup, wasm};

/// What to run.
#[derive(clap::Args, Default)]
pub struct Options {
    /// Where to run: some of chromium, firefox, node
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    browser: Vec<String>,
    /// Only cases whose name contains this
    #[arg(long, value_name = "PART")]
    case: Option<String>,
    /// Take all of each large set of files, and not a few of them: takes long (the same as INGLENOOK_FULL=1)
    #[arg(long, conflicts_with = "screenshot")]
    full: bool,
    /// No test: write a picture of the demo page (or of --url) here, named after each browser
    #[arg(long, value_name = "FILE.png")]
    screenshot: Option<PathBuf>,
    /// The page to take a picture of
    #[arg(long, requires = "screenshot")]
    url: Option<String>,
    /// With the demo page's tools switched on
    #[arg(long, requires = "screenshot")]
    tools: bool,
    /// What the chat is asked before the picture is taken
    #[arg(long, requires = "screenshot", value_name = "PROMPT")]
    ask: Option<String>,
    /// As a phone shows it: 390 × 844
    #[arg(long, requires = "screenshot")]
    phone: bool,
    /// In dark colours
    #[arg(long, requires = "screenshot")]
    dark: bool,
}

/// Set up, build the demo (and with it the library), and run what the options say.
///
/// # Errors
/// When a step of the set-up fails, or a test does.
pub fn browser(workspace: &Workspace, options: &Options) -> Result<()> {
    packages::build_demo(workspace)?;
    setup::everything(workspace)?;
    if options.screenshot.is_none() {
        wasm::build_selftest(workspace)?;
    }
    run(&mut runner(workspace, options))
}

/// The runner's command, for a workspace that is set up and built.
pub fn runner(workspace: &Workspace, options: &Options) -> Command {
    let mut command = Command::new("node");
    command.current_dir(workspace.root.join("tests/browser"));
    command.arg(if options.screenshot.is_some() { "screenshot.mjs" } else { "run.mjs" });
    if !options.browser.is_empty() {
        command.arg("--browser").arg(options.browser.join(","));
    }
    if let Some(part) = &options.case {
        command.arg("--case").arg(part);
    }
    if let Some(file) = &options.screenshot {
        // Relative to where the user stands, not to the runner's folder.
        command.arg("--out").arg(std::path::absolute(file).unwrap_or_else(|_| file.clone()));
    }
    for (flag, value) in [("--url", &options.url), ("--ask", &options.ask)] {
        if let Some(value) = value {
            command.arg(flag).arg(value);
        }
    }
    let flags =
        [("--full", options.full), ("--tools", options.tools), ("--phone", options.phone), ("--dark", options.dark)];
    command.args(flags.iter().filter(|(_, on)| *on).map(|(flag, _)| flag));
    command
}
