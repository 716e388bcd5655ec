//! Quantised tensors of checkpoints in the forms that GGUF has.

use super::checkpoint::Shards;
use super::leaf::Place;
use crate::quant::TensorType;
use crate::source::SourceError;

/// ggml's number for MXFP4: blocks of 32 four-bit floats with an exponent.
const MXFP4: u32 = 39;
/// Bytes of a block's numbers.
const CODES: usize = 16;

/// A quantised tensor.
#[derive(Debug, Clone)]
pub(super) enum Decoded {
    /// Codes of 32 numbers in 16 bytes, and an exponent in another tensor, as gpt-oss has them.
    Mxfp4 { codes: Place, exponents: Place },
}

impl Decoded {
    pub fn ty(&self) -> TensorType {
        match self {
            Decoded::Mxfp4 { .. } => TensorType::from_ggml_id(MXFP4),
        }
    }

    /// Fills `out` with blocks, from element `from` on.
    pub async fn read(&self, shards: &Shards, from: u64, out: &mut [u8]) -> Result<(), SourceError> {
        match self {
            Decoded::Mxfp4 { codes, exponents } => mxfp4(shards, *codes, *exponents, from / 32, out).await,
        }
    }
}

/// Neighbours share a byte in a checkpoint; in a GGUF file, number `j` shares one with number `j + 16`.
async fn mxfp4(shards: &Shards, codes: Place, exponents: Place, first: u64, out: &mut [u8]) -> Result<(), SourceError> {
    const PIECE: usize = 16 << 10;
    let (mut from, mut to) = (vec![0; PIECE * CODES], vec![0; PIECE]);
    let mut at = first;
    for blocks in out.chunks_mut(PIECE * (1 + CODES)) {
        let count = blocks.len() / (1 + CODES);
        shards.read(codes.shard, codes.offset + at * CODES as u64, &mut from[..count * CODES]).await?;
        shards.read(exponents.shard, exponents.offset + at, &mut to[..count]).await?;
        for (index, block) in blocks.chunks_exact_mut(1 + CODES).enumerate() {
            let pairs = &from[index * CODES..][..CODES];
            let number = |i: usize| pairs[i / 2] >> (4 * (i % 2)) & 15;
            block[0] = to[index];
            for (j, byte) in block[1..].iter_mut().enumerate() {
                *byte = number(j) | number(j + 16) << 4;
            }
        }
        at += count as u64;
    }
    Ok(())
}
