//! The engine on ember and the golden models, natively on both devices. One program, since each one links the whole engine:
//! `cargo test -p inglenook --test engine sessions` runs a module of it.

mod answers;
mod chat_session;
mod clients;
mod cuts;
mod early_ends;
mod encoders;
mod kv_types;
mod metrics;
mod model_goldens;
mod page_store;
mod permutations;
mod reasoning;
mod sessions;
mod slow_grammars;
mod tool_call_formats;
mod tools;
mod windows;

use inglenook::Device;
use inglenook::gpu::{Gpu, GpuOptions};
use pollster::block_on;

const EMBER: &[u8] = include_bytes!("../../../models/ember/ember-q8_0.gguf");

fn gpu() -> Device {
    Device::Gpu(block_on(Gpu::request(&GpuOptions::default())).expect("an adapter for tests"))
}

/// A software adapter used like a real GPU: split attention, larger chunks, other variants.
fn gpu_as_hardware() -> Device {
    let options = GpuOptions { as_hardware: true, ..GpuOptions::default() };
    Device::Gpu(block_on(Gpu::request(&options)).expect("an adapter for tests"))
}
