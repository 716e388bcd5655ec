//! SmolLM2-135M, a real model: its logits against HF transformers, its sessions, and what the types of its cache cost.
//!
//! The model and the reference are no part of the repository: `cargo xtask smollm2` fetches the one, makes the other and runs this.

mod kl;
mod kv_types;
mod reference;
mod sessions;
#[path = "../support/mod.rs"]
mod support;

use std::path::PathBuf;

use inglenook::source::ReadAt;
use inglenook::{Device, Engine, EngineOptions};
use pollster::block_on;

use support::gpu;

/// What `cargo xtask smollm2` has put into the folder.
fn file(name: &str) -> PathBuf {
    let folder = std::env::var_os("INGLENOOK_SMOLLM2").expect("INGLENOOK_SMOLLM2: run `cargo xtask smollm2`");
    PathBuf::from(folder).join(name)
}

fn model() -> ReadAt<std::fs::File> {
    ReadAt::new(std::fs::File::open(file("model.gguf")).expect("the model")).expect("a file")
}

fn load(device: &Device, options: &EngineOptions) -> Engine {
    block_on(Engine::load(device.client(), &model(), options, &mut |_| true)).expect("loads")
}
