//! Instruction sets, each a token that proves that the processor has it.

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod amx;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
mod no_tiles;
#[cfg(not(target_arch = "wasm32"))]
mod portable;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd128;

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub use amx::Tiles;
#[cfg(target_arch = "x86_64")]
pub use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub use avx512::Avx512;
#[cfg(target_arch = "aarch64")]
pub use neon::Neon;
#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
pub use no_tiles::Tiles;
#[cfg(not(target_arch = "wasm32"))]
pub use portable::Portable;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub use simd128::Simd128;

/// 32 floats in two lines of the cache: a vector that lies across two takes twice as long to load.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub struct Chunk(pub [f32; 32]);

// SAFETY: 32 floats are two lines, so that nothing lies between them and the end.
unsafe impl bytemuck::Zeroable for Chunk {}
// SAFETY: the same, and floats have no bits that mean nothing.
unsafe impl bytemuck::Pod for Chunk {}

/// Whole numbers that products of tiles sum up to: for each vector of weight rows, and of each row of x those of its high bytes, then those of
/// its low ones.
#[derive(Debug, Default, Clone, Copy)]
#[repr(C, align(64))]
pub struct TileSums(pub [[[u32; 16]; 16]; 2]);

/// What kernels need of an instruction set. Methods are inlined into a [`Task`], which is compiled for the set as a whole.
pub trait Isa: Copy {
    /// Runs a task of a task, which becomes a function of its own: code that many tasks have in common.
    fn apart<T: Task>(self, task: T) -> T::Output;

    /// 32 bytes.
    type Bytes: Copy;
    /// 32 of f32.
    type Wide: Copy;
    /// A vector of f32, the set's widest.
    type Lanes: Copy;
    /// A whole number of 32 bits in each of as many lanes.
    type Ints: Copy;
    /// A pair of numbers of 16 bits in each of as many lanes; in memory, a word.
    type Pairs: Copy;

    /// Lanes of a vector: 16 at most.
    const LANES: usize;
    /// Vectors of weight rows side by side in a panel: 2 where the set has registers for as many sums.
    const VECTORS: usize = 1;
    /// Bits of the numbers that [`Isa::add_fours`] takes; 0 where it is not used.
    const FOURS: u32 = 0;
    /// Whether that takes less time than [`Isa::add_pairs`] for many rows of x, too.
    const FOURS_OF_MANY: bool = false;

    /// Has the processor fetch the line of a word, where it can be told to.
    #[inline(always)]
    fn prefetch(self, _: &u32) {}
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
    /// Bits of either.
    fn or(self, a: Self::Bytes, b: Self::Bytes) -> Self::Bytes;

    /// Signed bytes as floats.
    fn widen(self, bytes: Self::Bytes) -> Self::Wide;
    /// 32 floats from memory.
    fn load_floats(self, floats: &[u8; 128]) -> Self::Wide;
    /// 32 of f16 as floats.
    fn widen_f16(self, halves: &[u8; 64]) -> Self::Wide;
    /// 32 of bf16, the upper halves of floats, as floats.
    fn widen_bf16(self, halves: &[u8; 64]) -> Self::Wide;
    /// An f16 as a float.
    fn half(self, bytes: [u8; 2]) -> f32;
    /// Floats to memory.
    fn store(self, floats: Self::Wide, to: &mut [f32; 32]);
    /// The first 16 of `a` times the first scale, the others times the second.
    fn times(self, a: Self::Wide, scales: [f32; 2]) -> Self::Wide;
    /// The first 16 of `a` plus the first amount, the others plus the second.
    fn plus(self, a: Self::Wide, amounts: [f32; 2]) -> Self::Wide;
    /// Vector `number` of the `32 / LANES` that 32 floats are.
    fn part(self, floats: Self::Wide, number: usize) -> Self::Lanes;

