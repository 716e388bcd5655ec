//! `cargo xtask demo`: set up, build everything, and serve the demo page.

use std::process::Command;

use anyhow::Result;

use crate::shell::{run, say};
use crate::workspace::Workspace;
use crate::{packages, setup};

/// How to serve.
#[derive(clap::Args)]
pub struct Options {
    /// Build only
    #[arg(long)]
    no_serve: bool,
    /// The port to serve on; the next free one where it is taken
    #[arg(long, default_value_t = 4173)]
    port: u16,
}

/// Build the page for production and serve it until interrupted.
///
/// # Errors
/// When a step of the set-up or a build fails; the sentence names it.
pub fn demo(workspace: &Workspace, options: &Options) -> Result<()> {
    packages::build_demo(workspace)?;
    // The page opens in any browser with WebGPU, so Debian's are a convenience here and not a condition.
    if let Err(missing) = setup::browsers_and_vulkan() {
        say(&format!("{missing:#}; the page needs some browser with WebGPU"));
    }
    if options.no_serve {
        return Ok(());
    }
    say("serving the demo; ctrl-C ends it. Open the address below");
    let page = workspace.root.join("demo");
    run(Command::new(page.join("node_modules/.bin/vite")).current_dir(&page).args([
        "preview",
        "--host",
        "127.0.0.1",
        "--port",
        &options.port.to_string(),
    ]))
}
