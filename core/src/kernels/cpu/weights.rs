//! Weight rows in host memory, dequantised one at a time.

use std::cell::Ref;

use crate::kernels::Arguments;
use crate::kernels::weights::PLANES;
use inglenook_format::quant::{Layout, Plane, PlanesRef, WeightType, dequantise_interleaved, dequantise_row};

/// The planes of a weight shard, borrowed from the arguments of its kernel.
pub struct HostPlanes<'a> {
    quants: Ref<'a, [u32]>,
    high_bits: Option<Ref<'a, [u32]>>,
    scales: Option<Ref<'a, [u32]>>,
}

impl<'a> HostPlanes<'a> {
    /// Borrows the planes of `ty`.
    pub fn of(ty: WeightType, arguments: &'a Arguments) -> HostPlanes<'a> {
        let [quants, high_bits, scales] = PLANES;
        let plane = |plane, name| ty.has_plane(plane).then(|| arguments.u32s(name));
        HostPlanes {
            quants: arguments.u32s(quants),
            high_bits: plane(Plane::HighBits, high_bits),
            scales: plane(Plane::Scales, scales),
        }
    }

    /// The rows of a shard of `ty` with `cols` columns.
    pub fn rows(&self, ty: WeightType, cols: usize) -> WeightRows<'_> {
        let planes = PlanesRef {
            quants: &self.quants,
            high_bits: self.high_bits.as_deref().unwrap_or_default(),
            scales: self.scales.as_deref().unwrap_or_default(),
        };
        WeightRows::new(ty, cols, planes)
    }
}

/// Rows of a weight shard, laid out for the CPU. Threads may share it.
#[derive(Clone, Copy)]
pub struct WeightRows<'a> {
    ty: WeightType,
    cols: usize,
    planes: PlanesRef<'a>,
}

impl<'a> WeightRows<'a> {
    /// The rows of `cols` columns in planes of `ty`.
    pub fn new(ty: WeightType, cols: usize, planes: PlanesRef<'a>) -> WeightRows<'a> {
        WeightRows { ty, cols, planes }
    }

    /// Columns.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// The same for `inglenook-cpu`.
    #[cfg(not(all(target_arch = "wasm32", feature = "web")))]
    pub fn planes(&self) -> inglenook_cpu::Weights<'a> {
        let WeightRows { ty, cols, planes } = *self;
        inglenook_cpu::Weights { ty, cols, planes }
    }

    /// Writes row `row` to `out`, which has a value for each column.
    pub fn dequantise(&self, row: usize, out: &mut [f32]) {
        let blocks = self.cols / self.ty.block_len();
        let done = match Layout::for_cpu(self.ty) {
            Layout::Rows => dequantise_row(self.ty, self.planes, row * blocks..(row + 1) * blocks, out),
            Layout::Interleaved => dequantise_interleaved(self.ty, self.planes, blocks, row, out),
        };
        done.expect("a shard's planes hold its rows");
    }
}
