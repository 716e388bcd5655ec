//! Where architectures register the matrices and vectors they need. Each gets its memory at once.

use litemap::LiteMap;

use super::loader::{self, Destination};
use super::{ExpertMatrix, ExpertShard, HostVector, LoadError, Matrix, Part, Shard, Vector};
use crate::device::{Device, Storage};
use crate::gpu::{GpuError, Limits};
use crate::kernels::weights::{WeightShard, grid_words};
use crate::model::error::ModelError;
use inglenook_format::gguf::{Gguf, TensorInfo};
use inglenook_format::quant::{GROUP, Plane, WeightType};
use inglenook_format::source::Source;

/// Rows of a shard are a multiple of this: then f16 scales of every shard begin at a bound offset.
const SHARD_ROWS: u64 = 64;
/// Matrices stand one below the other where their rows are a multiple of this, so that each begins a group of rows.
const WHOLE_GROUPS: u32 = GROUP as u32;
/// Alignment of a binding's offset, bytes.
const ALIGN: u64 = 256;

/// Some rows of a matrix of the file.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'n> {
    /// The matrix, without `.weight`.
    pub name: &'n str,
    /// Rows that the matrix has.
    pub of: u32,
    /// The first of them.
    pub first: u32,
    /// How many.
    pub rows: u32,
}

impl<'n> Rows<'n> {
    /// All rows of a matrix.
    pub fn all(name: &'n str, rows: u32) -> Rows<'n> {
        Rows { name, of: rows, first: 0, rows }
    }
}

/// Rows of a matrix of the file.
struct FileMatrix {
    info: TensorInfo,
    ty: WeightType,
    first: u64,
    rows: u64,
    /// Name of its bias.
    bias: Option<String>,
}

/// Rows of a matrix of the file that stand together in a shard.
struct Run<'m> {
    matrix: &'m FileMatrix,
    /// Counted in the file's matrix.
    from: u64,
    rows: u64,
}

/// The matrices of a file that a model multiplies with.
#[derive(Debug, Default)]
pub struct Matrices {
    /// Columns and rows, by their names with `.weight`.
    pub sizes: LiteMap<String, [u32; 2]>,
    /// Those that are multiplied with in one dispatch.
    pub fused: Vec<Vec<String>>,
}

/// What a model registers, and the file it comes from.
#[derive(Debug)]
pub struct WeightRegistry<'a> {
    /// The file's header.
    pub gguf: &'a Gguf,
    device: Device,
    /// Largest binding of the device that the weights are for, bytes.
    binding: u64,
    /// False where nothing is to be loaded.
    allocates: bool,
    pub(super) destinations: LiteMap<String, Vec<Destination>>,
    pub(super) ignored: Vec<String>,
    bytes: u64,
    matrices: Matrices,
}

