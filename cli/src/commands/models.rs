//! `inglenook models`: which models can be run.

use anyhow::Result;
use clap::Args;
use inglenook::format::quant::WeightType;
use inglenook::model::ARCHITECTURES;
use serde_json::json;

/// List the architectures that can be run, and the types of weights
#[derive(Debug, Args)]
pub struct Options {
    /// Print JSON
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Print the table of the README
    #[arg(long)]
    markdown: bool,
}

/// Lists them.
///
/// # Errors
/// When standard output cannot be written.
pub fn run(options: &Options) -> Result<()> {
    match (options.json, options.markdown) {
        (true, _) => {
            let one = |architecture: &&inglenook::model::Architecture| json!({ "architecture": architecture.name, "models": architecture.models });
            let architectures: Vec<_> = ARCHITECTURES.iter().map(one).collect();
            let types: Vec<String> = WeightType::ALL.iter().map(ToString::to_string).collect();
            println!("{}", serde_json::to_string_pretty(&json!({ "architectures": architectures, "types": types }))?);
        }
        (false, true) => print!("{}", markdown()),
        (false, false) => {
            for architecture in ARCHITECTURES {
                println!("{:<16} {}", architecture.name, architecture.models);
            }
            println!("\nWeights of the types {}.", types());
        }
    }
    Ok(())
}

/// What the README says between its marks.
fn markdown() -> String {
    let rows =
        ARCHITECTURES.iter().map(|architecture| format!("| `{}` | {} |\n", architecture.name, architecture.models));
    let table: String = rows.collect();
    format!(
        "| `general.architecture` | models |\n|---|---|\n{table}\nfrom GGUF files with weights of the types {}.\n",
        types()
    )
}

/// The names of all types of weights.
fn types() -> String {
    let names: Vec<String> = WeightType::ALL.iter().map(ToString::to_string).collect();
    match names.split_last() {
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readme_lists_what_can_be_run() {
        const README: &str = include_str!("../../../README.md");
        let listed = README.split("<!-- models -->\n").nth(1).expect("the README has the table between two marks");
        assert_eq!(listed, markdown(), "`cargo run -p inglenook-cli -- models --markdown` prints the table");
    }
}
