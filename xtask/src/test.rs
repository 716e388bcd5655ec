//! `cargo xtask test`: everything that must hold before a change lands, stage by stage.

mod counts;
mod stages;

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use self::counts::Counts;
use crate::shell::say;
use crate::workspace::Workspace;

/// How to run.
#[derive(clap::Args)]
pub struct Options {
    /// Run the remaining stages after one has failed
    #[arg(long)]
    keep_going: bool,
    /// Only the stages whose name contains one of these
    #[arg(long, value_delimiter = ',', value_name = "PARTS")]
    only: Vec<String>,
}

/// A stage that ran.
struct Ran {
    name: &'static str,
    counts: Counts,
    took: Duration,
}

/// Run the stages; stop at the first that fails unless told to keep going.
///
/// # Errors
/// When a stage failed; the sentence names it.
pub fn test(workspace: &Workspace, options: &Options) -> Result<()> {
    let mut ran = Vec::new();
    let mut failures = Vec::new();
    for stage in stages::STAGES {
        if !options.only.is_empty() && !options.only.iter().any(|part| stage.name.contains(part.as_str())) {
            continue;
        }
        say(&format!("{}: {}", stage.name, stage.about));
        let started = Instant::now();
        let (counts, result) = (stage.run)(workspace);
        ran.push(Ran { name: stage.name, counts, took: started.elapsed() });
        if let Err(error) = result {
            say(&format!("the stage `{}` failed: {error:#}", stage.name));
            failures.push(stage.name);
            if !options.keep_going {
                break;
            }
        }
    }
    if ran.is_empty() {
        bail!("no stage's name contains {}", options.only.join(" or "));
    }
    print_summary(&ran);
    if !failures.is_empty() {
        bail!("failed: {}. One stage alone: cargo xtask test --only {}", failures.join(", "), failures[0]);
    }
    Ok(())
}

/// A row for each stage, then the line that a reader looks for.
fn print_summary(ran: &[Ran]) {
    println!();
    for Ran { name, counts, took } in ran {
        println!("{name:<14} {:>5} passed {:>4} failed {:>8.1} s", counts.passed, counts.failed, took.as_secs_f64());
    }
    let all = ran.iter().fold(Counts::default(), |sum, stage| sum + stage.counts);
    println!("{} passed, {} failed", all.passed, all.failed);
}
