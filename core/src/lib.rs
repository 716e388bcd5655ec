//! inglenook: language models on the user's own GPU.

pub mod gpu;
