//! The JavaScript face of inglenook: what the npm package calls, and nothing that thinks.
#![cfg(target_arch = "wasm32")]

mod cpu_module;
mod engine;
mod errors;
mod grammars;
mod host;
mod info;
mod options;
mod page_store;
#[cfg(feature = "selftest")]
mod selftest;
mod source;
mod tokenizer;
