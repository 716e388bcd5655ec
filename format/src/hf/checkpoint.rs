//! The tensors of a checkpoint, in one file or several, and their bytes.

use std::collections::BTreeMap;

use super::directory::{Directory, open, read_json};
use super::error::HfError;
use crate::safetensors::{Dtype, read_header};
use crate::source::{Source, SourceError};

const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
/// The largest index accepted: one of 250,000 tensors has 25 MB.
const MAX_INDEX: usize = 64 << 20;
/// The most tensors in all shards.
const MAX_TENSORS: usize = 262_144;
/// The most shards.
const MAX_SHARDS: usize = 2048;

/// Where a tensor of the checkpoint lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stored {
    pub shard: usize,
    pub dtype: Dtype,
    /// Dimensions as PyTorch has them: the last one is contiguous.
    pub shape: Vec<u64>,
    /// In bytes from the start of the shard.
    pub offset: u64,
}

impl Stored {
    pub fn elements(&self) -> u64 {
        self.shape.iter().product()
    }
}

/// The files with tensors.
pub(super) struct Shards(Vec<(String, Box<dyn Source>)>);

impl Shards {
    /// Fills `buf` from a shard. An end that comes too early is the transport's fault here: the header was checked.
    pub async fn read(&self, shard: usize, offset: u64, buf: &mut [u8]) -> Result<(), SourceError> {
        let (name, source) = &self.0[shard];
        source.read_at(offset, buf).await.map_err(|error| match error {
            SourceError::Aborted => SourceError::Aborted,
            error => SourceError::Transport { message: format!("{name}: {error}") },
        })
    }
}

/// All tensors of a model by their names.
pub(super) struct Checkpoint {
    pub shards: Shards,
    pub tensors: BTreeMap<String, Stored>,
}

#[derive(serde::Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl Checkpoint {
    /// Reads the headers of all shards.
    pub async fn open(directory: &dyn Directory) -> Result<Checkpoint, HfError> {
        let index: Option<Index> = read_json(directory, INDEX, MAX_INDEX).await?;
        let names = match &index {
            None => vec![SINGLE.to_owned()],
            Some(index) => shard_names(index)?,
        };
        let mut checkpoint = Checkpoint { shards: Shards(Vec::new()), tensors: BTreeMap::new() };
        for name in names {
            checkpoint.add(directory, name).await?;
        }
        if let Some(index) = index {
            let has = |tensor: &str, file: &str| {
                let stored = checkpoint.tensors.get(tensor);
                stored.is_some_and(|stored| checkpoint.shards.0[stored.shard].0 == file)
            };
            if let Some((tensor, file)) = index.weight_map.into_iter().find(|(tensor, file)| !has(tensor, file)) {
                return Err(HfError::NotInShard { tensor, file });
            }
        }
        Ok(checkpoint)
    }

    /// Reads the header of one file, which need not be called as a model's is.
    pub async fn open_file(directory: &dyn Directory, file: &str) -> Result<Checkpoint, HfError> {
        let mut checkpoint = Checkpoint { shards: Shards(Vec::new()), tensors: BTreeMap::new() };
        checkpoint.add(directory, file.to_owned()).await?;
        Ok(checkpoint)
    }

    async fn add(&mut self, directory: &dyn Directory, file: String) -> Result<(), HfError> {
        let source = open(directory, &file).await?.ok_or_else(|| HfError::MissingFile { file: file.clone() })?;
        // Sizes in a header are checked against the file's length, and ranges are read in any order.
        if source.len().is_none() {
            return Err(HfError::UnknownLength { file });
        }
        let entries = read_header(&*source).await;
        let entries = entries.map_err(|error| HfError::Safetensors { file: file.clone(), error })?;
        if self.tensors.len() + entries.len() > MAX_TENSORS {
            return Err(HfError::TooMany { what: "tensors", max: MAX_TENSORS });
        }
        let shard = self.shards.0.len();
        for entry in entries {
            let stored = Stored { shard, dtype: entry.dtype, shape: entry.shape, offset: entry.offset };
            if self.tensors.insert(entry.name.clone(), stored).is_some() {
                return Err(HfError::DuplicateTensor { name: entry.name });
            }
        }
        self.shards.0.push((file, source));
        Ok(())
    }
}

/// The files that an index names, each once. A name never leads out of the directory.
fn shard_names(index: &Index) -> Result<Vec<String>, HfError> {
    let mut names: Vec<String> = index.weight_map.values().cloned().collect();
    names.sort_unstable();
    names.dedup();
    if names.len() > MAX_SHARDS {
        return Err(HfError::TooMany { what: "shards", max: MAX_SHARDS });
    }
    let is_plain = |name: &str| {
        let of_letters = name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        of_letters && name.ends_with(".safetensors") && !name.starts_with('.') && name.len() <= 255
    };
    match names.iter().find(|name| !is_plain(name)) {
        Some(file) => Err(HfError::ShardName { file: file.chars().take(80).collect() }),
        None => Ok(names),
    }
}
