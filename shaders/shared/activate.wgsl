// Activations of gated units: silu(v) = v * sigmoid(v), and gelu in its tanh form (Hendrycks and Gimpel, 2016). Arguments of exp and
// tanh are bounded where the result no longer changes, since some GPUs make NaN of large ones.
fn activate(v: f32, gelu: bool) -> f32 {
    if gelu {
        let inner = 0.7978845608 * (v + 0.044715 * v * v * v);
        return 0.5 * v * (1.0 + tanh(clamp(inner, -10.0, 10.0)));
    }
    return v / (1.0 + exp(min(-v, 80.0)));
}
