//! Which instructions the kernels may use.

use crate::isa::{self, Task};

/// An instruction set with kernels of its own; of those that this processor has, the later ones are faster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Processor {
    /// Plain Rust, of which compilers make what they can. WebAssembly has no use for it: all its engines have the vectors.
    #[cfg(not(target_arch = "wasm32"))]
    Portable,
    /// x86-64 with AVX2, FMA and F16C.
    #[cfg(target_arch = "x86_64")]
    Avx2(isa::Avx2<false>),
    /// The same with AVX-VNNI.
    #[cfg(target_arch = "x86_64")]
    AvxVnni(isa::Avx2<true>),
    /// The same with AVX-512 and its VNNI, perhaps with AMX.
    #[cfg(target_arch = "x86_64")]
    Avx512(isa::Avx512),
    /// AArch64 with NEON.
    #[cfg(target_arch = "aarch64")]
    Neon(isa::Neon<false>),
    /// The same with dot products of bytes.
    #[cfg(target_arch = "aarch64")]
    NeonDot(isa::Neon<true>),
    /// WebAssembly with vectors of 128 bits.
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    Simd128,
}

impl Processor {
    /// All that this machine can run, the plainest first.
    pub fn all() -> Vec<Processor> {
        [
            #[cfg(not(target_arch = "wasm32"))]
            Some(Processor::Portable),
            #[cfg(target_arch = "x86_64")]
            isa::Avx2::detect().map(Processor::Avx2),
            #[cfg(target_arch = "x86_64")]
            isa::Avx2::detect().map(Processor::AvxVnni),
            #[cfg(target_arch = "x86_64")]
            isa::Avx512::detect().map(Processor::Avx512),
            #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
            isa::Avx512::detect_with_tiles().map(Processor::Avx512),
            #[cfg(target_arch = "aarch64")]
            isa::Neon::detect().map(Processor::Neon),
            #[cfg(target_arch = "aarch64")]
            isa::Neon::detect().map(Processor::NeonDot),
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            Some(Processor::Simd128),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Its name, for people.
    pub fn name(self) -> &'static str {
        match self {
            #[cfg(not(target_arch = "wasm32"))]
            Processor::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Processor::Avx2(_) => "AVX2",
            #[cfg(target_arch = "x86_64")]
            Processor::AvxVnni(_) => "AVX-VNNI",
            #[cfg(target_arch = "x86_64")]
            Processor::Avx512(isa) if isa::Isa::has_tiles(isa) => "AVX-512 and AMX",
            #[cfg(target_arch = "x86_64")]
            Processor::Avx512(_) => "AVX-512",
            #[cfg(target_arch = "aarch64")]
            Processor::Neon(_) => "NEON",
            #[cfg(target_arch = "aarch64")]
            Processor::NeonDot(_) => "NEON with dot products",
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            Processor::Simd128 if cfg!(target_feature = "relaxed-simd") => "relaxed WebAssembly SIMD",
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            Processor::Simd128 => "WebAssembly SIMD",
        }
    }

    /// Runs `task` with the instructions of this set, and with code that is compiled for it.
    pub(crate) fn run<T: Task>(self, task: T) -> T::Output {
        match self {
            #[cfg(not(target_arch = "wasm32"))]
            Processor::Portable => task.run(isa::Portable),
            #[cfg(target_arch = "x86_64")]
            Processor::Avx2(isa) => isa.run(task),
            #[cfg(target_arch = "x86_64")]
            Processor::AvxVnni(isa) => isa.run(task),
            #[cfg(target_arch = "x86_64")]
            Processor::Avx512(isa) => isa.run(task),
            #[cfg(target_arch = "aarch64")]
            Processor::Neon(isa) => isa.run(task),
            #[cfg(target_arch = "aarch64")]
            Processor::NeonDot(isa) => isa.run(task),
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            Processor::Simd128 => isa::Simd128.run(task),
        }
    }
}