impl<'a> WeightRegistry<'a> {
    /// Nothing registered yet.
    pub fn new(gguf: &'a Gguf, device: Device) -> WeightRegistry<'a> {
        WeightRegistry {
            gguf,
            binding: device.facts().limits.binding,
            device,
            allocates: true,
            destinations: LiteMap::new_vec(),
            ignored: Vec::new(),
            bytes: 0,
            matrices: Matrices::default(),
        }
    }

    /// A registry that finds out what a model would need on a device of these limits.
    pub fn without_memory(gguf: &'a Gguf, limits: &Limits) -> WeightRegistry<'a> {
        WeightRegistry { allocates: false, binding: limits.binding, ..WeightRegistry::new(gguf, Device::Cpu) }
    }

    /// Device memory of everything registered, bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The matrices that were registered, those of experts and tables aside.
    pub fn take_matrices(&mut self) -> Matrices {
        std::mem::take(&mut self.matrices)
    }

    /// True where the file has that tensor.
    pub fn has(&self, name: &str) -> bool {
        self.gguf.find(name).is_some()
    }

    /// The matrix `NAME.weight`, `[rows, cols]`, and `NAME.bias`, `[rows]`, where the file has one.
    ///
    /// # Errors
    /// A missing tensor, a wrong shape, no memory.
    pub fn matrix(&mut self, name: &str, rows: u32, cols: u32) -> Result<Matrix, LoadError> {
        self.rows(Rows::all(name, rows), cols)
    }

    /// Rows of a matrix and of its bias, as a matrix.
    ///
    /// # Errors
    /// As [`WeightRegistry::matrix`].
    pub fn rows(&mut self, rows: Rows<'_>, cols: u32) -> Result<Matrix, LoadError> {
        let matrices = [self.file_matrix(rows, cols)?];
        self.note(&matrices);
        self.stack(&matrices)
    }

    /// A matrix of which rows are looked up, by its whole name.
    ///
    /// # Errors
    /// As [`WeightRegistry::matrix`].
    pub fn table(&mut self, name: &str, rows: u32, cols: u32) -> Result<Matrix, LoadError> {
        let info = self.tensor(name, &[cols, rows])?;
        let ty = info.weight_type().map_err(ModelError::from)?;
        self.stack(&[FileMatrix { info, ty, first: 0, rows: rows.into(), bias: None }])
    }

    /// Rows of a tensor.
    ///
    /// # Errors
    /// A missing tensor, or more rows than can be counted.
    pub fn row_count(&self, name: &str) -> Result<u32, LoadError> {
        let rows = self.gguf.tensor(name).map_err(ModelError::from)?.rows();
        Ok(u32::try_from(rows).map_err(|_| ModelError::size(format!("`{name}` has over 2^32 rows")))?)
    }

    /// Matrices of equal width, one below the other. Neighbours of the same type become one matrix, whose product is one
    /// dispatch, where their rows are whole groups. Each result has the output it begins at.
    ///
    /// # Errors
    /// As [`WeightRegistry::matrix`].
    pub fn fused_qkv(&mut self, parts: &[Rows<'_>], cols: u32) -> Result<Vec<(u32, Matrix)>, LoadError> {
        let files: Vec<FileMatrix> =
            parts.iter().map(|part| self.file_matrix(*part, cols)).collect::<Result<_, _>>()?;
        let mut first = 0;
        let mut matrices = Vec::new();
        for run in files.chunk_by(|a, b| a.ty == b.ty && a.rows.is_multiple_of(WHOLE_GROUPS.into())) {
            self.note(run);
            let matrix = self.stack(run)?;
            let outputs = matrix.outputs;
            matrices.push((first, matrix));
            first += outputs;
        }
        Ok(matrices)
    }

    /// Gate rows and as many up rows of the same type as one matrix, paired shard by shard so that one dispatch can gate.
    ///
    /// # Errors
    /// As [`WeightRegistry::matrix`]. `None` where the types differ, or rows are no whole groups.
    pub fn fused_gate_up(&mut self, gate: Rows<'_>, up: Rows<'_>, cols: u32) -> Result<Option<Matrix>, LoadError> {
        let rows = gate.rows;
        let pair = [self.file_matrix(gate, cols)?, self.file_matrix(up, cols)?];
        if pair[0].ty != pair[1].ty || !rows.is_multiple_of(WHOLE_GROUPS) {
            return Ok(None);
        }
        let rows = u64::from(rows);
        let step = self.shard_rows(pair[0].ty, cols, 2)?;
        let mut shards = Vec::new();
        for from in (0..rows).step_by(step as usize) {
            let run = |matrix| Run { matrix, from: matrix.first + from, rows: step.min(rows - from) };
            let runs = pair.each_ref().map(run);
            shards.push(self.shard(from, &runs)?);
        }
        self.note(&pair);
        Ok(Some(Matrix { outputs: rows as u32, cols, shards }))
    }

    /// The same rows of each of so many experts, part below part and expert below expert, in shards of whole experts. Files have all experts
    /// of a part in one tensor.
    ///
    /// # Errors
    /// As [`WeightRegistry::matrix`]; parts of several types, and rows that are no whole groups.
    pub fn experts(&mut self, parts: &[Rows<'_>], experts: u32, cols: u32) -> Result<ExpertMatrix, LoadError> {
        let matrices: Vec<FileMatrix> =
            parts.iter().map(|part| self.expert_matrix(*part, experts, cols)).collect::<Result<_, _>>()?;
        let ty = matrices[0].ty;
        if let Some(other) = matrices.iter().find(|matrix| matrix.ty != ty) {
            let (one, two) = (&matrices[0].info.name, &other.info.name);
            return Err(ModelError::feature(format!("`{one}` of the type {ty} and `{two}` of {}", other.ty)).into());
        }
        let rows: u32 = parts.iter().map(|part| part.rows).sum();
        if !parts.iter().all(|part| part.rows.is_multiple_of(WHOLE_GROUPS)) {
            return Err(ModelError::feature(format!("experts of {rows} rows, no multiple of {WHOLE_GROUPS}")).into());
        }
        let most = (self.shard_rows(ty, cols, 1)? / u64::from(rows)) as u32;
        if most == 0 {
            let wanted = ty.plane_bytes(Plane::Quants, cols as usize / ty.block_len()) as u64 * u64::from(rows);
            return Err(GpuError::TooSmall { what: "bindings", limit: self.binding, wanted }.into());
        }
        let mut shards = Vec::new();
        for first in (0..experts).step_by(most as usize) {
            let count = most.min(experts - first);
            let of_expert = |expert: u32| {
                let run = move |(matrix, part): (_, &Rows<'_>)| {
                    let from = u64::from(expert) * u64::from(part.of) + u64::from(part.first);
                    Run { matrix, from, rows: part.rows.into() }
                };
                matrices.iter().zip(parts).map(run)
            };
            let runs: Vec<Run<'_>> = (first..first + count).flat_map(of_expert).collect();
            let Shard { weights, bias, .. } = self.shard(0, &runs)?;
            shards.push(ExpertShard { experts: (first, count), weights, bias });
        }
        Ok(ExpertMatrix { shards })
    }

    /// One of so many matrices that a tensor has one behind the other, as a matrix.
    ///
    /// # Errors
    /// As [`WeightRegistry::matrix`].
    pub fn part_of_stack(
        &mut self,
        name: &str,
        (number, count): (u32, u32),
        rows: u32,
        cols: u32,
    ) -> Result<Matrix, LoadError> {
        let part = Rows { name, of: rows, first: 0, rows };
        let first = u64::from(number) * u64::from(rows);
        let matrix = FileMatrix { first, ..self.expert_matrix(part, count, cols)? };
        self.stack(&[matrix])
    }

    /// Vectors side by side, as f32: numbers in a row, or a number a row.
    ///
    /// # Errors
    /// As [`WeightRegistry::matrix`].
    pub fn vector(&mut self, names: &[(&str, u32)]) -> Result<Vector, LoadError> {
        let in_rows = |name: &str| self.gguf.find(name).is_some_and(|info| info.dims.len() == 2 && info.dims[0] == 1);
        let dims: Vec<[u32; 2]> = names.iter().map(|(_, len)| [1, *len]).collect();
        let parts: Vec<(&str, &[u32])> =
            names.iter().zip(&dims).map(|((name, _), dims)| (*name, &dims[usize::from(!in_rows(name))..])).collect();
        self.side_by_side(&parts)
    }

    /// A tensor of these dimensions, the first contiguous, as f32.
    ///
    /// # Errors
    /// As [`WeightRegistry::matrix`].
    pub fn numbers(&mut self, name: &str, dims: &[u32]) -> Result<Vector, LoadError> {
        self.side_by_side(&[(name, dims)])
    }

    /// Tensors of these dimensions one behind the other, as f32.
    ///
    /// # Errors
    /// As [`WeightRegistry::matrix`].
    pub fn side_by_side(&mut self, parts: &[(&str, &[u32])]) -> Result<Vector, LoadError> {
        let len_of = |dims: &[u32]| dims.iter().map(|dim| u64::from(*dim)).product::<u64>();
        let storage = self.memory(parts[0].0, parts.iter().map(|(_, dims)| len_of(dims)).sum::<u64>() * 4)?;
        let mut offset = 0;
        for (name, dims) in parts {
            self.tensor(name, dims)?.weight_type().map_err(ModelError::from)?;
            let len = len_of(dims);
            self.send(name, Destination::Floats { from: 0, len, storage: storage.clone(), offset });
            offset += len * 4;
        }
        Ok(Vector { slice: storage.all() })
    }

    /// A small tensor for the host's own use.
    ///
    /// # Errors
    /// As [`WeightRegistry::matrix`].
    pub fn host(&mut self, name: &str, len: u32) -> Result<HostVector, LoadError> {
        self.floats(name, len)?;
        let vector = HostVector::default();
        self.send(name, Destination::Host(vector.clone()));
        Ok(vector)
    }

    /// Lets a tensor be in the file that this run does not need.
    pub fn ignore(&mut self, name: impl Into<String>) {
        self.ignored.push(name.into());
    }

    /// Zero-filled memory for what a model computes itself.
    ///
    /// # Errors
    /// No memory.
    pub fn memory(&mut self, label: &str, bytes: u64) -> Result<Storage, LoadError> {
        self.bytes = self.bytes.saturating_add(bytes);
        Ok(self.device.weights(label, if self.allocates { bytes } else { 0 })?)
    }

    /// On the CPU, where the first rows of each matrix are, of each expert if there are several: what meets them meets all other rows, too.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn placed(&self) -> Vec<super::Placed> {
        let mut all: Vec<super::Placed> = Vec::new();
        if !matches!(self.device, Device::Cpu) {
            return all;
        }
        for tensor in self.gguf.tensors() {
            let (rows, of) = (tensor.rows(), tensor.dims.get(1).copied().unwrap_or(1).max(1));
            let begins = all.len();
            for destination in self.destinations.get(&tensor.name).into_iter().flatten() {
                let Destination::Rows { from, shard, .. } = destination else { continue };
                let is_known = all[begins..].iter().any(|placed| placed.weights.address() == shard.address());
                if from.is_multiple_of(of) && !is_known {
                    let (name, weights) = (tensor.name.clone(), shard.clone());
                    all.push(super::Placed { name, cols: weights.cols, weights, matrices: (rows / of) as u32 });
                }
            }
        }
        all
    }

    /// Reads the file and loads everything registered. `progress` gets the bytes read so far and those there are in all;
    /// when it answers false, loading ends with [`SourceError::Aborted`].
    ///
    /// # Errors
    /// Those of the source and the device.
    pub async fn load(self, source: &dyn Source, progress: &mut dyn FnMut(u64, u64) -> bool) -> Result<(), LoadError> {
        let wanted = |tensor: &&TensorInfo| self.destinations.contains_key(&tensor.name);
        let tensors: Vec<_> = self.gguf.tensors_by_offset().filter(wanted).collect();
        let with_destinations = tensors.into_iter().map(|tensor| (tensor, &self.destinations[&tensor.name][..]));
        loader::load(&self.device, source, &with_destinations.collect::<Vec<_>>(), progress).await
    }

    fn file_matrix(&self, Rows { name, of, first, rows }: Rows<'_>, cols: u32) -> Result<FileMatrix, LoadError> {
        let info = self.tensor(&format!("{name}.weight"), &[cols, of])?;
        let ty = info.weight_type().map_err(ModelError::from)?;
        let bias = Some(format!("{name}.bias")).filter(|bias| self.has(bias));
        if let Some(bias) = &bias {
            self.floats(bias, of)?;
        }
        Ok(FileMatrix { info, ty, first: first.into(), rows: rows.into(), bias })
    }

    fn expert_matrix(&self, part: Rows<'_>, experts: u32, cols: u32) -> Result<FileMatrix, LoadError> {
        let Rows { name, of, first, rows } = part;
        let info = self.tensor(&format!("{name}.weight"), &[cols, of, experts])?;
        let ty = info.weight_type().map_err(ModelError::from)?;
        let bias = Some(format!("{name}.bias")).filter(|bias| self.has(bias));
        if let Some(bias) = &bias {
            self.tensor(bias, &[of, experts])?.weight_type().map_err(ModelError::from)?;
        }
        Ok(FileMatrix { info, ty, first: first.into(), rows: rows.into(), bias })
    }

    /// Checks that there is a vector of `len` numbers.
    fn floats(&self, name: &str, len: u32) -> Result<(), LoadError> {
        self.tensor(name, &[len])?.weight_type().map_err(ModelError::from)?;
        Ok(())
    }

    fn tensor(&self, name: &str, dims: &[u32]) -> Result<TensorInfo, LoadError> {
        let tensor = self.gguf.tensor(name).map_err(ModelError::from)?;
        let wanted: Vec<u64> = dims.iter().map(|dim| u64::from(*dim)).collect();
        let found: Vec<u64> =
            tensor.dims.iter().copied().chain([1, 1, 1]).take(dims.len().max(tensor.dims.len())).collect();
        let extra_are_one = found.iter().skip(dims.len()).all(|dim| *dim == 1);
        if found[..dims.len()] != wanted || !extra_are_one {
            let problem = ModelError::Shape { name: name.into(), found: tensor.dims.clone(), wanted };
            return Err(problem.into());
        }
        Ok(tensor.clone())
    }

    fn send(&mut self, name: &str, destination: Destination) {
        self.destinations.entry(name.to_string()).or_default().push(destination);
    }

    fn stack(&mut self, matrices: &[FileMatrix]) -> Result<Matrix, LoadError> {
        let (ty, cols) = (matrices[0].ty, matrices[0].info.row_len() as u32);
        let rows: u64 = matrices.iter().map(|matrix| matrix.rows).sum();
        let step = self.shard_rows(ty, cols, 1)?;
        let mut shards = Vec::new();
        for first in (0..rows).step_by(step as usize) {
            let end = rows.min(first + step);
            let mut begin = 0;
            let mut runs = Vec::new();
            for matrix in matrices {
                let (from, to) = (first.max(begin), end.min(begin + matrix.rows));
                if from < to {
                    runs.push(Run { matrix, from: matrix.first + from - begin, rows: to - from });
                }
                begin += matrix.rows;
            }
            shards.push(self.shard(first, &runs)?);
        }
        Ok(Matrix { outputs: rows as u32, cols, shards })
    }

    /// Remembers matrices that are multiplied with in one dispatch.
    fn note(&mut self, matrices: &[FileMatrix]) {
        let size = |info: &TensorInfo| [info.row_len() as u32, info.rows() as u32];
        for matrix in matrices {
            self.matrices.sizes.insert(matrix.info.name.clone(), size(&matrix.info));
        }
        if matrices.len() > 1 {
            self.matrices.fused.push(matrices.iter().map(|matrix| matrix.info.name.clone()).collect());
        }
    }

    /// Rows of a shard such that its widest plane fits a binding `factor` times.
    fn shard_rows(&self, ty: WeightType, cols: u32, factor: u64) -> Result<u64, LoadError> {
        let blocks = cols as usize / ty.block_len();
        if !(cols as usize).is_multiple_of(ty.block_len().max(32)) {
            return Err(ModelError::feature(format!("rows of {cols} weights of the type {ty}")).into());
        }
        let row_bytes = ty.plane_bytes(Plane::Quants, blocks) as u64;
        let limit = self.binding;
        let rows = limit / (row_bytes * factor) / SHARD_ROWS * SHARD_ROWS;
        if rows == 0 {
            let wanted = row_bytes * factor * SHARD_ROWS;
            return Err(GpuError::TooSmall { what: "bindings", limit, wanted }.into());
        }
        Ok(rows)
    }

    /// A shard that begins at output `first`: these rows, one below the other, with their biases.
    fn shard(&mut self, first: u64, runs: &[Run<'_>]) -> Result<Shard, LoadError> {
        let (ty, cols) = (runs[0].matrix.ty, runs[0].matrix.info.row_len() as u32);
        let rows: u64 = runs.iter().map(|run| run.rows).sum();
        let weights = self.planes(ty, rows, cols)?;
        // Rows of a matrix without a bias keep zeros.
        let is_biased = runs.iter().any(|run| run.matrix.bias.is_some());
        let bias = if is_biased { Some(self.memory("bias", rows * 4)?) } else { None };
        let (mut to, mut parts) = (0, Vec::new());
        for Run { matrix, from, rows } in runs {
            let (from, rows) = (*from, *rows);
            let name = matrix.info.name.as_str().into();
            parts.push(Part { name, from: from as u32, rows: rows as u32, to: to as u32 });
            self.send(&matrix.info.name, Destination::Rows { from, rows, shard: weights.clone(), to });
            if let (Some(storage), Some(name)) = (&bias, &matrix.bias) {
                let storage = storage.clone();
                self.send(name, Destination::Floats { from, len: rows, storage, offset: to * 4 });
            }
            to += rows;
        }
        Ok(Shard { first: first as u32, weights, bias: bias.map(|storage| storage.all()), parts })
    }

    /// Memory for the weights of a shard: its planes and its type's list in one buffer.
    fn planes(&mut self, ty: WeightType, rows: u64, cols: u32) -> Result<WeightShard, LoadError> {
        let blocks = self.device.layout(ty).rows(rows as usize) * (cols as usize / ty.block_len());
        let bytes = |plane| if ty.has_plane(plane) { ty.plane_bytes(plane, blocks) as u64 } else { 0 };
        let [quants, high_bits, scales] = [Plane::Quants, Plane::HighBits, Plane::Scales].map(bytes);
        let high_bits_at = quants.next_multiple_of(ALIGN);
        let scales_at = (high_bits_at + high_bits).next_multiple_of(ALIGN);
        let grid = grid_words(ty).map_or(0, |words| words.len() as u64 * 4);
        let grid_at = (scales_at + scales).next_multiple_of(ALIGN);
        let storage = self.memory("weights", if grid > 0 { grid_at + grid } else { scales_at + scales })?;
        Ok(WeightShard {
            ty,
            rows: rows as u32,
            cols,
            quants: storage.slice(0, quants),
            high_bits: (high_bits > 0).then(|| storage.slice(high_bits_at, high_bits)),
            scales: (scales > 0).then(|| storage.slice(scales_at, scales)),
            grid: (grid > 0).then(|| storage.slice(grid_at, grid)),
        })
    }
}
