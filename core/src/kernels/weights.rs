//! Weights as kernels see them: shards of a matrix in planes, and the WGSL that unpacks their type.

use super::verify::random_words;
use super::{Operand, TensorRef};
use crate::device::{Device, Slice};
use inglenook_format::quant::{Grid, Plane, Planes, WeightType, laid_out_for_cpu, random_blocks, repack};
use serde::{Deserialize, Serialize};

/// Weights that a type's shader unpacks at once.
pub const CHUNK: u32 = 32;

/// Consecutive rows of a weight matrix that fit a binding, laid out as [`Device::layout`] says. Large matrices are several shards, each with
/// dispatches of its own.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WeightShard {
    /// How the weights are packed.
    #[serde(with = "super::encode::weight_type")]
    pub ty: WeightType,
    /// Rows in this shard.
    pub rows: u32,
    /// Columns; a multiple of 32, and of a block's.
    pub cols: u32,
    /// The numbers, or their low bits.
    pub quants: Slice,
    /// High bits, where the type has them.
    pub high_bits: Option<Slice>,
    /// Scales, where the type has them.
    pub scales: Option<Slice>,
    /// The list that the type looks up on GPUs, where it has one: see [`grid_words`].
    pub grid: Option<Slice>,
}

/// A row that meets weights.
#[cfg(not(target_arch = "wasm32"))]
#[derive(Debug, Clone, Copy)]
pub struct WeightInput<'a> {
    /// The weights.
    pub weights: &'a WeightShard,
    /// Which expert's it meets, counted over all shards; 0 where there are none.
    pub expert: u32,
    /// The row, `[weights.cols]`.
    pub x: &'a [f32],
}

impl WeightShard {
    /// Chunks of 32 weights in a row.
    pub fn chunks(&self) -> u32 {
        self.cols / CHUNK
    }

    /// The planes that the type has, and its list.
    pub fn operands(&self) -> Vec<Operand> {
        let planes = [Some(&self.quants), self.high_bits.as_ref(), self.scales.as_ref()];
        let declared = PLANES.into_iter().zip(elements(self.ty)).zip(planes);
        let operand = |((name, wgsl_type), plane): (_, Option<&Slice>)| {
            plane.map(|slice| Operand::read(name, wgsl_type, &TensorRef::Fixed(slice.clone())))
        };
        let grid = self.grid.as_ref().map(|grid| (("weight_grid", "array<u32>"), Some(grid)));
        declared.chain(grid).filter_map(operand).collect()
    }

    /// WGSL that unpacks chunks by `chunk(index)`.
    pub fn wgsl(&self) -> String {
        let offset = if self.ty == WeightType::Q2_K { TWO_OFFSETS } else { ONE_OFFSET };
        [&[offset], fragments(self.ty)].concat().concat()
    }

    /// On the CPU, where it is: that of no other shard.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn address(&self) -> (usize, u64) {
        self.quants.address()
    }

    /// A shard over `places`, in the order of [`WeightShard::operands`].
    pub(super) fn over(ty: WeightType, rows: u32, cols: u32, places: &[TensorRef]) -> WeightShard {
        let mut slices = places.iter().map(|place| match place {
            TensorRef::Fixed(slice) => slice.clone(),
            TensorRef::Tensor(_) => unreachable!("weights have memory of their own"),
        });
        let mut next = |plane| ty.has_plane(plane).then(|| slices.next().expect("a place for each plane"));
        let (quants, high_bits, scales) =
            (next(Plane::Quants).expect("every type has numbers"), next(Plane::HighBits), next(Plane::Scales));
        let grid = if grid_words(ty).is_some() { slices.next() } else { None };
        WeightShard { ty, rows, cols, quants, high_bits, scales, grid }
    }
}

/// Random planes of a matrix for known-answer cases, and the list of its type: weights of about 0.5 in size, in binding order.
pub(super) fn random_planes(ty: WeightType, seed: u64, rows: u32, cols: u32) -> Vec<Vec<u32>> {
    let seed = u64::from(random_words(seed, 1)[0]);
    let blocks = (rows * cols) as usize / ty.block_len();
    let mut planes = Planes::default();
    repack(ty, &random_blocks(ty, seed, blocks, 0.5), 0, &mut planes).expect("whole blocks from the first on");
    let planes = [planes.quants, planes.high_bits, planes.scales].into_iter().filter(|plane| !plane.is_empty());
    planes.chain(grid_words(ty)).collect()
}

/// Planes among the inputs of a known-answer case, which has them row by row.
#[derive(Debug, Clone, Copy)]
pub struct CaseWeights {
    /// The first of these inputs.
    pub first: usize,
    /// How they are packed.
    pub ty: WeightType,
    /// Columns.
    pub cols: u32,
}

impl CaseWeights {
    /// All inputs of the case, weights as `device` reads them.
    pub fn laid_out(&self, device: &Device, inputs: &[Vec<u32>]) -> Vec<Vec<u32>> {
        let CaseWeights { first, ty, cols } = *self;
        let mut inputs = inputs.to_vec();
        if device.is_cpu() {
            let mut of_type = inputs[first..].iter_mut();
            let mut take = |plane| {
                let input = if ty.has_plane(plane) { of_type.next() } else { None };
                input.map(std::mem::take).unwrap_or_default()
            };
            let rows =
                Planes { quants: take(Plane::Quants), high_bits: take(Plane::HighBits), scales: take(Plane::Scales) };
            let planes = laid_out_for_cpu(ty, cols as usize / ty.block_len(), rows);
            let planes = [planes.quants, planes.high_bits, planes.scales].into_iter().filter(|plane| !plane.is_empty());
            inputs[first..].iter_mut().zip(planes).for_each(|(input, plane)| *input = plane);
        }
        inputs
    }
}

