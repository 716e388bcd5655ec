//! `inglenook embed`: vectors of texts.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;
use inglenook::{EmbeddingRequest, Embeddings, Pooling, Purpose};
use serde_json::{Value, json};

use crate::arguments::{EmbedderArguments, TextArguments};
use crate::load;

const EXAMPLES: &str = "\
Examples:
  inglenook embed --model all-minilm-l6-v2-f32.gguf \"a warm hearth\" \"a cold stove\"
  inglenook embed --model embeddinggemma-300m-q8_0.gguf --prompt-name query --dimensions 256 \"who lit the fire?\"
  inglenook embed --model bge-m3-q8_0.gguf --file lines.txt > vectors.jsonl
  inglenook embed --model nomic-embed-text-v1.5-q8_0.gguf --json hello | jq .usage";

/// Turn texts into vectors
///
/// Prints a vector a line, as JSON. What the model says of pooling holds; vectors are one long.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// The texts; without them or a file, the lines of standard input
    texts: Vec<String>,
    #[command(flatten)]
    file: TextArguments,
    /// What goes in front of each text, by the model's name for it, such as `query` or `document`
    #[arg(long, value_name = "NAME", conflicts_with = "prompt")]
    prompt_name: Option<String>,
    /// What goes in front of each text
    #[arg(long, value_name = "TEXT")]
    prompt: Option<String>,
    /// Keep so many of a vector's first numbers, as models of the Matryoshka kind allow
    #[arg(long, value_name = "COUNT")]
    dimensions: Option<usize>,
    /// Which of a text's vectors stand for it, in place of what the file says
    #[arg(long, value_name = "KIND", value_parser = pooling)]
    pooling: Option<Pooling>,
    /// Leave vectors as long as the model makes them
    #[arg(long)]
    no_normalize: bool,
    /// Print OpenAI's object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    model: EmbedderArguments,
}

fn pooling(name: &str) -> Result<Pooling, String> {
    serde_json::from_value(json!(name)).map_err(|_| "mean, cls or last".to_string())
}

/// Loads the model, embeds, and prints.
///
/// # Errors
/// What is wrong with model or texts.
pub fn run(options: &Options) -> Result<()> {
    let texts = options.file.texts(&options.texts)?;
    let mut embedder_options = options.model.options(Purpose::Embed);
    embedder_options.pooling = options.pooling;
    let embedder = load::embedder(&options.model, &embedder_options)?;
    let request = EmbeddingRequest {
        input: json!(texts),
        dimensions: options.dimensions,
        prompt_name: options.prompt_name.clone(),
        prompt: options.prompt.clone(),
        truncate: options.model.truncate,
        normalize: Some(!options.no_normalize),
        ..EmbeddingRequest::default()
    };
    let begin = Instant::now();
    let embeddings = pollster::block_on(embedder.embed(&request))?;
    let elapsed = begin.elapsed();
    let mut out = io::stdout().lock();
    if options.json {
        writeln!(out, "{}", list(&embeddings, &embedder.model().info().name, elapsed))?;
    } else {
        embeddings.vectors.iter().try_for_each(|vector| writeln!(out, "{}", json!(vector)))?;
    }
    Ok(())
}

/// OpenAI's object, and the time that embedding took, without loading the model.
fn list(embeddings: &Embeddings, model: &str, elapsed: Duration) -> Value {
    let item = |(index, embedding)| json!({ "object": "embedding", "index": index, "embedding": embedding });
    let data: Vec<Value> = embeddings.vectors.iter().enumerate().map(item).collect();
    let usage = json!({ "prompt_tokens": embeddings.tokens, "total_tokens": embeddings.tokens });
    let timings = json!({ "embed_ms": elapsed.as_secs_f64() * 1000.0 });
    json!({ "object": "list", "data": data, "model": model, "usage": usage, "timings": timings })
}
