//! What a file's header says of its model, before any weight is read: what it is, and whether it could be run.

use super::Engine;
use super::info::weight_types;
use crate::error::Error;
use crate::model::Config;
use crate::model::outlook::OutlookProblem;
use inglenook_format::gguf::{Gguf, GgufError, TensorInfo};
use inglenook_format::source::{LocalFuture, Source, SourceError};

/// A model by its header. What the header does not tell, or tells wrongly, is empty or `None`.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelSummary {
    /// `general.name`.
    pub name: String,
    /// `general.architecture`, whether it is known here or not.
    pub architecture: String,
    /// Number of weights in the file.
    pub parameters: u64,
    /// Types of its weights, most frequent first.
    pub weight_types: Vec<String>,
    /// Number of layers.
    pub layers: Option<u64>,
    /// Tokens of context it was trained for.
    pub trained_context_length: Option<u64>,
    /// What it is for: to `generate` answers, to `embed` texts or to `rank` them; `None` where it cannot be run.
    pub purpose: Option<&'static str>,
}

/// Why a model cannot be run.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// As [`Error::code`].
    pub code: &'static str,
    /// A sentence for people.
    pub message: String,
}

impl From<Error> for Problem {
    fn from(error: Error) -> Problem {
        Problem { code: error.code(), message: error.to_string() }
    }
}

impl From<&OutlookProblem> for Problem {
    fn from(problem: &OutlookProblem) -> Problem {
        let code = match problem {
            OutlookProblem::Fit { .. } => "TooSmall",
            OutlookProblem::Kv(_) => "Unsupported",
        };
        Problem { code, message: problem.to_string() }
    }
}

impl ModelSummary {
    /// Of a header.
    pub fn of(gguf: &Gguf) -> ModelSummary {
        let meta = &gguf.metadata;
        let text = |key: &str| meta.text(key).unwrap_or_default().to_string();
        let (architecture, (parameters, weight_types)) = (text("general.architecture"), weight_types(gguf));
        let number = |key: &str| {
            meta.get(&format!("{architecture}.{key}"))?.as_integer().and_then(|number| u64::try_from(number).ok())
        };
        ModelSummary {
            name: text("general.name"),
            layers: number("block_count"),
            trained_context_length: number("context_length"),
            purpose: Config::read(gguf).ok().map(|config| config.purpose()),
            architecture,
            parameters,
            weight_types,
        }
    }
}

/// The header of a file that may have been cut off behind it.
///
/// # Errors
/// As [`Gguf::read`].
pub async fn read_header(source: &dyn Source) -> Result<Gguf, GgufError> {
    Gguf::read(&Endless(source)).await
}

/// Why the model of a file of so many bytes, if that is known, cannot be run on any device.
pub fn problem(gguf: &Gguf, bytes: Option<u64>) -> Option<Problem> {
    let end = gguf.tensors().iter().map(TensorInfo::end).max();
    match (end, bytes) {
        (Some(end), Some(bytes)) if end > bytes => Some(Problem {
            code: "BadFile",
            message: format!("the file was cut off: its tensors end at byte {end}, and it has {bytes}"),
        }),
        _ => Engine::check(gguf).err().map(Problem::from),
    }
}

/// A file whose length nobody tells.
struct Endless<'a>(&'a dyn Source);

impl Source for Endless<'_> {
    fn len(&self) -> Option<u64> {
        None
    }

    fn read_at<'a>(&'a self, offset: u64, buf: &'a mut [u8]) -> LocalFuture<'a, Result<(), SourceError>> {
        self.0.read_at(offset, buf)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use inglenook_format::gguf::write::GgufWriter;
    use inglenook_format::quant::WeightType;
    use inglenook_format::source::Memory;

    use super::*;

    fn header(bytes: &[u8]) -> Gguf {
        pollster::block_on(read_header(&Memory(bytes))).expect("a header")
    }

    #[test]
    fn summary_tells_what_a_header_says_and_no_more() {
        let ember = fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../models/ember/ember-q8_0.gguf")).expect("ember");
        let gguf = header(&ember);
        let summary = ModelSummary::of(&gguf);
        assert_eq!((summary.name.as_str(), summary.purpose), ("ember", Some("generate")));
        let config = Config::read(&gguf).expect("a configuration");
        assert_eq!(summary.layers, Some(config.layers.into()));
        assert_eq!(problem(&gguf, Some(ember.len() as u64)), None);
        let cut = problem(&gguf, Some(ember.len() as u64 - 1)).expect("it was cut off");
        assert_eq!(cut.code, "BadFile");

        let mut writer = GgufWriter::new();
        writer.entry("general.architecture", "qwen4").entry("qwen4.block_count", -3i32);
        writer.tensor("t", &[32, 2], WeightType::Q8_0).expect("a tensor");
        let mut bytes = Vec::new();
        writer.start(&mut bytes).expect("memory takes it");
        let gguf = header(&bytes);
        let summary = ModelSummary::of(&gguf);
        assert_eq!((summary.architecture.as_str(), summary.parameters, summary.layers), ("qwen4", 64, None));
        let problem = problem(&gguf, None).expect("it is not known");
        assert!(problem.code == "Unsupported" && problem.message.contains("\"qwen2\""), "{problem:?}");
    }
}
