//! `cargo xtask bench --peers`: inglenook and other engines on the same files and the same CPU, in turn. The ratios become rows of
//! benches/peers.csv, and its latest rows a plot beside it.

mod compare;
mod models;
mod plot;
mod turn;

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use self::compare::Comparison;
use self::models::{Model, Name, Type};
use self::turn::{Contest, Place};
use super::about;
use super::table::Table;
use crate::shell::{read, run, say};
use crate::workspace::Workspace;
use crate::{packages, setup};

/// The most that another program may keep busy of a core, on the average of a minute, for figures that mean something.
const QUIET: f64 = 0.3;

/// What to compare.
#[derive(clap::Args)]
pub struct PeerOptions {
    /// Compare with other engines on the CPU, in turn: natively with node-llama-cpp, in Chromium with wllama and onnxruntime-web. Fetches
    /// them (0.3 GB); writes ratios to benches/peers.csv and plots them
    #[arg(long, conflicts_with_all = ["models", "concurrency", "device"])]
    pub peers: bool,
    /// With --peers, only these models
    #[arg(long = "model", value_delimiter = ',', value_name = "NAMES", requires = "peers")]
    names: Vec<Name>,
    /// With --peers, only synthetic models of these types
    #[arg(long = "type", value_delimiter = ',', value_name = "TYPES", requires = "peers")]
    types: Vec<Type>,
    /// With --peers, only so many threads: 1, 2. In browsers, pages that are to have two are isolated by headers
    #[arg(long, value_delimiter = ',', value_name = "NUMBERS", requires = "peers")]
    threads: Vec<u32>,
    /// With --peers, only these peers: node-llama-cpp, wllama, onnxruntime-web, onnxruntime-web-f32; and inglenook itself on one
    /// thread, beside two that share memory or exchange messages: one-thread, one-thread-messages
    #[arg(long = "peer", value_delimiter = ',', value_name = "NAMES", requires = "peers")]
    only: Vec<String>,
    /// With --peers, turns of each side, of which the median counts
    #[arg(long, value_name = "N", default_value_t = 5, requires = "peers", value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// With --peers, measure the program and the npm package as they were last built
    #[arg(long, requires = "peers")]
    no_build: bool,
}

/// How long prompts and answers are, in tokens.
#[derive(Clone, Copy)]
pub struct Lengths {
    pub prompt_tokens: u32,
    pub tokens: u32,
}

/// Compare, and write the rows to `file` and the plot beside it after each comparison.
///
/// # Errors
/// When a build, a download or a turn fails; the rows of comparisons before it are kept.
pub fn peers(
    workspace: &Workspace,
    options: &PeerOptions,
    places: &[String],
    lengths: Lengths,
    file: &Path,
) -> Result<()> {
    let places = places.iter().map(|name| Place::named(name)).collect::<Result<Vec<_>>>()?;
    let contests: Vec<(Contest, Model)> = contests(options, &places).collect();
    if contests.is_empty() {
        bail!("nothing to compare: no peer has this combination of --in, --peer, --model, --type and --threads");
    }
    if !options.no_build {
        build(workspace)?;
    }
    let packages = setup::peers(workspace)?;
    let about = about(workspace)?;
    let processor = processor()?;
    let mut table = Table::open(file)?;
    for (contest, model) in &contests {
        say(&format!("{contest}: {model}"));
        let turns =
            turn::Turns { workspace, packages: &packages, file: &model.file(workspace)?, contest: *contest, lengths };
        let mut comparison = Comparison::default();
        for _ in 0..options.runs {
            let theirs = turns.theirs()?;
            let ours = turns.ours(&theirs)?;
            comparison.add(ours, theirs)?;
        }
        for row in comparison.rows(*contest, model, &processor) {
            println!("{}", Value::Object(row.clone()));
            table.add(about.iter().cloned().chain(row));
        }
        table.write(file)?;
        let plot = file.with_extension("svg");
        std::fs::write(&plot, plot::plot(table.records()))
            .with_context(|| format!("cannot write {}", plot.display()))?;
    }
    say(&format!("added to {}, and plotted beside it", file.display()));
    Ok(())
}

/// Every peer with every model that it can run, as far as the options ask for them.
fn contests<'a>(options: &'a PeerOptions, places: &'a [Place]) -> impl Iterator<Item = (Contest, Model)> + 'a {
    let asked = |contest: &Contest| {
        places.contains(&contest.place)
            && (options.threads.is_empty() || options.threads.contains(&contest.threads))
            && (options.only.is_empty() || options.only.iter().any(|name| name == contest.peer.name()))
    };
    let models = move |contest: Contest| models::all(&options.names, &options.types).map(move |model| (contest, model));
    turn::CONTESTS.into_iter().filter(asked).flat_map(models).filter(|(contest, model)| contest.peer.runs(*model))
}

fn build(workspace: &Workspace) -> Result<()> {
    run(Command::new("cargo").current_dir(&workspace.root).args(["build", "--release", "--package", "inglenook-cli"]))?;
    packages::build_library(workspace)?;
    setup::everything(workspace)
}

/// The processor's name and cores; warns where something else keeps it busy.
fn processor() -> Result<String> {
    let script =
        "const os = require('os'); JSON.stringify([os.cpus()[0]?.model.trim(), os.cpus().length, os.loadavg()[0]])";
    let answer = read(Command::new("node").args(["-p", script]))?;
    let (name, cores, load): (Option<String>, usize, f64) =
        serde_json::from_str(&answer).with_context(|| format!("Node does not tell the processor: {answer}"))?;
    if load > QUIET {
        say(&format!(
            "the machine is busy (load {load}): compare on an idle one, since threads that wait for each other suffer"
        ));
    }
    Ok(format!("{}, {cores} cores", name.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[arg(long)]
        models: Option<String>,
        #[arg(long)]
        concurrency: Option<u32>,
        #[arg(long)]
        device: Option<String>,
        #[command(flatten)]
        options: PeerOptions,
    }

    fn names(arguments: &[&str], places: &[Place]) -> Vec<String> {
        let options = Cli::parse_from(["bench", "--peers"].iter().chain(arguments)).options;
        contests(&options, places).map(|(contest, model)| format!("{contest}: {model}")).collect()
    }

    #[test]
    fn options_select_contests() {
        let all = names(&[], &[Place::Native, Place::Chromium]);
        assert_eq!(all.iter().filter(|name| name.contains("node-llama-cpp")).count(), 2 * 8);
        assert_eq!(all.iter().filter(|name| name.contains("wllama")).count(), 2 * 8);
        assert_eq!(all.last().unwrap(), "in Chromium, 1 thread, onnxruntime-web-f32: 42m Q4_0");
        let one = names(&["--model", "42m", "--type", "q8_0", "--threads", "1"], &[Place::Native]);
        assert_eq!(one, ["natively, 1 thread, node-llama-cpp: 42m Q8_0"]);
        assert_eq!(names(&["--peer", "wllama", "--model", "ember"], &[Place::Native]), [""; 0]);
    }
}
