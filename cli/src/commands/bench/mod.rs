//! `inglenook bench`: how fast a model runs here, and what a token costs.

pub mod bandwidth;
pub mod measure;
mod speculation;
mod streams;

use std::io::{self, Write};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;
use inglenook::engine::{Engine, EngineOptions};
use inglenook::source::ReadAt;
use serde_json::{Map, Value, json};

use self::measure::Measured;
use self::speculation::{Speculation, Task};
use self::streams::{Load, Streams};
use super::synth;
use crate::arguments::ModelArguments;
use crate::{load, show};

const EXAMPLES: &str = "\
Examples:
  inglenook bench
  inglenook bench --model qwen3-0.6b-q4_k_m.gguf --prompt-tokens 512 --tokens 128
  inglenook bench --synthetic 42m --json
  inglenook bench --concurrency 8 --shared-prefix 1000 --depth 1100 --csv
  inglenook bench --speculation copy
  inglenook bench --model large.gguf --draft small.gguf --speculation ordinary";

/// Measure prefill and decode, and what a token costs
///
/// Rates are medians of several runs. A prompt's time ends with the first token. The copy bandwidth is that of a kernel
/// which copies a large buffer, counting what it reads and what it writes. With --concurrency, one answer and so many at once are measured
/// in turn, without drafts, their prompts being in the cache; and the times to the first token with an empty cache. With --speculation,
/// answers with drafts, those of a draft model too if there is one, and without are measured in turn.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// A synthetic model of this shape instead of a file
    #[arg(long, value_name = "NAME", conflicts_with = "model")]
    synthetic: Option<synth::Name>,
    /// Tokens of the prompt, about
    #[arg(long, visible_aliases = ["prompt", "depth"], value_name = "N", default_value_t = 256)]
    prompt_tokens: u32,
    /// Tokens to generate
    #[arg(long, visible_alias = "generate", value_name = "N", default_value_t = 64,
          value_parser = clap::value_parser!(u32).range(2..))]
    tokens: u32,
    /// Runs, of which the median counts
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Answers at once, to be compared with one
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    concurrency: Option<u32>,
    /// Tokens that the prompts of all answers begin with, about
    #[arg(long, value_name = "N", default_value_t = 0, requires = "concurrency")]
    shared_prefix: u32,
    /// Compare answers with drafts and without, where a text is copied or where none is
    #[arg(long, value_name = "TASK", conflicts_with_all = ["concurrency", "no_speculation"])]
    speculation: Option<Task>,
    /// Print one JSON object
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Print a line of names and one of values
    #[arg(long)]
    csv: bool,
    #[command(flatten)]
    model: ModelArguments,
}

/// Loads, measures, prints.
///
/// # Errors
/// What is wrong with file or device; an interruption by ctrl-C.
pub fn run(options: &Options) -> Result<()> {
    let (mut engine, load_ms) = load(options)?;
    let figures = match (options.concurrency, options.speculation) {
        (Some(streams), _) => Figures::Streams(streams::measure(&engine, load_of(options, streams))?),
        (None, Some(task)) => {
            let plain = EngineOptions { no_speculation: true, ..load::engine_options(&options.model) };
            let plain = pollster::block_on(Engine::new(engine.model().clone(), &plain))?;
            Figures::Speculation(speculation::measure([&plain, &engine], task, options.tokens, options.runs)?)
        }
        (None, None) => Figures::One {
            copy_rate: bandwidth::copy(engine.device())?,
            measured: measure::measure(&mut engine, options.prompt_tokens, options.tokens, options.runs)?,
            runs: options.runs,
        },
    };
    let row = Row { engine: &engine, load_ms, figures };
    let shown = match (options.json, options.csv) {
        (true, _) => Value::Object(row.json()).to_string(),
        (_, true) => csv(&row.json()),
        _ => row.text(),
    };
    writeln!(io::stdout(), "{shown}")?;
    Ok(())
}

fn load_of(options: &Options, streams: u32) -> Load {
    let Options { shared_prefix: shared, prompt_tokens: depth, tokens, runs, .. } = *options;
    Load { streams, shared, depth, tokens, runs }
}

