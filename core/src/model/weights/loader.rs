//! The way of weights from a file to a device: the file is read once, front to back, in pieces of some 4 MiB that are repacked, laid out as
//! the device reads them, and written where they belong. Nothing holds a whole matrix.

use super::{HostVector, LoadError};
use crate::device::{Device, Storage};
use crate::kernels::weights::{WeightShard, grid_words};
use crate::model::error::ModelError;
use inglenook_format::gguf::TensorInfo;
use inglenook_format::quant::{GROUP, Layout, Plane, Planes, WeightType, dequantise, interleave, repack};
use inglenook_format::source::{Source, SourceError};

/// Bytes of a file in memory at once, or a group of rows where that is more.
const PIECE: usize = 4 << 20;
/// Bytes written to a device before waiting for it, so that staging memory stays small.
const IN_FLIGHT: u64 = 32 << 20;

/// Where something of a tensor goes.
#[derive(Debug)]
pub(super) enum Destination {
    /// Rows `from..from + rows` of the tensor, to rows from `to` on of a shard, which begins a group.
    Rows { from: u64, rows: u64, shard: WeightShard, to: u64 },
    /// Numbers `from..from + len` of the tensor as f32, `offset` bytes into memory.
    Floats { from: u64, len: u64, storage: Storage, offset: u64 },
    /// The whole tensor as f32.
    Host(HostVector),
}

/// Loads tensors, which are in the order of their data. `progress` gets bytes read and bytes in all, and answers false to abort.
pub(super) async fn load(
    device: &Device,
    source: &dyn Source,
    tensors: &[(&TensorInfo, &[Destination])],
    progress: &mut dyn FnMut(u64, u64) -> bool,
) -> Result<(), LoadError> {
    let total = tensors.iter().map(|(tensor, _)| tensor.bytes).sum();
    let mut progress = |read| progress(read, total);
    let (planes, interleaved) = (Planes::default(), Planes::default());
    let mut loader = Loader { device, source, planes, interleaved, read: 0, in_flight: 0, progress: &mut progress };
    for (tensor, destinations) in tensors {
        loader.load(tensor, destinations).await?;
    }
    device.wait_idle().await?;
    Ok(())
}

/// Carries pieces from the source to the device.
struct Loader<'a> {
    device: &'a Device,
    source: &'a dyn Source,
    planes: Planes,
    interleaved: Planes,
    read: u64,
    in_flight: u64,
    progress: &'a mut dyn FnMut(u64) -> bool,
}

impl Loader<'_> {
    /// A tensor goes in rows to one or several shards, or is small and is read at once.
    async fn load(&mut self, tensor: &TensorInfo, destinations: &[Destination]) -> Result<(), LoadError> {
        let ty = tensor.weight_type().map_err(ModelError::from)?;
        let mut values = None;
        let mut runs: Vec<(u64, u64, &WeightShard, u64)> = Vec::new();
        for destination in destinations {
            if let Destination::Rows { from, rows, shard, to } = destination {
                // A source may only run forward.
                let at = runs.partition_point(|(other, ..)| *other < *from);
                runs.insert(at, (*from, *rows, shard, *to));
                continue;
            }
            if values.is_none() {
                values = Some(self.floats(tensor, ty).await?);
            }
            let values = values.as_deref().unwrap_or_default();
            match destination {
                Destination::Floats { from, len, storage, offset } => {
                    let values = &values[*from as usize..][..*len as usize];
                    self.device.write(storage, *offset, bytemuck::cast_slice(values));
                }
                Destination::Host(vector) => *vector.borrow_mut() = values.to_vec(),
                Destination::Rows { .. } => {}
            }
        }
        for (from, rows, shard, to) in runs {
            self.rows(tensor, ty, from..from + rows, shard, to).await?;
        }
        Ok(())
    }

    async fn rows(
        &mut self,
        tensor: &TensorInfo,
        ty: WeightType,
        rows: std::ops::Range<u64>,
        shard: &WeightShard,
        to: u64,
    ) -> Result<(), LoadError> {
        let blocks = tensor.row_len() as usize / ty.block_len();
        let row_bytes = blocks * ty.block_bytes();
        let piece = (PIECE / row_bytes.max(1) / GROUP).max(1) * GROUP;
        let mut raw = Vec::new();
        for first in rows.clone().step_by(piece) {
            raw.resize(piece.min((rows.end - first) as usize) * row_bytes, 0);
            self.read(tensor.offset + first * row_bytes as u64, &mut raw).await?;
            let at = (to + first - rows.start) as usize * blocks;
            self.planes.clear();
            repack(ty, &raw, at, &mut self.planes).map_err(|error| ModelError::feature(error.to_string()))?;
            self.write(shard, ty, blocks, at).await?;
        }
        Ok(())
    }

    /// Writes the planes of a piece, whose rows have so many blocks; so many come before it.
    async fn write(&mut self, shard: &WeightShard, ty: WeightType, blocks: usize, at: usize) -> Result<(), LoadError> {
        let laid_out = match self.device.layout(ty) {
            Layout::Rows => &self.planes,
            Layout::Interleaved => {
                self.interleaved.clear();
                interleave(ty, blocks, &self.planes, &mut self.interleaved);
                &self.interleaved
            }
        };
        let planes = [
            (Plane::Quants, Some(&shard.quants), &laid_out.quants),
            (Plane::HighBits, shard.high_bits.as_ref(), &laid_out.high_bits),
            (Plane::Scales, shard.scales.as_ref(), &laid_out.scales),
        ];
        if let (Some(slice), Some(words), 0) = (&shard.grid, grid_words(ty), at) {
            self.device.write(&slice.storage, slice.offset, bytemuck::cast_slice(&words));
        }
        for (plane, slice, words) in planes {
            if let Some(slice) = slice {
                let offset = slice.offset + ty.plane_bytes(plane, at) as u64;
                self.device.write(&slice.storage, offset, bytemuck::cast_slice(words));
                self.in_flight += words.len() as u64 * 4;
            }
        }
        if self.in_flight > IN_FLIGHT {
            self.in_flight = 0;
            self.device.wait_idle().await?;
        }
        Ok(())
    }

    async fn floats(&mut self, tensor: &TensorInfo, ty: WeightType) -> Result<Vec<f32>, LoadError> {
        let mut raw = vec![0; tensor.bytes as usize];
        self.read(tensor.offset, &mut raw).await?;
        let mut values = vec![0.0; tensor.weights() as usize];
        dequantise(ty, &raw, &mut values).map_err(|error| ModelError::feature(error.to_string()))?;
        Ok(values)
    }

    async fn read(&mut self, at: u64, raw: &mut [u8]) -> Result<(), LoadError> {
        self.source.read_at(at, raw).await?;
        self.read += raw.len() as u64;
        if (self.progress)(self.read) { Ok(()) } else { Err(SourceError::Aborted.into()) }
    }
}
