//! Q4_K, Q5_K and Q2_K: groups with a scale and a minimum, which are whole multiples of the block's two scales.

use half::f16;

use super::super::encode::superblocks::{fifth_bits, nibbles, six_bits, two_bits};
use super::affine::{Line, Numbers, best_line, error, number};
use super::lanes::{inverse, nearest_within, sums};
use super::symmetric::Group;
use super::{groups, half, tops};

/// How often the block's scales follow what was chosen for the groups.
const ROUNDS: usize = 2;

pub(super) fn q4_k(block: Group<'_, 256>, out: &mut Vec<u8>) {
    let lines = q4_k_or_q5_k(block, Numbers { top: 15.0, tops: &tops::FOUR_BITS_ABOVE, any_min: false }, out);
    nibbles(&lines, out);
}

pub(super) fn q5_k(block: Group<'_, 256>, out: &mut Vec<u8>) {
    let numbers = q4_k_or_q5_k(block, Numbers { top: 31.0, tops: &tops::FIVE_BITS_ABOVE, any_min: false }, out);
    fifth_bits(&numbers, out);
    nibbles(&numbers, out);
}

/// Writes the scales, and returns the numbers.
fn q4_k_or_q5_k(block: Group<'_, 256>, numbers: Numbers, out: &mut Vec<u8>) -> [u8; 256] {
    let lines = best_lines::<32, 8>(block, numbers, 63.0);
    out.extend([lines.d, lines.d_min].iter().flat_map(|half| half.to_le_bytes()));
    six_bits(lines.scales, lines.minima, out);
    lines.numbers::<32>(block, numbers)
}

pub(super) fn q2_k(block: Group<'_, 256>, out: &mut Vec<u8>) {
    let numbers = Numbers { top: 3.0, tops: &tops::TWO_BITS_ABOVE, any_min: false };
    let lines = best_lines::<16, 16>(block, numbers, 15.0);
    out.extend((0..16).map(|j| lines.scales[j] | lines.minima[j] << 4));
    two_bits(&lines.numbers::<16>(block, numbers), out);
    out.extend([lines.d, lines.d_min].iter().flat_map(|half| half.to_le_bytes()));
}

/// The block's two scales, and the multiples of them for each group.
#[derive(Clone, Copy)]
struct Lines<const COUNT: usize> {
    d: f16,
    d_min: f16,
    scales: [u8; COUNT],
    minima: [u8; COUNT],
}

impl<const COUNT: usize> Lines<COUNT> {
    fn of(&self, j: usize) -> Line {
        line(self.d, self.d_min, self.scales[j], self.minima[j])
    }

    fn numbers<const N: usize>(&self, block: Group<'_, 256>, numbers: Numbers) -> [u8; 256] {
        std::array::from_fn(|i| number(block.x[i], numbers.top, self.of(i / N)))
    }
}

/// A group's line as it is read again, so that what is measured is what will be.
fn line(d: f16, d_min: f16, scale: u8, minimum: u8) -> Line {
    Line { scale: d.to_f32() * f32::from(scale), min: -(d_min.to_f32() * f32::from(minimum)) }
}

/// First each group's own best line; then the multiples near it, of scales by which the largest becomes `most`; then scales and multiples
/// follow each other.
fn best_lines<const N: usize, const COUNT: usize>(block: Group<'_, 256>, numbers: Numbers, most: f32) -> Lines<COUNT> {
    let groups: [Group<'_, N>; COUNT] = groups(block);
    let exact = groups.map(|group| best_line(group, numbers));
    let d = half(exact.iter().fold(0f32, |largest, line| largest.max(line.scale)) / most);
    let d_min = half(exact.iter().fold(0f32, |largest, line| largest.max(-line.min)) / most);
    let (mut best, mut least) = multiples(&groups, numbers, most, (d, d_min), exact);
    for _ in 0..ROUNDS {
        let scales = refit(&groups, numbers, &best);
        let (next, error) = multiples(&groups, numbers, most, scales, std::array::from_fn(|j| best.of(j)));
        if error >= least {
            break;
        }
        (best, least) = (next, error);
    }
    best
}

/// The multiples of `d` and `d_min` by which each group loses least, looked for beside the lines `near`; and the error of all.
fn multiples<const N: usize, const COUNT: usize>(
    groups: &[Group<'_, N>; COUNT],
    numbers: Numbers,
    most: f32,
    (d, d_min): (f16, f16),
    near: [Line; COUNT],
) -> (Lines<COUNT>, f32) {
    let mut found = Lines { d, d_min, scales: [0; COUNT], minima: [0; COUNT] };
    let mut total = 0.0;
    let beside = |multiple: f32| {
        let nearest = nearest_within(multiple, 0.0, most);
        (nearest - 1.0).max(0.0) as u8..=(nearest + 1.0).min(most) as u8
    };
    for (j, (group, near)) in groups.iter().zip(near).enumerate() {
        let mut least = f32::INFINITY;
        for scale in beside(near.scale * inverse(d.to_f32())) {
            for minimum in beside(-near.min * inverse(d_min.to_f32())) {
                let error = error(*group, numbers.top, line(d, d_min, scale, minimum));
                if error < least {
                    least = error;
                    (found.scales[j], found.minima[j]) = (scale, minimum);
                }
            }
        }
        total += least;
    }
    (found, total)
}

/// The two scales of least error for the numbers and multiples that there are: least squares.
fn refit<const N: usize, const COUNT: usize>(
    groups: &[Group<'_, N>; COUNT],
    numbers: Numbers,
    lines: &Lines<COUNT>,
) -> (f16, f16) {
    // Weights are d · a − d_min · b, with a = scale · q and b = minimum.
    let [mut aa, mut ab, mut bb, mut xa, mut xb] = [0f32; 5];
    for (j, Group { x, w }) in groups.iter().enumerate() {
        let line = lines.of(j);
        let inverse = inverse(line.scale);
        let [sum_w, wq, wqq, wx, wxq] = sums::<N, 5>(|i| {
            let q = nearest_within((x[i] - line.min) * inverse, 0.0, numbers.top);
            let (wq, wx) = (w[i] * q, w[i] * x[i]);
            [w[i], wq, wq * q, wx, wx * q]
        });
        let [scale, minimum] = [lines.scales[j], lines.minima[j]].map(f32::from);
        aa += scale * scale * wqq;
        ab += scale * minimum * wq;
        bb += minimum * minimum * sum_w;
        xa += scale * wxq;
        xb += minimum * wx;
    }
    let determinant = aa * bb - ab * ab;
    let d = (xa * bb - xb * ab) / determinant;
    let d_min = (xa * ab - xb * aa) / determinant;
    // Not so for NaN, where all groups are alike.
    if d >= 0.0 && d_min >= 0.0 { (half(d), half(d_min)) } else { (lines.d, lines.d_min) }
}
