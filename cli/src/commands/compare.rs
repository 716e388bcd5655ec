//! `inglenook compare`: how far one model's predictions are from another's.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use rayon::prelude::*;
use serde_json::{Value, json};

use crate::scoring::{Evaluator, Mean, Scored, ScoringArguments, Text, TextArguments, log_sum_exp, score};
use crate::show;

const EXAMPLES: &str = "\
Examples:
  inglenook compare qwen3-0.6b-bf16.gguf qwen3-0.6b-q4_k_m.gguf --file wiki.test.raw
  inglenook compare model-q8_0.gguf model-q3_k_m.gguf --chunks 20 --json";

/// Measure how far a model's predictions are from those of another with the same vocabulary
///
/// Says what a quantisation costs: the Kullback-Leibler divergence of B's distributions of the next token from A's, and how often both find
/// the same token likeliest. A is the reference, such as the model before it was quantised.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// The reference
    #[arg(value_name = "A")]
    reference: PathBuf,
    /// The model to judge
    #[arg(value_name = "B")]
    model: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    scoring: ScoringArguments,
}

/// Compares, and prints.
///
/// # Errors
/// [`Interrupted`](crate::interrupt::Interrupted); what is wrong with models, text or device; models that speak of other tokens.
pub fn run(options: &Options) -> Result<()> {
    let arguments = &options.scoring;
    let text = Text::read(arguments.text.file.as_deref())?;
    let models = [&options.reference, &options.model];
    let [a, b] = models.map(|path| Evaluator::load(Some(path), arguments));
    let (a, b) = (a?, b?);
    let chunks = text.chunks(&a.tokenizer, &arguments.text)?;
    check_vocabularies(&a, &b, &text, &arguments.text, &chunks)?;
    let mut comparison = Comparison::default();
    score([&a, &b], &chunks, |[a, b]| {
        comparison.add(&a, &b);
        format!("divergence {:.5}", comparison.divergence.value())
    })?;
    let shown = if options.json {
        let mut object = comparison.json();
        object["a"] = json!(a.name);
        object["b"] = json!(b.name);
        object["text"] = json!(text.name);
        object["context"] = json!(arguments.text.context);
        object["chunks"] = json!(chunks.len());
        object["device"] = json!(b.place);
        object.to_string()
    } else {
        format!(
            "A           {}\nB           {}\n{}\ntokens      {} scored, in {} chunks of {}, of {}",
            show::harmless(&a.name),
            show::harmless(&b.name),
            comparison.text(),
            comparison.divergence.count(),
            chunks.len(),
            arguments.text.context,
            show::harmless(&text.name),
        )
    };
    writeln!(io::stdout(), "{shown}")?;
    Ok(())
}

/// Both must cut the text into the same tokens.
fn check_vocabularies(
    a: &Evaluator,
    b: &Evaluator,
    text: &Text,
    arguments: &TextArguments,
    chunks: &[Vec<u32>],
) -> Result<()> {
    let sizes = [a, b].map(|model| model.tokenizer.vocab_size());
    if sizes[0] != sizes[1] {
        bail!(
            "{} has {} tokens and {} has {}: their predictions cannot be compared",
            a.name,
            sizes[0],
            b.name,
            sizes[1]
        );
    }
    if text.chunks(&b.tokenizer, arguments).ok().as_deref() != Some(chunks) {
        bail!("{} and {} cut the text into other tokens: their predictions cannot be compared", a.name, b.name);
    }
    Ok(())
}

/// What two models make of one token.
struct Token {
    losses: [f64; 2],
    divergence: f64,
    has_same_top: bool,
    /// How much likelier the token that came is to the second.
    change: f64,
}

/// What was found.
#[derive(Default)]
struct Comparison {
    losses: [Mean; 2],
    /// Of the second's loss less the first's, token by token.
    difference: Mean,
    divergence: Mean,
    divergences: Vec<f64>,
    same_top: Mean,
    /// Squares of the changes of the probabilities of tokens that came.
    changes: Mean,
}

impl Comparison {
    fn add(&mut self, a: &Scored<'_>, b: &Scored<'_>) {
        let rows: Vec<_> = a.rows().zip(b.rows()).zip(a.next).collect();
        let tokens: Vec<Token> = rows.into_par_iter().map(|((a, b), next)| Token::of(a, b, *next as usize)).collect();
        for token in tokens {
            self.losses.iter_mut().zip(token.losses).for_each(|(mean, loss)| mean.add(loss));
            self.difference.add(token.losses[1] - token.losses[0]);
            self.divergence.add(token.divergence);
            self.divergences.push(token.divergence);
            self.same_top.add(f64::from(u8::from(token.has_same_top)));
            self.changes.add(token.change * token.change);
        }
    }

    /// The divergence below which so large a share of the tokens is.
    fn quantile(&self, share: f64) -> f64 {
        let mut sorted = self.divergences.clone();
        sorted.sort_by(f64::total_cmp);
        let at = ((sorted.len() as f64 * share).ceil() as usize).clamp(1, sorted.len().max(1)) - 1;
        sorted.get(at).copied().unwrap_or(0.0)
    }

