//! What can be wrong with a GGUF file, in sentences that say what to do about it.

use std::borrow::Cow;

use crate::quant::WeightType;
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
    #[error("this is part {} of {count} of a split model; open it by its name, which ends in -00001-of-00003.gguf or the like, with the other parts beside it, or join them (llama-gguf-split --merge FIRST-PART OUT.gguf)", u64::from(*no) + 1)]
    Split {
        /// Number of this part, from 0.
        no: u32,
        /// How many parts there are.
        count: u32,
    },
    /// One of the parts of a split model, which cannot be joined with the others.
    #[error("{file} {problem}")]
    Part {
        /// The part's file.
        file: String,
        /// What is wrong.
        problem: PartProblem,
    },
    /// Split information that contradicts itself.
    #[error("the file's split information is inconsistent: {detail}; download the model again")]
    BadSplit {
        /// What contradicts what.
        detail: String,
    },
}

impl GgufError {
    /// A code that stays the same across versions, as the npm package and the server pass it on.
    pub fn code(&self) -> &'static str {
        match self {
            GgufError::Source(error) => error.code(),
            error if error.is_unsupported() => "Unsupported",
            _ => "BadFile",
        }
    }

    /// Whether the file is sound, and only asks for what is not built in: to download it again would not help.
    pub fn is_unsupported(&self) -> bool {
        let unsupported = |problem: &TensorProblem| {
            matches!(problem, TensorProblem::UnsupportedType(_) | TensorProblem::UnknownType(_))
        };
        match self {
            GgufError::Version { .. } | GgufError::BigEndian | GgufError::Split { .. } => true,
            GgufError::Tensor { problem, .. } => unsupported(problem),
            GgufError::Part { problem: PartProblem::Header(error), .. } => error.is_unsupported(),
            _ => false,
        }
    }
}

/// What can be wrong with a part of a split model.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PartProblem {
    /// It is not there.
    #[error("is missing; all parts must lie beside each other, so download it, too")]
    Missing,
    /// Its header cannot be read.
    #[error("cannot be read: {0}")]
    Header(Box<GgufError>),
    /// It is one of another number of parts.
    #[error("says that the model has {stated} parts, where there are {found}; take all parts of one download")]
    Count {
        /// The number in the file.
        stated: u32,
        /// How many there are.
        found: usize,
    },
    /// It is another part than its place or name says, or one that came before.
    #[error("is part {stated}, where part {wanted} belongs; the files were renamed or come in another order")]
    Number {
        /// The part that the file is, from 1.
        stated: u64,
        /// The part that its place asks for, from 1.
        wanted: usize,
    },
    /// It states another number of tensors in all parts than the first part does.
    #[error("states another number of tensors than the first part does; it is another model's")]
    OtherModel,
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
        "is of type {0}, which is not supported{near}; choose a Q4_K_M, Q5_K_M, Q6_K, Q8_0, Q4_0 or F16 file of this model",
        near = nearest_type(.0)
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

/// What a message says of the supported type that is most like another: the one whose name begins most like it, as Q8_0 does like Q8_K and
/// Q4_0 like Q4_0_8_8.
fn nearest_type(name: &str) -> String {
    let shared = |ty: &WeightType| ty.name().bytes().zip(name.bytes()).take_while(|(one, other)| one == other).count();
    // Of several the first counts.
    let near = WeightType::ALL.into_iter().rev().max_by_key(shared).filter(|ty| shared(ty) > 2);
    near.map_or_else(String::new, |ty| format!(" (the nearest type that is: {ty})"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_that_is_not_supported_names_the_nearest_that_is() {
        for (name, near) in [("Q8_K", "Q8_0"), ("Q8_1", "Q8_0"), ("Q4_0_4_8", "Q4_0"), ("IQ4_NL_4_4", "IQ4_NL")] {
            let told = TensorProblem::UnsupportedType(name.into()).to_string();
            assert!(
                told.contains(&format!("{name}, which is not supported (the nearest type that is: {near})")),
                "{told}"
            );
        }
        assert!(TensorProblem::UnsupportedType("F64".into()).to_string().contains("is not supported; choose"));
    }
}
