//! Weights as a GPU reads them: the bits of GGUF's blocks, parted into planes of 32-bit words.
//!
//! A block of 18, 34 or 210 bytes cannot be read as words. So a matrix is kept as up to three planes, each bound on its
//! own: `quants` (the numbers), `high_bits` and `scales`. No bit changes its value, only its place:
//!
//! | type | `quants` bytes a block | `high_bits` bytes a block | `scales` bytes a block |
//! |---|---|---|---|
//! | F32 | 4 | – | – |
//! | F16, BF16 | 2 (two weights a word, low half first) | – | – |
//! | Q8_0 | 32 | – | 2: d (two blocks a word, low half first) |
//! | Q4_0 | 16, nibbles in GGUF's order | – | 2: d |
//! | Q4_1 | 16 | – | 4: d low, m high |
//! | Q5_0 | 16 | 4 | 2: d |
//! | Q5_1 | 16 | 4 | 4: d low, m high |
//! | Q4_K | 128 | – | 16: d low, dmin high; the 12 scale bytes |
//! | Q5_K | 128 | 32 | 16: as Q4_K |
//! | Q6_K | 128 | 64 | 20: 16 signed scales; d in the low half of the fifth word |
//! | Q2_K | 64 | 16: scales and minima, a nibble each | 4: d low, dmin high |
//! | Q3_K | 64 | 32 | 16: the 12 scale bytes; d in the low half of the fourth word |
//! | IQ4_NL | 16 | – | 2: d |
//! | IQ4_XS | 128 | – | 8: d, the scales' high bits, their nibbles |
//! | MXFP4 | 16 | – | 1: an exponent (four blocks a word) |
//! | NVFP4 | 32 | – | 4: a scale for each 16 |
//! | TQ1_0 | 52 | – | 2: d |
//! | TQ2_0 | 64 | – | 2: d |
//! | Q1_0, Q2_0 | 16 | – | 2: d |
//! | IQ2_XXS | 64 | – | 2: d |
//! | IQ2_XS | 64 | 8: scales | 2: d |
//! | IQ2_S | 64: indices, then signs | 16: high bits, then scales | 2: d |
//! | IQ3_XXS | 96: indices, then signs with scales | – | 2: d |
//! | IQ3_S | 64 | 44: high bits, signs, scales | 2: d |
//! | IQ1_S | 32 | 16: high bits with scales | 2: d |
//! | IQ1_M | 32 | 16 | 8: scales, with d in their top nibbles |
//!
//! Blocks follow one another in each plane, and the last word is filled up with zeros. What scales have beside d is in `high_bits` where a file
//! has it apart from d.

use std::ops::Range;

use super::blocks::{View, dequantise_blocks};
use super::{QuantError, WeightType};

// Words are laid down as bytes; every target of WebGPU, Vulkan, Metal and DX12 is little-endian.
const _: () = assert!(cfg!(target_endian = "little"), "inglenook needs a little-endian machine");

/// One of the planes of a weight matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Plane {
    /// The numbers, or their low bits.
    Quants,
    /// The numbers' high bits.
    HighBits,
    /// Scales and minima.
    Scales,
}

/// The planes of a matrix, or of one piece of it on the way to a GPU.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Planes {
    /// Plane [`Plane::Quants`].
    pub quants: Vec<u32>,
    /// Plane [`Plane::HighBits`], empty where the type has none.
    pub high_bits: Vec<u32>,
    /// Plane [`Plane::Scales`], empty where the type has none.
    pub scales: Vec<u32>,
}

/// Borrowed planes.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlanesRef<'a> {
    /// Plane [`Plane::Quants`].
    pub quants: &'a [u32],
    /// Plane [`Plane::HighBits`], empty where the type has none.
    pub high_bits: &'a [u32],
    /// Plane [`Plane::Scales`], empty where the type has none.
    pub scales: &'a [u32],
}

impl Planes {
    /// Empties the planes and keeps their memory for the next piece.
    pub fn clear(&mut self) {
        self.quants.clear();
        self.high_bits.clear();
        self.scales.clear();
    }

    /// The same planes, borrowed.
    pub fn as_ref(&self) -> PlanesRef<'_> {
        PlanesRef { quants: &self.quants, high_bits: &self.high_bits, scales: &self.scales }
    }
}

/// Where a plane's bytes lie in a GGUF block (`from`, `len`) and how far apart blocks are in the plane (`stride`).
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub from: usize,
    pub len: usize,
    pub stride: usize,
}

