//! Weight rows in host memory, dequantised one at a time.

use std::cell::Ref;

use crate::device::Slice;
use inglenook_format::quant::{Plane, PlanesRef, WeightType, dequantise_row};

/// The planes of a weight part, borrowed from a CPU plan's operands.
pub struct HostPlanes<'a> {
    q: Ref<'a, [u32]>,
    h: Option<Ref<'a, [u32]>>,
    s: Option<Ref<'a, [u32]>>,
}

impl<'a> HostPlanes<'a> {
    /// Borrows the planes of `ty` from the front of `operands`; gives back the operands behind them.
    pub fn split(ty: WeightType, operands: &'a [Slice]) -> (HostPlanes<'a>, &'a [Slice]) {
        let count = [Plane::Q, Plane::H, Plane::S].into_iter().filter(|plane| ty.has_plane(*plane)).count();
        let (planes, rest) = operands.split_at(count);
        let mut planes = planes.iter();
        let mut next = |plane| if ty.has_plane(plane) { planes.next().map(Slice::u32s) } else { None };
        let q = next(Plane::Q).expect("every type has numbers");
        (HostPlanes { q, h: next(Plane::H), s: next(Plane::S) }, rest)
    }

    /// The rows of a part of `ty` with `cols` columns.
    pub fn rows(&self, ty: WeightType, cols: usize) -> WeightRows<'_> {
        let planes = PlanesRef {
            q: &self.q,
            h: self.h.as_deref().unwrap_or_default(),
            s: self.s.as_deref().unwrap_or_default(),
        };
        WeightRows { ty, cols, planes }
    }
}

/// Rows of a weight part. Threads may share it.
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
            .expect("a part's planes hold its rows");
    }
}
