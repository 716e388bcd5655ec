//! Instruction sets, each a token that proves that the processor has it.

mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use portable::Portable;
#[cfg(target_arch = "x86_64")]
pub use x86::Avx2;

/// What kernels need of an instruction set. Methods are inlined into a [`Task`], which is compiled for the set as a whole.
pub trait Isa: Copy {
    /// 32 bytes.
    type Bytes: Copy;
    /// Eight of f32.
    type Floats: Copy;

    /// Bytes from memory.
    fn load(self, bytes: &[u8; 32]) -> Self::Bytes;
    /// The low nibbles of 16 bytes, then the high ones.
    fn load_nibbles(self, bytes: &[u8; 16]) -> Self::Bytes;
    /// 16 in each byte whose bit of `bits` is set, 0 elsewhere.
    fn sixteens(self, bits: u32) -> Self::Bytes;
    /// `(byte >> shift) & mask`, where the mask keeps no bit that came from a neighbour.
    fn bits(self, bytes: Self::Bytes, shift: u32, mask: u8) -> Self::Bytes;
    /// `byte << 4`, where no byte is over 15.
    fn times_16(self, bytes: Self::Bytes) -> Self::Bytes;
    /// `byte - 32`, signed.
    fn minus_32(self, bytes: Self::Bytes) -> Self::Bytes;
    /// Bits of either.
    fn or(self, a: Self::Bytes, b: Self::Bytes) -> Self::Bytes;

    /// Sums of nothing.
    fn zero(self) -> Self::Floats;
    /// Floats from memory.
    fn load_floats(self, floats: &[f32; 8]) -> Self::Floats;
    /// Floats to memory.
    fn store_floats(self, floats: Self::Floats, to: &mut [f32; 8]);
    /// Bytes as floats, eight and eight.
    fn widen_unsigned(self, bytes: Self::Bytes) -> [Self::Floats; 4];
    /// The same of signed bytes.
    fn widen_signed(self, bytes: Self::Bytes) -> [Self::Floats; 4];
    /// `a * b`.
    fn times(self, a: Self::Floats, b: Self::Floats) -> Self::Floats;
    /// `a * b + c`, rounded once where the instructions do so.
    fn times_add(self, a: Self::Floats, b: Self::Floats, c: Self::Floats) -> Self::Floats;
    /// The same float eight times.
    fn splat(self, float: f32) -> Self::Floats;
    /// `a + b`.
    fn add(self, a: Self::Floats, b: Self::Floats) -> Self::Floats;
    /// The sum of all eight.
    fn total(self, sums: Self::Floats) -> f32;
}

/// Work for any instruction set.
pub trait Task {
    /// What comes of it.
    type Output;

    /// Does it. To be inlined, as all that it calls with `isa`.
    fn run<I: Isa>(self, isa: I) -> Self::Output;
}
