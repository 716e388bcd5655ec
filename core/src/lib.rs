//! inglenook: language models on the user's own GPU.

pub mod device;
pub mod gpu;
pub mod kernels;
