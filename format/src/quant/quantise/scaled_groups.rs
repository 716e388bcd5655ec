//! Q6_K, Q3_K and IQ4_XS: groups with a scale, of either sign, which is a whole multiple of the block's.

use half::f16;

use super::super::chunks::UNEVEN;
use super::super::encode;
use super::super::encode::looked_up::write_iq4_xs_scales;
use super::super::encode::superblocks::{write_q3_k, write_q6_k};
use super::lanes::{farthest_from_zero, inverse, nearest_within};
use super::symmetric::{Group, best_scale, error, products, whole};
use super::{groups, half, tops, values};

/// How often the block's scale follows what was chosen for the groups.
const ROUNDS: usize = 2;

pub(super) fn q6_k(block: Group<'_, 256>, out: &mut Vec<u8>) {
    let round = whole(-32.0, 31.0);
    let scales = best_scales::<16, 16>(block, &tops::Q6_K, round, 128.0);
    let numbers = scales.each::<16, _>(block, |value| (round(value) + 32.0) as u8);
    write_q6_k(&numbers, scales.multiples, scales.d, out);
}

pub(super) fn q3_k(block: Group<'_, 256>, out: &mut Vec<u8>) {
    let round = whole(-4.0, 3.0);
    let scales = best_scales::<16, 16>(block, &tops::Q3_K, round, 32.0);
    let numbers = scales.each::<16, _>(block, |value| (round(value) + 4.0) as u8);
    write_q3_k(&numbers, scales.multiples, scales.d, out);
}

pub(super) fn iq4_xs(block: Group<'_, 256>, out: &mut Vec<u8>) {
    let scales = best_scales::<32, 8>(block, &tops::UNEVEN, values::uneven, 32.0);
    let numbers = scales.each::<32, _>(block, |value| values::number(&UNEVEN, values::uneven(value)));
    write_iq4_xs_scales(scales.d, scales.multiples, out);
    for group in numbers.as_chunks().0 {
        encode::numbers(*group, encode::FOUR_BITS, out);
    }
}

/// The block's scale, and the multiple of it for each group.
#[derive(Clone, Copy)]
struct Scales<const COUNT: usize> {
    d: f16,
    multiples: [i8; COUNT],
}

impl<const COUNT: usize> Scales<COUNT> {
    fn of(&self, j: usize) -> f32 {
        self.d.to_f32() * f32::from(self.multiples[j])
    }

    /// What each weight becomes, in units of its group's scale.
    fn each<const N: usize, T>(&self, block: Group<'_, 256>, number: impl Fn(f32) -> T) -> [T; 256] {
        std::array::from_fn(|i| number(block.x[i] * inverse(self.of(i / N))))
    }
}

/// First each group's own best scale; then the multiples near it, from `-most` to `most - 1`, of which the farthest becomes the lowest;
/// then scale and multiples follow each other.
fn best_scales<const N: usize, const COUNT: usize>(
    block: Group<'_, 256>,
    tops: &[f32],
    round: impl Fn(f32) -> f32 + Copy,
    most: f32,
) -> Scales<COUNT> {
    let groups: [Group<'_, N>; COUNT] = groups(block);
    let exact = groups.map(|group| best_scale(group, tops, round));
    let d = half(farthest_from_zero(&exact) / -most);
    let (mut best, mut least) = multiples(&groups, round, most, d, exact);
    for _ in 0..ROUNDS {
        let d = refit(&groups, round, &best);
        let (next, error) = multiples(&groups, round, most, d, std::array::from_fn(|j| best.of(j)));
        if error >= least {
            break;
        }
        (best, least) = (next, error);
    }
    best
}

/// The multiples of `d` by which each group loses least, looked for beside the scales `near`; and the error of all.
fn multiples<const N: usize, const COUNT: usize>(
    groups: &[Group<'_, N>; COUNT],
    round: impl Fn(f32) -> f32 + Copy,
    most: f32,
    d: f16,
    near: [f32; COUNT],
) -> (Scales<COUNT>, f32) {
    let mut found = Scales { d, multiples: [0; COUNT] };
    let mut total = 0.0;
    for (j, (group, near)) in groups.iter().zip(near).enumerate() {
        let nearest = nearest_within(near * inverse(d.to_f32()), -most, most - 1.0);
        let mut least = f32::INFINITY;
        for step in [0.0, -1.0, 1.0] {
            let multiple = (nearest + step).clamp(-most, most - 1.0);
            let error = error(*group, d.to_f32() * multiple, round);
            if error < least {
                least = error;
                found.multiples[j] = multiple as i8;
            }
        }
        total += least;
    }
    (found, total)
}

/// The scale of least error for the numbers and multiples that there are: least squares.
fn refit<const N: usize, const COUNT: usize>(
    groups: &[Group<'_, N>; COUNT],
    round: impl Fn(f32) -> f32 + Copy,
    scales: &Scales<COUNT>,
) -> f16 {
    let [mut xa, mut aa] = [0f32; 2];
    for (j, group) in groups.iter().enumerate() {
        let multiple = f32::from(scales.multiples[j]);
        let [xq, qq] = products(*group, inverse(scales.of(j)), round);
        xa += multiple * xq;
        aa += multiple * multiple * qq;
    }
    if aa > 0.0 { half(xa / aa) } else { scales.d }
}
