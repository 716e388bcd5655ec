//! Reading LoRA adapters, and loading them beside a model.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result};
use inglenook::engine::Engine;
use inglenook::engine::request::AdapterChoice;
use inglenook::format::gguf::Gguf;
use inglenook::format::hf::read_lora;
use inglenook::format::lora::{Lora, LoraError};
use inglenook::source::ReadAt;

use crate::arguments::LoraArgument;
use crate::folder::Folder;
use crate::load;

/// Reads an adapter, a GGUF file or a folder as PEFT saves it, for the model whose header is `base`.
///
/// # Errors
/// When it cannot be read, or is for another model.
pub fn read(path: &Path, base: &Gguf) -> Result<Lora> {
    let lora = if path.is_dir() {
        pollster::block_on(read_lora(&Folder(path.to_owned()), base))
    } else {
        let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        let source = ReadAt::new(file).with_context(|| format!("cannot read {}", path.display()))?;
        pollster::block_on(Lora::read(&source)).and_then(|lora| fitting(lora, base))
    };
    lora.with_context(|| format!("cannot use {}", path.display()))
}

/// Loads adapters beside an engine's model, by their paths as names; what a request chooses them by.
///
/// # Errors
/// As [`read`]; what the device says.
pub fn load(engine: &Engine, model: Option<&Path>, adapters: &[LoraArgument]) -> Result<Vec<AdapterChoice>> {
    if adapters.is_empty() {
        return Ok(Vec::new());
    }
    let base = load::gguf(model)?;
    let add = |LoraArgument { path, scale }: &LoraArgument| {
        let name = path.display().to_string();
        let loaded = pollster::block_on(engine.load_adapter(&name, &read(path, &base)?));
        loaded.with_context(|| format!("cannot use {name}"))?;
        Ok(AdapterChoice { name, scale: *scale })
    };
    adapters.iter().map(add).collect()
}

fn fitting(lora: Lora, base: &Gguf) -> Result<Lora, LoraError> {
    let size = |name: &str| base.find(name).map(|matrix| [matrix.row_len(), matrix.rows()]);
    lora.check(base.metadata.str("general.architecture")?, size)?;
    Ok(lora)
}
