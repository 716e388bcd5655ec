//! What all of these programs begin with.

use std::error::Error;
use std::fs::File;
use std::path::PathBuf;

use inglenook::source::ReadAt;
use inglenook::{DeviceChoice, Engine, EngineOptions, GpuOptions, Placement};

/// Loads the GGUF file that the first argument names, or ember, on the GPU if there is one.
///
/// # Errors
/// A file that cannot be opened; what [`Engine::load`] says of it.
pub async fn load() -> Result<Engine, Box<dyn Error>> {
    let ember = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/ember/ember-q8_0.gguf");
    let path = std::env::args_os().nth(1).map_or_else(|| ember.into(), PathBuf::from);
    let file = ReadAt::new(File::open(path)?)?;
    let placement = Placement::choose(&DeviceChoice::Auto, &GpuOptions::default()).await?;
    Ok(Engine::load(placement, &file, &EngineOptions::default(), &mut |_| true).await?)
}
