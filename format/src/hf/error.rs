//! What can be wrong with the directory of a Hugging Face model, in sentences that say what to do about it.

use crate::gguf::GgufError;
use crate::safetensors::SafetensorsError;
use crate::source::SourceError;

/// Why a directory cannot be shown as a GGUF file.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum HfError {
    /// The bytes of a file could not be had.
    #[error("{file}: {error}")]
    Source {
        /// The file's name.
        file: String,
        /// What the source says.
        error: SourceError,
    },
    /// A file that is needed and not there.
    #[error("the directory lacks {file}; download it from the same place as the others")]
    MissingFile {
        /// The file's name.
        file: String,
    },
    /// A shard whose length is not known beforehand.
    #[error(
        "{file} comes without its length, so that no part of it can be asked for; use a server that answers range requests, or a file"
    )]
    UnknownLength {
        /// The file's name.
        file: String,
    },
    /// A text file beyond anything a model has.
    #[error("{file} has more than the {max} bytes allowed; it is damaged or not what its name says")]
    LargeFile {
        /// The file's name.
        file: String,
        /// The largest size accepted, bytes.
        max: usize,
    },
    /// A file that is not the JSON expected.
    #[error("{file} cannot be read: {detail}; download it again")]
    Json {
        /// The file's name.
        file: String,
        /// What is wrong.
        detail: String,
    },
    /// A shard that is no sound safetensors file.
    #[error("{file}: {error}")]
    Safetensors {
        /// The shard's name.
        file: String,
        /// What is wrong.
        error: SafetensorsError,
    },
    /// An index that names something other than a safetensors file of the directory.
    #[error(
        "model.safetensors.index.json names the file {file:?}, which is no .safetensors file of the directory itself; download it again"
    )]
    ShardName {
        /// The name.
        file: String,
    },
    /// An index and a shard that contradict one another.
    #[error(
        "model.safetensors.index.json says that tensor {tensor:?} is in {file}, which lacks it; download both again"
    )]
    NotInShard {
        /// The tensor's name.
        tensor: String,
        /// The shard's name.
        file: String,
    },
    /// More of something than any model has.
    #[error("the model has more than the {max} {what} allowed; it is damaged")]
    TooMany {
        /// What is counted.
        what: &'static str,
        /// The most accepted.
        max: usize,
    },
    /// A tensor that occurs twice.
    #[error("tensor {name:?} occurs twice; the directory mixes files of two models")]
    DuplicateTensor {
        /// The tensor's name.
        name: String,
    },
    /// A tensor that is needed and not there.
    #[error("the model lacks the tensor {name:?}; a file is missing or of another model")]
    MissingTensor {
        /// The tensor's name.
        name: String,
    },
    /// A tensor for which there is no use.
    #[error(
        "the tensor {name:?} has no place in a model of the type {model_type:?}; it needs something that is not supported"
    )]
    UnknownTensor {
        /// The tensor's name.
        name: String,
        /// The type that config.json states.
        model_type: String,
    },
    /// A tensor whose shape is not what the configuration says.
    #[error(
        "tensor {name:?} has the shape {found:?}, which does not fit {wanted}; config.json or the weights are of another model"
    )]
    Shape {
        /// The tensor's name.
        name: String,
        /// Its shape.
        found: Vec<u64>,
        /// What it should fit.
        wanted: String,
    },
    /// A value that config.json lacks.
    #[error("config.json lacks {key:?}; download it again, or choose a model in transformers' current format")]
    MissingKey {
        /// The key.
        key: String,
    },
    /// A value that is not of the type or size needed.
    #[error("config.json has {found} for {key:?}, where {wanted} is needed; it is damaged or of a newer format")]
    BadValue {
        /// The key.
        key: String,
        /// The value found, shortened.
        found: String,
        /// What is needed.
        wanted: &'static str,
    },
    /// A type of model that is not known here.
    #[error("models of the type {model_type:?} cannot be read from safetensors; choose a GGUF file of this model")]
    ModelType {
        /// The type that config.json states.
        model_type: String,
    },
    /// Something about the model that is not supported.
    #[error("{what} cannot be read from safetensors; choose a GGUF file of this model")]
    Unsupported {
        /// What it is.
        what: String,
    },
    /// A virtual file that breaks the rules of GGUF.
    #[error("the model cannot be shown as a GGUF file: {0}")]
    Gguf(#[from] GgufError),
}

impl HfError {
    /// A code that stays the same across versions, as the npm package and the server pass it on.
    pub fn code(&self) -> &'static str {
        match self {
            HfError::Source { error, .. } => error.code(),
            HfError::Gguf(error) => error.code(),
            error if error.is_unsupported() => "Unsupported",
            _ => "BadFile",
        }
    }

    /// Whether the files are sound, and only ask for what is not built in: to download them again would not help.
    pub fn is_unsupported(&self) -> bool {
        match self {
            HfError::UnknownTensor { .. } | HfError::ModelType { .. } | HfError::Unsupported { .. } => true,
            HfError::Gguf(error) => error.is_unsupported(),
            _ => false,
        }
    }

    pub(super) fn unsupported(what: impl Into<String>) -> HfError {
        HfError::Unsupported { what: what.into() }
    }
}
