//! The subcommands, a file or folder each: `Options` are its arguments, `run` does it.

pub mod bench;
pub mod chat;
pub mod compare;
pub mod convert;
pub mod devices;
pub mod embed;
pub mod evaluate;
pub mod gpu_check;
pub mod imatrix;
pub mod inspect;
pub mod models;
pub mod perplexity;
pub mod render;
pub mod rerank;
pub mod run;
pub mod synth;
pub mod tokenize;
