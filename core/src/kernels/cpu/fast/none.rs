//! Where there is no fast way.

use std::ops::Range;

use super::FastWay;
use crate::kernels::cpu::attention::Question;
use crate::kernels::cpu::{BiasRows, Strided, WeightRows};
use crate::kernels::kv::KvShape;
use crate::kernels::matmul::Epilogue;

/// An instruction set: none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Processor {}

/// What becomes of activations: nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Precision {
    /// They are rounded where there is a fast way.
    #[default]
    Rounded,
    /// They stay f32.
    Exact,
}

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
pub struct Products(Processor);

impl Products {
    /// Never called.
    pub fn finish(self, _: Option<BiasRows<'_>>, _: Epilogue, _: Strided<'_>) {
        match self.0 {}
    }
}

/// Never called.
pub fn fast_products(way: FastWay, _: WeightRows<'_>, _: Range<usize>, _: &[f32]) -> Products {
    match way.processor {}
}

/// Never called.
pub fn fast_rms_norm(way: FastWay, _: &[f32], _: &[f32], _: &mut [f32], _: f32) {
    match way.processor {}
}

/// Never called.
pub fn fast_layer_norm(way: FastWay, _: &[f32], _: &[f32], _: Option<&[f32]>, _: &mut [f32], _: f32) {
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

/// Never called.
pub fn fast_peak(processor: Processor, _: &[f32], _: f32) -> (f32, usize, bool) {
    match processor {}
}

/// Never called.
pub fn fast_mass(processor: Processor, _: &[f32], _: f32, _: f32) -> f32 {
    match processor {}
}
