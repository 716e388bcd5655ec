//! The way to `inglenook-cpu`, which the browser's module is without.

#[cfg(not(target_family = "wasm"))]
pub use native::{Processor, Work, compiled_for, fast_products};
#[cfg(target_family = "wasm")]
pub use none::{Processor, Work, compiled_for, fast_products};

#[cfg(not(target_family = "wasm"))]
mod native {
    pub use inglenook_cpu::{Processor, Work};

    use inglenook_cpu::{Activations, dot_products};

    use crate::kernels::cpu::WeightRows;
    use crate::kernels::cpu::threads::{pieces_of, spread, threads_for};

    /// Does `work`, compiled for the instructions of `processor`, if there is one; the same bits come of it.
    #[inline(always)]
    pub fn compiled_for<W: Work>(processor: Option<Processor>, work: W) -> W::Output {
        match processor {
            Some(processor) => processor.compiled(work),
            None => work.run(),
        }
    }

    /// What [`super::super::dot_products`] computes, where the weights are of a type with blocks.
    pub fn fast_products(processor: Processor, weights: WeightRows<'_>, rows: usize, x: &[f32]) -> Option<Vec<f32>> {
        let weights = weights.in_blocks()?;
        let x = Activations::new(x, weights.cols);
        let mut sums = vec![0.0; rows * x.rows()];
        if sums.is_empty() {
            return Some(sums);
        }
        let threads = threads_for(sums.len() * weights.cols);
        let piece = pieces_of(rows, threads);
        let pieces = sums.chunks_mut(piece * x.rows()).enumerate();
        spread(threads, pieces, |(number, sums)| dot_products(processor, weights, number * piece, &x, sums));
        Some(sums)
    }
}

#[cfg(target_family = "wasm")]
mod none {
    use crate::kernels::cpu::WeightRows;

    /// Work in plain Rust.
    pub trait Work {
        /// What comes of it.
        type Output;

        /// Does it.
        fn run(self) -> Self::Output;
    }

    /// Does `work`.
    pub fn compiled_for<W: Work>(_: Option<Processor>, work: W) -> W::Output {
        work.run()
    }

    /// An instruction set: none.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Processor {}

    impl Processor {
        /// All there are.
        pub fn all() -> Vec<Processor> {
            Vec::new()
        }

        /// Its name.
        pub fn name(self) -> &'static str {
            match self {}
        }
    }

    /// Never called.
    pub fn fast_products(processor: Processor, _: WeightRows<'_>, _: usize, _: &[f32]) -> Option<Vec<f32>> {
        match processor {}
    }
}
