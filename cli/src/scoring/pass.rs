//! The pass over a text: each chunk's first half is context, and the tokens of its second half are scored, as llama.cpp does it.

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use rayon::prelude::*;

use super::Evaluator;

/// Rows of logits of one model, each with the token that came next.
pub struct Scored<'a> {
    /// `[next.len(), vocabulary]`.
    pub logits: Vec<f32>,
    /// The tokens that came.
    pub next: &'a [u32],
}

impl Scored<'_> {
    /// The logits of each token.
    pub fn rows(&self) -> std::slice::ChunksExact<'_, f32> {
        self.logits.chunks_exact(self.logits.len() / self.next.len())
    }

    /// The negative log-likelihood of each token that came.
    pub fn losses(&self) -> Vec<f64> {
        let loss = |(row, next): (&[f32], &u32)| log_sum_exp(row) - f64::from(row[*next as usize]);
        let columns = self.logits.len() / self.next.len();
        self.logits.par_chunks_exact(columns).zip(self.next).map(loss).collect()
    }
}

/// Runs models with the same vocabulary over chunks, all over the same piece before any goes on. `take` gets the rows of each, and says what
/// the progress bar shows.
///
/// # Errors
/// As [`Evaluator::logits`], and those of `take`.
pub fn score<const MODELS: usize>(
    models: [&Evaluator; MODELS],
    chunks: &[Vec<u32>],
    mut take: impl FnMut([Scored<'_>; MODELS]) -> String,
) -> Result<()> {
    let rows = models.iter().map(|model| model.rows()).min().unwrap_or(1);
    let bar = progress(chunks);
    for chunk in chunks {
        let first = chunk.len() / 2;
        for (piece, position) in chunk[..first].chunks(rows).zip((0..).step_by(rows)) {
            models.iter().try_for_each(|model| model.skip(position, piece))?;
            bar.inc(piece.len() as u64);
        }
        // Nothing comes behind the last token.
        let scored = &chunk[first..chunk.len() - 1];
        for (piece, offset) in scored.chunks(rows).zip((0..).step_by(rows)) {
            let position = first + offset;
            let next = &chunk[position + 1..][..piece.len()];
            let mut logits = Vec::with_capacity(MODELS);
            for model in models {
                logits.push(Scored { logits: model.logits(position, piece)?, next });
            }
            let Ok(logits) = <[Scored<'_>; MODELS]>::try_from(logits) else { unreachable!("one of each model") };
            bar.set_message(take(logits));
            bar.inc(piece.len() as u64);
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}

/// A bar over the tokens of all chunks, on standard error where that is a terminal.
pub fn progress(chunks: &[Vec<u32>]) -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} tokens {msg} {eta} left");
    let tokens = chunks.iter().map(Vec::len).sum::<usize>() as u64;
    ProgressBar::new(tokens).with_style(style.expect("the template is well-formed"))
}

/// The logarithm of the sum of exponentials, in double precision.
pub fn log_sum_exp(logits: &[f32]) -> f64 {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|logit| f64::from((logit - largest).exp())).sum();
    f64::from(largest) + sum.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_sum_exp_holds_where_exponentials_would_overflow() {
        assert!((log_sum_exp(&[1000.0, 1000.0]) - (1000.0 + 2f64.ln())).abs() < 1e-9);
        assert!((log_sum_exp(&[0.0, 1.0, 2.0]) - 2.407_605_964_444_38).abs() < 1e-6);
    }
}
