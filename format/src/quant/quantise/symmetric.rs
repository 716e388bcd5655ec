//! Groups whose numbers are multiples of a scale, around 0: which scale loses least.
//!
//! For given numbers q the best scale is Σwxq / Σwq², and what it explains of Σwx² is (Σwxq)² / Σwq². So a search rounds the
//! weights by several scales, takes the numbers that explain most, and lets numbers and scale follow each other to the end.

use super::lanes::{farthest_from_zero, inverse, nearest_within, sums};

/// The numbers of a type, and where its search looks.
#[derive(Clone, Copy)]
pub(super) struct Numbers {
    /// The lowest and the highest.
    pub low: f32,
    pub high: f32,
    /// What the weight farthest from 0 may become before it is rounded and cut; both signs where the ends are not alike.
    pub tops: &'static [f32],
}

/// The weights of a group, and how much an error of each counts.
pub(super) struct Group<'a, const N: usize> {
    pub x: &'a [f32; N],
    pub w: &'a [f32; N],
}

impl<const N: usize> Clone for Group<'_, N> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<const N: usize> Copy for Group<'_, N> {}

/// The scale of least error. It is negative where the weights are best counted backwards, and 0 for zeros alone.
pub(super) fn best_scale<const N: usize>(group: Group<'_, N>, numbers: Numbers) -> f32 {
    let farthest = farthest_from_zero(group.x);
    if farthest == 0.0 {
        return 0.0;
    }
    let mut best = Fit { scale: 0.0, explained: 0.0 };
    for top in numbers.tops {
        let fit = refit(group, numbers, top / farthest);
        if fit.explained > best.explained {
            best = fit;
        }
    }
    for _ in 0..2 {
        let fit = refit(group, numbers, inverse(best.scale));
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

/// The best scale for the numbers that the weights round to, times `inverse`.
fn refit<const N: usize>(group: Group<'_, N>, numbers: Numbers, inverse: f32) -> Fit {
    let Group { x, w } = group;
    let [xq, qq] = sums::<N, 2>(|i| {
        let q = nearest_within(x[i] * inverse, numbers.low, numbers.high);
        let wq = w[i] * q;
        [wq * x[i], wq * q]
    });
    if qq > 0.0 { Fit { scale: xq / qq, explained: xq * (xq / qq) } } else { Fit { scale: 0.0, explained: 0.0 } }
}

/// The error of a scale: the sum of squares, weighted.
pub(super) fn error<const N: usize>(group: Group<'_, N>, numbers: Numbers, scale: f32) -> f32 {
    let Group { x, w } = group;
    let inverse = inverse(scale);
    let [error] = sums::<N, 1>(|i| {
        let difference = x[i] - scale * nearest_within(x[i] * inverse, numbers.low, numbers.high);
        [w[i] * difference * difference]
    });
    error
}
