//! Weight types: how GGUF packs numbers into blocks, and how inglenook lays the same bits out for a GPU.
//!
//! The layouts of blocks are those of ggml (`ggml-common.h`); [`planes`] describes ours. Values never change on the way.

mod blocks;
mod chunks;
mod encode;
mod grids;
pub mod interleaved;
pub mod mix;
pub mod planes;
pub mod quantise;

use std::borrow::Cow;

pub use blocks::dequantise;
pub use chunks::{Block, E2M1, UNEVEN};
pub use encode::{quantise, random_blocks};
pub use grids::Grid;
pub use interleaved::{GROUP, Layout, dequantise_interleaved, interleave, laid_out_for_cpu};
pub use planes::{Plane, Planes, PlanesRef, dequantise_row, repack};
pub use quantise::{QuantiseError, quantise_rows};

/// Why a type's bytes could not be worked with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuantError {
    /// Bytes that are not a whole number of blocks.
    #[error("{bytes} bytes are not whole {ty} blocks of {} bytes each; cut pieces at block boundaries", ty.block_bytes())]
    PartBlock {
        /// The type of the weights.
        ty: WeightType,
        /// How many bytes came.
        bytes: usize,
    },
    /// Input and output sizes that do not belong together.
    #[error("{weights} weights of type {ty} do not match {blocks} blocks of {} weights each", ty.block_len())]
    Length {
        /// The type of the weights.
        ty: WeightType,
        /// How many blocks there are.
        blocks: usize,
        /// How many weights were given or asked for.
        weights: usize,
    },
    /// A piece that begins at a block which shares a word of scales with the one before.
    #[error("a piece of {ty} weights must begin at a multiple of {} blocks, not at block {first_block}", ty.blocks_of_words())]
    SplitWord {
        /// The type of the weights.
        ty: WeightType,
        /// The block at which the piece begins.
        first_block: usize,
    },
    /// Planes shorter than the blocks asked for.
    #[error("the planes of a {ty} matrix end before block {block}")]
    ShortPlanes {
        /// The type of the weights.
        ty: WeightType,
        /// The last block asked for.
        block: usize,
    },
}

/// A type of weights that inglenook computes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(non_camel_case_types, reason = "the field writes Q4_K, and so does every message")]
pub enum WeightType {
    /// 32-bit float.
    F32,
    /// 16-bit IEEE float.
    F16,
    /// The upper half of a 32-bit float.
    BF16,
    /// 32 signed bytes and a scale.
    Q8_0,
    /// 32 nibbles around 8 and a scale.
    Q4_0,
    /// 32 nibbles, a scale and a minimum.
    Q4_1,
    /// 32 five-bit numbers around 16 and a scale.
    Q5_0,
    /// 32 five-bit numbers, a scale and a minimum.
    Q5_1,
    /// 256 nibbles in 8 groups with six-bit scales and minima.
    Q4_K,
    /// 256 five-bit numbers in 8 groups with six-bit scales and minima.
    Q5_K,
    /// 256 six-bit numbers around 32 in 16 groups with eight-bit scales.
    Q6_K,
    /// 256 two-bit numbers in 16 groups with four-bit scales and minima.
    Q2_K,
    /// 256 three-bit numbers around 4 in 16 groups with six-bit scales.
    Q3_K,
    /// 32 nibbles that stand for 16 uneven values, and a scale.
    IQ4_NL,
    /// The same values: 256 in 8 groups with six-bit scales.
    IQ4_XS,
    /// 32 floats of four bits, and a power of two.
    MXFP4,
    /// 64 floats of four bits in 4 groups with eight-bit floats for scales.
    NVFP4,
    /// 256 of -1, 0 and 1, five in a byte, and a scale.
    TQ1_0,
    /// 256 of -1, 0 and 1 in two bits each, and a scale.
    TQ2_0,
    /// 128 signs, and a scale.
    Q1_0,
    /// 64 of -1, 0, 1 and 2, and a scale.
    Q2_0,
    /// 256 in eights from a list of 256, with signs, in 8 groups with four-bit scales.
    IQ2_XXS,
    /// 256 in eights from a list of 512, with signs, in 16 groups with four-bit scales.
    IQ2_XS,
    /// 256 in eights from a list of 1024, with signs, in 16 groups with four-bit scales.
    IQ2_S,
    /// 256 in fours from a list of 256, with signs, in 8 groups with four-bit scales.
    IQ3_XXS,
    /// 256 in fours from a list of 512, with signs, in 8 groups with four-bit scales.
    IQ3_S,
    /// 256 in eights from a list of 2048, in 8 groups with three-bit scales and a shift of an eighth.
    IQ1_S,
    /// 256 in eights from the same list, each with its shift, in 16 groups with three-bit scales.
    IQ1_M,
}

