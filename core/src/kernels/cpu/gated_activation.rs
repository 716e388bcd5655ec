//! Twin of `shaders/gated_activation.wgsl` and of the gated mode of matmuls.

use crate::kernels::Activation;

/// `out = act(gate) * up`, element by element.
pub fn gated_activation(gate: &[f32], up: &[f32], activation: Activation, out: &mut [f32]) {
    for ((out, gate), up) in out.iter_mut().zip(gate).zip(up) {
        *out = gate_one(*gate, *up, activation);
    }
}

/// What a gate makes of what it lets through.
pub fn gate_one(gate: f32, up: f32, activation: Activation) -> f32 {
    let up = if activation == Activation::ClampedSilu { up.clamp(-7.0, 7.0) + 1.0 } else { up };
    activate(gate, activation) * up
}

/// The error function to 1.5e-7 (Abramowitz and Stegun, 7.1.26).
fn erf(v: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.327_591_1 * v.abs());
    let series = [1.061_405_4, -1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6];
    v.signum() * (1.0 - series.into_iter().fold(0.0, |sum, term| (sum + term) * t) * (-v * v).exp())
}

/// An activation by itself.
pub fn activate(v: f32, activation: Activation) -> f32 {
    match activation {
        Activation::Silu => v / (1.0 + (-v).exp()),
        Activation::Gelu => 0.5 * v * (1.0 + erf(v * std::f32::consts::FRAC_1_SQRT_2)),
        Activation::ReluSquared => v.max(0.0) * v.max(0.0),
        Activation::Sigmoid => 1.0 / (1.0 + (-v).exp()),
        Activation::ClampedSilu => v.min(7.0) / (1.0 + (-1.702 * v.min(7.0)).exp()),
        Activation::GeluTanh => {
            let inner = (2.0 / std::f32::consts::PI).sqrt() * (v + 0.044715 * v * v * v);
            0.5 * v * (1.0 + inner.tanh())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of torch.nn.functional.silu, gelu(approximate="tanh"), gelu and relu squared, and of transformers' gpt-oss.
    #[test]
    fn activations_agree_with_torch() {
        let close = |found: f32, expected: f32| assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
        close(activate(1.5, Activation::Silu), 1.226_361_6);
        close(activate(-2.0, Activation::Silu), -0.238_405_84);
        close(activate(1.5, Activation::GeluTanh), 1.399_571_9);
        close(activate(-2.0, Activation::GeluTanh), -0.045_402_29);
        close(activate(1.5, Activation::Gelu), 1.399_789_3);
        close(activate(-0.3, Activation::Gelu), -0.114_626_57);
        close(activate(-2.0, Activation::ReluSquared), 0.0);
        close(activate(1.5, Activation::ReluSquared), 2.25);
        close(gate_one(0.5, 1.25, Activation::ClampedSilu), 0.5 / (1.0 + (-0.851f32).exp()) * 2.25);
        close(gate_one(9.0, -30.0, Activation::ClampedSilu), 7.0 / (1.0 + (-11.914f32).exp()) * -6.0);
        close(activate(-2.0, Activation::Sigmoid), 0.119_202_92);
        close(activate(-100.0, Activation::Silu), 0.0);
        assert_eq!(activate(100.0, Activation::GeluTanh), 100.0);
    }
}