const fn part(from: usize, len: usize) -> Part {
    Part { from, len, stride: len }
}

const NONE: Part = part(0, 0);

impl WeightType {
    #[inline]
    pub(super) const fn part(self, plane: Plane) -> Part {
        let [quants, high_bits, scales] = match self {
            WeightType::F32 => [part(0, 4), NONE, NONE],
            WeightType::F16 | WeightType::BF16 => [part(0, 2), NONE, NONE],
            WeightType::Q8_0 => [part(2, 32), NONE, part(0, 2)],
            WeightType::Q4_0 => [part(2, 16), NONE, part(0, 2)],
            WeightType::Q4_1 => [part(4, 16), NONE, part(0, 4)],
            WeightType::Q5_0 => [part(6, 16), part(2, 4), part(0, 2)],
            WeightType::Q5_1 => [part(8, 16), part(4, 4), part(0, 4)],
            WeightType::Q4_K => [part(16, 128), NONE, part(0, 16)],
            WeightType::Q5_K => [part(48, 128), part(16, 32), part(0, 16)],
            WeightType::Q6_K => [part(0, 128), part(128, 64), Part { from: 192, len: 18, stride: 20 }],
            WeightType::Q2_K => [part(16, 64), part(0, 16), part(80, 4)],
            WeightType::Q3_K => [part(32, 64), part(0, 32), Part { from: 96, len: 14, stride: 16 }],
            WeightType::IQ4_NL => [part(2, 16), NONE, part(0, 2)],
            WeightType::IQ4_XS => [part(8, 128), NONE, part(0, 8)],
            WeightType::MXFP4 => [part(1, 16), NONE, part(0, 1)],
            WeightType::NVFP4 => [part(4, 32), NONE, part(0, 4)],
            WeightType::TQ1_0 => [part(0, 52), NONE, part(52, 2)],
            WeightType::TQ2_0 => [part(0, 64), NONE, part(64, 2)],
            WeightType::Q1_0 | WeightType::Q2_0 => [part(2, 16), NONE, part(0, 2)],
            WeightType::IQ2_XXS => [part(2, 64), NONE, part(0, 2)],
            WeightType::IQ2_XS => [part(2, 64), part(66, 8), part(0, 2)],
            WeightType::IQ2_S => [part(2, 64), part(66, 16), part(0, 2)],
            WeightType::IQ3_XXS => [part(2, 96), NONE, part(0, 2)],
            WeightType::IQ3_S => [part(2, 64), part(66, 44), part(0, 2)],
            WeightType::IQ1_S => [part(2, 32), part(34, 16), part(0, 2)],
            WeightType::IQ1_M => [part(0, 32), part(32, 16), part(48, 8)],
        };
        match plane {
            Plane::Quants => quants,
            Plane::HighBits => high_bits,
            Plane::Scales => scales,
        }
    }

    /// Whether the type has this plane.
    pub const fn has_plane(self, plane: Plane) -> bool {
        self.part(plane).len > 0
    }

    /// Bytes of `plane` for a matrix of `blocks` blocks, a multiple of 4; 0 where the type does not have the plane.
    ///
    /// For a multiple of [`WeightType::blocks_of_words`] this is also where the block of that number begins in the plane.
    #[inline]
    pub const fn plane_bytes(self, plane: Plane, blocks: usize) -> usize {
        (self.part(plane).stride * blocks).next_multiple_of(4)
    }

    /// How many blocks have whole words in every plane: 1, 2 or 4.
    pub const fn blocks_of_words(self) -> usize {
        let strides =
            self.part(Plane::Quants).stride | self.part(Plane::HighBits).stride | self.part(Plane::Scales).stride;
        match strides % 4 {
            0 => 1,
            2 => 2,
            _ => 4,
        }
    }

    /// The most blocks in at most `max_bytes` of a GGUF file that have whole words in every plane, for cutting a tensor into pieces; at
    /// least [`WeightType::blocks_of_words`].
    pub const fn piece_blocks(self, max_bytes: usize) -> usize {
        let step = self.blocks_of_words();
        let steps = max_bytes / (step * self.block_bytes());
        if steps == 0 { step } else { step * steps }
    }
}

