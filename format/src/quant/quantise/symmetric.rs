//! Groups whose weights are a scale times numbers around 0: which scale loses least.
//!
//! For given numbers q the best scale is Σwxq / Σwq², and what it explains of Σwx² is (Σwxq)² / Σwq². So a search rounds the
//! weights by several scales, takes the numbers that explain most, and lets numbers and scale follow each other to the end.

use super::lanes::{farthest_from_zero, inverse, nearest_within, sums};

/// The weights of a group, and how much a squared error of each counts.
#[derive(Debug)]
pub(super) struct Group<'a, const N: usize> {
    pub x: &'a [f32; N],
    pub w: &'a [f32; N],
}

// Derived, they would not see that any `N` will do.
impl<const N: usize> Clone for Group<'_, N> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<const N: usize> Copy for Group<'_, N> {}

/// Whole numbers from `low` to `high`: what a value becomes.
pub(super) fn whole(low: f32, high: f32) -> impl Fn(f32) -> f32 + Copy {
    move |value| nearest_within(value, low, high)
}

/// The scale of least error for numbers that `round` gives. It is negative where the weights are best counted backwards, and 0 for zeros
/// alone.
///
/// `tops` is where to look: what the weight farthest from 0 is, in numbers, before it is rounded; of both signs where the ends of the
/// range are not alike.
pub(super) fn best_scale<const N: usize>(group: Group<'_, N>, tops: &[f32], round: impl Fn(f32) -> f32 + Copy) -> f32 {
    let farthest = farthest_from_zero(group.x);
    if farthest == 0.0 {
        return 0.0;
    }
    let mut best = Fit { scale: 0.0, explained: 0.0 };
    for top in tops {
        let fit = refit(group, top / farthest, round);
        if fit.explained > best.explained {
            best = fit;
        }
    }
    for _ in 0..2 {
        let fit = refit(group, inverse(best.scale), round);
        if fit.explained <= best.explained {
            break;
        }
        best = fit;
    }
    best.scale
}

struct Fit {
    scale: f32,
    explained: f32,
}

/// The best scale for the numbers that the weights become, times `inverse`.
fn refit<const N: usize>(group: Group<'_, N>, inverse: f32, round: impl Fn(f32) -> f32) -> Fit {
    let [xq, qq] = products(group, inverse, round);
    if qq > 0.0 { Fit { scale: xq / qq, explained: xq * (xq / qq) } } else { Fit { scale: 0.0, explained: 0.0 } }
}

/// Σwxq and Σwq² for the numbers that the weights become, times `inverse`.
pub(super) fn products<const N: usize>(group: Group<'_, N>, inverse: f32, round: impl Fn(f32) -> f32) -> [f32; 2] {
    let Group { x, w } = group;
    sums::<N, 2>(|i| {
        let q = round(x[i] * inverse);
        let wq = w[i] * q;
        [wq * x[i], wq * q]
    })
}

/// The error of a scale: the sum of squares, weighted.
pub(super) fn error<const N: usize>(group: Group<'_, N>, scale: f32, round: impl Fn(f32) -> f32) -> f32 {
    let Group { x, w } = group;
    let inverse = inverse(scale);
    let [error] = sums::<N, 1>(|i| {
        let difference = x[i] - scale * round(x[i] * inverse);
        [w[i] * difference * difference]
    });
    error
}
