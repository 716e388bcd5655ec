//! Numbers that stand for values of a list: the nearest value, and its number.

use super::super::chunks::{E2M1, UNEVEN};

/// The nearest of the uneven values.
pub(super) fn uneven(value: f32) -> f32 {
    nearest(&UNEVEN, value)
}

/// The nearest of the doubled floats of four bits.
pub(super) fn e2m1(value: f32) -> f32 {
    // Those from 0 up; the others mirror them.
    let (values, _) = E2M1.split_at(8);
    nearest(values, value.abs()).copysign(value)
}

/// The nearest of values that ascend, the lower one of two. Steps are added where they are passed, which needs no branch.
fn nearest(values: &[i8], value: f32) -> f32 {
    let mut nearest = f32::from(values[0]);
    for pair in values.windows(2) {
        let [low, high] = [f32::from(pair[0]), f32::from(pair[1])];
        nearest += if value > 0.5 * (low + high) { high - low } else { 0.0 };
    }
    nearest
}

/// Which number stands for a value of the list.
pub(super) fn number(values: &[i8; 16], value: f32) -> u8 {
    values.iter().position(|&listed| f32::from(listed) == value).unwrap_or_default() as u8
}
