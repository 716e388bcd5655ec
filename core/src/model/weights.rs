//! Weights on their way from a file to a device, and what holds them there.
//!
//! An architecture *declares* the matrices and vectors it needs; each gets its memory at once. Then the file is read once,
//! front to back, in pieces of at most 4 MiB that are repacked and written where they belong. Nothing holds a whole tensor.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::config::ModelError;
use crate::device::{Device, Slice, Storage};
use crate::format::gguf::{Gguf, TensorInfo};
use crate::format::quant::{Plane, Planes, WeightType, dequantise, repack};
use crate::gpu::GpuError;
use crate::kernels::weights::WeightPart;
use crate::source::{Source, SourceError};

/// Most bytes of a file in memory at once.
const PIECE: usize = 4 << 20;
/// Bytes written to a device before waiting for it, so that staging memory stays small.
const IN_FLIGHT: u64 = 32 << 20;
/// Rows of a part are a multiple of this: then biases and f16 scales of every part begin at a bound offset.
const PART_ROWS: u64 = 64;
/// Alignment of a binding's offset, bytes.
const ALIGN: u64 = 256;

/// Why weights could not be loaded.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LoadError {
    /// The model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The device.
    #[error(transparent)]
    Gpu(#[from] GpuError),
    /// The file could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
}

/// A weight matrix on a device, `[rows, cols]`, in parts that fit a binding.
#[derive(Debug, Clone)]
pub struct Matrix {
    /// Values that a product with it has: its rows, or half of them where gate and up are paired.
    pub outputs: u32,
    /// Columns.
    pub cols: u32,
    /// Its parts.
    pub parts: Vec<Part>,
}

/// Part of a matrix.
#[derive(Debug, Clone)]
pub struct Part {
    /// The first output it gives.
    pub first: u32,
    /// The weights.
    pub weights: WeightPart,
}

/// f32 values on a device.
#[derive(Debug, Clone)]
pub struct Vector {
    /// Where they are.
    pub slice: Slice,
}

/// f32 values in host memory, there once the file has been read.
pub type HostVector = Rc<RefCell<Vec<f32>>>;

/// Where a run of a tensor's rows goes.
#[derive(Debug)]
enum Destination {
    /// Rows `from..from + rows` of the tensor, to rows from `to` on of a part.
    Rows { from: u64, rows: u64, part: WeightPart, to: u64 },
    /// The whole tensor as f32, `offset` bytes into memory.
    Device { storage: Storage, offset: u64 },
    /// The whole tensor as f32.
    Host(HostVector),
}

/// What a model declares, and the file it comes from.
#[derive(Debug)]
pub struct Catalogue<'a> {
    /// The file's header.
    pub gguf: &'a Gguf,
    device: &'a Device,
    destinations: HashMap<String, Vec<Destination>>,
    bytes: u64,
}