/// Its names, and its values.
fn csv(row: &Map<String, Value>) -> String {
    let cell = |value: &Value| match value {
        Value::String(text) if text.contains([',', '"', '\n']) => format!("\"{}\"", text.replace('"', "\"\"")),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let names: Vec<&str> = row.keys().map(String::as_str).collect();
    let values: Vec<String> = row.values().map(cell).collect();
    format!("{}\n{}", names.join(","), values.join(","))
}

fn load(options: &Options) -> Result<(Engine, f64)> {
    let milliseconds = |since: Instant| since.elapsed().as_secs_f64() * 1e3;
    let mut arguments = options.model.clone();
    if (arguments.draft.is_some() || arguments.mtp) && options.speculation.is_none() {
        bail!("what drafts is measured with --speculation copy or --speculation ordinary, and not without");
    }
    // What is measured is plain decoding: of random weights' answers, which repeat themselves, drafts would foresee too much.
    arguments.no_speculation |= options.speculation.is_none();
    if let Some(streams) = options.concurrency {
        // Every prompt and answer stays in the cache.
        let tokens = u64::from(streams) * (u64::from(options.prompt_tokens) + u64::from(options.tokens) + 64);
        arguments.cache_tokens.get_or_insert(u32::try_from(tokens).unwrap_or(u32::MAX));
    }
    let Some(name) = options.synthetic else {
        let started = Instant::now();
        return Ok((load::engine(&arguments)?, milliseconds(started)));
    };
    let file = tempfile::tempfile().and_then(|file| synth::write(name, 1, file)).and_then(ReadAt::new);
    let source = file.context("cannot write the synthetic model to the folder for temporary files")?;
    let started = Instant::now();
    let engine = load::engine_from(&source, &format!("the synthetic model {name}"), &arguments)?;
    Ok((engine, milliseconds(started)))
}

/// All figures of a benchmark.
struct Row<'a> {
    engine: &'a Engine,
    load_ms: f64,
    figures: Figures,
}

/// What was measured.
enum Figures {
    /// One answer after the other.
    One {
        /// Bytes read and written in a second by a copy.
        copy_rate: f64,
        measured: Measured,
        runs: u32,
    },
    /// Many at once.
    Streams(Streams),
    /// With drafts and without.
    Speculation(Speculation),
}

impl Row<'_> {
    /// One row of `benches/*.csv`, with the columns of `tests/browser/bench.mjs` and some more.
    fn json(&self) -> Map<String, Value> {
        let info = self.engine.info();
        let mut row = Map::new();
        let mut add = |name: &str, value: Value| row.insert(name.to_string(), value);
        add("model", json!(info.model.name));
        add("weights", json!(info.model.weight_types.join(" ")));
        add("adapter", json!(info.adapter.name));
        add("load_ms", json!(self.load_ms.round()));
        let (copy_rate, measured, runs) = match &self.figures {
            Figures::One { copy_rate, measured, runs } => (copy_rate, measured, runs),
            Figures::Streams(streams) => {
                row.extend(streams.columns());
                return row;
            }
            Figures::Speculation(speculation) => {
                row.extend(speculation.columns());
                return row;
            }
        };
        let (dispatches, read_bytes) = self.engine.step_costs();
        let read_rate = read_bytes as f64 * measured.decode_rate;
        add("prompt_tokens", json!(measured.prompt_tokens));
        add("prefill_tok_s", rounded(measured.prefill_rate, 2));
        add("decode_tokens", json!(measured.tokens));
        add("decode_tok_s", rounded(measured.decode_rate, 2));
        add("form_tok_s", rounded(measured.form_rate, 2));
        for (name, per_token) in measured.per_token() {
            add(&format!("{name}_per_token"), rounded(per_token, 3));
        }
        add("runs", json!(runs));
        add("step_dispatches", json!(dispatches));
        add("read_bytes_per_token", json!(read_bytes));
        add("read_gb_s", rounded(read_rate / 1e9, 3));
        add("copy_gb_s", rounded(copy_rate / 1e9, 3));
        add("copy_share", rounded(read_rate / copy_rate, 3));
        row
    }

    fn text(&self) -> String {
        let info = self.engine.info();
        let loaded = format!(
            "{} ({}, {} weights) on {}\nload     {:.1} s\n",
            if info.model.name.is_empty() { "unnamed model" } else { &info.model.name },
            info.model.weight_types.join(", "),
            show::count(info.model.parameters),
            load::place(info),
            self.load_ms / 1e3,
        );
        let (copy_rate, measured, runs) = match &self.figures {
            Figures::One { copy_rate, measured, runs } => (copy_rate, measured, runs),
            Figures::Streams(streams) => return loaded + &streams.text(),
            Figures::Speculation(speculation) => return loaded + &speculation.text(),
        };
        let read_bytes = self.engine.step_costs().1;
        let read_rate = read_bytes as f64 * measured.decode_rate;
        let costs: Vec<String> =
            measured.per_token().into_iter().map(|(name, per_token)| format!("{per_token:.2} {name}")).collect();
        format!(
            "{loaded}\
             prefill  {:.1} tok/s, {} tokens\n\
             decode   {:.1} tok/s, {} tokens (medians of {runs})\n\
             a form   {:.1} tok/s, held to a JSON schema\n\
             reads    {} of weights a token: {:.2} GB/s, {:.0} % of the {:.2} GB/s of a copy\n\
             a step   {}",
            measured.prefill_rate,
            measured.prompt_tokens,
            measured.decode_rate,
            measured.tokens,
            measured.form_rate,
            show::bytes(read_bytes),
            read_rate / 1e9,
            read_rate / copy_rate * 100.0,
            copy_rate / 1e9,
            costs.join(", "),
        )
    }
}

fn rounded(value: f64, decimals: i32) -> Value {
    let scale = 10f64.powi(decimals);
    json!((value * scale).round() / scale)
}
