//! Dot products, in several sums each; what is computed beside a product changes no bit of it.

/// Weight rows that meet one or two rows of x, so that a number that is loaded serves two products.
pub const PAIR: usize = 2;

/// Sums of one product of rows.
const LANES: usize = 8;

/// A row in runs of [`LANES`]: columns are a multiple of 32.
fn lanes(row: &[f32]) -> &[[f32; LANES]] {
    row.as_chunks().0
}

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
