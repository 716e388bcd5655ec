//! What can be wrong with an adapter, in sentences that say what to do about it.

use crate::gguf::GgufError;
use crate::source::SourceError;

/// Why an adapter cannot be read, or does not fit a model.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LoraError {
    /// The file of the adapter, or of the model, is no sound GGUF file.
    #[error(transparent)]
    Gguf(#[from] GgufError),
    /// The bytes could not be had.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The folder of the adapter cannot be read.
    #[cfg(feature = "hf")]
    #[error(transparent)]
    Hf(#[from] crate::hf::HfError),
    /// A GGUF file that is no adapter.
    #[error(
        "the file is no LoRA adapter: {key} is {found:?}, where {wanted:?} is needed; choose an adapter, or open it as a model"
    )]
    NotAdapter {
        /// The metadata key.
        key: &'static str,
        /// Its value; empty where there is none.
        found: String,
        /// The value of an adapter.
        wanted: &'static str,
    },
    /// Something that the adapter asks for.
    #[error(
        "the adapter has {what}, which is not supported; without it the model would answer otherwise than it was trained to"
    )]
    Unsupported {
        /// What it is.
        what: String,
    },
    /// One of the two matrices of a weight is missing.
    #[error("the adapter lacks {part} for {name}; it is damaged, so download it again")]
    Missing {
        /// The weight's name.
        name: String,
        /// "A" or "B".
        part: &'static str,
    },
    /// Shapes that do not belong together.
    #[error("the matrices for {name} have the shapes {a:?} and {b:?}, whose ranks differ; the adapter is damaged")]
    Shape {
        /// The weight's name.
        name: String,
        /// Rows and columns of A.
        a: [u64; 2],
        /// Rows and columns of B.
        b: [u64; 2],
    },
    /// A tensor that is no matrix.
    #[error("the tensor {name} of the adapter has the shape {found:?}, where a matrix is needed")]
    NoMatrix {
        /// The tensor's name.
        name: String,
        /// Its shape.
        found: Vec<u64>,
    },
    /// A rank of 0, or beyond any adapter's.
    #[error("the rank of {name} is {rank}, where 1 to {max} are possible; the adapter is damaged", max = super::MAX_RANK)]
    Rank {
        /// The weight's name.
        name: String,
        /// The rank found.
        rank: u64,
    },
    /// A rank other than the configuration says.
    #[error(
        "the rank of {name} is {found}, where adapter_config.json says {stated}; the two are of different adapters"
    )]
    StatedRank {
        /// The weight's name.
        name: String,
        /// The matrices' rank.
        found: u64,
        /// The configuration's.
        stated: u64,
    },
    /// A number that is none.
    #[error("{part} of {name} holds {value}, which is no finite number; the adapter is damaged")]
    NotFinite {
        /// The weight's name.
        name: String,
        /// "A", "B" or "scale".
        part: &'static str,
        /// The value found.
        value: f32,
    },
    /// No weight at all.
    #[error("the adapter changes no weight; it is damaged or empty")]
    Empty,
    /// An adapter of another kind of model.
    #[error(
        "the adapter is for models of the architecture {adapter:?}, and this one is {model:?}; choose one for this model"
    )]
    OtherArchitecture {
        /// The adapter's architecture.
        adapter: String,
        /// The model's.
        model: String,
    },
    /// A weight that the model lacks.
    #[error("the adapter changes {name}, which is no matrix of the model; choose one for this model")]
    UnknownWeight {
        /// The weight's name.
        name: String,
    },
    /// A weight of another size than the model's.
    #[error(
        "the adapter changes {name} as {adapter:?}, which the model has as {model:?} (columns first); choose one for this model"
    )]
    BaseShape {
        /// The weight's name.
        name: String,
        /// Columns and rows by the adapter.
        adapter: Vec<u64>,
        /// Columns and rows of the model.
        model: Vec<u64>,
    },
}

impl LoraError {
    /// A code that stays the same across versions, as the npm package and the server pass it on.
    pub fn code(&self) -> &'static str {
        match self {
            LoraError::Source(error) => error.code(),
            LoraError::Gguf(error) => error.code(),
            #[cfg(feature = "hf")]
            LoraError::Hf(error) => error.code(),
            LoraError::Unsupported { .. } => "Unsupported",
            _ => "BadFile",
        }
    }

    /// Whether the adapter is sound, and asks for what there is not.
    pub fn is_unsupported(&self) -> bool {
        match self {
            LoraError::Gguf(error) => error.is_unsupported(),
            error => matches!(error, LoraError::Unsupported { .. }),
        }
    }

    pub(crate) fn unsupported(what: impl Into<String>) -> LoraError {
        LoraError::Unsupported { what: what.into() }
    }
}
