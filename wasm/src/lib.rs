//! The JavaScript face of inglenook: what the npm package calls, and nothing that thinks.
#![cfg(target_arch = "wasm32")]

mod cpu_module;
mod engine;
mod errors;
mod grammars;
mod info;
mod inspect;
mod options;
mod page_store;
#[cfg(feature = "selftest")]
mod selftest;
mod tokenizer;

/// Runs once, when the module is instantiated.
#[wasm_bindgen::prelude::wasm_bindgen(start)]
fn start() {
    inglenook_wasm_host::set_panic_hook();
}
