//! Instruction sets, each a token that proves that the processor has it.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(not(target_arch = "wasm32"))]
mod portable;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd128;

#[cfg(target_arch = "x86_64")]
pub use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub use avx512::Avx512;
#[cfg(not(target_arch = "wasm32"))]
pub use portable::Portable;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub use simd128::Simd128;

use crate::activations::{ActivationChunk, Rounded};

/// 32 floats in two lines of the cache: a vector that lies across two takes twice as long to load.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub struct Chunk(pub [f32; 32]);

/// What kernels need of an instruction set. Methods are inlined into a [`Task`], which is compiled for the set as a whole.
pub trait Isa: Copy {
    /// 32 bytes.
    type Bytes: Copy;
    /// 32 of f32.
    type Wide: Copy;
    /// Sums of f32, as many as the set's widest vector holds.
    type Sums: Copy;
    /// 32 activations of a matmul, in memory.
    type Activations: ActivationChunk;
    /// 32 numbers of weights, as they meet them.
    type Numbers: Copy;

    /// Bytes from memory.
    fn load(self, bytes: &[u8; 32]) -> Self::Bytes;
    /// The low nibbles of 16 bytes, then the high ones.
    fn load_nibbles(self, bytes: &[u8; 16]) -> Self::Bytes;
    /// The nibbles of 16 bytes, the low one of each first.
    fn load_pairs(self, bytes: &[u8; 16]) -> Self::Bytes;
    /// 16 in each byte whose bit of `bits` is set, 0 elsewhere.
    fn sixteens(self, bits: u32) -> Self::Bytes;
    /// `(byte >> shift) & mask`, where the mask keeps no bit that came from a neighbour.
    fn bits(self, bytes: Self::Bytes, shift: u32, mask: u8) -> Self::Bytes;
    /// `byte << 4`, where no byte is over 15.
    fn times_16(self, bytes: Self::Bytes) -> Self::Bytes;
    /// `byte - amount`, signed.
    fn minus(self, bytes: Self::Bytes, amount: u8) -> Self::Bytes;
    /// Of each half of the bytes those whose numbers `table` lists; 0 where it lists 128.
    fn shuffle(self, bytes: Self::Bytes, table: &[u8; 16]) -> Self::Bytes;
    /// Bits of either.
    fn or(self, a: Self::Bytes, b: Self::Bytes) -> Self::Bytes;

    /// Unsigned bytes as floats.
    fn widen_unsigned(self, bytes: Self::Bytes) -> Self::Wide;
    /// Signed bytes as floats.
    fn widen_signed(self, bytes: Self::Bytes) -> Self::Wide;

    /// 32 of f16 as floats.
    fn widen_f16(self, halves: &[u8; 64]) -> Self::Wide;
    /// An f16 as a float.
    fn half(self, bytes: [u8; 2]) -> f32;
    /// Floats from memory.
    fn wide(self, chunk: &Chunk) -> Self::Wide;
    /// Floats to memory.
    fn store(self, floats: Self::Wide, to: &mut [f32; 32]);
    /// `a * scale`.
    fn times(self, a: Self::Wide, scale: f32) -> Self::Wide;
    /// `sum + a * scale`.
    fn add_times(self, sum: Self::Wide, a: Self::Wide, scale: f32) -> Self::Wide;

    /// Sums of nothing.
    fn zero(self) -> Self::Sums;
    /// `sums + a · x`, the products being spread over the sums.
    fn add_products(self, sums: Self::Sums, a: Self::Wide, x: &[f32; 32]) -> Self::Sums;

    /// Unsigned bytes, below 128, as numbers of weights.
    fn unsigned_numbers(self, bytes: Self::Bytes) -> Self::Numbers;
    /// Signed bytes as numbers of weights.
    fn signed_numbers(self, bytes: Self::Bytes) -> Self::Numbers;
    /// `sums + scale * (numbers · x)`, the products being spread over the sums.
    fn add_scaled(self, sums: Self::Sums, numbers: Self::Numbers, x: &Self::Activations, scale: f32) -> Self::Sums;
    /// The same with a scale for the first 16 products and another for the last.
    fn add_scaled_halves(
        self,
        sums: Self::Sums,
        numbers: Self::Numbers,
        x: &Self::Activations,
        scales: [f32; 2],
    ) -> Self::Sums;
    /// The sum of all.
    fn total(self, sums: Self::Sums) -> f32;

    /// How many weight rows a vector of a panel holds, each in a lane: 16 at most.
    const LANES: usize;
    /// Such vectors side by side: 2 where the set has registers for as many sums.
    const VECTORS: usize = 1;
    /// A pair of numbers in each lane.
    type Pairs: Copy;
    /// A whole number in each lane.
    type Ints: Copy;
    /// A float in each lane.
    type Lanes: Copy;

    /// Signed bytes as numbers of 16 bits.
    fn store_numbers(self, bytes: Self::Bytes, to: &mut Rounded);
    /// The pairs of `LANES` rows, each in its lane: `[pairs, lanes]`.
    fn transpose(self, rows: &[Rounded; 16], to: &mut [[i16; 2]]);
    /// Pairs from memory.
    fn pairs(self, pairs: &[[i16; 2]]) -> Self::Pairs;
    /// Zeros.
    fn no_ints(self) -> Self::Ints;
    /// Zeros.
    fn no_lanes(self) -> Self::Lanes;
    /// `sums + weights · x`, two products in each lane.
    fn add_pairs(self, sums: Self::Ints, weights: Self::Pairs, x: [i16; 2]) -> Self::Ints;
    /// `sums + ints * scales * scale`.
    fn add_ints(self, sums: Self::Lanes, ints: Self::Ints, scales: &[f32], scale: f32) -> Self::Lanes;
    /// `sums + a * b`.
    fn add_lanes(self, sums: Self::Lanes, a: &[f32], b: f32) -> Self::Lanes;
    /// Floats to memory.
    fn store_lanes(self, lanes: Self::Lanes, to: &mut [f32; 16]);
}

/// Work for any instruction set.
pub trait Task {
    /// What comes of it.
    type Output;

    /// Does it. To be inlined, as all that it calls with `isa`.
    fn run<I: Isa>(self, isa: I) -> Self::Output;
}
