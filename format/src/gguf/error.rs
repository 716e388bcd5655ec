//! What can be wrong with a GGUF file, in sentences that say what to do about it.

use std::borrow::Cow;

use crate::source::SourceError;

/// Why a file cannot be read as GGUF, or why a value is not there as wanted.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum GgufError {
    /// The bytes could not be had.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The file does not begin with `GGUF`.
    #[error("this is not a GGUF file{}; choose a .gguf file", looks_like(found))]
    NotGguf {
        /// The first bytes of the file.
        found: [u8; 4],
    },
    /// A version other than 2 and 3.
    #[error("GGUF version {version} cannot be read, only 2 and 3; convert the model again with current tools")]
    Version {
        /// The version that the file states.
        version: u32,
    },
    /// A file written for big-endian machines.
    #[error("this GGUF file is big-endian; download the ordinary little-endian one")]
    BigEndian,
    /// The file ends inside its header.
    #[error("the file ends at byte {end}, inside its {section}; it was cut off, so download it again")]
    Truncated {
        /// Where the file ends.
        end: u64,
        /// The part of the header that is incomplete.
        section: &'static str,
    },
    /// A count or length beyond anything a model needs.
    #[error("the file claims {count} {what}, more than the {max} allowed; it is damaged or not a model")]
    TooMany {
        /// What is counted.
        what: &'static str,
        /// The number in the file.
        count: u64,
        /// The largest number accepted.
        max: u64,
    },
    /// A metadata key without a name.
    #[error("metadata entry {index} has an empty key; the file is damaged")]
    EmptyKey {
        /// Position of the entry, from 0.
        index: u64,
    },
    /// A metadata key or tensor name that is not text.
    #[error("the name of {what} {index} is not valid UTF-8; the file is damaged")]
    NameNotUtf8 {
        /// `"metadata entry"` or `"tensor"`.
        what: &'static str,
        /// Its position, from 0.
        index: u64,
    },
    /// Two metadata entries of one key.
    #[error("the metadata key {key:?} occurs twice; the file is damaged")]
    DuplicateKey {
        /// The key.
        key: String,
    },
    /// A value of a type that GGUF does not have.
    #[error(
        "the metadata value {key:?} has the unknown type number {id}; the file is damaged or newer than this program"
    )]
    ValueType {
        /// The key.
        key: String,
        /// The number in the file.
        id: u32,
    },
    /// A boolean that is neither 0 nor 1.
    #[error("the metadata value {key:?} holds the boolean {byte}, which must be 0 or 1; the file is damaged")]
    Bool {
        /// The key.
        key: String,
        /// The byte in the file.
        byte: u8,
    },
    /// Arrays nested too deeply.
    #[error("the metadata value {key:?} nests arrays more than {max} deep; the file is damaged")]
    Depth {
        /// The key.
        key: String,
        /// The deepest nesting accepted.
        max: usize,
    },
    /// Text that is mostly not text.
    #[error("the metadata value {key:?} holds too many bytes that are not UTF-8; the file is damaged")]
    NotText {
        /// The key.
        key: String,
    },
    /// `general.alignment` that is no alignment.
    #[error("general.alignment is {value}; it must be a power of two up to {max}; the file is damaged")]
    Alignment {
        /// The value in the file.
        value: u64,
        /// The largest alignment accepted.
        max: u64,
    },
    /// A key that is needed and not there.
    #[error("the file lacks the metadata {key:?}; it is incomplete, or not the kind of model asked for")]
    Missing {
        /// The key.
        key: String,
    },
    /// A value of another type than needed.
    #[error(
        "the metadata value {key:?} is {found}, where {wanted} is needed; convert the model again with current tools"
    )]
    WrongType {
        /// The key.
        key: String,
        /// The type in the file.
        found: String,
        /// The type needed.
        wanted: &'static str,
    },
    /// An integer too large or too small for its use.
    #[error("the metadata value {key:?} is {value}, which is out of range; the file is damaged")]
    OutOfRange {
        /// The key.
        key: String,
        /// The value in the file.
        value: i128,
    },
    /// Something wrong with one tensor.
    #[error("tensor {name:?} {problem}")]
    Tensor {
        /// The tensor's name.
        name: String,
        /// What is wrong.
        problem: TensorProblem,
    },
    /// A tensor that is needed and not there.
    #[error("the file lacks the tensor {name:?}; it is incomplete, or not the kind of model asked for")]
    MissingTensor {
        /// The tensor's name.
        name: String,
    },
    /// One part of a model in several files.
    #[error("this is part {} of {count} of a split model; join the parts into one file (llama-gguf-split --merge FIRST-PART OUT.gguf) and open that", u64::from(*no) + 1)]
    Split {
        /// Number of this part, from 0.
        no: u32,
        /// How many parts there are.
        count: u32,
    },
    /// Split information that contradicts itself.
    #[error("the file's split information is inconsistent: {detail}; download the model again")]
    BadSplit {
        /// What contradicts what.
        detail: String,
    },
}

