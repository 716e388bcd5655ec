//! Weight types: how GGUF packs numbers into blocks, and how inglenook lays the same bits out for a GPU.
//!
//! The layouts of blocks are those of ggml (`ggml-common.h`); [`planes`] describes ours. Values never change on the way.

mod blocks;
mod encode;
pub mod planes;

pub use blocks::dequantise;
pub use encode::{quantise, random_blocks};
pub use planes::{Plane, Planes, PlanesRef, dequantise_row, repack};

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
    /// A piece that begins at an odd block, where two blocks may share a word of scales.
    #[error("a piece of {ty} weights must begin at an even block, not at block {first_block}")]
    OddPiece {
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
    /// A type that this build can read but not write.
    #[error("{ty} weights cannot be made here; quantise to Q8_0 or Q4_0")]
    CannotQuantise {
        /// The type asked for.
        ty: WeightType,
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
}

/// What is fixed for a type: name, ggml's number, weights a block, bytes a block.
struct Facts(&'static str, u32, usize, usize);

impl WeightType {
    /// All types, in the order of their declaration.
    pub const ALL: [WeightType; 11] = [
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

    /// Weights in a block: 1, 32 or 256.
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

/// The name of a ggml type that exists but that inglenook does not compute with; `None` for a number nobody has given out.
pub fn unsupported_type_name(id: u32) -> Option<&'static str> {
    Some(match id {
        4 => "Q4_2",
        5 => "Q4_3",
        9 => "Q8_1",
        10 => "Q2_K",
        11 => "Q3_K",
        15 => "Q8_K",
        16 => "IQ2_XXS",
        17 => "IQ2_XS",
        18 => "IQ3_XXS",
        19 => "IQ1_S",
        20 => "IQ4_NL",
        21 => "IQ3_S",
        22 => "IQ2_S",
        23 => "IQ4_XS",
        24 => "I8",
        25 => "I16",
        26 => "I32",
        27 => "I64",
        28 => "F64",
        29 => "IQ1_M",
        31 => "Q4_0_4_4",
        32 => "Q4_0_4_8",
        33 => "Q4_0_8_8",
        34 => "TQ1_0",
        35 => "TQ2_0",
        36 => "IQ4_NL_4_4",
        37 => "IQ4_NL_4_8",
        38 => "IQ4_NL_8_8",
        39 => "MXFP4",
        40 => "NVFP4",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lead_back_to_their_types_and_never_to_two() {
        for ty in WeightType::ALL {
            assert_eq!(WeightType::from_ggml_id(ty.ggml_id()), Some(ty));
            assert_eq!(unsupported_type_name(ty.ggml_id()), None, "{ty}");
        }
        assert_eq!(WeightType::from_ggml_id(23), None);
        assert_eq!(unsupported_type_name(23), Some("IQ4_XS"));
        assert_eq!(unsupported_type_name(1000), None);
    }
}
