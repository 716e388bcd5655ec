//! The kernels' twins in plain Rust: pure functions over slices, the oracle of the tests and the fallback without a GPU.

mod attention;
mod embed;
mod gated_activation;
mod matmul;
mod rms_norm;
mod rope_kv;
mod weights;

pub use attention::{attention, attention_reduce};
pub use embed::embed;
pub use gated_activation::{activate, gated_activation};
pub use matmul::{Strided, dot_products, finish};
pub use rms_norm::rms_norm;
pub use rope_kv::rope_kv;
pub use weights::{HostPlanes, WeightRows};