impl<'a> Catalogue<'a> {
    /// Nothing declared yet.
    pub fn new(gguf: &'a Gguf, device: &'a Device) -> Catalogue<'a> {
        Catalogue { gguf, device, destinations: HashMap::new(), bytes: 0 }
    }

    /// Device memory of everything declared, bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// True where the file has that tensor.
    pub fn has(&self, name: &str) -> bool {
        self.gguf.find(name).is_some()
    }

    /// A matrix, `[rows, cols]`.
    ///
    /// # Errors
    /// A missing tensor, a wrong shape, no memory.
    pub fn matrix(&mut self, name: &str, rows: u32, cols: u32) -> Result<Matrix, LoadError> {
        let tensor = self.tensor(name, &[cols, rows])?;
        self.stack(&[tensor])
    }

    /// Matrices of equal width, one below the other. Neighbours of the same type become one matrix, whose product is one
    /// dispatch. Each result has the output it begins at.
    pub fn stacked(&mut self, names: &[(&str, u32)], cols: u32) -> Result<Vec<(u32, Matrix)>, LoadError> {
        let mut tensors = Vec::new();
        for (name, rows) in names {
            tensors.push(self.tensor(name, &[cols, *rows])?);
        }
        let mut first = 0;
        let mut matrices = Vec::new();
        for run in tensors.chunk_by(|a, b| a.ty == b.ty) {
            let matrix = self.stack(run)?;
            let outputs = matrix.outputs;
            matrices.push((first, matrix));
            first += outputs;
        }
        Ok(matrices)
    }

    /// A gate and an up matrix of the same type as one, paired part by part so that one dispatch can gate.
    ///
    /// # Errors
    /// As [`Catalogue::matrix`]. `None` where the types differ.
    pub fn paired(&mut self, gate: &str, up: &str, rows: u32, cols: u32) -> Result<Option<Matrix>, LoadError> {
        let pair = [self.tensor(gate, &[cols, rows])?, self.tensor(up, &[cols, rows])?];
        if pair[0].ty != pair[1].ty {
            return Ok(None);
        }
        let (ty, rows) = (pair[0].ty, u64::from(rows));
        let step = self.part_rows(ty, cols, 2)?;
        let mut parts = Vec::new();
        for first in (0..rows).step_by(step as usize) {
            let half = step.min(rows - first);
            let weights = self.part(ty, 2 * half, cols)?;
            for (index, tensor) in pair.iter().enumerate() {
                let to = index as u64 * half;
                self.send(&tensor.name, Destination::Rows { from: first, rows: half, part: weights.clone(), to });
            }
            parts.push(Part { first: first as u32, weights });
        }
        Ok(Some(Matrix { outputs: rows as u32, cols, parts }))
    }

    /// Vectors side by side, as f32.
    pub fn vector(&mut self, names: &[(&str, u32)]) -> Result<Vector, LoadError> {
        let len: u64 = names.iter().map(|(_, len)| u64::from(*len)).sum();
        let storage = self.device.buffer(names[0].0, len * 4)?;
        self.bytes += len * 4;
        let mut offset = 0;
        for (name, len) in names {
            self.tensor(name, &[*len])?;
            self.send(name, Destination::Device { storage: storage.clone(), offset });
            offset += u64::from(*len) * 4;
        }
        Ok(Vector { slice: storage.all() })
    }

    /// A small tensor for the host's own use.
    pub fn host(&mut self, name: &str, len: u32) -> Result<HostVector, LoadError> {
        self.tensor(name, &[len])?;
        let vector = HostVector::default();
        self.send(name, Destination::Host(vector.clone()));
        Ok(vector)
    }

    /// Reads the file and fills everything declared. `progress` gets the bytes read so far and those there are in all;
    /// when it answers false, loading ends with [`SourceError::Aborted`].
    pub async fn fill(self, source: &dyn Source, progress: &mut dyn FnMut(u64, u64) -> bool) -> Result<(), LoadError> {
        let wanted = |tensor: &&TensorInfo| self.destinations.contains_key(&tensor.name);
        let total = self.gguf.tensors_by_offset().filter(wanted).map(|tensor| tensor.bytes).sum();
        let mut loader = Loader { device: self.device, source, planes: Planes::default(), read: 0, in_flight: 0 };
        for tensor in self.gguf.tensors_by_offset().filter(wanted) {
            let mut destinations: Vec<_> = self.destinations[&tensor.name].iter().collect();
            destinations.sort_by_key(|destination| match destination {
                Destination::Rows { from, .. } => *from,
                _ => 0,
            });
            for destination in destinations {
                loader.load(tensor, destination, &mut |read| progress(read, total)).await?;
            }
        }
        self.device.settle().await?;
        Ok(())
    }

    fn tensor(&self, name: &str, dims: &[u32]) -> Result<TensorInfo, LoadError> {
        let tensor = self.gguf.tensor(name).map_err(ModelError::from)?;
        let wanted: Vec<u64> = dims.iter().map(|dim| u64::from(*dim)).collect();
        let found: Vec<u64> =
            tensor.dims.iter().copied().chain([1, 1, 1]).take(dims.len().max(tensor.dims.len())).collect();
        if found != wanted {
            let problem = ModelError::Shape { name: name.into(), found: tensor.dims.clone(), wanted };
            return Err(problem.into());
        }
        Ok(tensor.clone())
    }

    fn send(&mut self, name: &str, destination: Destination) {
        self.destinations.entry(name.to_string()).or_default().push(destination);
    }

    fn stack(&mut self, tensors: &[TensorInfo]) -> Result<Matrix, LoadError> {
        let (ty, cols) = (tensors[0].ty, tensors[0].row_len() as u32);
        let rows: u64 = tensors.iter().map(TensorInfo::rows).sum();
        let step = self.part_rows(ty, cols, 1)?;
        let mut parts = Vec::new();
        for first in (0..rows).step_by(step as usize) {
            let weights = self.part(ty, step.min(rows - first), cols)?;
            let end = first + u64::from(weights.rows);
            let mut begin = 0;
            for tensor in tensors {
                let (from, to) = (first.max(begin), end.min(begin + tensor.rows()));
                if from < to {
                    let destination = Destination::Rows {
                        from: from - begin,
                        rows: to - from,
                        part: weights.clone(),
                        to: from - first,
                    };
                    self.send(&tensor.name, destination);
                }
                begin += tensor.rows();
            }
            parts.push(Part { first: first as u32, weights });
        }
        Ok(Matrix { outputs: rows as u32, cols, parts })
    }

    /// Rows of a part such that its widest plane fits a binding `factor` times.
    fn part_rows(&self, ty: WeightType, cols: u32, factor: u64) -> Result<u64, LoadError> {
        let blocks = cols as usize / ty.block_len();
        if !(cols as usize).is_multiple_of(ty.block_len().max(32)) {
            let feature = format!("rows of {cols} weights of the type {ty}");
            return Err(ModelError::Feature { feature }.into());
        }
        let row_bytes = ty.plane_bytes(Plane::Q, blocks) as u64;
        let limit = self.device.facts().limits.binding;
        let rows = limit / (row_bytes * factor) / PART_ROWS * PART_ROWS;
        if rows == 0 {
            let wanted = row_bytes * factor * PART_ROWS;
            return Err(GpuError::TooSmall { what: "bindings", limit, wanted }.into());
        }
        Ok(rows)
    }

    /// Memory for a part: its planes in one buffer.
    fn part(&mut self, ty: WeightType, rows: u64, cols: u32) -> Result<WeightPart, LoadError> {
        let blocks = rows as usize * (cols as usize / ty.block_len());
        let bytes = |plane| if ty.has_plane(plane) { ty.plane_bytes(plane, blocks) as u64 } else { 0 };
        let (q, h, s) = (bytes(Plane::Q), bytes(Plane::H), bytes(Plane::S));
        let (at_h, at_s) = (q.next_multiple_of(ALIGN), (q.next_multiple_of(ALIGN) + h).next_multiple_of(ALIGN));
        let storage = self.device.buffer("weights", at_s + s)?;
        self.bytes += storage.bytes();
        Ok(WeightPart {
            ty,
            rows: rows as u32,
            cols,
            q: storage.slice(0, q),
            h: (h > 0).then(|| storage.slice(at_h, h)),
            s: (s > 0).then(|| storage.slice(at_s, s)),
        })
    }
}