/// Appends the blocks in `raw` to `planes`.
///
/// Made for streaming: pieces come in order, `first_block` being the number of blocks before this one. Every piece must
/// begin at a multiple of [`WeightType::blocks_of_words`] (see [`WeightType::piece_blocks`]), since scales of two or four blocks
/// may share a word. The caller may upload and [`Planes::clear`] after each piece: its words belong at
/// [`WeightType::plane_bytes`]`(plane, first_block)`.
///
/// # Errors
/// [`QuantError::PartBlock`], [`QuantError::SplitWord`].
pub fn repack(ty: WeightType, raw: &[u8], first_block: usize, planes: &mut Planes) -> Result<(), QuantError> {
    let block = ty.block_bytes();
    if !raw.len().is_multiple_of(block) {
        return Err(QuantError::PartBlock { ty, bytes: raw.len() });
    }
    if !first_block.is_multiple_of(ty.blocks_of_words()) {
        return Err(QuantError::SplitWord { ty, first_block });
    }
    append(ty, Plane::Quants, raw, &mut planes.quants);
    append(ty, Plane::HighBits, raw, &mut planes.high_bits);
    append(ty, Plane::Scales, raw, &mut planes.scales);
    Ok(())
}

fn append(ty: WeightType, plane: Plane, raw: &[u8], words: &mut Vec<u32>) {
    let Part { from, len, stride } = ty.part(plane);
    if len == 0 {
        return;
    }
    let block = ty.block_bytes();
    let had = words.len();
    words.resize(had + ty.plane_bytes(plane, raw.len() / block) / 4, 0);
    let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut words[had..]);
    if len == block {
        bytes[..raw.len()].copy_from_slice(raw);
        return;
    }
    for (to, block) in bytes.chunks_exact_mut(stride).zip(raw.chunks_exact(block)) {
        to[..len].copy_from_slice(&block[from..from + len]);
    }
}

/// Dequantises the blocks `row_blocks` of a matrix into `out`, which has [`WeightType::block_len`] weights for each.
///
/// # Errors
/// [`QuantError::Length`] when `out` has another length, [`QuantError::ShortPlanes`] when the planes end before.
pub fn dequantise_row(
    ty: WeightType,
    planes: PlanesRef<'_>,
    row_blocks: Range<usize>,
    out: &mut [f32],
) -> Result<(), QuantError> {
    if out.len() != row_blocks.len() * ty.block_len() {
        return Err(QuantError::Length { ty, blocks: row_blocks.len(), weights: out.len() });
    }
    let view = View {
        quants: plane_bytes(ty, Plane::Quants, planes.quants, &row_blocks)?,
        high_bits: plane_bytes(ty, Plane::HighBits, planes.high_bits, &row_blocks)?,
        scales: plane_bytes(ty, Plane::Scales, planes.scales, &row_blocks)?,
        strides: [Plane::Quants, Plane::HighBits, Plane::Scales].map(|plane| ty.part(plane).stride),
    };
    dequantise_blocks(ty, view, out);
    Ok(())
}

