//! From a request to a stream of events: loading, prefill, the decode loop on the GPU, stop conditions.

pub mod score;
