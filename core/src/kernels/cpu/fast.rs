//! The way to `inglenook-cpu`, which the engine's module in browsers is without: there, a module of its own computes on the CPU.

#[cfg(all(target_arch = "wasm32", feature = "web"))]
pub use none::{Processor, fast_attend, fast_products, fast_rms_norm};
#[cfg(not(all(target_arch = "wasm32", feature = "web")))]
pub use there::{Processor, fast_attend, fast_products, fast_rms_norm};

/// How an operation runs on the CPU where it has a way that is faster than its twin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FastWay {
    /// By these instructions.
    pub processor: Processor,
    /// On so many threads at most.
    pub threads: usize,
}

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

    use inglenook_cpu::{
        Activations, KvNumbers, KvVectors, attend, dot_products, gate_by_silu, panel_products, rms_norm,
    };

    use super::{FastWay, ProductsBy};
    use crate::kernels::Activation;
    use crate::kernels::cpu::attention::Question;
    use crate::kernels::cpu::threads::{pieces_of, spread, threads_for};
    use crate::kernels::cpu::{Strided, WeightRows, gated_activation};
    use crate::kernels::kv::{KvShape, KvType};
    use crate::kernels::matmul::Epilogue;

    /// Rows of a piece are a multiple of these, so that no panel has lanes to spare.
    const WHOLE_PANELS: usize = 16;
    /// What finishing a sum, rounding or norming a value takes, in multiplications.
    const WORK_OF_A_VALUE: usize = 8;

    /// Products of weight rows with rows of x, in pieces of weight rows: each `[m_count, rows of the piece]`.
    pub struct Products {
        way: FastWay,
        m_count: usize,
        /// Weight rows of a piece but the last, and of all.
        piece: usize,
        rows: usize,
        sums: Vec<f32>,
    }

    /// What [`super::super::dot_products`] computes, where the weights are of a type with blocks.
    pub fn fast_products(
        way: FastWay,
        weights: WeightRows<'_>,
        rows: usize,
        x: &[f32],
        by: ProductsBy,
    ) -> Option<Products> {
        let FastWay { processor, threads } = way;
        let weights = weights.in_blocks()?;
        let m_count = x.len() / weights.cols;
        let mut activations = match by {
            ProductsBy::Row => Activations::new(processor, m_count, weights.cols),
            ProductsBy::Panel => Activations::rounded(m_count, weights.cols),
        };
        let shares = threads_for(x.len() * WORK_OF_A_VALUE, threads).min(m_count).max(1);
        let share = m_count.div_ceil(shares).max(1);
        let parts = activations.parts(share).into_iter().zip(x.chunks(share * weights.cols));
        spread(shares, parts, |(part, x)| part.fill(processor, x));
        let x = activations;
        let mut sums = vec![0.0; rows * m_count];
        let threads = threads_for(sums.len() * weights.cols, threads);
        let piece = pieces_of(rows, threads).next_multiple_of(WHOLE_PANELS);
        let pieces = sums.chunks_mut((piece * m_count).max(1)).enumerate();
        spread(threads, pieces, |(number, sums)| match by {
            ProductsBy::Row => dot_products(processor, weights, number * piece, &x, sums),
            ProductsBy::Panel => panel_products(processor, weights, number * piece, &x, sums),
        });
        Some(Products { way, m_count, piece, rows, sums })
    }

    impl Products {
        /// What [`finish`] does with them.
        ///
        /// [`finish`]: super::super::finish
        pub fn finish(mut self, bias: Option<&[f32]>, epilogue: Epilogue, out: Strided<'_>) {
            let Strided { values, stride, offset } = out;
            let m_count = self.m_count;
            let mut rows = values.chunks_mut(stride).take(m_count).map(|row| &mut row[offset..]);
            if m_count == 1 {
                // Its pieces are one behind the other.
                let mut sums = std::mem::take(&mut self.sums);
                rows.for_each(|out| self.finish_row(&mut sums, bias, epilogue, out));
                return;
            }
            let threads = threads_for(self.sums.len() * WORK_OF_A_VALUE, self.way.threads).min(m_count);
            let share = m_count.div_ceil(threads.max(1));
            let mut shares = Vec::new();
            while shares.len() * share < m_count {
                shares.push(rows.by_ref().take(share).collect::<Vec<_>>());
            }
            spread(threads, shares.into_iter().enumerate(), |(number, outs)| {
                let mut sums = Vec::with_capacity(self.rows);
                for (m, out) in (number * share..).zip(outs) {
                    self.gather(m, &mut sums);
                    self.finish_row(&mut sums, bias, epilogue, out);
                }
            });
        }

        /// Row `m` of the products.
        fn gather(&self, m: usize, into: &mut Vec<f32>) {
            into.clear();
            for piece in self.sums.chunks(self.piece * self.m_count) {
                let rows = piece.len() / self.m_count;
                into.extend_from_slice(&piece[m * rows..][..rows]);
            }
        }

        fn finish_row(&self, sums: &mut [f32], bias: Option<&[f32]>, epilogue: Epilogue, out: &mut [f32]) {
            if let Some(bias) = bias {
                sums.iter_mut().zip(bias).for_each(|(sum, bias)| *sum += bias);
            }
            let (gates, ups) = sums.split_at(self.rows / 2);
            match epilogue {
                Epilogue::Store => out[..sums.len()].copy_from_slice(sums),
                Epilogue::Add => out.iter_mut().zip(sums).for_each(|(out, sum)| *out += *sum),
                Epilogue::Gated(Activation::Silu) => {
                    gate_by_silu(self.way.processor, gates, ups, &mut out[..gates.len()])
                }
                Epilogue::Gated(other) => gated_activation(gates, ups, other, &mut out[..gates.len()]),
            }
        }
    }

    /// What [`rms_norm`] computes.
    ///
    /// [`rms_norm`]: super::super::rms_norm
    pub fn fast_rms_norm(way: FastWay, x: &[f32], weight: &[f32], out: &mut [f32], eps: f32) {
        let FastWay { processor, threads } = way;
        let shares = threads_for(x.len() * WORK_OF_A_VALUE, threads);
        let share = x.len().div_ceil(weight.len()).div_ceil(shares).max(1) * weight.len();
        let shares_of_rows = x.chunks(share).zip(out.chunks_mut(share));
        spread(shares, shares_of_rows, |(x, out)| rms_norm(processor, x, weight, out, eps));
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
    use super::{FastWay, ProductsBy};
    use crate::kernels::cpu::Strided;
    use crate::kernels::cpu::WeightRows;
    use crate::kernels::cpu::attention::Question;
    use crate::kernels::kv::KvShape;
    use crate::kernels::matmul::Epilogue;

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

    /// Products: none.
    pub enum Products {}

    impl Products {
        /// Never called.
        pub fn finish(self, _: Option<&[f32]>, _: Epilogue, _: Strided<'_>) {
            match self {}
        }
    }

    /// Never called.
    pub fn fast_products(way: FastWay, _: WeightRows<'_>, _: usize, _: &[f32], _: ProductsBy) -> Option<Products> {
        match way.processor {}
    }

    /// Never called.
    pub fn fast_rms_norm(way: FastWay, _: &[f32], _: &[f32], _: &mut [f32], _: f32) {
        match way.processor {}
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