/// What is fixed for a type: name, ggml's number, weights a block, bytes a block.
struct Facts(&'static str, u32, usize, usize);

impl WeightType {
    /// All types, in the order of their declaration.
    pub const ALL: [WeightType; 28] = [
        WeightType::F32,
        WeightType::F16,
        WeightType::BF16,
        WeightType::Q8_0,
        WeightType::Q4_0,
        WeightType::Q4_1,
        WeightType::Q5_0,
        WeightType::Q5_1,
        WeightType::Q4_K,
        WeightType::Q5_K,
        WeightType::Q6_K,
        WeightType::Q2_K,
        WeightType::Q3_K,
        WeightType::IQ4_NL,
        WeightType::IQ4_XS,
        WeightType::MXFP4,
        WeightType::NVFP4,
        WeightType::TQ1_0,
        WeightType::TQ2_0,
        WeightType::Q1_0,
        WeightType::Q2_0,
        WeightType::IQ2_XXS,
        WeightType::IQ2_XS,
        WeightType::IQ2_S,
        WeightType::IQ3_XXS,
        WeightType::IQ3_S,
        WeightType::IQ1_S,
        WeightType::IQ1_M,
    ];

    const fn facts(self) -> Facts {
        match self {
            WeightType::F32 => Facts("F32", 0, 1, 4),
            WeightType::F16 => Facts("F16", 1, 1, 2),
            WeightType::BF16 => Facts("BF16", 30, 1, 2),
            WeightType::Q8_0 => Facts("Q8_0", 8, 32, 34),
            WeightType::Q4_0 => Facts("Q4_0", 2, 32, 18),
            WeightType::Q4_1 => Facts("Q4_1", 3, 32, 20),
            WeightType::Q5_0 => Facts("Q5_0", 6, 32, 22),
            WeightType::Q5_1 => Facts("Q5_1", 7, 32, 24),
            WeightType::Q4_K => Facts("Q4_K", 12, 256, 144),
            WeightType::Q5_K => Facts("Q5_K", 13, 256, 176),
            WeightType::Q6_K => Facts("Q6_K", 14, 256, 210),
            WeightType::Q2_K => Facts("Q2_K", 10, 256, 84),
            WeightType::Q3_K => Facts("Q3_K", 11, 256, 110),
            WeightType::IQ4_NL => Facts("IQ4_NL", 20, 32, 18),
            WeightType::IQ4_XS => Facts("IQ4_XS", 23, 256, 136),
            WeightType::MXFP4 => Facts("MXFP4", 39, 32, 17),
            WeightType::NVFP4 => Facts("NVFP4", 40, 64, 36),
            WeightType::TQ1_0 => Facts("TQ1_0", 34, 256, 54),
            WeightType::TQ2_0 => Facts("TQ2_0", 35, 256, 66),
            WeightType::Q1_0 => Facts("Q1_0", 41, 128, 18),
            WeightType::Q2_0 => Facts("Q2_0", 42, 64, 18),
            WeightType::IQ2_XXS => Facts("IQ2_XXS", 16, 256, 66),
            WeightType::IQ2_XS => Facts("IQ2_XS", 17, 256, 74),
            WeightType::IQ2_S => Facts("IQ2_S", 22, 256, 82),
            WeightType::IQ3_XXS => Facts("IQ3_XXS", 18, 256, 98),
            WeightType::IQ3_S => Facts("IQ3_S", 21, 256, 110),
            WeightType::IQ1_S => Facts("IQ1_S", 19, 256, 50),
            WeightType::IQ1_M => Facts("IQ1_M", 29, 256, 56),
        }
    }

    /// The name as the field writes it, such as `Q4_K`.
    pub const fn name(self) -> &'static str {
        self.facts().0
    }

    /// The number that stands for this type in a GGUF file.
    pub const fn ggml_id(self) -> u32 {
        self.facts().1
    }

    /// Weights in a block: 1, or a power of two from 32 to 256.
    pub const fn block_len(self) -> usize {
        self.facts().2
    }

    /// Bytes of a block in a GGUF file.
    pub const fn block_bytes(self) -> usize {
        self.facts().3
    }

    /// The type behind a GGUF file's number, where inglenook computes with it.
    pub fn from_ggml_id(id: u32) -> Option<WeightType> {
        WeightType::ALL.into_iter().find(|ty| ty.ggml_id() == id)
    }
}

