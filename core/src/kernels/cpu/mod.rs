//! The kernels' twins in plain Rust: pure functions over slices, the oracle of the tests and the fallback without a GPU.

mod altup;
mod attention;
mod chunk_argmax;
mod commit;
mod conv;
mod dry;
mod embed;
mod experts;
mod fast;
mod filter_draw;
mod gated_activation;
pub(super) mod kv;
mod layer_norm;
mod logprobs;
mod lora;
mod matmul;
mod pool;
mod products;
mod rms_norm;
mod rope_kv;
mod row_scale;
mod sampling;
mod scan;
mod threads;
mod weights;

pub use altup::{altup_correct, altup_predict};
pub use attention::{attention, attention_reduce};
pub use chunk_argmax::{Past, Peaks, Sampled, chunk_argmax};
pub use commit::{SequenceState, commit};
pub use conv::{conv, conv_store};
pub use dry::dry;
pub use embed::embed;
pub use experts::{
    ExpertProducts, PairsOfExpert, count_pairs, pairs_of_choices, pairs_of_list, route, sort_pairs, sum_of_experts,
};
#[cfg(not(all(target_arch = "wasm32", feature = "web")))]
pub use fast::{Activations, Products, activations};
pub use fast::{FastWay, Precision, Processor, fast_layer_norm, fast_products, fast_rms_norm};
pub use filter_draw::filter_draw;
#[cfg(test)]
pub(crate) use filter_draw::kept;
pub use gated_activation::{activate, gate_one, gated_activation};
pub use layer_norm::layer_norm;
pub use logprobs::logprobs;
pub use lora::{lora_down, lora_up};
pub use matmul::{BiasRows, Strided, dot_products, finish};
pub use pool::pool;
pub use rms_norm::rms_norm;
pub use rope_kv::rope_kv;
pub use row_scale::{keep_outstanding, scale_like};
pub use sampling::philox;
pub use scan::{scan, scan_gates};
pub use threads::{ALL_THREADS, threads_there};
pub(super) use threads::{spread, threads_for};
pub use weights::{HostPlanes, WeightRows};
