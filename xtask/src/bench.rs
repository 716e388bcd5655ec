//! `cargo xtask bench`: end-to-end figures, natively and in browsers, added to a CSV file in benches/.

mod peers;
mod table;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

use self::peers::Lengths;
use self::table::Table;
use crate::shell::{read, say, show};
use crate::workspace::Workspace;
use crate::{packages, setup, synthetic};

const PLACES: [&str; 3] = ["native", "chromium", "firefox"];

/// What to measure.
#[derive(clap::Args)]
pub struct Options {
    /// GGUF files, `ember`, or synthetic models: 42m, 0.3b, 0.5b, 4b, 8b, 16-layers, 2gb, wide-embedding
    #[arg(default_value = "ember")]
    models: Vec<String>,
    /// Where: some of native, chromium, firefox
    #[arg(long = "in", value_delimiter = ',', value_name = "PLACES", default_value = "native,chromium")]
    places: Vec<String>,
    /// Tokens of the prompt
    #[arg(long, default_value_t = 256)]
    prompt_tokens: u32,
    /// Tokens to decode
    #[arg(long, default_value_t = 64)]
    tokens: u32,
    /// Answers at once, to be compared with one
    #[arg(long, value_name = "N")]
    concurrency: Option<u32>,
    /// Tokens that the prompts of all answers begin with
    #[arg(long, value_name = "N", requires = "concurrency")]
    shared_prefix: Option<u32>,
    /// What computes: `gpu`, `cpu`, or natively a part of an adapter's name
    #[arg(long, default_value = "gpu")]
    device: String,
    /// The CSV file that the rows are added to, from the repository's root; by default one of benches/
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    peers: peers::PeerOptions,
}

impl Options {
    /// The arguments that both programs take.
    fn load(&self) -> Vec<String> {
        let numbers = [
            ("--prompt-tokens", Some(self.prompt_tokens)),
            ("--tokens", Some(self.tokens)),
            ("--concurrency", self.concurrency),
            ("--shared-prefix", self.shared_prefix),
        ];
        let given = numbers.into_iter().filter_map(|(name, number)| Some([name.to_string(), number?.to_string()]));
        given.flatten().chain(["--device".into(), self.device.clone()]).collect()
    }
}

/// Measure each model in each place; each row says which commit and which command made it.
///
/// # Errors
/// When a build or a measurement fails; rows of the places before it are kept.
pub fn bench(workspace: &Workspace, options: &Options) -> Result<()> {
    if let Some(place) = options.places.iter().find(|place| !PLACES.contains(&place.as_str())) {
        bail!("no figures from `{place}`: there are {}", PLACES.join(", "));
    }
    let usual = if options.peers.peers { "benches/peers.csv" } else { "benches/end-to-end.csv" };
    let file = workspace.root.join(options.out.as_deref().unwrap_or(Path::new(usual)));
    if options.peers.peers {
        let lengths = Lengths { prompt_tokens: options.prompt_tokens, tokens: options.tokens };
        return peers::peers(workspace, &options.peers, &options.places, lengths, &file);
    }
    let models = existing(workspace, &options.models)?;
    let about = about(workspace)?;
    let mut table = Table::open(&file)?;
    for place in &options.places {
        let rows = match place.as_str() {
            "native" => native(workspace, options, &models)?,
            browser => in_browser(workspace, options, &models, browser)?,
        };
        for row in rows {
            println!("{}", Value::Object(row.clone()));
            table.add(about.iter().cloned().chain(row));
        }
        table.write(&file)?;
    }
    say(&format!("added to {}", file.display()));
    Ok(())
}

/// The models' paths as any working folder understands them.
fn existing(workspace: &Workspace, models: &[String]) -> Result<Vec<String>> {
    let absolute = |model: &String| {
        let path = match model.as_str() {
            "ember" => return Ok(model.clone()),
            name if synthetic::NAMES.contains(&name) => synthetic::model(workspace, name)?,
            file => std::fs::canonicalize(file).with_context(|| format!("no model file {file}"))?,
        };
        Ok(path.to_string_lossy().into_owned())
    };
    models.iter().map(absolute).collect()
}

