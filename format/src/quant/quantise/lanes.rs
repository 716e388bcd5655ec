//! Arithmetic that compilers turn into vectors: rounding without a branch, and sums side by side.

/// Side-by-side sums, as many as a vector of AVX has numbers. The order of additions is the same on every machine.
const LANES: usize = 8;

/// The nearest whole number, the even one of two, for values below 2²² in size.
///
/// Adding 1.5 · 2²³ leaves no room for a fraction. `f32::round_ties_even` is a call where the processor has no instruction for it.
pub(super) fn nearest(value: f32) -> f32 {
    const NO_FRACTION: f32 = 12_582_912.0;
    (value + NO_FRACTION) - NO_FRACTION
}

/// The nearest whole number within bounds, for any value that is not NaN.
pub(super) fn nearest_within(value: f32, low: f32, high: f32) -> f32 {
    nearest(value.max(low).min(high))
}

/// `K` sums of what `terms` gives for each weight of a group. `N` is a multiple of 8.
pub(super) fn sums<const N: usize, const K: usize>(terms: impl Fn(usize) -> [f32; K]) -> [f32; K] {
    const { assert!(N.is_multiple_of(LANES)) };
    let mut lanes = [[0f32; LANES]; K];
    for start in (0..N).step_by(LANES) {
        for lane in 0..LANES {
            let terms = terms(start + lane);
            for (k, lanes) in lanes.iter_mut().enumerate() {
                lanes[lane] += terms[k];
            }
        }
    }
    lanes.map(|lanes| lanes.iter().sum())
}

/// The value farthest from 0, with its sign.
pub(super) fn farthest_from_zero(values: &[f32]) -> f32 {
    values.iter().fold(0f32, |farthest, &value| if value.abs() > farthest.abs() { value } else { farthest })
}

/// The inverse of a scale; of 0, which only groups of zeros have, 0.
pub(super) fn inverse(scale: f32) -> f32 {
    if scale == 0.0 { 0.0 } else { 1.0 / scale }
}
