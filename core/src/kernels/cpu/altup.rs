//! Twins of `shaders/altup/predict.wgsl` and `shaders/altup/correct.wgsl`.

use crate::kernels::altup::STREAMS;

/// What coefficient `number` is for a row: `learned` is `[coefficients, 4]`.
fn coefficient(learned: &[f32], number: usize, routed: &[f32]) -> f32 {
    learned[number * STREAMS..].iter().zip(routed).map(|(learned, routed)| learned * routed).sum()
}

/// Adds to each stream what is predicted from all of them: `router` is `[rows, 4]`, `learned` `[16, 4]`.
pub fn altup_predict(streams: [&mut [f32]; STREAMS], router: &[f32], learned: &[f32], cols: usize) {
    for at in 0..streams[0].len() {
        let routed = &router[at / cols * STREAMS..][..STREAMS];
        let x = streams.each_ref().map(|stream| stream[at]);
        let change = |b: usize| (0..STREAMS).map(|a| coefficient(learned, STREAMS * b + a, routed) * x[a]).sum::<f32>();
        for (b, x) in x.into_iter().enumerate() {
            streams[b][at] = x + change(b);
        }
    }
}

/// Adds to each stream what a layer has changed of the first: `router` is `[rows, 4]`, `learned` `[4, 4]`, then `[cols]`.
pub fn altup_correct(
    mut streams: [&mut [f32]; STREAMS],
    router: &[f32],
    learned: &[f32],
    made: &mut [f32],
    cols: usize,
) {
    let scales = &learned[STREAMS * STREAMS..];
    for at in 0..made.len() {
        let routed = &router[at / cols * STREAMS..][..STREAMS];
        let change = made[at] - streams[0][at];
        for (b, stream) in streams.iter_mut().enumerate() {
            stream[at] += (1.0 + coefficient(learned, b, routed)) * change;
        }
        made[at] = streams[0][at] * scales[at % cols];
    }
}
