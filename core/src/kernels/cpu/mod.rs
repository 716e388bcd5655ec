//! The kernels' twins in plain Rust: pure functions over slices, the oracle of the tests and the fallback without a GPU.

mod attention;
mod embed;
mod gated_activation;
mod matmul;
mod rms_norm;
mod rope_kv;
mod sample_choose;
mod sample_finish;
mod sample_scan;
mod sampling;
mod weights;

pub use attention::{attention, attention_reduce};
pub use embed::embed;
pub use gated_activation::{activate, gated_activation};
pub use matmul::{Strided, dot_products, finish};
pub use rms_norm::rms_norm;
pub use rope_kv::rope_kv;
#[cfg(test)]
pub(crate) use sample_choose::kept;
pub use sample_choose::sample_choose;
pub use sample_finish::{SequenceState, sample_finish};
pub use sample_scan::{Past, Peaks, sample_scan};
pub use sampling::philox;
pub use weights::{HostPlanes, WeightRows};
