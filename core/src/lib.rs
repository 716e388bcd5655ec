//! inglenook: language models on the user's own GPU.

pub mod device;
pub mod engine;
pub mod error;
pub mod format;
pub mod gpu;
pub mod kernels;
pub mod kv;
pub mod model;
pub mod plan;
pub mod source;
pub mod text;

#[cfg(any(test, feature = "selftest"))]
pub mod selftest;