/// The bytes of `blocks` in one plane.
fn plane_bytes<'a>(
    ty: WeightType,
    plane: Plane,
    words: &'a [u32],
    blocks: &Range<usize>,
) -> Result<&'a [u8], QuantError> {
    let stride = ty.part(plane).stride;
    let short = QuantError::ShortPlanes { ty, block: blocks.end.saturating_sub(1) };
    let (Some(start), Some(end)) = (blocks.start.checked_mul(stride), blocks.end.checked_mul(stride)) else {
        return Err(short);
    };
    bytemuck::cast_slice::<u32, u8>(words).get(start..end).ok_or(short)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quant::{dequantise, random_blocks};
    use proptest::prelude::*;

    #[test]
    fn parts_cover_each_byte_of_a_block_once() {
        for ty in WeightType::ALL {
            let mut seen = vec![0; ty.block_bytes()];
            for plane in [Plane::Quants, Plane::HighBits, Plane::Scales] {
                let Part { from, len, stride } = ty.part(plane);
                seen[from..from + len].iter_mut().for_each(|n| *n += 1);
                assert!(stride >= len && stride - len < 4, "{ty}");
            }
            assert!(seen.iter().all(|&n| n == 1), "{ty}: {seen:?}");
        }
    }

    #[test]
    fn words_lie_where_the_shaders_look() {
        let mut planes = Planes::default();
        let mut raw = vec![0u8; 3 * 34];
        for (block, d) in [0x1111u16, 0x2222, 0x3333].into_iter().enumerate() {
            raw[34 * block..34 * block + 2].copy_from_slice(&d.to_le_bytes());
            raw[34 * block + 2] = 1 + block as u8;
        }
        repack(WeightType::Q8_0, &raw, 0, &mut planes).unwrap();
        assert_eq!(planes.scales, [0x2222_1111, 0x3333]);
        assert_eq!((planes.quants.len(), planes.quants[0], planes.quants[8], planes.quants[16]), (24, 1, 2, 3));

        let mut raw = vec![0u8; 210];
        raw[192] = 0xfe;
        raw[207] = 7;
        raw[208..].copy_from_slice(&0xabcdu16.to_le_bytes());
        planes.clear();
        repack(WeightType::Q6_K, &raw, 0, &mut planes).unwrap();
        assert_eq!((planes.quants.len(), planes.high_bits.len()), (32, 16));
        assert_eq!(planes.scales, [0xfe, 0, 0, 7 << 24, 0xabcd]);

        planes.clear();
        repack(WeightType::F16, &[1, 2, 3, 4, 5, 6], 0, &mut planes).unwrap();
        assert_eq!(planes.quants, [0x0403_0201, 0x0605]);

        let mut raw = vec![0u8; 22];
        raw[..7].copy_from_slice(&[1, 2, 3, 4, 5, 6, 7]);
        planes.clear();
        repack(WeightType::Q5_0, &raw, 0, &mut planes).unwrap();
        assert_eq!((planes.scales[0], planes.high_bits[0], planes.quants[0]), (0x0201, 0x0605_0403, 7));
    }

    #[test]
    fn wrong_sizes_are_refused() {
        let mut planes = Planes::default();
        let ty = WeightType::Q4_0;
        assert_eq!(repack(ty, &[0; 19], 0, &mut planes), Err(QuantError::PartBlock { ty, bytes: 19 }));
        assert_eq!(repack(ty, &[0; 18], 3, &mut planes), Err(QuantError::SplitWord { ty, first_block: 3 }));
        repack(ty, &[0; 36], 0, &mut planes).unwrap();
        let mut out = [0.0; 64];
        assert_eq!(dequantise_row(ty, planes.as_ref(), 0..2, &mut out), Ok(()));
        assert_eq!(dequantise_row(ty, planes.as_ref(), 1..3, &mut out), Err(QuantError::ShortPlanes { ty, block: 2 }));
        assert_eq!(
            dequantise_row(ty, planes.as_ref(), 0..1, &mut out),
            Err(QuantError::Length { ty, blocks: 1, weights: 64 })
        );
    }

    #[test]
    fn pieces_have_whole_words_and_keep_their_limit() {
        for ty in WeightType::ALL {
            let (blocks, step) = (ty.piece_blocks(4 << 20), ty.blocks_of_words());
            assert!(blocks.is_multiple_of(step), "{ty}");
            for plane in [Plane::Quants, Plane::HighBits, Plane::Scales] {
                assert!((ty.part(plane).stride * step).is_multiple_of(4), "{ty}");
            }
            let bytes = blocks * ty.block_bytes();
            assert!(bytes <= 4 << 20 && bytes + step * ty.block_bytes() > 4 << 20, "{ty}");
        }
    }

    proptest! {
        /// Whatever the bits and wherever the cuts, planes dequantise to what the file's blocks do.
        #[test]
        fn repacked_in_pieces_equals_raw(
            which in 0..WeightType::ALL.len(), seed: u64, blocks in 1usize..40, steps in 1usize..8,
            from in 0usize..40, take in 0usize..40,
        ) {
            let ty = WeightType::ALL[which];
            let raw = random_blocks(ty, seed, blocks, 0.5);
            let mut expected = vec![0.0; blocks * ty.block_len()];
            dequantise(ty, &raw, &mut expected).unwrap();
            let mut planes = Planes::default();
            let of_piece = steps * ty.blocks_of_words();
            for (at, piece) in raw.chunks(of_piece * ty.block_bytes()).enumerate() {
                repack(ty, piece, at * of_piece, &mut planes).unwrap();
            }
            let from = from.min(blocks);
            let to = (from + take).min(blocks);
            let mut row = vec![f32::NAN; (to - from) * ty.block_len()];
            dequantise_row(ty, planes.as_ref(), from..to, &mut row).unwrap();
            prop_assert_eq!(&row[..], &expected[from * ty.block_len()..to * ty.block_len()]);
        }
    }
}
