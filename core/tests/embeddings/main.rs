//! Embeddings and scores of encoders against transformers, on the GPU and on the CPU.

mod goldens;
mod requests;
#[path = "../support/mod.rs"]
mod support;

use inglenook::source::Memory;
use inglenook::{Device, Embedder, EmbedderOptions, Error, Model, ModelOptions, Purpose};

/// A checkpoint of `tests/goldens/embeddings`.
fn file(name: &str) -> Vec<u8> {
    let path = format!("{}/../tests/goldens/embeddings/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

async fn load(device: &Device, name: &str, options: &EmbedderOptions) -> Result<Embedder, Error> {
    let file = Memory(file(&format!("{name}.gguf")));
    let model = Model::load(device.clone(), &file, &ModelOptions::default(), &mut |_| true).await?;
    Embedder::new(model, options).await
}

fn purpose_of(name: &str) -> EmbedderOptions {
    let purpose = if name.contains("reranker") { Purpose::Rank } else { Purpose::Embed };
    EmbedderOptions { purpose, ..EmbedderOptions::default() }
}
