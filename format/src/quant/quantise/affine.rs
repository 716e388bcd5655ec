//! Groups whose weights are a scale times numbers from 0 up, above a minimum: which scale and minimum lose least.

use super::lanes::{inverse, nearest_within, sums};
use super::symmetric::Group;

/// Weights as `scale · q + min`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    pub scale: f32,
    pub min: f32,
}

/// The numbers of a type, and where its search looks.
#[derive(Clone, Copy)]
pub(super) struct Numbers {
    /// The highest; the lowest is 0.
    pub top: f32,
    /// What the highest weight may be before it is rounded and cut.
    pub tops: &'static [f32],
    /// Whether minima above 0 can be written.
    pub any_min: bool,
}

/// The line of least error.
pub(super) fn best_line<const N: usize>(group: Group<'_, N>, numbers: Numbers) -> Line {
    let Group { x, w } = group;
    let low = x.iter().copied().fold(if numbers.any_min { f32::INFINITY } else { 0.0 }, f32::min);
    let high = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if high <= low {
        return Line { scale: 0.0, min: low };
    }
    // Weights count from the lowest, so that sums keep their digits where all are far from 0.
    let [sum_w, sum_x] = sums::<N, 2>(|i| [w[i], w[i] * (x[i] - low)]);
    let totals = Totals { sum_w, sum_x, low };
    let mut best = Fit { line: Line { scale: 0.0, min: low }, explained: f32::NEG_INFINITY };
    for top in numbers.tops {
        let fit = refit(group, numbers, totals, Line { scale: (high - low) / top, min: low });
        if fit.explained > best.explained {
            best = fit;
        }
    }
    for _ in 0..2 {
        let fit = refit(group, numbers, totals, best.line);
        if fit.explained <= best.explained {
            break;
        }
        best = fit;
    }
    best.line
}

struct Fit {
    line: Line,
    /// What the line explains of Σwx², with x from the lowest weight.
    explained: f32,
}

/// Sums that all lines of a group share.
#[derive(Clone, Copy)]
struct Totals {
    sum_w: f32,
    sum_x: f32,
    low: f32,
}

/// The best line for the numbers that the weights round to on `line`: least squares, by the normal equations.
fn refit<const N: usize>(group: Group<'_, N>, numbers: Numbers, totals: Totals, line: Line) -> Fit {
    let Group { x, w } = group;
    let Totals { sum_w, sum_x, low } = totals;
    let inverse = inverse(line.scale);
    let [q, qq, xq] = sums::<N, 3>(|i| {
        let q = nearest_within((x[i] - line.min) * inverse, 0.0, numbers.top);
        let wq = w[i] * q;
        [wq, wq * q, wq * (x[i] - low)]
    });
    let determinant = sum_w * qq - q * q;
    let (mut scale, mut min) = (0.0, sum_x / sum_w);
    if determinant > 0.0 {
        scale = (sum_w * xq - sum_x * q) / determinant;
        min = (qq * sum_x - q * xq) / determinant;
    }
    if !numbers.any_min && min + low > 0.0 && qq > 0.0 {
        min = -low;
        scale = (xq + low * q) / qq;
    }
    let explained = 2.0 * (scale * xq + min * sum_x) - scale * (scale * qq + 2.0 * min * q) - min * min * sum_w;
    Fit { line: Line { scale, min: min + low }, explained }
}

/// The error of a line: the sum of squares, weighted.
pub(super) fn error<const N: usize>(group: Group<'_, N>, top: f32, line: Line) -> f32 {
    let Group { x, w } = group;
    let inverse = inverse(line.scale);
    let [error] = sums::<N, 1>(|i| {
        let above = x[i] - line.min;
        let difference = above - line.scale * nearest_within(above * inverse, 0.0, top);
        [w[i] * difference * difference]
    });
    error
}

/// The number of a weight on a line.
pub(super) fn number(x: f32, top: f32, line: Line) -> u8 {
    nearest_within((x - line.min) * inverse(line.scale), 0.0, top) as u8
}
