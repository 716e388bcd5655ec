//! What the tensors of the virtual file are made of: stored tensors as they are, turned round, or decoded.

use super::checkpoint::{Shards, Stored};
use super::decode::{Decoded, Rectangle, read_rectangle};
use super::error::HfError;
use crate::quant::{TensorType, WeightType};
use crate::safetensors::Dtype;
use crate::source::SourceError;

/// Elements of one type, one after the other.
#[derive(Debug, Clone)]
pub(super) enum Leaf {
    /// A stored tensor.
    Stored { at: Place, ty: WeightType },
    /// Stored matrices `[rows, cols]`, each turned to `[cols, rows]`.
    Transposed { at: Place, ty: WeightType, rows: u64, cols: u64 },
    /// Numbers that the configuration gives.
    Given(Vec<f32>),
    /// Zeros, of some type of floats.
    Zeros(WeightType),
    /// A quantised tensor in another form.
    Decoded(Box<Decoded>),
}

/// A place in a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub shard: usize,
    pub offset: u64,
}

impl Place {
    pub fn of(stored: &Stored) -> Place {
        Place { shard: stored.shard, offset: stored.offset }
    }

    /// The place so many bytes on.
    pub fn plus(self, bytes: u64) -> Place {
        Place { offset: self.offset + bytes, ..self }
    }
}

/// The type in which a stored tensor is served.
pub(super) fn float_type(name: &str, dtype: Dtype) -> Result<WeightType, HfError> {
    match dtype {
        Dtype::F32 => Ok(WeightType::F32),
        Dtype::F16 => Ok(WeightType::F16),
        Dtype::BF16 => Ok(WeightType::BF16),
        other => Err(HfError::unsupported(format!("tensors of the type {other} (`{name}`)"))),
    }
}

impl Leaf {
    /// Type of the elements.
    pub fn ty(&self) -> TensorType {
        match self {
            Leaf::Stored { ty, .. } | Leaf::Transposed { ty, .. } | Leaf::Zeros(ty) => (*ty).into(),
            Leaf::Given(_) => WeightType::F32.into(),
            Leaf::Decoded(decoded) => decoded.ty(),
        }
    }

    /// Fills `out` with the elements from `from` on, which begins a block.
    pub async fn read(&self, shards: &Shards, from: u64, out: &mut [u8]) -> Result<(), SourceError> {
        match self {
            Leaf::Stored { at, ty } => shards.read(at.shard, at.offset + from * ty.block_bytes() as u64, out).await,
            Leaf::Transposed { at, ty, rows, cols } => {
                transposed(shards, *at, ty.block_bytes(), [*rows, *cols], from, out).await
            }
            Leaf::Given(values) => {
                let from = (from as usize).min(values.len());
                for (to, value) in out.as_chunks_mut::<4>().0.iter_mut().zip(&values[from..]) {
                    *to = value.to_le_bytes();
                }
                Ok(())
            }
            Leaf::Zeros(_) => {
                out.fill(0);
                Ok(())
            }
            Leaf::Decoded(decoded) => decoded.read(shards, from, out).await,
        }
    }
}

/// Elements from `from` on of matrices that are turned round: a strip of columns of the stored matrix at a time.
async fn transposed(
    shards: &Shards,
    at: Place,
    element: usize,
    [rows, cols]: [u64; 2],
    from: u64,
    out: &mut [u8],
) -> Result<(), SourceError> {
    let size = element as u64;
    let end = from + out.len() as u64 / size;
    let mut position = from;
    while position < end {
        let matrix = position / (rows * cols);
        let begin = matrix * rows * cols;
        // Columns of this matrix that the range touches.
        let first = (position - begin) / rows;
        let last = (end.min(begin + rows * cols) - 1 - begin) / rows;
        let width = last - first + 1;
        let part = Rectangle { row: cols * size, first: 0, count: rows, from: first * size, width: width * size };
        let strip = read_rectangle(shards, at.plus(begin * size), part).await?;
        for (row, strip) in strip.chunks_exact((width * size) as usize).enumerate() {
            for (col, bytes) in strip.chunks_exact(element).enumerate() {
                let to = begin + (first + col as u64) * rows + row as u64;
                if (from..end).contains(&to) {
                    out[(to - from) as usize * element..][..element].copy_from_slice(bytes);
                }
            }
        }
        position = begin + (last + 1) * rows;
    }
    Ok(())
}