/// Carries pieces from the source to the device.
struct Loader<'a> {
    device: &'a Device,
    source: &'a dyn Source,
    planes: Planes,
    read: u64,
    in_flight: u64,
}

impl Loader<'_> {
    async fn load(
        &mut self,
        tensor: &TensorInfo,
        destination: &Destination,
        progress: &mut dyn FnMut(u64) -> bool,
    ) -> Result<(), LoadError> {
        match destination {
            Destination::Rows { from, rows, part, to } => {
                let row = tensor.row_len() / tensor.ty.block_len() as u64;
                let blocks = from * row..(from + rows) * row;
                self.rows(tensor, blocks, part, to * row, progress).await
            }
            Destination::Device { storage, offset } => {
                let values = self.floats(tensor, progress).await?;
                self.device.write(storage, *offset, bytemuck::cast_slice(&values));
                Ok(())
            }
            Destination::Host(vector) => {
                *vector.borrow_mut() = self.floats(tensor, progress).await?;
                Ok(())
            }
        }
    }

    async fn rows(
        &mut self,
        tensor: &TensorInfo,
        blocks: std::ops::Range<u64>,
        part: &WeightPart,
        to: u64,
        progress: &mut dyn FnMut(u64) -> bool,
    ) -> Result<(), LoadError> {
        let ty = tensor.ty;
        let piece_blocks = (PIECE / ty.block_bytes()) as u64 & !1;
        let mut raw = Vec::new();
        for first in blocks.clone().step_by(piece_blocks as usize) {
            let count = piece_blocks.min(blocks.end - first);
            raw.resize(count as usize * ty.block_bytes(), 0);
            self.read(tensor.offset + first * ty.block_bytes() as u64, &mut raw, progress).await?;
            let at = (to + first - blocks.start) as usize;
            self.planes.clear();
            repack(ty, &raw, at, &mut self.planes)
                .map_err(|error| ModelError::Feature { feature: error.to_string() })?;
            self.write(part, ty, at).await?;
        }
        Ok(())
    }

    async fn write(&mut self, part: &WeightPart, ty: WeightType, block: usize) -> Result<(), LoadError> {
        let planes = [
            (Plane::Q, Some(&part.q), &self.planes.q),
            (Plane::H, part.h.as_ref(), &self.planes.h),
            (Plane::S, part.s.as_ref(), &self.planes.s),
        ];
        for (plane, slice, words) in planes {
            if let Some(slice) = slice {
                let offset = slice.offset + ty.plane_bytes(plane, block) as u64;
                self.device.write(&slice.storage, offset, bytemuck::cast_slice(words));
                self.in_flight += words.len() as u64 * 4;
            }
        }
        if self.in_flight > IN_FLIGHT {
            self.in_flight = 0;
            self.device.settle().await?;
        }
        Ok(())
    }

    async fn floats(
        &mut self,
        tensor: &TensorInfo,
        progress: &mut dyn FnMut(u64) -> bool,
    ) -> Result<Vec<f32>, LoadError> {
        let mut raw = vec![0; tensor.bytes as usize];
        self.read(tensor.offset, &mut raw, progress).await?;
        let mut values = vec![0.0; tensor.weights() as usize];
        dequantise(tensor.ty, &raw, &mut values).map_err(|error| ModelError::Feature { feature: error.to_string() })?;
        Ok(values)
    }

    async fn read(&mut self, at: u64, raw: &mut [u8], progress: &mut dyn FnMut(u64) -> bool) -> Result<(), LoadError> {
        self.source.read_at(at, raw).await?;
        self.read += raw.len() as u64;
        if progress(self.read) { Ok(()) } else { Err(SourceError::Aborted.into()) }
    }
}
