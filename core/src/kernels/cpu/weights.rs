//! Weight rows in host memory, dequantised one at a time.

use std::cell::Ref;

use crate::device::Slice;
use inglenook_format::quant::{Plane, PlanesRef, WeightType, dequantise_row};

/// The planes of a weight shard, borrowed from a CPU plan's operands.
pub struct HostPlanes<'a> {
    quants: Ref<'a, [u32]>,
    high_bits: Option<Ref<'a, [u32]>>,
    scales: Option<Ref<'a, [u32]>>,
}

impl<'a> HostPlanes<'a> {
    /// Borrows the planes of `ty` from the front of `operands`; gives back the operands behind them.
    pub fn split(ty: WeightType, operands: &'a [Slice]) -> (HostPlanes<'a>, &'a [Slice]) {
        let count =
            [Plane::Quants, Plane::HighBits, Plane::Scales].into_iter().filter(|plane| ty.has_plane(*plane)).count();
        let (planes, rest) = operands.split_at(count);
        let mut planes = planes.iter();
        let mut next = |plane| if ty.has_plane(plane) { planes.next().map(Slice::u32s) } else { None };
        let quants = next(Plane::Quants).expect("every type has numbers");
        (HostPlanes { quants, high_bits: next(Plane::HighBits), scales: next(Plane::Scales) }, rest)
    }

    /// The rows of a shard of `ty` with `cols` columns.
    pub fn rows(&self, ty: WeightType, cols: usize) -> WeightRows<'_> {
        let planes = PlanesRef {
            quants: &self.quants,
            high_bits: self.high_bits.as_deref().unwrap_or_default(),
            scales: self.scales.as_deref().unwrap_or_default(),
        };
        WeightRows { ty, cols, planes }
    }
}

/// Rows of a weight shard. Threads may share it.
#[derive(Clone, Copy)]
pub struct WeightRows<'a> {
    ty: WeightType,
    cols: usize,
    planes: PlanesRef<'a>,
}

impl WeightRows<'_> {
    /// Columns.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Writes row `row` to `out`, which has a value for each column.
    pub fn dequantise(&self, row: usize, out: &mut [f32]) {
        let blocks = self.cols / self.ty.block_len();
        dequantise_row(self.ty, self.planes, row * blocks..(row + 1) * blocks, out)
            .expect("a shard's planes hold its rows");
    }
}
