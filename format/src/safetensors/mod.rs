//! safetensors, the file format of Hugging Face's checkpoints: the header of one file, read from any [`Source`].
//!
//! Layout: length of the header (u64), the header as JSON, then the tensors' data without gaps. A tensor has a type, a shape
//! (the last dimension is contiguous) and two offsets into the data. Source of the format: the README of huggingface/safetensors.
//!
//! Memory grows with the bytes of the header that came. No number of the file is trusted before it was checked against the others.

mod dtype;
mod error;
mod header;

pub use dtype::Dtype;
pub use error::{EntryProblem, SafetensorsError};

use crate::source::{LOOK_BACK, Source, SourceError};

/// Longer headers are refused, as by the format's own library.
pub const MAX_HEADER: u64 = 100_000_000;
/// More tensors in a file are refused; the largest checkpoints have some 10,000 in each.
pub const MAX_TENSORS: usize = 131_072;
/// The longest tensor name accepted.
pub const MAX_NAME: usize = 1024;
/// The most dimensions that a tensor may have.
pub const MAX_DIMS: usize = 8;

/// One tensor of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The tensor's name, such as `model.layers.0.self_attn.q_proj.weight`.
    pub name: String,
    /// Type of its elements.
    pub dtype: Dtype,
    /// Its dimensions; the last one is contiguous. A scalar has none.
    pub shape: Vec<u64>,
    /// Where its data begins, in bytes from the start of the file.
    pub offset: u64,
    /// Length of its data in bytes.
    pub bytes: u64,
}

impl Entry {
    /// Number of elements.
    pub fn elements(&self) -> u64 {
        // The header's check has found that this does not overflow.
        self.shape.iter().product()
    }
}

/// Reads and checks the header of a file: its tensors, in the order of their data.
///
/// # Errors
/// Anything in [`SafetensorsError`]: where the source knows its length, every byte of data is known to be there and to belong to one tensor.
pub async fn read_header(source: &dyn Source) -> Result<Vec<Entry>, SafetensorsError> {
    let mut length = [0; 8];
    let too_short = |have| SafetensorsError::Truncated { wanted: 8, len: have };
    source.read_at(0, &mut length).await.map_err(|error| match error {
        SourceError::UnexpectedEnd { have, .. } => too_short(have as u64),
        error => error.into(),
    })?;
    let length = u64::from_le_bytes(length);
    if length > MAX_HEADER {
        return Err(SafetensorsError::Header { bytes: length, max: MAX_HEADER });
    }
    let data_start = 8 + length;
    if let Some(len) = source.len().filter(|len| *len < data_start) {
        return Err(SafetensorsError::Truncated { wanted: data_start, len });
    }
    let text = read_text(source, data_start).await?;
    let mut entries = header::parse(&text)?;
    let data = header::place(&mut entries, data_start)?;
    match source.len() {
        Some(len) if len < data => Err(SafetensorsError::Truncated { wanted: data, len }),
        Some(len) if len > data => Err(SafetensorsError::Trailing { bytes: len - data }),
        _ => Ok(entries),
    }
}

/// The header's text, up to byte `end`, in pieces: a length that is not true costs no memory.
async fn read_text(source: &dyn Source, end: u64) -> Result<Vec<u8>, SafetensorsError> {
    let mut text = Vec::new();
    while 8 + (text.len() as u64) < end {
        let at = 8 + text.len() as u64;
        let piece = (end - at).min(LOOK_BACK as u64) as usize;
        let had = text.len();
        text.resize(had + piece, 0);
        source.read_at(at, &mut text[had..]).await.map_err(|error| match error {
            SourceError::UnexpectedEnd { have, .. } => {
                SafetensorsError::Truncated { wanted: end, len: at + have as u64 }
            }
            error => error.into(),
        })?;
    }
    Ok(text)
}
