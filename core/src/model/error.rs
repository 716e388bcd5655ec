//! Why a model cannot be run.

use inglenook_format::gguf::GgufError;
use inglenook_format::near;

use super::arch::names;

/// A model that inglenook cannot run, or a file that contradicts itself.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ModelError {
    /// The file's metadata or tensors are at fault.
    #[error(transparent)]
    Gguf(#[from] GgufError),
    /// An architecture that is not implemented.
    #[error(
        "models of the architecture `{found}` are not supported yet{near}; supported are {}",
        names().collect::<Vec<_>>().join(", "),
        near = near::told(.found, names())
    )]
    Architecture {
        /// As the file names it.
        found: String,
    },
    /// A feature of a known architecture that is not implemented.
    #[error("this model uses {feature}, which is not supported yet")]
    Feature {
        /// The feature, in words.
        feature: String,
    },
    /// A drafter where a model was wanted.
    #[error(
        "the file is no model by itself (`{architecture}`): it drafts for another, so load that one and give this file as its draft model"
    )]
    Drafter {
        /// The architecture.
        architecture: &'static str,
    },
    /// MTP was asked for of a file that has no layer for it.
    #[error("the file has no MTP layer to draft with (`{key}` is 0 or missing); load one that has, or leave `mtp` out")]
    NoMtp {
        /// The key that would say so.
        key: String,
    },
    /// Tensors that no part of the architecture asks for.
    #[error(
        "the file has tensors that are not used for the architecture `{architecture}` ({names}); without them its answers would \
         be wrong, so it is not supported yet"
    )]
    UnusedTensors {
        /// The file's architecture.
        architecture: String,
        /// The first of them, and how many more there are.
        names: String,
    },
    /// A size that is out of range or contradicts another.
    #[error("the model file says {what}, which cannot be; download it again or get it from another source")]
    Size {
        /// The contradiction, in words.
        what: String,
    },
    /// A tensor whose shape is not what the sizes ask for.
    #[error(
        "the tensor `{name}` is {found:?}, and the model's sizes ask for {wanted:?}; the file is damaged or mislabelled"
    )]
    Shape {
        /// The tensor.
        name: String,
        /// Its dimensions, rows last.
        found: Vec<u64>,
        /// The dimensions expected.
        wanted: Vec<u64>,
    },
}

impl ModelError {
    /// Whether the file is sound, and only asks for what is not built in.
    pub fn is_unsupported(&self) -> bool {
        match self {
            ModelError::Gguf(error) => error.is_unsupported(),
            ModelError::Architecture { .. }
            | ModelError::Feature { .. }
            | ModelError::Drafter { .. }
            | ModelError::NoMtp { .. }
            | ModelError::UnusedTensors { .. } => true,
            ModelError::Size { .. } | ModelError::Shape { .. } => false,
        }
    }

    pub(super) fn size(what: impl Into<String>) -> ModelError {
        ModelError::Size { what: what.into() }
    }

    pub(super) fn feature(feature: impl Into<String>) -> ModelError {
        ModelError::Feature { feature: feature.into() }
    }
}