/// What lets a reader make the row again: the commit, its date, the command.
fn about(workspace: &Workspace) -> Result<Vec<(String, Value)>> {
    let git = |arguments: &[&str]| -> Result<Value> {
        let answer = read(Command::new("git").current_dir(&workspace.root).args(arguments))?;
        Ok(answer.trim().into())
    };
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    Ok(vec![
        ("commit".into(), git(&["describe", "--always", "--dirty", "--exclude=*"])?),
        ("date".into(), git(&["show", "--no-patch", "--format=%cs", "HEAD"])?),
        ("command".into(), format!("cargo xtask {}", arguments.join(" ")).into()),
    ])
}

fn native(workspace: &Workspace, options: &Options, models: &[String]) -> Result<Vec<Map<String, Value>>> {
    let mut rows = Vec::new();
    for model in models {
        say(&format!("native: {model}"));
        let mut command = Command::new("cargo");
        command.current_dir(&workspace.root);
        command.args(["run", "--quiet", "--release", "--package", "inglenook-cli", "--", "bench", "--json"]);
        command.args(options.load());
        if model != "ember" {
            command.args(["--model", model]);
        }
        rows.extend(rows_of(&mut command)?.into_iter().map(|row| placed("native", row)));
    }
    Ok(rows)
}

fn in_browser(
    workspace: &Workspace,
    options: &Options,
    models: &[String],
    browser: &str,
) -> Result<Vec<Map<String, Value>>> {
    packages::build_library(workspace)?;
    setup::everything(workspace)?;
    let mut command = Command::new("node");
    command.current_dir(workspace.root.join("tests/browser")).args(["bench.mjs", "--browser", browser]);
    for model in models {
        command.args(["--model", model]);
    }
    command.args(options.load());
    rows_of(&mut command)
}

/// Run with its messages shown; its last line is one row or a list of rows, as JSON.
fn rows_of(command: &mut Command) -> Result<Vec<Map<String, Value>>> {
    let shown = show(command);
    let output = command.stderr(Stdio::inherit()).output().with_context(|| format!("cannot start `{shown}`"))?;
    if !output.status.success() {
        bail!("`{shown}` failed ({})", output.status);
    }
    parse_rows(&String::from_utf8_lossy(&output.stdout)).with_context(|| format!("`{shown}` wrote no rows as JSON"))
}

fn parse_rows(output: &str) -> Option<Vec<Map<String, Value>>> {
    let parse = |text: &str| serde_json::from_str(text).ok();
    // Pretty-printed over many lines, or one line after others.
    match parse(output).or_else(|| parse(output.trim_end().lines().last()?))? {
        Value::Object(row) => Some(vec![row]),
        Value::Array(rows) => rows.into_iter().map(|row| row.as_object().cloned()).collect(),
        _ => None,
    }
}

/// The row with its place as its first column, as the browsers' rows have it.
fn placed(place: &str, row: Map<String, Value>) -> Map<String, Value> {
    std::iter::once(("where".to_owned(), place.into())).chain(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_row_and_lists_of_rows_are_read() {
        assert_eq!(parse_rows("{\n  \"a\": 1\n}\n").unwrap().len(), 1);
        assert_eq!(parse_rows("warming up\n[{\"a\":1},{\"a\":2}]\n").unwrap()[1]["a"], 2);
    }

    #[test]
    fn what_is_no_row_is_refused() {
        assert!(parse_rows("42").is_none());
        assert!(parse_rows("[1]").is_none());
        assert!(parse_rows("").is_none());
    }

    #[test]
    fn a_missing_model_is_named() {
        let error = existing(&Workspace::find().unwrap(), &["ember".into(), "/no/such/model.gguf".into()]).unwrap_err();
        assert!(error.to_string().contains("/no/such/model.gguf"));
    }
}
