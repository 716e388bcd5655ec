//! Twin of `shaders/gated_activation.wgsl` and of the gated mode of matmuls.

use crate::kernels::Activation;

/// `out = act(gate) * up`, element by element.
pub fn gated_activation(gate: &[f32], up: &[f32], activation: Activation, out: &mut [f32]) {
    for ((out, gate), up) in out.iter_mut().zip(gate).zip(up) {
        *out = activate(*gate, activation) * up;
    }
}

/// silu(v) = v · sigmoid(v); gelu in its tanh form (Hendrycks and Gimpel, 2016).
pub fn activate(v: f32, activation: Activation) -> f32 {
    match activation {
        Activation::Silu => v / (1.0 + (-v).exp()),
        Activation::GeluTanh => {
            let inner = (2.0 / std::f32::consts::PI).sqrt() * (v + 0.044715 * v * v * v);
            0.5 * v * (1.0 + inner.tanh())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of torch.nn.functional.silu and gelu(approximate="tanh").
    #[test]
    fn activations_agree_with_torch() {
        let close = |found: f32, expected: f32| assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
        close(activate(1.5, Activation::Silu), 1.226_361_6);
        close(activate(-2.0, Activation::Silu), -0.238_405_84);
        close(activate(1.5, Activation::GeluTanh), 1.399_571_9);
        close(activate(-2.0, Activation::GeluTanh), -0.045_402_29);
        close(activate(-100.0, Activation::Silu), 0.0);
        assert_eq!(activate(100.0, Activation::GeluTanh), 100.0);
    }
}
