//! Dot products, in several sums each; what is computed beside a product changes no bit of it.

#[cfg(target_arch = "wasm32")]
pub use by_lane::{products_of_one, products_of_two};
#[cfg(not(target_arch = "wasm32"))]
pub use by_vector::{products_of_one, products_of_two};

/// Weight rows that meet one or two rows of x, so that a number that is loaded serves two products.
pub const PAIR: usize = 2;

/// Sums of one product of rows.
const LANES: usize = 8;

/// A row in runs of [`LANES`]: columns are a multiple of 32.
fn lanes(row: &[f32]) -> &[[f32; LANES]] {
    row.as_chunks().0
}

/// All lanes at once, of which compilers make vectors.
#[cfg(not(target_arch = "wasm32"))]
mod by_vector {
    use super::{LANES, PAIR, lanes};

    /// The dot products of a row of x with each of two weight rows.
    pub fn products_of_one(weights: [&[f32]; PAIR], x: &[f32]) -> [f32; PAIR] {
        let [products] = products(weights, [x]);
        products
    }

    /// The same for two rows of x.
    pub fn products_of_two(weights: [&[f32]; PAIR], x: [&[f32]; PAIR]) -> [[f32; PAIR]; PAIR] {
        products(weights, x)
    }

    #[allow(clippy::needless_range_loop, reason = "three arrays are walked by the same numbers")]
    fn products<const X: usize>(weights: [&[f32]; PAIR], x: [&[f32]; X]) -> [[f32; PAIR]; X] {
        let len = lanes(weights[0]).len();
        let (weights, x) = (weights.map(|row| &lanes(row)[..len]), x.map(|row| &lanes(row)[..len]));
        let mut sums = [[[0.0; LANES]; PAIR]; X];
        for k in 0..len {
            for j in 0..X {
                for i in 0..PAIR {
                    for lane in 0..LANES {
                        sums[j][i][lane] += weights[i][k][lane] * x[j][k][lane];
                    }
                }
            }
        }
        sums.map(|of_x| of_x.map(|lanes| lanes.iter().sum()))
    }
}

/// One lane after the other, with the same sums: the browser's module is compiled for size and without vectors, and only sums that are named
/// stay in registers. They are four, since each addition waits for the one before.
#[cfg(any(test, target_arch = "wasm32"))]
mod by_lane {
    use super::{LANES, PAIR, lanes};

    /// The dot products of a row of x with each of two weight rows.
    pub fn products_of_one(weights: [&[f32]; PAIR], x: &[f32]) -> [f32; PAIR] {
        const HALF: usize = LANES / 2;
        let x = lanes(x);
        let [a, b] = weights.map(|row| &lanes(row)[..x.len()]);
        let mut sums = [[0.0; LANES]; PAIR];
        for low in 0..HALF {
            let high = low + HALF;
            let (mut low_a, mut low_b, mut high_a, mut high_b) = (0.0, 0.0, 0.0, 0.0);
            for k in 0..x.len() {
                low_a += a[k][low] * x[k][low];
                low_b += b[k][low] * x[k][low];
                high_a += a[k][high] * x[k][high];
                high_b += b[k][high] * x[k][high];
            }
            (sums[0][low], sums[1][low], sums[0][high], sums[1][high]) = (low_a, low_b, high_a, high_b);
        }
        sums.map(|lanes| lanes.iter().sum())
    }

    /// The same for two rows of x.
    pub fn products_of_two(weights: [&[f32]; PAIR], x: [&[f32]; PAIR]) -> [[f32; PAIR]; PAIR] {
        let len = lanes(x[0]).len();
        let ([a, b], [p, q]) = (weights.map(|row| &lanes(row)[..len]), x.map(|row| &lanes(row)[..len]));
        let mut sums = [[[0.0; LANES]; PAIR]; PAIR];
        for lane in 0..LANES {
            let (mut ap, mut bp, mut aq, mut bq) = (0.0, 0.0, 0.0, 0.0);
            for k in 0..len {
                ap += a[k][lane] * p[k][lane];
                bp += b[k][lane] * p[k][lane];
                aq += a[k][lane] * q[k][lane];
                bq += b[k][lane] * q[k][lane];
            }
            (sums[0][0][lane], sums[0][1][lane], sums[1][0][lane], sums[1][1][lane]) = (ap, bp, aq, bq);
        }
        sums.map(|of_x| of_x.map(|lanes| lanes.iter().sum()))
    }
}

/// The dot product of two vectors of any length, in sixteen sums.
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0f32; 16];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<16>(), b.as_chunks::<16>());
    for (a, b) in a.iter().zip(b) {
        for i in 0..16 {
            sums[i] += a[i] * b[i];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::verify::random_f32s;

    #[test]
    fn products_by_lane_equal_those_by_vector() {
        let numbers = |seed| random_f32s(seed, 768).into_iter().map(f32::from_bits).collect::<Vec<f32>>();
        let rows = [1, 2, 3, 4].map(numbers);
        let [a, b, p, q] = [0, 1, 2, 3].map(|i| &rows[i][..]);
        let bits = |products: [f32; PAIR]| products.map(f32::to_bits);
        assert_eq!(bits(by_lane::products_of_one([a, b], p)), bits(by_vector::products_of_one([a, b], p)));
        let (found, expected) = (by_lane::products_of_two([a, b], [p, q]), by_vector::products_of_two([a, b], [p, q]));
        assert_eq!(found.map(bits), expected.map(bits));
    }
}