impl std::fmt::Display for WeightType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// The type of a tensor in a file, of which not every one can be computed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TensorType {
    /// Weights that inglenook computes with.
    Weights(WeightType),
    /// Anything else, by ggml's number.
    Other(u32),
}

/// ggml's types that inglenook does not compute with: number, name, elements a block, bytes a block.
const OTHERS: [(u32, &str, usize, usize); 15] = [
    (4, "Q4_2", 16, 10),
    (5, "Q4_3", 16, 12),
    (9, "Q8_1", 32, 36),
    (15, "Q8_K", 256, 292),
    (24, "I8", 1, 1),
    (25, "I16", 1, 2),
    (26, "I32", 1, 4),
    (27, "I64", 1, 8),
    (28, "F64", 1, 8),
    (31, "Q4_0_4_4", 32, 18),
    (32, "Q4_0_4_8", 32, 18),
    (33, "Q4_0_8_8", 32, 18),
    (36, "IQ4_NL_4_4", 32, 18),
    (37, "IQ4_NL_4_8", 32, 18),
    (38, "IQ4_NL_8_8", 32, 18),
];

impl TensorType {
    /// The type behind a GGUF file's number.
    pub fn from_ggml_id(id: u32) -> TensorType {
        WeightType::from_ggml_id(id).map_or(TensorType::Other(id), TensorType::Weights)
    }

    /// The name as the field writes it, or the number where it has none here.
    pub fn name(self) -> Cow<'static, str> {
        match self {
            TensorType::Weights(ty) => ty.name().into(),
            TensorType::Other(id) => match other(id) {
                Some((_, name, ..)) => (*name).into(),
                None => format!("type {id}").into(),
            },
        }
    }

    /// The number that stands for this type in a GGUF file.
    pub fn ggml_id(self) -> u32 {
        match self {
            TensorType::Weights(ty) => ty.ggml_id(),
            TensorType::Other(id) => id,
        }
    }

    /// Elements and bytes of a block; none for a number that is not known here.
    pub fn block(self) -> Option<(usize, usize)> {
        match self {
            TensorType::Weights(ty) => Some((ty.block_len(), ty.block_bytes())),
            TensorType::Other(id) => other(id).map(|(_, _, len, bytes)| (*len, *bytes)),
        }
    }

    /// Whether it is a type of whole numbers, which no layer computes with.
    pub fn is_integer(self) -> bool {
        matches!(self, TensorType::Other(24..=27))
    }
}

impl From<WeightType> for TensorType {
    fn from(ty: WeightType) -> TensorType {
        TensorType::Weights(ty)
    }
}

fn other(id: u32) -> Option<&'static (u32, &'static str, usize, usize)> {
    OTHERS.iter().find(|(known, ..)| *known == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lead_back_to_their_types_and_never_to_two() {
        for ty in WeightType::ALL {
            assert_eq!(WeightType::from_ggml_id(ty.ggml_id()), Some(ty));
            assert!(other(ty.ggml_id()).is_none(), "{ty}");
            assert_eq!(TensorType::from_ggml_id(ty.ggml_id()), TensorType::Weights(ty));
        }
        let named = |id| (TensorType::from_ggml_id(id).name().into_owned(), TensorType::from_ggml_id(id).block());
        assert_eq!(named(15), ("Q8_K".into(), Some((256, 292))));
        assert_eq!(named(1000), ("type 1000".into(), None));
    }
}