    fn json(&self) -> Value {
        let [a, b] = self.losses.map(|loss| loss.exponential());
        let (ratio, ratio_error) = self.difference.exponential();
        json!({
            "perplexity_a": a.0,
            "perplexity_a_error": a.1,
            "perplexity_b": b.0,
            "perplexity_b_error": b.1,
            "perplexity_ratio": ratio,
            "perplexity_ratio_error": ratio_error,
            "divergence": self.divergence.value(),
            "divergence_error": self.divergence.error(),
            "divergence_median": self.quantile(0.5),
            "divergence_99": self.quantile(0.99),
            "divergence_largest": self.quantile(1.0),
            "same_top": self.same_top.value(),
            "same_top_error": self.same_top.error(),
            "probability_rms_change": self.changes.value().sqrt(),
            "scored_tokens": self.divergence.count(),
        })
    }

    fn text(&self) -> String {
        let [a, b] = self.losses.map(|loss| loss.exponential());
        let (ratio, ratio_error) = self.difference.exponential();
        format!(
            "perplexity  {:.4} ± {:.4} of A, {:.4} ± {:.4} of B: {ratio:.5} ± {ratio_error:.5} times as high\n\
             divergence  {:.6} ± {:.6} nats a token; half of the tokens below {:.6}, 99 % below {:.6}, all below {:.6}\n\
             top token   the same for {:.2} ± {:.2} % of the tokens\n\
             change      {:.2} % of probability, root mean square, for tokens that came",
            a.0,
            a.1,
            b.0,
            b.1,
            self.divergence.value(),
            self.divergence.error(),
            self.quantile(0.5),
            self.quantile(0.99),
            self.quantile(1.0),
            self.same_top.value() * 100.0,
            self.same_top.error() * 100.0,
            self.changes.value().sqrt() * 100.0,
        )
    }
}

impl Token {
    /// Of the logits of both, and the token that came next.
    fn of(a: &[f32], b: &[f32], next: usize) -> Token {
        let sums = [log_sum_exp(a), log_sum_exp(b)];
        let divergence = a.iter().zip(b).map(|(a, b)| {
            let (a, b) = (f64::from(*a) - sums[0], f64::from(*b) - sums[1]);
            a.exp() * (a - b)
        });
        let losses = [sums[0] - f64::from(a[next]), sums[1] - f64::from(b[next])];
        Token {
            // Rounding may leave it a little below zero, where it never is.
            divergence: divergence.sum::<f64>().max(0.0),
            has_same_top: top(a) == top(b),
            change: (-losses[1]).exp() - (-losses[0]).exp(),
            losses,
        }
    }
}

/// The likeliest token, the first of several.
fn top(logits: &[f32]) -> Option<usize> {
    (0..logits.len()).reduce(|best, other| if logits[other] > logits[best] { other } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Logits whose softmax these probabilities are, moved by a constant.
    fn logits(probabilities: [f32; 3]) -> Vec<f32> {
        probabilities.iter().map(|p| p.ln() + 7.0).collect()
    }

    #[test]
    fn divergence_is_that_of_the_distributions() {
        let (a, b) = (logits([0.5, 0.25, 0.25]), logits([0.25, 0.25, 0.5]));
        let token = Token::of(&a, &b, 2);
        // 0.5 ln 2 + 0 - 0.25 ln 2.
        assert!((token.divergence - 0.25 * 2f64.ln()).abs() < 1e-6, "{}", token.divergence);
        assert!(!token.has_same_top);
        assert!((token.change - 0.25).abs() < 1e-6);
        assert!((token.losses[0] - 4f64.ln()).abs() < 1e-6 && (token.losses[1] - 2f64.ln()).abs() < 1e-6);
        assert_eq!(Token::of(&a, &a, 0).divergence, 0.0);
    }

    #[test]
    fn comparison_sums_tokens_up() {
        let rows = |rows: &[[f32; 3]]| rows.iter().flat_map(|row| logits(*row)).collect::<Vec<f32>>();
        let next = [0, 2];
        let a = Scored { logits: rows(&[[0.5, 0.25, 0.25], [0.2, 0.2, 0.6]]), next: &next };
        let b = Scored { logits: rows(&[[0.25, 0.25, 0.5], [0.2, 0.2, 0.6]]), next: &next };
        let mut comparison = Comparison::default();
        comparison.add(&a, &b);
        let found = comparison.json();
        let is = |key: &str, expected: f64| {
            let found = found[key].as_f64().expect("a number");
            assert!((found - expected).abs() < 1e-5, "{key}: {found}");
        };
        is("divergence", 0.125 * 2f64.ln());
        is("divergence_largest", 0.25 * 2f64.ln());
        is("divergence_median", 0.0);
        is("same_top", 0.5);
        is("perplexity_a", (1.0 / (0.5 * 0.6f64)).sqrt());
        is("perplexity_ratio", 2f64.sqrt());
    }
}
