//! Tensors of the virtual file while they are put together: slices of what is stored, and what is done to their numbers.

use std::cell::OnceCell;
use std::rc::Rc;

use super::error::HfError;
use super::leaf::Leaf;
use super::steps::{Map, Step};
use crate::quant::{TensorType, WeightType};

/// A part of a stored tensor, rearranged. Its dimensions are PyTorch's: the last one is contiguous.
#[derive(Debug, Clone)]
pub(super) struct Slice {
    pub name: String,
    pub leaf: Rc<Leaf>,
    pub shape: Vec<u64>,
    pub steps: Vec<Step>,
}

/// What is done to each number.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Op {
    Add(f32),
    Scale(f32),
    /// `-exp(x)`.
    NegExp,
    /// Elements before each of these ends, behind the one before, times a factor.
    ScaleRanges(Vec<(u64, f32)>),
    /// To -1, 0 or 1 times the mean of all absolute values, which is found when it is first needed.
    Ternary(Rc<OnceCell<f32>>),
}

/// A tensor of the virtual file.
#[derive(Debug, Clone)]
pub(super) struct Tensor {
    pub shape: Vec<u64>,
    pub slices: Vec<Slice>,
    pub ops: Vec<Op>,
}

impl Slice {
    pub fn new(name: &str, leaf: Leaf, shape: Vec<u64>) -> Slice {
        Slice { name: name.into(), leaf: Rc::new(leaf), shape, steps: Vec::new() }
    }

    pub fn elements(&self) -> u64 {
        self.shape.iter().product()
    }

    /// Dimension `at`, counted from the end.
    fn dim_from_end(&self, at: usize) -> u64 {
        self.shape.len().checked_sub(at).and_then(|at| self.shape.get(at)).copied().unwrap_or(1)
    }

    /// Elements of a row: of all dimensions but the first.
    pub fn row(&self) -> u64 {
        self.shape.iter().skip(1).product()
    }

    /// The error for a shape that does not fit.
    pub fn mismatch(&self, wanted: impl Into<String>) -> HfError {
        HfError::Shape { name: self.name.clone(), found: self.shape.clone(), wanted: wanted.into() }
    }

    fn step(mut self, unit: u64, map: Map) -> Result<Slice, HfError> {
        let block = self.leaf.ty().block().map_or(1, |(len, _)| len as u64);
        if unit == 0 || !unit.is_multiple_of(block) {
            return Err(HfError::unsupported(format!("`{}` in the type {}", self.name, self.leaf.ty().name())));
        }
        self.steps.push(Step { unit, map });
        Ok(self)
    }

    /// The same elements in another shape.
    pub fn reshape(mut self, shape: &[u64]) -> Result<Slice, HfError> {
        if shape.iter().try_fold(1u64, |product, dim| product.checked_mul(*dim)) != Some(self.elements()) {
            return Err(self.mismatch(format!("the shape {shape:?}")));
        }
        self.shape = shape.to_vec();
        Ok(self)
    }

    /// Without the dimension of 1 in the middle of three.
    pub fn squeeze(mut self) -> Slice {
        if let [_, 1, _] = self.shape[..] {
            self.shape.remove(1);
        }
        self
    }

    /// Rows of the first dimension.
    pub fn rows(mut self, from: u64, count: u64) -> Result<Slice, HfError> {
        let all = self.shape.first().copied().unwrap_or(0);
        if count == 0 || from.checked_add(count).is_none_or(|end| end > all) {
            return Err(self.mismatch(format!("rows {from} to {}", from.saturating_add(count))));
        }
        let unit = self.row();
        self.shape[0] = count;
        self.step(unit, Map::Window { from, take: count, of: all })
    }

    /// Of the last but one dimension, the half of this number.
    pub fn half(mut self, which: u64) -> Result<Slice, HfError> {
        let (rows, cols) = (self.dim_from_end(2), self.dim_from_end(1));
        let at = self.shape.len().wrapping_sub(2);
        if self.shape.len() < 2 || rows % 2 != 0 || rows == 0 {
            return Err(self.mismatch("two halves"));
        }
        self.shape[at] = rows / 2;
        self.step(cols, Map::Window { from: which * rows / 2, take: rows / 2, of: rows })
    }

    /// Of dimension `at` from the end, each second index, from this one on.
    pub fn every_second(mut self, at: usize, from: u64) -> Result<Slice, HfError> {
        let index = self.shape.len().wrapping_sub(at);
        let unit = self.shape.iter().skip(index.wrapping_add(1)).product();
        match self.shape.get_mut(index) {
            Some(dim) if *dim % 2 == 0 && *dim > 0 => *dim /= 2,
            _ => return Err(self.mismatch("pairs")),
        }
        self.step(unit, Map::Every2 { from })
    }

