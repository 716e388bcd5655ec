//! Types that are multiplied as signed bytes, to which a group of rows is unpacked before x meets it.
//!
//! These are types that few files have, or whose numbers come from lists too long for a vector: the code of all is one, and small rather
//! than fast.

use inglenook_format::quant::{Block, GROUP, PlanesRef, WeightType};

use crate::activations::CHUNK;

/// Words of the bytes of a chunk.
const WORDS: usize = CHUNK / 4;

/// Whether a type is unpacked so.
pub const fn is_unpacked(ty: WeightType) -> bool {
    ty.has_chunks()
        && !matches!(
            ty,
            WeightType::Q2_K
                | WeightType::Q3_K
                | WeightType::TQ2_0
                | WeightType::IQ4_NL
                | WeightType::IQ4_XS
                | WeightType::MXFP4
        )
}

/// Calls `visit` with each row of a group and each of its chunks: the block, the chunk's number in it, and in the row. The group's words in
/// each plane come from [`Weights::group`](crate::Weights::group).
pub fn each_chunk(
    ty: WeightType,
    group: PlanesRef<'_>,
    chunks: usize,
    mut visit: impl FnMut(usize, &Block<'_>, usize, usize),
) {
    let of_block = ty.block_len() / CHUNK;
    for row in 0..GROUP {
        for number in 0..chunks / of_block {
            let block = Block::of_group(ty, group, number, row);
            for chunk in 0..of_block {
                visit(row, &block, chunk, number * of_block + chunk);
            }
        }
    }
}

/// Appends the numbers of a group of rows to `to`: words of four, those of a place side by side.
pub fn unpack(ty: WeightType, group: PlanesRef<'_>, chunks: usize, to: &mut Vec<u32>) {
    let from = to.len();
    to.resize(from + chunks * WORDS * GROUP, 0);
    let to = &mut to[from..];
    each_chunk(ty, group, chunks, |row, block, chunk, at| {
        for (k, word) in block.numbers(chunk).into_iter().enumerate() {
            to[(at * WORDS + k) * GROUP + row] = word;
        }
    });
}
