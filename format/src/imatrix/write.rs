//! Writes the GGUF form, as `llama-imatrix` does: tensors, names and what is counted are the same.

use std::io::{self, Write};

use super::sums::{COUNTS, SUMS};
use crate::gguf::Strings;
use crate::gguf::write::GgufWriter;
use crate::quant::WeightType;

/// What met one tensor's columns.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ColumnSums {
    /// The tensor.
    pub name: String,
    /// Sums of squares of the activations that met each column, the columns of each expert one after the other.
    pub sums: Vec<f32>,
    /// How many rows of activations met each expert; one number where there are none.
    pub counts: Vec<f32>,
}

/// Writes a file. `dataset` is what the text is called; it was cut into `chunks` of `chunk_size` tokens.
///
/// # Errors
/// Whatever `out` says, and `InvalidInput` for sums that are not as many for each count.
pub fn write<W: Write>(
    out: W,
    dataset: &str,
    (chunks, chunk_size): (u32, u32),
    matrices: &[ColumnSums],
) -> io::Result<W> {
    let mut writer = GgufWriter::new();
    let datasets: Strings = [dataset].iter().collect();
    writer.entry("general.type", "imatrix").entry("imatrix.datasets", datasets);
    writer.entry("imatrix.chunk_count", chunks).entry("imatrix.chunk_size", chunk_size);
    for ColumnSums { name, sums, counts } in matrices {
        if counts.is_empty() || !sums.len().is_multiple_of(counts.len()) {
            let problem = format!("{} sums and {} counts of {name:?}", sums.len(), counts.len());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
        }
        let (columns, matrices) = ((sums.len() / counts.len()) as u64, counts.len() as u64);
        writer.tensor(&format!("{name}{SUMS}"), &[columns, matrices], WeightType::F32)?;
        writer.tensor(&format!("{name}{COUNTS}"), &[1, matrices], WeightType::F32)?;
    }
    let mut data = writer.start(out)?;
    for ColumnSums { sums, counts, .. } in matrices {
        for values in [sums, counts] {
            data.write(&values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>())?;
        }
    }
    data.finish()
}
