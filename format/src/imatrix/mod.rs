//! Importance matrices: for each column of a model's matrices, the mean square of the activations that met it on some text.
//!
//! Two forms are read: GGUF files, with sums `NAME.in_sum2` and `NAME.counts` for each matrix, and the older binary `.dat`. Both are what
//! llama.cpp's `llama-imatrix` writes (`tools/imatrix`). Like all files, they may be damaged or hostile: memory grows with bytes that
//! came, and every value is looked at.

mod dat;
mod error;
mod sums;
#[cfg(test)]
mod tests;
mod write;

use std::collections::BTreeMap;

pub use error::ImatrixError;
pub use write::{ColumnSums, write};

use crate::gguf::TensorInfo;
use crate::source::{Source, SourceError};

/// Bytes that are read at a time.
const PIECE: usize = 1 << 20;

/// The importances of a model's columns.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Imatrix {
    /// By the matrices' names, the columns of each expert one after the other.
    values: BTreeMap<String, Vec<f32>>,
    /// What the texts are called.
    pub datasets: Vec<String>,
    /// How many pieces of text went in, where the file says it.
    pub chunks: Option<u32>,
}

/// The importances of one tensor's columns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Importance<'a> {
    values: &'a [f32],
    row_len: usize,
    rows: u64,
}

impl Imatrix {
    /// Reads a file of either form.
    ///
    /// # Errors
    /// Anything in [`ImatrixError`].
    pub async fn read(source: &dyn Source) -> Result<Imatrix, ImatrixError> {
        let mut magic = [0; 4];
        match source.read_at(0, &mut magic).await {
            Ok(()) if magic == *b"GGUF" => sums::read(source).await,
            Ok(()) => dat::read(source).await,
            Err(SourceError::UnexpectedEnd { have, .. }) => Err(ImatrixError::Truncated { end: have as u64 }),
            Err(error) => Err(error.into()),
        }
    }

    /// How many matrices there are importances for.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Those for a tensor, if there are any.
    ///
    /// # Errors
    /// [`ImatrixError::Shape`] where they are for a tensor of another shape.
    pub fn of(&self, tensor: &TensorInfo) -> Result<Option<Importance<'_>>, ImatrixError> {
        let Some(values) = self.values.get(&tensor.name) else { return Ok(None) };
        let (row_len, rows) = (tensor.row_len(), tensor.dims.get(1).copied().unwrap_or(1));
        let matrices = tensor.rows() / rows;
        let count = values.len() as u64;
        // One for all experts, or one for each.
        if count != row_len && Some(count) != row_len.checked_mul(matrices) {
            return Err(ImatrixError::Shape { name: tensor.name.clone(), values: values.len(), row_len, matrices });
        }
        // It is the length of a slice, or divides one.
        Ok(Some(Importance { values, row_len: row_len as usize, rows }))
    }

    /// Takes what a matrix has, once it is known to be mean squares.
    fn insert(&mut self, name: String, values: Vec<f32>) -> Result<(), ImatrixError> {
        if let Some(at) = values.iter().position(|value| !(0.0..=f32::MAX).contains(value)) {
            return Err(ImatrixError::Value { name, column: at, value: values[at] });
        }
        if self.values.contains_key(&name) {
            return Err(ImatrixError::Twice { name });
        }
        self.values.insert(name, values);
        Ok(())
    }
}

impl<'a> Importance<'a> {
    /// Those of a row's columns; rows count over all experts.
    pub fn of_row(&self, row: u64) -> &'a [f32] {
        let start = (row / self.rows) as usize * self.row_len;
        self.values.get(start..start + self.row_len).unwrap_or(&self.values[..self.row_len])
    }

    /// How many rows from this one on have the same importances.
    pub fn rows_alike(&self, row: u64) -> u64 {
        self.rows - row % self.rows
    }
}
