//! Norms, attention and sampling.

use inglenook_cpu::{Bias, KvNumbers, KvVectors, Peak, Processor, attend, layer_norm, mass, peak, rms_norm};

use super::{FastWay, WORK_OF_A_VALUE};
use crate::kernels::cpu::attention::Question;
use crate::kernels::cpu::threads::{spread, threads_for};
use crate::kernels::kv::{KvShape, KvType};

/// What [`rms_norm`] computes.
///
/// [`rms_norm`]: crate::kernels::cpu::rms_norm
pub fn fast_rms_norm(way: FastWay, x: &[f32], weight: &[f32], out: &mut [f32], eps: f32) {
    spread_rows(way.threads, weight.len(), x, out, |x, out| rms_norm(way.processor, x, weight, out, eps));
}

/// What [`layer_norm`] computes.
///
/// [`layer_norm`]: crate::kernels::cpu::layer_norm
pub fn fast_layer_norm(way: FastWay, x: &[f32], weight: &[f32], bias: Option<&[f32]>, out: &mut [f32], eps: f32) {
    spread_rows(way.threads, weight.len(), x, out, |x, out| layer_norm(way.processor, x, weight, bias, out, eps));
}

/// Calls `work` with some rows of `x` and of `out`, of `cols` columns, on several threads.
fn spread_rows(threads: usize, cols: usize, x: &[f32], out: &mut [f32], work: impl Fn(&[f32], &mut [f32]) + Sync) {
    let shares = threads_for(x.len() * WORK_OF_A_VALUE, threads);
    let share = x.len().div_ceil(cols).div_ceil(shares).max(1) * cols;
    spread(shares, x.chunks(share).zip(out.chunks_mut(share)), |(x, out)| work(x, out));
}

/// What the twin of attention computes, where the numbers of the cache are no blocks, or blocks of 32.
pub fn fast_attend(
    processor: Processor,
    question: &Question<'_>,
    segments: &[&[u32]],
    kv: &KvShape,
    outs: &mut [&mut [f32]],
) -> Option<Vec<(f32, f32)>> {
    let numbers = match kv.ty {
        KvType::F32 => KvNumbers::F32,
        KvType::F16 => KvNumbers::F16,
        KvType::Q8_0 => KvNumbers::Q8,
        KvType::Q4_0 => KvNumbers::Q4,
    };
    let (segment_words, head_dim) = (kv.segment_words(), kv.head_dim as usize);
    let Question { queries, places: keys, seen, sinks, scale, cap, ref bias } = *question;
    let bias = bias.as_ref().map(|bias| Bias { slopes: bias.slopes, keys: bias.places, rows: bias.rows });
    let question = inglenook_cpu::Question { queries, scale, cap, sinks, keys, seen, to_value: kv.value_word(0), bias };
    let cache = KvVectors { segments, segment_words, numbers, head_dim };
    let whole = !kv.ty.is_quantised() || head_dim.is_multiple_of(32);
    whole.then(|| attend(processor, cache, question, outs))
}

/// The highest of logits within `±highest`, where it is first, and whether one of them is a NaN or infinity.
pub fn fast_peak(processor: Processor, logits: &[f32], highest: f32) -> (f32, usize, bool) {
    let Peak { place, value, is_faulty } = peak(processor, logits, highest);
    (value, place, is_faulty)
}

/// The sum of the exponentials of values, relative to the highest.
pub fn fast_mass(processor: Processor, values: &[f32], highest: f32, scale: f32) -> f32 {
    mass(processor, values, highest, scale)
}
