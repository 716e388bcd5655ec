//! What can be wrong with an importance matrix.

use crate::gguf::GgufError;
use crate::source::SourceError;

/// Why importances cannot be read, or are not for a tensor.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ImatrixError {
    /// The bytes could not be had.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The file is no sound GGUF file.
    #[error(transparent)]
    Gguf(#[from] GgufError),
    /// A GGUF file of something else.
    #[error("this GGUF file is no importance matrix but {}; choose one that llama-imatrix wrote", found.as_deref().unwrap_or("a model"))]
    NotImatrix {
        /// What its `general.type` says.
        found: Option<String>,
    },
    /// The file ends too early.
    #[error("the importance matrix ends at byte {end}, inside an entry; it was cut off, or is no importance matrix")]
    Truncated {
        /// Where the file ends.
        end: u64,
    },
    /// A count or length that cannot be.
    #[error("the importance matrix claims {count} {what}; it is damaged, or no importance matrix")]
    Count {
        /// What is counted.
        what: &'static str,
        /// The number in the file.
        count: i64,
    },
    /// Sums without counts, or the other way round.
    #[error("the importance matrix has no {missing:?}; it is incomplete, so make it again")]
    Half {
        /// The tensor that is missing.
        missing: String,
    },
    /// Sums that cannot be divided by their counts.
    #[error("the importance matrix has {sums} sums and {counts} counts for {name:?}, of F32 each; make it again")]
    Counts {
        /// The matrix.
        name: String,
        /// How many sums there are.
        sums: u64,
        /// How many counts.
        counts: u64,
    },
    /// A value that is no mean square.
    #[error(
        "the importance matrix has {value} for column {column} of {name:?}, which is no mean square; make it again"
    )]
    Value {
        /// The matrix.
        name: String,
        /// The column, from 0, over all experts.
        column: usize,
        /// The value.
        value: f32,
    },
    /// Two entries for one matrix.
    #[error("the importance matrix has {name:?} twice; it is damaged")]
    Twice {
        /// The matrix.
        name: String,
    },
    /// Importances for a tensor of another shape.
    #[error(
        "the importance matrix has {values} values for {name:?}, which has {row_len} columns in {matrices} matrices; it is another model's"
    )]
    Shape {
        /// The tensor.
        name: String,
        /// How many values there are.
        values: usize,
        /// Columns of the tensor.
        row_len: u64,
        /// Its matrices: 1, or the number of experts.
        matrices: u64,
    },
}
