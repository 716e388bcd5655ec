//! `inglenook rerank`: documents by how well they answer a query.

use std::io::{self, Write};

use anyhow::Result;
use clap::Args;
use inglenook::{Purpose, Ranking, RankingRequest};
use serde_json::{Value, json};

use crate::arguments::{EmbedderArguments, TextArguments};
use crate::{load, show};

const EXAMPLES: &str = "\
Examples:
  inglenook rerank --model bge-reranker-v2-m3-q8_0.gguf \"who lit the fire?\" \"Anna did.\" \"It rained.\"
  inglenook rerank --model qwen3-reranker-0.6b-q8_0.gguf --file passages.txt --top-n 3 \"what is a hearth?\"
  cat passages.txt | inglenook rerank --model jina-reranker.gguf --json \"what is a hearth?\"";

/// Rank documents by how well they answer a query
///
/// Prints the best first: a score from 0 to 1, the document's number from 0, and the document. Models with a classifier are asked for
/// its score, others whether the document answers the query.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// What is looked for
    query: String,
    /// The documents; without them or a file, the lines of standard input
    documents: Vec<String>,
    #[command(flatten)]
    file: TextArguments,
    /// Print so many of the best
    #[arg(long, value_name = "COUNT")]
    top_n: Option<usize>,
    /// What a document is to do with the query, for models that are told
    #[arg(long, value_name = "TEXT")]
    instruction: Option<String>,
    /// Print what the classifier gives, instead of probabilities
    #[arg(long)]
    raw_scores: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    model: EmbedderArguments,
}

/// Loads the model, ranks, and prints.
///
/// # Errors
/// What is wrong with model or texts.
pub fn run(options: &Options) -> Result<()> {
    let documents = options.file.texts(&options.documents)?;
    let embedder = load::embedder(&options.model, &options.model.options(Purpose::Rank))?;
    let request = RankingRequest {
        query: options.query.clone(),
        documents,
        top_n: options.top_n,
        instruction: options.instruction.clone(),
        truncate: options.model.truncate,
        raw_scores: options.raw_scores,
        ..RankingRequest::default()
    };
    let ranking = pollster::block_on(embedder.rank(&request))?;
    let mut out = io::stdout().lock();
    if options.json {
        writeln!(out, "{}", object(&ranking, &request.documents))?;
    } else {
        for ranked in &ranking.results {
            writeln!(
                out,
                "{:.4}\t{}\t{}",
                ranked.score,
                ranked.index,
                show::harmless(&request.documents[ranked.index])
            )?;
        }
    }
    Ok(())
}

fn object(ranking: &Ranking, documents: &[String]) -> Value {
    let result = |ranked: &inglenook::RankedText| json!({ "index": ranked.index, "relevance_score": ranked.score, "document": documents[ranked.index] });
    let results: Vec<Value> = ranking.results.iter().map(result).collect();
    json!({ "results": results, "usage": { "total_tokens": ranking.tokens } })
}
