//! The subcommands, a file or folder each: `Options` are its arguments, `run` does it.

pub mod bench;
pub mod chat;
pub mod convert;
pub mod devices;
pub mod embed;
pub mod evaluate;
pub mod gpu_check;
pub mod inspect;
pub mod models;
pub mod render;
pub mod rerank;
pub mod run;
pub mod synth;
pub mod tokenize;
