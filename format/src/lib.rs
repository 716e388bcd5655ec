//! Model files: where their bytes come from, GGUF headers, safetensors, quantised blocks: untrusted bytes in, typed metadata out.
//!
//! Everything here treats its input as hostile: arithmetic on declared sizes is checked, memory grows with bytes that
//! really came, and every refusal is a typed error.

pub mod converted;
pub mod gguf;
#[cfg(feature = "hf")]
pub mod hf;
pub mod imatrix;
pub mod lora;
pub mod near;
pub mod order;
pub mod quant;
#[cfg(feature = "hf")]
pub mod safetensors;
pub mod source;
mod virtual_file;
