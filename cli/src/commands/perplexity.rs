//! `inglenook perplexity`: how well a model predicts a text.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use clap::Args;
use serde_json::json;

use crate::scoring::{Evaluator, Mean, ScoringArguments, Text, score};
use crate::show;

const EXAMPLES: &str = "\
Examples:
  inglenook perplexity --model qwen3-0.6b-q4_k_m.gguf --file wiki.test.raw
  inglenook perplexity --model model.gguf --file novel.txt --context 2048 --chunks 20 --json";

/// Measure how well a model predicts a text
///
/// The perplexity is the exponential of the mean negative log-likelihood of a token: the lower, the better. The text is cut into chunks, and
/// the second half of each is scored, as llama.cpp does it; so the same text and --context give figures that can be compared, also between
/// models with the same vocabulary.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// A GGUF file, or a folder as Hugging Face keeps models; without one, the built-in model ember
    #[arg(short, long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    scoring: ScoringArguments,
}

/// Measures, and prints.
///
/// # Errors
/// [`Interrupted`](crate::interrupt::Interrupted); what is wrong with model, text or device.
pub fn run(options: &Options) -> Result<()> {
    let arguments = &options.scoring;
    let text = Text::read(arguments.text.file.as_deref())?;
    let evaluator = Evaluator::load(options.model.as_deref(), arguments)?;
    let chunks = text.chunks(&evaluator.tokenizer, &arguments.text)?;
    let started = Instant::now();
    let mut loss = Mean::default();
    score([&evaluator], &chunks, |[scored]| {
        scored.losses().into_iter().for_each(|token| loss.add(token));
        format!("perplexity {:.4}", loss.exponential().0)
    })?;
    let seconds = started.elapsed().as_secs_f64();
    let (perplexity, error) = loss.exponential();
    let tokens = chunks.len() as f64 * f64::from(arguments.text.context);
    let shown = if options.json {
        json!({
            "model": evaluator.name,
            "text": text.name,
            "context": arguments.text.context,
            "chunks": chunks.len(),
            "scored_tokens": loss.count(),
            "perplexity": perplexity,
            "perplexity_error": error,
            "loss": loss.value(),
            "loss_error": loss.error(),
            "device": evaluator.place,
            "seconds": seconds,
        })
        .to_string()
    } else {
        format!(
            "perplexity  {perplexity:.4} ± {error:.4}\n\
             tokens      {} scored, in {} chunks of {}, of {}\n\
             model       {}\n\
             device      {}, {:.1} tokens a second",
            loss.count(),
            chunks.len(),
            arguments.text.context,
            show::harmless(&text.name),
            show::harmless(&evaluator.name),
            evaluator.place,
            show::per_second(tokens, seconds * 1e3),
        )
    };
    writeln!(io::stdout(), "{shown}")?;
    Ok(())
}
