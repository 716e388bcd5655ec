//! What the modules of the web share that wait for JavaScript: files that it holds, promises that end, errors with a code.
#![cfg(target_arch = "wasm32")]

mod promise;
mod source;

pub use promise::{breathe, error, error_for_now, promise, set_panic_hook, until_aborted};
pub use source::{JsSource, source_error};
