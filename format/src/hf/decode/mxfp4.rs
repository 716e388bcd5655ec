//! MXFP4 as gpt-oss stores it: codes of 32 numbers in 16 bytes in one tensor, and their exponents in another.

use super::super::checkpoint::Shards;
use super::super::leaf::Place;
use crate::quant::TensorType;
use crate::source::SourceError;

/// Numbers of a block.
const BLOCK: u64 = 32;
/// Bytes of a block's codes.
const CODES: usize = 16;

/// Blocks in rows, one after the other.
#[derive(Debug, Clone)]
pub(in super::super) struct Mxfp4 {
    pub codes: Place,
    pub exponents: Place,
}

impl Mxfp4 {
    /// ggml's number for the type.
    pub fn ty() -> TensorType {
        TensorType::from_ggml_id(39)
    }

    /// Neighbours share a byte in a checkpoint; in a GGUF file, number `j` shares one with number `j + 16`.
    pub(super) async fn read(&self, shards: &Shards, from: u64, out: &mut [u8]) -> Result<(), SourceError> {
        const PIECE: usize = 16 << 10;
        let (mut codes, mut exponents) = (vec![0; PIECE * CODES], vec![0; PIECE]);
        let mut at = from / BLOCK;
        for blocks in out.chunks_mut(PIECE * (1 + CODES)) {
            let count = blocks.len() / (1 + CODES);
            let place = self.codes.plus(at * CODES as u64);
            shards.read(place.shard, place.offset, &mut codes[..count * CODES]).await?;
            let place = self.exponents.plus(at);
            shards.read(place.shard, place.offset, &mut exponents[..count]).await?;
            for (index, block) in blocks.chunks_exact_mut(1 + CODES).enumerate() {
                let pairs = &codes[index * CODES..][..CODES];
                let number = |i: usize| pairs[i / 2] >> (4 * (i % 2)) & 15;
                block[0] = exponents[index];
                for (j, byte) in block[1..].iter_mut().enumerate() {
                    *byte = number(j) | number(j + 16) << 4;
                }
            }
            at += count as u64;
        }
        Ok(())
    }
}
