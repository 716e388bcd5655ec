//! `inglenook run`: one answer to one prompt.

use std::io::{self, Read, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use inglenook::engine::event::FinishReason;
use inglenook::engine::request::Request;
use serde_json::json;

use crate::answer::choices;
use crate::arguments::{self, AdapterArguments, AnswerArguments, ModelArguments};
use crate::completion::completion;
use crate::interrupt::Interrupted;
use crate::printer::Printer;
use crate::{adapter, load};

const EXAMPLES: &str = "\
Examples:
  inglenook run \"What is the opposite of hot?\"
  inglenook run --model qwen3-0.6b-q4_k_m.gguf --temperature 0 \"Name three rivers.\"
  git diff | inglenook run --model coder.gguf --system \"Write a commit message.\" -
  inglenook run --raw --max-tokens 40 \"Once upon a time\"
  inglenook run --tools tools.json \"What is the weather in Oslo?\"
  inglenook run --choice yes --choice no \"Is ice cold?\"
  inglenook run --json-schema person.json --json \"Who wrote Faust?\"
  inglenook run --page-store ~/.cache/inglenook \"$(cat report.txt) What is its conclusion?\"
  inglenook run --request request.json --model qwen3-0.6b-q4_k_m.gguf
  inglenook run --model qwen3-0.6b-q4_k_m.gguf --lora formal.gguf --lora brief=0.5 \"Name three rivers.\"
  inglenook run --rule 'mask:/[0-9]{4}/' --stop 'The end' \"Tell me a story.\"";

/// Answer one prompt
///
/// The answer goes to standard output, a tool call as a line `name({...})`; thoughts and everything else go to standard error.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// The question; `-` reads it from standard input
    #[arg(required_unless_present = "request")]
    prompt: Option<String>,
    /// Answer the request in this file, `-` being standard input: JSON of OpenAI's chat completions, or a list of messages. It says
    /// all that there is to say of the answer; its `model` does not count
    #[arg(long, value_name = "FILE", conflicts_with_all = ["prompt", "system", "raw", "PromptArguments", "FormArguments", "SamplingArguments"])]
    request: Option<PathBuf>,
    /// The system message
    #[arg(short, long, value_name = "TEXT", conflicts_with = "raw")]
    system: Option<String>,
    /// Continue the prompt as plain text, without the model's chat template
    #[arg(long, conflicts_with_all = ["tools", "template", "var"])]
    raw: bool,
    /// Print OpenAI's completion object, with the tokens' ids and timings
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    model: ModelArguments,
    #[command(flatten)]
    adapters: AdapterArguments,
    #[command(flatten)]
    answer: AnswerArguments,
}

/// Loads the model, answers, and prints.
///
/// # Errors
/// Whatever goes wrong on the way; [`Interrupted`] after ctrl-C.
pub fn run(options: &Options) -> Result<()> {
    let mut request = request(options)?;
    request.check()?;
    let mut engine = load::engine(&options.model)?;
    let adapters = adapter::load(&engine, options.model.model.as_deref(), &options.adapters.lora)?;
    if request.lora.is_empty() {
        request.lora = adapters;
    }
    let mut printer = Printer::new();
    let answers = choices(&mut engine, request, |part| if options.json { Ok(()) } else { printer.show(part) })?;
    printer.end_line()?;
    if options.json {
        writeln!(io::stdout(), "{}", completion(&answers, engine.info()))?;
    } else {
        for other in &answers[1..] {
            writeln!(io::stdout())?;
            other.parts().into_iter().try_for_each(|part| printer.show(part))?;
            printer.end_line()?;
        }
    }
    if options.model.verbose {
        answers.iter().for_each(|answer| eprintln!("{}", answer.summary()));
    }
    load::store_pages(&engine);
    if answers.iter().any(|answer| answer.reason == FinishReason::Aborted) { Err(Interrupted.into()) } else { Ok(()) }
}

fn request(options: &Options) -> Result<Request> {
    if let Some(path) = &options.request {
        return arguments::read(arguments::request_fields(Some(path))?);
    }
    let mut request = options.answer.request()?;
    let prompt = match options.prompt.as_deref() {
        Some("-") => io::read_to_string(io::stdin().by_ref()).context("cannot read the prompt")?,
        prompt => prompt.unwrap_or_default().to_string(),
    };
    if options.raw || prompt.is_empty() {
        request.prompt = Some(prompt);
    } else {
        let message = |role: &str, content: &str| json!({ "role": role, "content": content });
        request.messages.extend(options.system.as_deref().map(|text| message("system", text)));
        request.messages.push(message("user", &prompt));
    }
    Ok(request)
}