/// The names of the planes as operands.
pub(super) const PLANES: [&str; 3] = ["weight_quants", "weight_high_bits", "weight_scales"];

const ONE_OFFSET: &str = wgsl!("shared/weights/one_offset");
const TWO_OFFSETS: &str = wgsl!("shared/weights/two_offsets");

/// The list that a type looks up, where it has one: 16 bits an entry, two in a word. It is memory and no constant of the shader, since of an
/// array that is indexed some compilers make memory of each invocation.
pub fn grid_words(ty: WeightType) -> Option<Vec<u32>> {
    let words = |grid: &Grid| {
        grid.codes().as_chunks::<2>().0.iter().map(|[a, b]| u32::from(*a) | u32::from(*b) << 16).collect()
    };
    Grid::of(ty).map(words)
}

/// Arrays of the widest element that divides a block's share of each plane.
fn elements(ty: WeightType) -> [&'static str; 3] {
    const WORDS: &str = "array<u32>";
    const FOURS: &str = "array<vec4<u32>>";
    match ty {
        WeightType::Q4_K | WeightType::Q5_K => [FOURS, FOURS, FOURS],
        WeightType::Q6_K | WeightType::Q2_K => [FOURS, FOURS, WORDS],
        WeightType::Q3_K => [FOURS, FOURS, FOURS],
        WeightType::TQ1_0 | WeightType::Q1_0 | WeightType::Q2_0 => [WORDS, WORDS, WORDS],
        ty if Grid::of(ty).is_some() => [WORDS, WORDS, WORDS],
        _ => [FOURS, WORDS, WORDS],
    }
}

macro_rules! fragments {
    ($($name:literal),+) => {
        &[$(wgsl!(concat!("shared/weights/", $name))),+]
    };
}

macro_rules! small {
    ($($name:literal),+) => {
        fragments!["chunk", "bytes", "signed_bytes", "byte_bits", $($name),+]
    };
}

/// The shader fragments of a type, which together define what `chunk.wgsl` speaks of.
fn fragments(ty: WeightType) -> &'static [&'static str] {
    match ty {
        WeightType::F32 => fragments!["chunk", "f32"],
        WeightType::F16 => fragments!["chunk", "halves", "f16"],
        WeightType::BF16 => fragments!["chunk", "halves", "bf16"],
        WeightType::Q8_0 => fragments!["chunk", "bytes", "signed_bytes", "q8_0"],
        WeightType::Q4_0 => fragments!["chunk", "bytes", "nibble_numbers", "split_nibbles", "q4_0"],
        WeightType::Q4_1 => fragments!["chunk", "bytes", "nibble_numbers", "split_nibbles", "q4_1"],
        WeightType::Q5_0 => fragments!["chunk", "bytes", "unsigned_bytes", "fifth_bits", "q5_0"],
        WeightType::Q5_1 => fragments!["chunk", "bytes", "unsigned_bytes", "fifth_bits", "q5_1"],
        WeightType::Q4_K => fragments!["chunk", "bytes", "nibble_numbers", "group_scale", "q4_k"],
        WeightType::Q5_K => fragments!["chunk", "bytes", "signed_bytes", "group_scale", "q5_k"],
        WeightType::Q6_K => fragments!["chunk", "bytes", "signed_bytes", "q6_k"],
        WeightType::Q2_K => fragments!["chunk", "bytes", "unsigned_bytes", "two_bits", "q2_k"],
        WeightType::Q3_K => small!["two_bits", "q3_k"],
        WeightType::IQ4_NL => small!["uneven", "split_values", "iq4_nl"],
        WeightType::IQ4_XS => small!["uneven", "split_values", "iq4_xs"],
        WeightType::MXFP4 => small!["e2m1", "split_values", "mxfp4"],
        WeightType::NVFP4 => small!["e2m1", "nvfp4"],
        WeightType::TQ1_0 => small!["tq1_0"],
        WeightType::TQ2_0 => small!["two_bits", "tq2_0"],
        WeightType::Q1_0 => small!["q1_0"],
        WeightType::Q2_0 => small!["q2_0"],
        WeightType::IQ2_XXS => small!["grid", "signs", "signed_eights", "iq2_xxs"],
        WeightType::IQ2_XS => small!["grid", "signs", "signed_eights", "iq2_xs"],
        WeightType::IQ2_S => small!["grid", "signs", "signed_eights", "iq2_s"],
        WeightType::IQ3_XXS => small!["grid", "signs", "fours", "iq3_xxs"],
        WeightType::IQ3_S => small!["grid", "signs", "fours", "iq3_s"],
        WeightType::IQ1_S => small!["grid", "shifted_eights", "iq1_s"],
        WeightType::IQ1_M => small!["grid", "shifted_eights", "iq1_m"],
    }
}
