//! `inglenook run`: one answer to one prompt.

use std::io::Read;

use anyhow::{Context, Result};
use clap::Args;
use inglenook::engine::event::Finish;
use inglenook::engine::request::Request;
use serde_json::json;

use crate::answer::{Answer, Printer, answer};
use crate::arguments::{ModelArguments, SamplingArguments};
use crate::interrupt::Interrupted;
use crate::load;

const EXAMPLES: &str = "\
Examples:
  inglenook run \"What is the opposite of hot?\"
  inglenook run --model qwen3-0.6b-q4_k_m.gguf --temperature 0 \"Name three rivers.\"
  git diff | inglenook run --model coder.gguf --system \"Write a commit message.\" -
  inglenook run --raw --max-tokens 40 \"Once upon a time\"";

/// Answer one prompt
///
/// The answer goes to standard output, everything else to standard error.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// The question; `-` reads it from standard input
    prompt: String,
    /// The system message
    #[arg(short, long, value_name = "TEXT", conflicts_with = "raw")]
    system: Option<String>,
    /// Continue the prompt as plain text, without the model's chat template
    #[arg(long)]
    raw: bool,
    /// Print one JSON object with text, token ids, usage and timings
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    model: ModelArguments,
    #[command(flatten)]
    sampling: SamplingArguments,
}

/// Loads the model, answers, and prints.
///
/// # Errors
/// Whatever goes wrong on the way; [`Interrupted`] after ctrl-C.
pub fn run(options: &Options) -> Result<()> {
    let request = request(options)?;
    request.check()?;
    let mut engine = load::engine(&options.model)?;
    let mut printer = Printer::new();
    let answer = answer(&mut engine, request, |text| if options.json { Ok(()) } else { printer.print(text) })?;
    if options.json {
        printer.print(&as_json(&answer, &engine)?)?;
    }
    printer.end_line()?;
    if options.model.verbose {
        eprintln!("{}", answer.summary());
    }
    if answer.reason == Finish::Aborted { Err(Interrupted.into()) } else { Ok(()) }
}

fn request(options: &Options) -> Result<Request> {
    let prompt = match options.prompt.as_str() {
        "-" => std::io::read_to_string(std::io::stdin().by_ref()).context("cannot read the prompt")?,
        prompt => prompt.to_string(),
    };
    let mut request = options.sampling.request();
    if options.raw || prompt.is_empty() {
        request.prompt = Some(prompt);
    } else {
        let message = |role: &str, content: &str| json!({ "role": role, "content": content });
        request.messages.extend(options.system.as_deref().map(|text| message("system", text)));
        request.messages.push(message("user", &prompt));
    }
    Ok(request)
}

fn as_json(answer: &Answer, engine: &inglenook::engine::Engine) -> Result<String> {
    let mut object = serde_json::to_value(answer)?;
    object["model"] = json!(engine.info().model.name);
    object["adapter"] = json!(engine.info().adapter.name);
    Ok(serde_json::to_string(&object)?)
}