    /// 16 words of each of `LANES` rows, which begin `stride` words after each other, each row's in its lane: `[16, lanes]`.
    fn transpose(self, rows: &[u32], stride: usize, to: &mut [u32]);
    /// Pairs from memory.
    fn pairs(self, pairs: &[u32]) -> Self::Pairs;
    /// Pairs to the front of memory.
    fn store_pairs(self, pairs: Self::Pairs, to: &mut [u32]);
    /// Words shifted right, zeros coming in; `by` is below 32.
    fn shift_right(self, pairs: Self::Pairs, by: u32) -> Self::Pairs;
    /// Words shifted left.
    fn shift_left(self, pairs: Self::Pairs, by: u32) -> Self::Pairs;
    /// The bits of each word that `mask` has.
    fn mask(self, pairs: Self::Pairs, mask: u32) -> Self::Pairs;
    /// Bits of either.
    fn either(self, a: Self::Pairs, b: Self::Pairs) -> Self::Pairs;
    /// The value of each byte of words, which is below 16.
    fn looked_up(self, values: &[i8; 16], fours: Self::Pairs) -> Self::Pairs;
    /// The low byte of each number, signed.
    fn low_bytes(self, pairs: Self::Pairs) -> Self::Pairs;
    /// The high byte of each number, signed.
    fn high_bytes(self, pairs: Self::Pairs) -> Self::Pairs;
    /// Words as whole numbers.
    fn ints(self, pairs: Self::Pairs) -> Self::Ints;
    /// Byte `number` of each word, signed.
    fn signed_bytes(self, pairs: Self::Pairs, number: u32) -> Self::Ints;
    /// `sums + weights · x`, two products in each lane.
    fn add_pairs(self, sums: Self::Ints, weights: Self::Pairs, x: u32) -> Self::Ints;
    /// `sums + weights · x`, four products of signed bytes in each lane. The numbers in those of weights have [`Isa::FOURS`] bits at most.
    #[inline(always)]
    fn add_fours(self, _sums: Self::Ints, _weights: Self::Pairs, _x: u32) -> Self::Ints {
        unreachable!("numbers have more bits than none")
    }

    /// Whether many rows of x meet weights in [`Isa::tiles`].
    #[inline(always)]
    fn has_tiles(self) -> bool {
        false
    }
    /// Tiles for so many rows of x and so many words of weights, where there are any.
    #[inline(always)]
    fn tiles(self, _rows: usize, _words: usize) -> Option<Tiles> {
        None
    }
    /// Four bytes, each less `by`.
    #[inline(always)]
    fn lowered(self, _fours: Self::Pairs, _by: u8) -> Self::Pairs {
        unreachable!("there are no tiles")
    }

    /// Whole numbers: zeros.
    fn no_ints(self) -> Self::Ints;
    /// The same whole number in all lanes.
    fn all_ints(self, int: i32) -> Self::Ints;
    /// `256 * high + low`.
    fn joined(self, high: Self::Ints, low: Self::Ints) -> Self::Ints;
    /// Floats: zeros.
    fn zero(self) -> Self::Lanes;
    /// Floats from memory.
    fn lanes(self, floats: &[f32]) -> Self::Lanes;
    /// The same float in all lanes.
    fn all(self, float: f32) -> Self::Lanes;
    /// Whole numbers as floats.
    fn floats(self, ints: Self::Ints) -> Self::Lanes;
    /// `a + b`.
    fn add(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes;
    /// `a * b`.
    fn multiply(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes;
    /// `a * b + c`.
    fn multiply_add(self, a: Self::Lanes, b: Self::Lanes, c: Self::Lanes) -> Self::Lanes;
    /// The sum of all lanes.
    fn total(self, lanes: Self::Lanes) -> f32;
    /// Those of four.
    #[inline(always)]
    fn totals(self, lanes: [Self::Lanes; 4]) -> [f32; 4] {
        lanes.map(|lanes| self.total(lanes))
    }
    /// Floats to the front of memory.
    fn store_lanes(self, lanes: Self::Lanes, to: &mut [f32]);
}

/// Work for any instruction set.
pub trait Task {
    /// What comes of it.
    type Output;

    /// Does it. To be inlined, as all that it calls with `isa`.
    fn run<I: Isa>(self, isa: I) -> Self::Output;
}
