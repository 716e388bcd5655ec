//! Rotation angles, exact to f32 at every position and small at every context length.
//!
//! WGSL promises little of `sin` far from zero, so angles are computed here in f64. A table for every position would
//! grow with the context; instead there is one for positions 0..256 and one for multiples of 256, and the kernel
//! multiplies the two as complex numbers.

/// Positions covered by the fine table.
pub const FINE: u32 = 256;

/// `[FINE + ceil(context / FINE), frequencies]` pairs (cos, sin): first the fine rows, then the coarse ones.
///
/// `inverse_frequencies`: radians a position, one for each pair of dimensions.
pub fn rope_table(inverse_frequencies: &[f64], context: u32) -> Vec<f32> {
    let fine = (0..FINE).map(f64::from);
    let coarse = (0..context.div_ceil(FINE)).map(|row| f64::from(row) * f64::from(FINE));
    fine.chain(coarse)
        .flat_map(|position| inverse_frequencies.iter().map(move |frequency| position * frequency))
        .flat_map(|angle| [angle.cos() as f32, angle.sin() as f32])
        .collect()
}

/// Radians a position for each pair: `base^(-2i/dims) / (scale · factors[i])`. `factors` is the `rope_freqs.weight`
/// tensor of Llama 3.x files, or empty.
pub fn inverse_frequencies(base: f32, dims: u32, scale: f32, factors: &[f32]) -> Vec<f64> {
    (0..dims / 2)
        .map(|pair| {
            let plain = f64::from(base).powf(-2.0 * f64::from(pair) / f64::from(dims));
            plain / (f64::from(scale) * f64::from(factors.get(pair as usize).copied().unwrap_or(1.0)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fine_times_coarse_is_the_angle_of_the_position() {
        let frequencies = inverse_frequencies(10_000.0, 64, 1.0, &[]);
        let table = rope_table(&frequencies, 40_000);
        let at = |row: u32, pair: usize| {
            let index = 2 * (row as usize * frequencies.len() + pair);
            (f64::from(table[index]), f64::from(table[index + 1]))
        };
        for (position, pair) in [(0, 0), (255, 1), (256, 0), (39_999, 0), (31_337, 17)] {
            let (c1, s1) = at(position % FINE, pair);
            let (c2, s2) = at(FINE + position / FINE, pair);
            let angle = f64::from(position) * frequencies[pair];
            assert!((c1 * c2 - s1 * s2 - angle.cos()).abs() < 3e-7, "cos at {position}");
            assert!((s1 * c2 + c1 * s2 - angle.sin()).abs() < 3e-7, "sin at {position}");
        }
    }
}
