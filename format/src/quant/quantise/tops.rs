//! Where searches look: what the weight farthest from 0, or from the minimum, may become before it is rounded and cut.
//!
//! Values just above the end of a range are cut, so that the others have smaller steps; those below leave an end unused, which is a
//! gamble on where the others fall. How many there are was chosen by what more of them gain.

/// `N` values, each `step` below the last.
const fn down<const N: usize>(first: f32, step: f32) -> [f32; N] {
    let mut values = [0.0; N];
    let mut i = 0;
    while i < N {
        values[i] = first - step * i as f32;
        i += 1;
    }
    values
}

/// `N` values: by turns those below 0, beginning at `-below`, and those above, at `above`, for ranges whose ends differ.
const fn both<const N: usize>(below: f32, above: f32, step: f32) -> [f32; N] {
    let mut values = [0.0; N];
    let mut i = 0;
    while i < N {
        let nearer = step * (i / 2) as f32;
        values[i] = if i.is_multiple_of(2) { nearer - below } else { above - nearer };
        i += 1;
    }
    values
}

pub(super) const Q8_0: [f32; 16] = down(127.0, 0.5);
pub(super) const Q4_0: [f32; 26] = both(9.2, 8.4, 0.3);
pub(super) const Q5_0: [f32; 26] = both(17.4, 16.6, 0.3);
pub(super) const Q6_K: [f32; 16] = both(33.0, 32.0, 0.3);
pub(super) const Q3_K: [f32; 22] = both(5.2, 4.4, 0.2);
pub(super) const UNEVEN: [f32; 20] = both(140.0, 126.0, 4.8);
pub(super) const FOUR_BITS_ABOVE: [f32; 14] = down(16.0, 0.15);
pub(super) const FIVE_BITS_ABOVE: [f32; 14] = down(32.0, 0.2);
pub(super) const TWO_BITS_ABOVE: [f32; 16] = down(4.4, 0.15);
