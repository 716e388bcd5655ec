//! Twin of `shaders/rope_kv.wgsl`.

use super::fast::FastWay;
use super::kv::store_into;
use super::threads::{ALL_THREADS, spread, threads_for};
use crate::kernels::batch::Row;
use crate::kernels::kv::KvShape;
use crate::kernels::rope::{FINE, HeadNorm, RopeShape, RopeStyle};

/// Norms, rotates and, for a quantised cache, mixes queries and keys of `qkv` in place, and writes keys and values into the cache. `norms` holds the
/// query norm's weights, then the key norm's. Rows without a place in the cache are left alone.
#[allow(clippy::too_many_arguments, reason = "one for each binding")]
pub fn rope_kv(
    rows: &[Row],
    qkv: &mut [f32],
    norms: &[f32],
    angles: &[f32],
    segments: &mut [&mut [u32]],
    pages: &[u32],
    (rope, kv): (&RopeShape, &KvShape),
    has_keys: bool,
    way: Option<FastWay>,
) {
    let kv_heads = if has_keys { kv.kv_heads } else { 0 };
    let width = (rope.heads + 2 * kv_heads) as usize * kv.head_dim as usize;
    let in_cache = |(row, _): &(&Row, &mut [f32])| kv.has_place(row);
    let threads = threads_for(rows.len() * width * WORK_OF_A_VALUE, way.map_or(ALL_THREADS, |way| way.threads));
    spread(threads, rows.iter().zip(qkv.chunks_exact_mut(width)).filter(in_cache), |(row, qkv)| {
        rotate_row(row, qkv, norms, angles, (rope, kv), kv_heads);
    });
    if !has_keys {
        return;
    }
    for (row, qkv) in rows.iter().zip(qkv.chunks_exact_mut(width)).filter(in_cache) {
        store_row(row, qkv, segments, pages, (rope, kv));
    }
}

/// What rotating a value takes, in multiplications.
const WORK_OF_A_VALUE: usize = 8;

fn rotate_row(
    row: &Row,
    qkv: &mut [f32],
    norms: &[f32],
    angles: &[f32],
    (rope, kv): (&RopeShape, &KvShape),
    kv_heads: u32,
) {
    let (dim, heads) = (kv.head_dim as usize, rope.heads as usize);
    let turned = heads + kv_heads as usize;
    let [cos, sin] = turn_of(row.position, angles, rope);
    let (turning, values) = qkv.split_at_mut(turned * dim);
    for (index, head) in turning.chunks_exact_mut(dim).enumerate() {
        let is_key = index >= heads;
        let weight = || &norms[if is_key { dim } else { 0 }..][..dim];
        if let Some(HeadNorm { eps, after: false }) = rope.norm {
            normalise(head, weight(), eps);
        }
        rotate(head, [&cos, &sin], rope.style);
        if let Some(HeadNorm { eps, after: true }) = rope.norm {
            normalise(head, weight(), eps);
        }
        if let Some(temperature) = rope.temperature.filter(|_| !is_key) {
            let factor = temperature.at(row.position);
            head.iter_mut().for_each(|v| *v *= factor);
        }
        if kv.ty.is_quantised() {
            let block = kv.block() as usize;
            head.chunks_exact_mut(block)
                .for_each(|block| mix(block, if is_key { 1.0 } else { 1.0 / block.len() as f32 }));
        }
    }
    if let Some(eps) = rope.value_norm {
        for value in values.chunks_exact_mut(dim) {
            let scale = root_mean_square(value, eps);
            value.iter_mut().for_each(|v| *v *= scale);
        }
    }
}

fn store_row(row: &Row, qkv: &[f32], segments: &mut [&mut [u32]], pages: &[u32], (rope, kv): (&RopeShape, &KvShape)) {
    let (dim, kv_heads) = (kv.head_dim as usize, kv.kv_heads as usize);
    let table = &pages[(row.sequence * kv.pages_per_sequence) as usize..];
    let (keys, values) = qkv[rope.heads as usize * dim..].split_at(kv_heads * dim);
    for (head, (key, value)) in keys.chunks_exact(dim).zip(values.chunks_exact(dim)).enumerate() {
        let word = kv.key_word(table, head as u32, row.position);
        store_into(segments, kv, word, key);
        store_into(segments, kv, kv.value_word(word), value);
    }
}

/// What a norm multiplies a head by.
fn root_mean_square(head: &[f32], eps: f32) -> f32 {
    let mean = head.iter().map(|v| v * v).sum::<f32>() / head.len() as f32;
    1.0 / (mean + eps).sqrt()
}

fn normalise(head: &mut [f32], weight: &[f32], eps: f32) {
    let scale = root_mean_square(head, eps);
    head.iter_mut().zip(weight).for_each(|(v, w)| *v *= scale * w);
}

/// Cosines and sines of the angles by which the pairs of a head turn at a position.
fn turn_of(position: u32, angles: &[f32], rope: &RopeShape) -> [Vec<f32>; 2] {
    let pairs = (rope.dims / 2) as usize;
    let fine = angles[(position % FINE) as usize * pairs * 2..].as_chunks::<2>().0;
    let coarse = angles[(FINE + position / FINE) as usize * pairs * 2..].as_chunks::<2>().0;
    let both = || fine.iter().zip(coarse).take(pairs);
    [both().map(|(a, b)| a[0] * b[0] - a[1] * b[1]).collect(), both().map(|(a, b)| a[0] * b[1] + a[1] * b[0]).collect()]
}

fn rotate(head: &mut [f32], [cos, sin]: [&[f32]; 2], style: RopeStyle) {
    let turn = |x: &mut f32, y: &mut f32, cos: f32, sin: f32| (*x, *y) = (*x * cos - *y * sin, *x * sin + *y * cos);
    let angles = cos.iter().zip(sin);
    match style {
        RopeStyle::Interleaved => {
            head.as_chunks_mut().0.iter_mut().zip(angles).for_each(|([x, y], (cos, sin))| turn(x, y, *cos, *sin));
        }
        RopeStyle::HalfSplit => {
            let (low, high) = head.split_at_mut(cos.len());
            low.iter_mut().zip(high).zip(angles).for_each(|((x, y), (cos, sin))| turn(x, y, *cos, *sin));
        }
    }
}

/// Multiplies a block with the Hadamard matrix of its size, a power of two, and with `scale`.
fn mix(block: &mut [f32], scale: f32) {
    let mut apart = 1;
    while apart < block.len() {
        for both in block.chunks_exact_mut(2 * apart) {
            let (low, high) = both.split_at_mut(apart);
            low.iter_mut().zip(high).for_each(|(low, high)| (*low, *high) = (*low + *high, *low - *high));
        }
        apart *= 2;
    }
    block.iter_mut().for_each(|number| *number *= scale);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixed_vectors_have_the_product_that_they_had() {
        for size in [8, 16, 32] {
            let mut query: Vec<f32> = (0..size).map(|i| (i as f32 * 1.7).sin()).collect();
            let mut key: Vec<f32> = (0..size).map(|i| 0.1 * (i as f32 * 0.3).cos()).collect();
            key[size - 1] = 100.0;
            let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
            let before = product(&query, &key);
            mix(&mut query, 1.0 / size as f32);
            mix(&mut key, 1.0);
            assert!((product(&query, &key) - before).abs() < 1e-3, "{size}");
            // What one number had is every number's.
            assert!(key.iter().all(|number| (90.0..110.0).contains(&number.abs())), "{key:?}");
        }
    }
}
