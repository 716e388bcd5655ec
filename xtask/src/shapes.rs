//! `cargo xtask shapes`: published models at their full size, cut to a few layers of random quantised weights, against Hugging Face transformers.
//!
//! A model's files are gigabytes: they go into cargo's target folder, one model at a time, and are removed behind the test.

use std::fs;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::goldens;
use crate::shell::{run, say};
use crate::workspace::Workspace;

/// As `tests/goldens/generator/shapes/models.py` knows them.
const NAMES: [&str; 6] =
    ["glm-4-9b-0414", "mistral-small-24b-2501", "gpt-oss-20b", "qwen3-30b-a3b", "qwen3.5-4b", "gemma-4-e2b"];

/// Which models.
#[derive(clap::Args)]
pub struct Options {
    /// Only those with this in their name, such as `gemma`
    #[arg(long, value_name = "PART")]
    model: Option<String>,
    /// Leave the files in cargo's target folder, and use those that are there
    #[arg(long)]
    keep: bool,
}

/// Makes each model, and runs `core/tests/shapes` on it. Takes up to 16 GB of memory and 5 GB of disk.
///
/// # Errors
/// For a name that no model has; when Python cannot be had, or the test fails.
pub fn shapes(workspace: &Workspace, options: &Options) -> Result<()> {
    let is_meant = |name: &&&str| options.model.as_ref().is_none_or(|part| name.contains(part.as_str()));
    let names: Vec<_> = NAMES.iter().filter(is_meant).collect();
    if names.is_empty() {
        bail!("no model has that in its name: there are {}", NAMES.join(", "));
    }
    let python = goldens::environment(workspace)?;
    let folder = workspace.target.join("shapes");
    for name in names {
        let begin = Instant::now();
        if !folder.join(format!("{name}.json")).exists() {
            say(&format!("making {name} (minutes)"));
            run(Command::new(&python).arg(workspace.root.join("tests/goldens/shapes.py")).arg(name).arg(&folder))?;
        }
        let mut test = Command::new("cargo");
        test.current_dir(&workspace.root)
            .args(["test", "--package", "inglenook", "--test", "shapes", "published", "--", "--ignored", "--nocapture"])
            .env("INGLENOOK_SHAPES", &folder)
            .env("INGLENOOK_SHAPE", name);
        let result = run(&mut test);
        if !options.keep {
            fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
        }
        result?;
        say(&format!("{name}: {} seconds in all", begin.elapsed().as_secs()));
    }
    Ok(())
}
