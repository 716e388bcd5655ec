//! Quantised tensors of checkpoints in the forms that GGUF has. Blocks stay what they are where GGUF has the same; the rest become floats.

mod fp8;
mod int4;
mod mxfp4;

pub(super) use fp8::{Fp8, Scales};
pub(super) use int4::{Int4, Packing};
pub(super) use mxfp4::Mxfp4;

use super::checkpoint::Shards;
use super::leaf::Place;
use crate::quant::TensorType;
use crate::source::SourceError;

/// A quantised tensor.
#[derive(Debug, Clone)]
pub(super) enum Decoded {
    /// Four-bit floats of gpt-oss.
    Mxfp4(Mxfp4),
    /// Eight-bit floats with scales.
    Fp8(Fp8),
    /// Four-bit integers with scales, and zeros or none.
    Int4(Int4),
}

impl Decoded {
    /// Type of the elements as they are served.
    pub fn ty(&self) -> TensorType {
        match self {
            Decoded::Mxfp4(_) => Mxfp4::ty(),
            Decoded::Fp8(_) => Fp8::TYPE.into(),
            Decoded::Int4(int4) => int4.ty.into(),
        }
    }

    /// Fills `out` with elements from `from` on, which begins a block.
    pub async fn read(&self, shards: &Shards, from: u64, out: &mut [u8]) -> Result<(), SourceError> {
        match self {
            Decoded::Mxfp4(mxfp4) => mxfp4.read(shards, from, out).await,
            Decoded::Fp8(fp8) => fp8.read(shards, from, out).await,
            Decoded::Int4(int4) => int4.read(shards, from, out).await,
        }
    }
}

/// A rectangle of a matrix: bytes `from..from + width` of rows `first..first + count`, which have `row` bytes each.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rectangle {
    pub row: u64,
    pub first: u64,
    pub count: u64,
    pub from: u64,
    pub width: u64,
}

/// Reads a rectangle, row after row. Rows are read whole where most of them is needed, since a request costs more than what it brings along.
pub(super) async fn read_rectangle(shards: &Shards, at: Place, part: Rectangle) -> Result<Vec<u8>, SourceError> {
    const PIECE: u64 = 1 << 20;
    let Rectangle { row, first, count, from, width } = part;
    let mut out = vec![0; (count * width) as usize];
    if width == row {
        shards.read(at.shard, at.offset + first * row, &mut out).await?;
    } else if width * 4 >= row {
        let rows = (PIECE / row).max(1);
        let mut piece = Vec::new();
        for begin in (0..count).step_by(rows as usize) {
            let rows = rows.min(count - begin);
            piece.resize((rows * row) as usize, 0);
            shards.read(at.shard, at.offset + (first + begin) * row, &mut piece).await?;
            let to = &mut out[(begin * width) as usize..][..(rows * width) as usize];
            for (to, whole) in to.chunks_exact_mut(width as usize).zip(piece.chunks_exact(row as usize)) {
                to.copy_from_slice(&whole[from as usize..][..width as usize]);
            }
        }
    } else {
        for (index, to) in out.chunks_exact_mut(width as usize).enumerate() {
            shards.read(at.shard, at.offset + (first + index as u64) * row + from, to).await?;
        }
    }
    Ok(out)
}
