//! What becomes of the vectors of a text's tokens, as files say it.

use super::config::Config;
use super::error::ModelError;
use super::keys::Keys;

/// Which of a text's vectors stand for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pooling {
    /// Their mean, special tokens included.
    Mean,
    /// The first.
    Cls,
    /// The last.
    Last,
}

impl Pooling {
    /// The rows whose mean is taken, of those from `first` to `last`.
    pub fn rows(self, first: u32, last: u32) -> (u32, u32) {
        match self {
            Pooling::Mean => (first, last),
            Pooling::Cls => (first, first),
            Pooling::Last => (last, last),
        }
    }
}

/// Reads `attention.causal`, `pooling_type` and `classifier.pooling_type`. Classifiers of encoders read the first vector where the file does
/// not say it, those of decoders the last, which is the one that has seen all.
pub(super) fn configure(config: &mut Config, keys: &Keys<'_>) -> Result<(), ModelError> {
    config.is_causal = keys.flag("attention.causal")?.unwrap_or(config.is_causal);
    let read = |name: &str| match keys.optional(name)? {
        None | Some(0) => Ok(None),
        Some(1) => Ok(Some(Pooling::Mean)),
        Some(2) => Ok(Some(Pooling::Cls)),
        Some(3) => Ok(Some(Pooling::Last)),
        Some(other) => Err(ModelError::feature(format!("pooling of the kind {other}"))),
    };
    const RANK: u32 = 4;
    config.ranks = keys.optional("pooling_type")? == Some(RANK);
    config.pooling = match config.ranks {
        false => read("pooling_type")?,
        true if config.is_causal => Some(Pooling::Last),
        true => Some(read("classifier.pooling_type")?.unwrap_or(Pooling::Cls)),
    };
    Ok(())
}
