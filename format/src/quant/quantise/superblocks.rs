//! The K types: 256 weights in groups, whose own scales and minima are whole multiples of the block's.

use half::f16;

use super::super::encode::superblocks::{fifth_bits, nibbles, nibbles_and_pairs, six_bits};
use super::affine::{self, Line};
use super::blocks::{both_ends, steps};
use super::half;
use super::lanes::{farthest_from_zero, inverse, nearest_within, sums};
use super::symmetric::{self, Group};

const Q4_K: affine::Numbers = affine::Numbers { top: 15.0, tops: &Q4_K_TOPS, any_min: false };
const Q5_K: affine::Numbers = affine::Numbers { top: 31.0, tops: &Q5_K_TOPS, any_min: false };
const Q6_K: symmetric::Numbers = symmetric::Numbers { low: -32.0, high: 31.0, tops: &Q6_K_TOPS };

const Q4_K_TOPS: [f32; 20] = steps(16.0, 0.1);
const Q5_K_TOPS: [f32; 20] = steps(32.0, 0.1);
const Q6_K_TOPS: [f32; 20] = both_ends(33.0, 0.2, 32.0);

pub(super) fn q4_k(block: Group<'_, 256>, out: &mut Vec<u8>) {
    let numbers = lines(block, Q4_K, out);
    nibbles(&numbers, out);
}

pub(super) fn q5_k(block: Group<'_, 256>, out: &mut Vec<u8>) {
    let numbers = lines(block, Q5_K, out);
    fifth_bits(&numbers, out);
    nibbles(&numbers, out);
}

/// The groups of a block.
fn groups<const N: usize, const COUNT: usize>(block: Group<'_, 256>) -> [Group<'_, N>; COUNT] {
    let (x, w) = (block.x.as_chunks().0, block.w.as_chunks().0);
    std::array::from_fn(|j| Group { x: &x[j], w: &w[j] })
}

/// What a block's two scales, and the multiples of each group, are.
#[derive(Clone, Copy)]
struct Lines {
    d: f16,
    d_min: f16,
    scales: [u8; 8],
    minima: [u8; 8],
}

impl Lines {
    fn of(&self, j: usize) -> Line {
        line(self.d, self.d_min, self.scales[j], self.minima[j])
    }
}

fn line(d: f16, d_min: f16, scale: u8, minimum: u8) -> Line {
    // As dequantised, so that what is measured is what will be read.
    Line { scale: d.to_f32() * f32::from(scale), min: -(d_min.to_f32() * f32::from(minimum)) }
}

/// Writes scales and minima, and returns the numbers.
fn lines(block: Group<'_, 256>, numbers: affine::Numbers, out: &mut Vec<u8>) -> [u8; 256] {
    let groups: [Group<'_, 32>; 8] = groups(block);
    let exact = groups.map(|group| affine::best_line(group, numbers));
    let d = half(exact.iter().fold(0f32, |most, line| most.max(line.scale)) / 63.0);
    let d_min = half(exact.iter().fold(0f32, |most, line| most.max(-line.min)) / 63.0);
    let mut best = multiples(&groups, numbers, d, d_min, exact);
    for _ in 0..ROUNDS {
        let (d, d_min) = refit(&groups, numbers, &best.0);
        let next = multiples(&groups, numbers, d, d_min, std::array::from_fn(|j| best.0.of(j)));
        if next.1 >= best.1 {
            break;
        }
        best = next;
    }
    let best = best.0;
    out.extend([best.d, best.d_min].iter().flat_map(|half| half.to_le_bytes()));
    six_bits(best.scales, best.minima, out);
    std::array::from_fn(|i| {
        let line = best.of(i / 32);
        nearest_within((block.x[i] - line.min) * inverse(line.scale), 0.0, numbers.top) as u8
    })
}

const ROUNDS: usize = 2;

/// The multiples of `d` and `d_min` that come nearest to each group's weights, looked for around the lines `near`; and their error.
fn multiples(
    groups: &[Group<'_, 32>; 8],
    numbers: affine::Numbers,
    d: f16,
    d_min: f16,
    near: [Line; 8],
) -> (Lines, f32) {
    let mut found = Lines { d, d_min, scales: [0; 8], minima: [0; 8] };
    let mut total = 0.0;
    for (j, (group, near)) in groups.iter().zip(near).enumerate() {
        let scale = nearest_within(near.scale * inverse(d.to_f32()), 0.0, 63.0) as u8;
        let minimum = nearest_within(-near.min * inverse(d_min.to_f32()), 0.0, 63.0) as u8;
        let mut least = f32::INFINITY;
        for scale in scale.saturating_sub(1)..=(scale + 1).min(63) {
            for minimum in minimum.saturating_sub(1)..=(minimum + 1).min(63) {
                let error = affine::error(*group, numbers.top, line(d, d_min, scale, minimum));
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

/// The block's two scales of least error, for the numbers and multiples that there are: least squares.
fn refit(groups: &[Group<'_, 32>; 8], numbers: affine::Numbers, lines: &Lines) -> (f16, f16) {
    // Weights are d · a − d_min · b, with a = scale · q and b = minimum.
    let [mut aa, mut ab, mut bb, mut xa, mut xb] = [0f32; 5];
    for (j, Group { x, w }) in groups.iter().enumerate() {
        let line = lines.of(j);
        let inverse = inverse(line.scale);
        let [w_sum, wq, wqq, wx, wxq] = sums::<32, 5>(|i| {
            let q = nearest_within((x[i] - line.min) * inverse, 0.0, numbers.top);
            let (wq, wx) = (w[i] * q, w[i] * x[i]);
            [w[i], wq, wq * q, wx, wx * q]
        });
        let [scale, minimum] = [lines.scales[j], lines.minima[j]].map(f32::from);
        aa += scale * scale * wqq;
        ab += scale * minimum * wq;
        bb += minimum * minimum * w_sum;
        xa += scale * wxq;
        xb += minimum * wx;
    }
    let determinant = aa * bb - ab * ab;
    if determinant > 0.0 {
        let d = (xa * bb - xb * ab) / determinant;
        let d_min = (xa * ab - xb * aa) / determinant;
        if d >= 0.0 && d_min >= 0.0 {
            return (half(d), half(d_min));
        }
    }
    (lines.d, lines.d_min)
}

pub(super) fn q6_k(block: Group<'_, 256>, out: &mut Vec<u8>) {
    let groups: [Group<'_, 16>; 16] = groups(block);
    let exact = groups.map(|group| symmetric::best_scale(group, Q6_K));
    let d = half(farthest_from_zero(&exact) / -128.0);
    let mut scales = [0i8; 16];
    for (j, group) in groups.iter().enumerate() {
        let near = nearest_within(exact[j] * inverse(d.to_f32()), -128.0, 127.0);
        let mut least = f32::INFINITY;
        for step in [0.0, -1.0, 1.0] {
            let scale = (near + step).clamp(-128.0, 127.0);
            let error = symmetric::error(*group, Q6_K, d.to_f32() * scale);
            if error < least {
                least = error;
                scales[j] = scale as i8;
            }
        }
    }
    let numbers: [u8; 256] = std::array::from_fn(|i| {
        let scale = d.to_f32() * f32::from(scales[i / 16]);
        (nearest_within(block.x[i] * inverse(scale), Q6_K.low, Q6_K.high) - Q6_K.low) as u8
    });
    nibbles_and_pairs(&numbers, out);
    out.extend(scales.map(|scale| scale as u8));
    out.extend(d.to_le_bytes());
}
