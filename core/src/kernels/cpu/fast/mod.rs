//! The way to `inglenook-cpu`, which the engine's module in browsers is without: there, a module of its own computes on the CPU.

#[cfg(all(target_arch = "wasm32", feature = "web"))]
mod none;
#[cfg(not(all(target_arch = "wasm32", feature = "web")))]
mod others;
#[cfg(not(all(target_arch = "wasm32", feature = "web")))]
mod products;

#[cfg(not(all(target_arch = "wasm32", feature = "web")))]
use inglenook_format::quant::WeightType;

#[cfg(not(all(target_arch = "wasm32", feature = "web")))]
pub use inglenook_cpu::{Activations, Form, Precision, Processor};
#[cfg(all(target_arch = "wasm32", feature = "web"))]
pub use none::{
    Precision, Processor, fast_attend, fast_layer_norm, fast_mass, fast_peak, fast_products, fast_rms_norm,
};
#[cfg(not(all(target_arch = "wasm32", feature = "web")))]
pub use others::{fast_attend, fast_layer_norm, fast_mass, fast_peak, fast_rms_norm};
#[cfg(not(all(target_arch = "wasm32", feature = "web")))]
pub use products::{Products, activations, fast_products};

/// What finishing a sum, rounding or norming a value takes, in multiplications.
#[cfg(not(all(target_arch = "wasm32", feature = "web")))]
const WORK_OF_A_VALUE: usize = 8;

/// How an operation runs on the CPU where it has a way that is faster than its twin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FastWay {
    /// By these instructions.
    pub processor: Processor,
    /// On so many threads at most.
    pub threads: usize,
    /// With activations that are rounded, or not.
    pub precision: Precision,
}

#[cfg(not(all(target_arch = "wasm32", feature = "web")))]
impl FastWay {
    /// The form in which so many rows of activations meet weights of this type.
    pub fn form(self, ty: WeightType, rows: usize) -> Form {
        Form::of(self.processor, self.precision, ty, rows)
    }
}
