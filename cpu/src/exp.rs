//! The exponential function.

/// e to the power of `x`, which is at most 0; to two units in the last place. What compilers make vectors of, unlike the library's.
///
/// x = n·ln 2 + r with |r| ≤ ln 2 / 2; e^r by its Taylor series to the seventh power, whose rest is below 2e-9.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    // Adding 1.5 * 2^23 leaves the nearest whole number in the low bits.
    const WHOLE: f32 = 12_582_912.0;
    // ln 2 in two parts, the first with zeros at its end, so that its product with n is exact.
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    // Below, the result would be no normal number.
    let bounded = if x < -87.0 { -87.0 } else { x };
    let shifted = bounded * std::f32::consts::LOG2_E + WHOLE;
    let n = shifted - WHOLE;
    let r = (bounded - n * LN_2[0]) - n * LN_2[1];
    let series = [1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0];
    let power = series.into_iter().fold(0.0, |sum, term| sum * r + term);
    let result = f32::from_bits(power.to_bits().wrapping_add(shifted.to_bits() << 23));
    match x {
        _ if x < -87.0 => 0.0,
        _ if x.is_nan() => x,
        _ => result,
    }
}

/// The hyperbolic tangent, to 2e-7.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    let fade = exp(-2.0 * x.abs());
    ((1.0 - fade) / (1.0 + fade)).copysign(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tanh_is_right_to_2e_7() {
        for i in -100_000..=100_000 {
            let x = 12.0 * i as f32 / 100_000.0;
            assert!((f64::from(tanh(x)) - f64::from(x).tanh()).abs() < 2e-7, "tanh({x}): {}", tanh(x));
        }
        assert_eq!([tanh(f32::INFINITY), tanh(f32::MIN)], [1.0, -1.0]);
        assert!(tanh(f32::NAN).is_nan());
    }

    #[test]
    fn exp_is_right_to_two_units_in_the_last_place() {
        for i in 0..200_000 {
            let x = -87.0 * i as f32 / 200_000.0;
            let (found, expected) = (exp(x), f64::from(x).exp());
            assert!((f64::from(found) - expected).abs() <= expected * 2.4e-7, "exp({x}): {found}, not {expected}");
        }
        assert_eq!([exp(0.0), exp(-88.0), exp(-3.0e38), exp(f32::NEG_INFINITY)], [1.0, 0.0, 0.0, 0.0]);
        assert!(exp(f32::NAN).is_nan());
    }
}