impl GgufError {
    /// Whether the file is sound, and only asks for what is not built in: to download it again would not help.
    pub fn is_unsupported(&self) -> bool {
        let unsupported = |problem: &TensorProblem| {
            matches!(problem, TensorProblem::UnsupportedType(_) | TensorProblem::UnknownType(_))
        };
        match self {
            GgufError::Version { .. } | GgufError::BigEndian | GgufError::Split { .. } => true,
            GgufError::Tensor { problem, .. } => unsupported(problem),
            _ => false,
        }
    }
}

/// What can be wrong with a tensor's description.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TensorProblem {
    /// More than four dimensions.
    #[error("has {0} dimensions, more than 4; the file is damaged")]
    Dims(u32),
    /// A dimension of length 0.
    #[error("has a dimension of length 0; the file is damaged")]
    ZeroDim,
    /// A size that does not fit into 64 bits.
    #[error("is larger than any file can be; the file is damaged")]
    TooLarge,
    /// A row that is not a whole number of blocks.
    #[error(
        "has rows of {row} weights, which is no multiple of the {block} that {ty} packs together; the file is damaged"
    )]
    RowLength {
        /// Weights a row.
        row: u64,
        /// Weights a block.
        block: usize,
        /// Name of the weight type.
        ty: Cow<'static, str>,
    },
    /// A type that exists and that inglenook does not compute with.
    #[error(
        "is of type {0}, which is not supported; choose a Q4_K_M, Q5_K_M, Q6_K, Q8_0, Q4_0 or F16 file of this model"
    )]
    UnsupportedType(Cow<'static, str>),
    /// A type number that is not known here.
    #[error(
        "is of the unknown type number {0}; the file is damaged or newer than this program: choose a Q4_K_M, Q5_K_M, Q6_K, \
         Q8_0, Q4_0 or F16 file of this model"
    )]
    UnknownType(u32),
    /// An offset that breaks the file's alignment.
    #[error("begins at offset {offset}, which is no multiple of the file's alignment {alignment}; the file is damaged")]
    Misaligned {
        /// The offset in the file, counted from the start of the data.
        offset: u64,
        /// The alignment.
        alignment: u64,
    },
    /// Data beyond the end of the file.
    #[error("ends at byte {end}, but the file has only {len} bytes; it was cut off, so download it again")]
    PastEnd {
        /// Where the tensor should end.
        end: u64,
        /// Length of the file.
        len: u64,
    },
    /// Data shared with another tensor.
    #[error("overlaps tensor {0:?}; the file is damaged")]
    Overlap(String),
    /// A second tensor of the same name.
    #[error("occurs twice; the file is damaged")]
    Duplicate,
    /// No name at all.
    #[error("has no name; the file is damaged")]
    NoName,
}

/// A guess at what a file really is, for people who picked the wrong one.
fn looks_like(found: &[u8; 4]) -> &'static str {
    match found {
        b"vers" => " but a Git LFS pointer (the real file was never fetched)",
        b"<!DO" | b"<!do" | b"<htm" | b"<HTM" => " but a web page (the download link led elsewhere)",
        [b'P', b'K', 3, 4] => " but a zip archive",
        [_, _, _, 0] => " (it may be a safetensors file)",
        _ => "",
    }
}
