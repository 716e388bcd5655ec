//! GGUF, the file format of llama.cpp's models: versions 2 and 3, read from any [`Source`].
//!
//! Layout: magic, version, tensor count, metadata count; metadata; tensor infos; then the tensors' data, aligned to
//! `general.alignment` (32 where it is not given). Source of the format: ggml's `docs/gguf.md`.
//!
//! The reader goes front to back and asks for pieces of at most 1 MiB, so a stream serves as well as a file. It never
//! allocates by a number in the file, and keeps no tensor data.

mod error;
mod metadata;
mod names;
mod reader;
pub mod split;
mod tensor;
mod value;
mod values;
pub mod write;

pub use error::{GgufError, PartProblem, TensorProblem};
pub use metadata::Metadata;
pub use tensor::TensorInfo;
pub use value::{Array, Strings, Value};

use crate::source::Source;
use names::NameIndex;
use reader::Reader;

const MAGIC: [u8; 4] = *b"GGUF";
const DEFAULT_ALIGNMENT: u64 = 32;
/// Alignments beyond a mebibyte serve nobody, and 2³¹ has broken others.
const MAX_ALIGNMENT: u64 = 1 << 20;

/// The header of a GGUF file.
#[derive(Debug, Clone, PartialEq)]
pub struct Gguf {
    /// Format version, 2 or 3.
    pub version: u32,
    /// Alignment of the tensor data in bytes, a power of two.
    pub alignment: u64,
    /// Where the tensor data begins, in bytes from the start of the file.
    pub data_start: u64,
    /// Everything the file says about the model.
    pub metadata: Metadata,
    tensors: Vec<TensorInfo>,
    by_name: NameIndex,
    by_offset: Vec<u32>,
}

impl Gguf {
    /// Reads and checks the header.
    ///
    /// Where the source knows its length, every tensor is known to lie inside the file. Where it does not, a file that
    /// was cut off shows when the tensor beyond the cut is read.
    ///
    /// # Errors
    /// Anything in [`GgufError`] about the file; memory stays below twice the file's size and 16 MiB whatever it holds.
    pub async fn read(source: &dyn Source) -> Result<Gguf, GgufError> {
        let mut reader = Reader::new(source);
        let version = read_version(&mut reader).await?;
        let tensor_count = reader.u64().await?;
        let entry_count = reader.u64().await?;
        if tensor_count > tensor::MAX_TENSORS {
            return Err(GgufError::TooMany { what: "tensors", count: tensor_count, max: tensor::MAX_TENSORS });
        }
        let metadata = values::read_metadata(&mut reader, entry_count).await?;
        let alignment = alignment(&metadata)?;
        let mut tensors = tensor::read_infos(&mut reader, tensor_count).await?;
        // A header is at most 128 MiB long and an alignment 1 MiB, so this cannot wrap.
        let data_start = reader.offset().next_multiple_of(alignment);
        let by_offset = tensor::place(&mut tensors, data_start, alignment, source.len())?;
        let by_name = NameIndex::new(&tensors, |info| &info.name).map_err(|twice| GgufError::Tensor {
            name: tensors[twice].name.clone(),
            problem: TensorProblem::Duplicate,
        })?;
        Ok(Gguf { version, alignment, data_start, metadata, tensors, by_name, by_offset })
    }

    /// Refuses one part of several, and parts whose description cannot be true. A header is read whatever it is of; whoever wants
    /// the tensors asks here first.
    ///
    /// # Errors
    /// [`GgufError::Split`], [`GgufError::BadSplit`]; a description of another type.
    pub fn check_whole(&self) -> Result<(), GgufError> {
        let (metadata, tensors) = (&self.metadata, self.tensors.len() as u64);
        let Some(count) = metadata.opt_u32("split.count")? else { return Ok(()) };
        let no = metadata.opt_u32("split.no")?.unwrap_or(0);
        let total = metadata.opt_u64("split.tensors.count")?;
        let bad = |detail: String| Err(GgufError::BadSplit { detail });
        // A file that was never split is written with a count of 0 or 1.
        if no >= count.max(1) {
            return bad(format!("part number {no} of {count} parts"));
        }
        match total {
            Some(total) if total < tensors || (count <= 1 && total != tensors) => {
                bad(format!("{tensors} tensors in this part, {total} in all {count} parts"))
            }
            _ if count > 1 => Err(GgufError::Split { no, count }),
            _ => Ok(()),
        }
    }

    /// All tensors, in the order in which the file lists them.
    pub fn tensors(&self) -> &[TensorInfo] {
        &self.tensors
    }

    /// All tensors, in the order of their data: the order in which to load them, since a source may only run forward.
    pub fn tensors_by_offset(&self) -> impl ExactSizeIterator<Item = &TensorInfo> {
        self.by_offset.iter().map(|&at| &self.tensors[at as usize])
    }

    /// The tensor of that name, if there is one.
    pub fn find(&self, name: &str) -> Option<&TensorInfo> {
        self.by_name.find(&self.tensors, name, |info| &info.name).map(|at| &self.tensors[at])
    }

    /// The tensor of that name.
    ///
    /// # Errors
    /// [`GgufError::MissingTensor`].
    pub fn tensor(&self, name: &str) -> Result<&TensorInfo, GgufError> {
        self.find(name).ok_or_else(|| GgufError::MissingTensor { name: name.to_owned() })
    }
}

async fn read_version(reader: &mut Reader<'_>) -> Result<u32, GgufError> {
    let found = reader.magic().await?;
    if found != MAGIC {
        return Err(GgufError::NotGguf { found });
    }
    match reader.u32().await? {
        version @ (2 | 3) => Ok(version),
        // 2 or 3 with its bytes the other way round.
        version if matches!(version.swap_bytes(), 1..=3) => Err(GgufError::BigEndian),
        version => Err(GgufError::Version { version }),
    }
}

fn alignment(metadata: &Metadata) -> Result<u64, GgufError> {
    const KEY: &str = "general.alignment";
    match metadata.get(KEY) {
        None => Ok(DEFAULT_ALIGNMENT),
        Some(&Value::U32(value)) if value.is_power_of_two() && u64::from(value) <= MAX_ALIGNMENT => Ok(value.into()),
        Some(&Value::U32(value)) => Err(GgufError::Alignment { value: value.into(), max: MAX_ALIGNMENT }),
        Some(other) => Err(GgufError::WrongType { key: KEY.into(), found: other.type_name(), wanted: "u32" }),
    }
}
