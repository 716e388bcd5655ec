//! Models whose log-probabilities of a text are wanted, and not their answers: what `perplexity`, `compare` and `imatrix` share.

mod arguments;
mod evaluator;
mod mean;
mod pass;
mod text;

pub use arguments::{ScoringArguments, TextArguments};
pub use evaluator::Evaluator;
pub use mean::Mean;
pub use pass::{Scored, log_sum_exp, progress, score};
pub use text::Text;
