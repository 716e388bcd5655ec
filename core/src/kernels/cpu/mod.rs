//! The kernels' twins in plain Rust: pure functions over slices, the oracle of the tests and the fallback without a GPU.

mod rms_norm;

pub use rms_norm::rms_norm;
