//! Which instructions the kernels may use.

use crate::isa::{self, Task};

/// An instruction set with kernels of its own; of those that this processor has, the later ones are faster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Processor {
    /// Plain Rust, of which compilers make what they can.
    Portable,
    /// x86-64 with AVX2, FMA and F16C.
    #[cfg(target_arch = "x86_64")]
    Avx2(isa::Avx2),
    /// The same with AVX-512.
    #[cfg(target_arch = "x86_64")]
    Avx512(isa::Avx512),
}

impl Processor {
    /// All that this machine can run, the plainest first.
    pub fn all() -> Vec<Processor> {
        #[allow(unused_mut, reason = "not every platform has others")]
        let mut all = vec![Processor::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            all.extend(isa::Avx2::detect().map(Processor::Avx2));
            all.extend(isa::Avx512::detect().map(Processor::Avx512));
        }
        all
    }

    /// Its name, for people.
    pub fn name(self) -> &'static str {
        match self {
            Processor::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Processor::Avx2(_) => "AVX2",
            #[cfg(target_arch = "x86_64")]
            Processor::Avx512(_) => "AVX-512",
        }
    }

    /// Runs `task` with the instructions of this set, and with code that is compiled for it.
    pub(crate) fn run<T: Task>(self, task: T) -> T::Output {
        match self {
            Processor::Portable => task.run(isa::Portable),
            #[cfg(target_arch = "x86_64")]
            Processor::Avx2(isa) => isa.run(task),
            #[cfg(target_arch = "x86_64")]
            Processor::Avx512(isa) => isa.run(task),
        }
    }
}