    /// Rows in heads, from halves to pairs: what interleaved RoPE needs of a checkpoint made for the other.
    pub fn pairs(self, heads: u64) -> Result<Slice, HfError> {
        let rows = self.shape.first().copied().unwrap_or(0);
        if heads == 0 || rows == 0 || !rows.is_multiple_of(2 * heads) {
            return Err(self.mismatch(format!("{heads} heads")));
        }
        let unit = self.row();
        self.step(unit, Map::Pairs { head: rows / heads })
    }

    /// Units of so many elements, in groups, in rounds: see [`Map::Rounds`].
    pub fn rounds(self, unit: u64, groups: u64, per: u64) -> Result<Slice, HfError> {
        let whole = unit.checked_mul(groups).and_then(|units| units.checked_mul(per)).filter(|whole| *whole > 0);
        if whole.is_none_or(|whole| !self.elements().is_multiple_of(whole)) {
            return Err(self.mismatch(format!("{groups} groups of {per} heads")));
        }
        if groups == 1 || per == 1 {
            return Ok(self);
        }
        self.step(unit, Map::Rounds { groups, per })
    }

    /// The last two dimensions changed with one another.
    pub fn transpose(mut self) -> Result<Slice, HfError> {
        let (rows, cols) = (self.dim_from_end(2), self.dim_from_end(1));
        let Leaf::Stored { at, ty } = *self.leaf else {
            return Err(HfError::unsupported(format!("`{}` in the type {}", self.name, self.leaf.ty().name())));
        };
        const MAX_SIDE: u64 = 1 << 20;
        if self.shape.len() < 2 || !self.steps.is_empty() || rows.max(cols) > MAX_SIDE {
            return Err(self.mismatch("matrices"));
        }
        let last = self.shape.len() - 1;
        self.shape.swap(last - 1, last);
        self.leaf = Rc::new(Leaf::Transposed { at, ty, rows, cols });
        Ok(self)
    }
}

impl From<Slice> for Tensor {
    fn from(slice: Slice) -> Tensor {
        Tensor { shape: slice.shape.clone(), slices: vec![slice], ops: Vec::new() }
    }
}

impl Tensor {
    /// Numbers that the configuration gives.
    pub fn given(values: Vec<f32>) -> Tensor {
        let shape = vec![values.len() as u64];
        Slice::new("numbers of the configuration", Leaf::Given(values), shape).into()
    }

    /// Slices one below the other: their shapes differ in the first dimension alone.
    pub fn concat(slices: Vec<Slice>) -> Result<Tensor, HfError> {
        let first = slices.first().map(|slice| slice.shape.clone()).unwrap_or_default();
        let differs = |slice: &&Slice| slice.shape.get(1..) != first.get(1..);
        if let Some(other) = slices.iter().find(differs) {
            return Err(other.mismatch(format!("a row of the shape {:?}", first.get(1..).unwrap_or_default())));
        }
        let mut shape = first;
        if let Some(rows) = shape.first_mut() {
            *rows = slices.iter().map(|slice| slice.shape[0]).sum();
        }
        Ok(Tensor { shape, slices, ops: Vec::new() })
    }

    /// Slices of one shape, in a new first dimension.
    pub fn stack(slices: Vec<Slice>) -> Result<Tensor, HfError> {
        let first = slices.first().map(|slice| slice.shape.clone()).unwrap_or_default();
        if let Some(other) = slices.iter().find(|slice| slice.shape != first) {
            return Err(other.mismatch(format!("its neighbours' shape {first:?}")));
        }
        let shape = [&[slices.len() as u64], &first[..]].concat();
        Ok(Tensor { shape, slices, ops: Vec::new() })
    }

    /// With one more thing done to each number.
    pub fn op(mut self, op: Op) -> Tensor {
        self.ops.push(op);
        self
    }

    /// The type that all slices have, and floats where they differ, or where blocks would have to be made anew.
    pub fn ty(&self) -> TensorType {
        let mut types = self.slices.iter().map(|slice| slice.leaf.ty());
        let first = types.next().unwrap_or(WeightType::F32.into());
        let is_block = first.block().is_some_and(|(len, _)| len > 1);
        match types.all(|ty| ty == first) {
            true if is_block && !self.ops.is_empty() => WeightType::F16.into(),
            true => first,
            false => WeightType::F32.into(),
        }
    }
}
