//! The WebAssembly module that shows models of several files as one GGUF file: parts of a split one, and folders as Hugging Face keeps
//! them; and weights in other types. JavaScript loads it for such a model alone, and hands what it shows to the engine's module, which never
//! knows.
#![cfg(target_arch = "wasm32")]

mod errors;
mod files;
mod model;

pub use model::WasmModelFile;

/// Runs once, when the module is instantiated.
#[wasm_bindgen::prelude::wasm_bindgen(start)]
fn start() {
    inglenook_wasm_host::set_panic_hook();
}
