//! Folders with a model: as Hugging Face keeps them, read as the GGUF file that they would be converted to; or with GGUF files.

use std::fs::File;
use std::future::ready;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use inglenook::format::hf::{Directory, open};
use inglenook::source::{LocalFuture, ReadAt, Source, SourceError};

use crate::{load, parts};

/// A folder on disk.
pub struct Folder(pub PathBuf);

impl Directory for Folder {
    fn open<'a>(&'a self, name: &'a str) -> LocalFuture<'a, Result<Option<Box<dyn Source>>, SourceError>> {
        let opened = match File::open(self.0.join(name)) {
            Ok(file) => ReadAt::new(file).map(|source| Some(Box::new(source) as Box<dyn Source>)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        };
        Box::pin(ready(opened.map_err(|error| SourceError::Transport { message: format!("{name}: {error}") })))
    }
}

/// The model in a folder.
///
/// # Errors
/// When it is no model's, or its files do not hold together.
pub fn source(path: &Path) -> Result<Box<dyn Source>> {
    if !path.join("config.json").is_file() {
        return load::source(Some(&parts::only_model(path)?));
    }
    let model = pollster::block_on(open(&Folder(path.to_owned())));
    Ok(Box::new(model.with_context(|| format!("cannot read the model in {}", path.display()))?.source))
}
