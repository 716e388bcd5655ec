// Activations, by themselves and as gates; see `Activation` in kernels/gated_activation.rs. Arguments of exp and tanh are bounded where the
// result no longer changes, since some GPUs make NaN of large ones.
const SILU = 0u;
const GELU_TANH = 1u;  // Hendrycks and Gimpel, 2016
const GELU = 2u;
const RELU_SQUARED = 3u;
const CLAMPED_SILU = 4u;  // gpt-oss
const SIGMOID = 5u;

fn sigmoid(v: f32) -> f32 {
    return 1.0 / (1.0 + exp(min(-v, 80.0)));
}

// The error function to 1.5e-7 (Abramowitz and Stegun, 7.1.26).
fn erf(v: f32) -> f32 {
    let x = min(abs(v), 10.0);
    let t = 1.0 / (1.0 + 0.3275911 * x);
    let series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
    return sign(v) * (1.0 - series * exp(-x * x));
}

fn activate(v: f32, activation: u32) -> f32 {
    switch activation {
        case GELU_TANH: {
            let inner = 0.7978845608 * (v + 0.044715 * v * v * v);
            return 0.5 * v * (1.0 + tanh(clamp(inner, -10.0, 10.0)));
        }
        case GELU: {
            return 0.5 * v * (1.0 + erf(v * 0.7071067812));
        }
        case RELU_SQUARED: {
            return max(v, 0.0) * max(v, 0.0);
        }
        case CLAMPED_SILU: {
            return min(v, 7.0) * sigmoid(1.702 * min(v, 7.0));
        }
        case SIGMOID: {
            return sigmoid(v);
        }
        default: {
            return v / (1.0 + exp(min(-v, 80.0)));
        }
    }
}

fn gated(gate: f32, up: f32, activation: u32) -> f32 {
    return activate(gate, activation) * select(up, clamp(up, -7.0, 7.0) + 1.0, activation == CLAMPED_SILU);
}
