//! What can be wrong with a safetensors file, in sentences that say what to do about it.

use crate::source::SourceError;

/// Why a file cannot be read as safetensors.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SafetensorsError {
    /// The bytes could not be had.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The file ends before what its header says.
    #[error("the file has {len} bytes where {wanted} are needed; it was cut off, so download it again")]
    Truncated {
        /// Where the header says that the file ends, bytes.
        wanted: u64,
        /// Where it ends.
        len: u64,
    },
    /// Bytes that belong to no tensor behind the last one.
    #[error("the file has {bytes} bytes behind its last tensor; it is damaged, so download it again")]
    Trailing {
        /// How many.
        bytes: u64,
    },
    /// A header beyond what the format allows.
    #[error(
        "the file claims a header of {bytes} bytes, more than the {max} allowed; it is damaged or no safetensors file"
    )]
    Header {
        /// Length that the file states.
        bytes: u64,
        /// The longest accepted.
        max: u64,
    },
    /// A header that is not the JSON expected.
    #[error("the file's header cannot be read: {detail}; it is damaged or no safetensors file")]
    Json {
        /// What the parser says.
        detail: String,
    },
    /// More tensors than any file has.
    #[error("the file lists more than {max} tensors; it is damaged")]
    TooMany {
        /// The most accepted.
        max: usize,
    },
    /// Something wrong with one tensor.
    #[error("tensor {name:?} {problem}; the file is damaged, so download it again")]
    Entry {
        /// The tensor's name.
        name: String,
        /// What is wrong.
        problem: EntryProblem,
    },
}

/// What can be wrong with a tensor's description.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryProblem {
    /// A type that the format does not have.
    #[error("is of the unknown type {0:?}")]
    Dtype(String),
    /// More elements than 64 bits can count, or a part of a byte.
    #[error("has a size that no file can hold")]
    Size,
    /// Offsets that do not say what type and shape say.
    #[error("has {found} bytes where its type and shape need {wanted}")]
    Bytes {
        /// By its offsets.
        found: i128,
        /// By its type and shape.
        wanted: u64,
    },
    /// Data that begins within another tensor's.
    #[error("overlaps tensor {0:?}")]
    Overlap(String),
    /// Data that belongs to no tensor before it.
    #[error("begins {0} bytes behind the end of the tensor before it")]
    Gap(u64),
    /// A second tensor of the same name.
    #[error("occurs twice")]
    Duplicate,
}
