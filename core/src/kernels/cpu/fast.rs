//! The way to `inglenook-cpu`, which the engine's module in browsers is without: there, a module of its own computes on the CPU.

#[cfg(all(target_arch = "wasm32", feature = "web"))]
pub use none::{Processor, fast_attend, fast_products};
#[cfg(not(all(target_arch = "wasm32", feature = "web")))]
pub use there::{Processor, fast_attend, fast_products};

/// How weights meet rows of x.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProductsBy {
    /// One weight row after the other: for few rows of x.
    Row,
    /// Several side by side, unpacked once: for many.
    Panel,
}

#[cfg(not(all(target_arch = "wasm32", feature = "web")))]
mod there {
    pub use inglenook_cpu::Processor;

    use inglenook_cpu::{Activations, KvNumbers, KvVectors, attend, dot_products, panel_products};

    use super::ProductsBy;
    use crate::kernels::cpu::WeightRows;
    use crate::kernels::cpu::attention::Question;
    use crate::kernels::cpu::threads::{pieces_of, spread, threads_for};
    use crate::kernels::kv::{KvShape, KvType};

    /// Rows of a piece are a multiple of these, so that no panel has lanes to spare.
    const WHOLE_PANELS: usize = 16;

    /// What [`super::super::dot_products`] computes, where the weights are of a type with blocks.
    pub fn fast_products(
        processor: Processor,
        weights: WeightRows<'_>,
        rows: usize,
        x: &[f32],
        by: ProductsBy,
    ) -> Option<Vec<f32>> {
        let weights = weights.in_blocks()?;
        let x = match by {
            ProductsBy::Row => Activations::new(processor, x, weights.cols),
            ProductsBy::Panel => Activations::rounded(processor, x, weights.cols),
        };
        let mut sums = vec![0.0; rows * x.rows()];
        if sums.is_empty() {
            return Some(sums);
        }
        let threads = threads_for(sums.len() * weights.cols);
        let piece = pieces_of(rows, threads).next_multiple_of(WHOLE_PANELS);
        let pieces = sums.chunks_mut(piece * x.rows()).enumerate();
        spread(threads, pieces, |(number, sums)| match by {
            ProductsBy::Row => dot_products(processor, weights, number * piece, &x, sums),
            ProductsBy::Panel => panel_products(processor, weights, number * piece, &x, sums),
        });
        Some(sums)
    }

    /// What [`attend`] computes, where a vector is whole blocks of 32.
    ///
    /// [`attend`]: crate::kernels::cpu::attention::attend
    pub fn fast_attend(
        processor: Processor,
        question: &Question<'_>,
        segments: &[&[u32]],
        kv: &KvShape,
        outs: &mut [&mut [f32]],
    ) -> Option<Vec<(f32, f32)>> {
        let numbers = match kv.ty {
            KvType::F32 => KvNumbers::F32,
            KvType::F16 => KvNumbers::F16,
            KvType::Q8_0 => KvNumbers::Q8,
            KvType::Q4_0 => KvNumbers::Q4,
        };
        let (segment_words, head_dim) = (kv.segment_words(), kv.head_dim as usize);
        let Question { queries, places: keys, sinks, scale } = *question;
        let question = inglenook_cpu::Question { queries, scale, sinks, keys, to_value: kv.value_word(0) };
        let cache = KvVectors { segments, segment_words, numbers, head_dim };
        head_dim.is_multiple_of(32).then(|| attend(processor, cache, question, outs))
    }
}

#[cfg(all(target_arch = "wasm32", feature = "web"))]
mod none {
    use super::ProductsBy;
    use crate::kernels::cpu::WeightRows;
    use crate::kernels::cpu::attention::Question;
    use crate::kernels::kv::KvShape;

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
    pub fn fast_products(
        processor: Processor,
        _: WeightRows<'_>,
        _: usize,
        _: &[f32],
        _: ProductsBy,
    ) -> Option<Vec<f32>> {
        match processor {}
    }

    /// Never called.
    pub fn fast_attend(
        processor: Processor,
        _: &Question<'_>,
        _: &[&[u32]],
        _: &KvShape,
        _: &mut [&mut [f32]],
    ) -> Option<Vec<(f32, f32)>> {
        match processor {}
    }
}
