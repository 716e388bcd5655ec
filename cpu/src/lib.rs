//! Fast kernels for the CPU: matmuls and attention, by the widest instructions that the processor has.
//!
//! They are variants of the plain-Rust twins of the engine, which stay their oracles. This is the only crate with SIMD, and with `unsafe`
//! for it: every instruction set is a token (`isa`) that exists only where the processor has it. Nothing here knows devices, plans or models.

mod activation;
mod activations;
mod ahead;
mod attention;
mod exact;
mod exp;
mod floats;
mod isa;
mod matmul;
mod norm;
mod numbers;
mod panels;
mod processor;
mod row;
mod scales;
mod scan;
mod tiles;
mod unpacked;

pub use activation::{ActivationFunction, activate, gate};
pub use activations::{ActivationPart, Activations, Form, Precision, TILE};
pub use attention::{Bias, KvNumbers, KvVectors, Question, attend};
pub use matmul::{Weights, products};
pub use norm::{layer_norm, rms_norm};
pub use processor::Processor;
pub use scan::{Peak, mass, peak};
