//! Twin of `shaders/shared/kv_load.wgsl` and `kv_store.wgsl`: one vector of the cache at a time.

use half::f16;
use half::slice::HalfFloatSliceExt;

use crate::kernels::kv::{KvShape, KvType};

/// Reads the vector that begins at `word` of a cache in segments.
pub fn load_from(segments: &[&[u32]], kv: &KvShape, word: usize, out: &mut [f32]) {
    let (segment, word) = match segments {
        // A division takes a tenth of what a vector takes.
        [whole] => (whole, word),
        _ => (&segments[word / kv.segment_words()], word % kv.segment_words()),
    };
    load(segment, kv, word, out);
}

/// Writes `head` as the vector that begins at `word` of a cache in segments.
pub fn store_into(segments: &mut [&mut [u32]], kv: &KvShape, word: usize, head: &[f32]) {
    let size = kv.segment_words();
    store(segments[word / size], kv, word % size, head);
}

/// Reads the vector that begins at `word` into `out`, which has a value for each dimension of a head.
pub fn load(cache: &[u32], kv: &KvShape, word: usize, out: &mut [f32]) {
    let (numbers, scales) = cache[word..][..kv.position_words() as usize].split_at(kv.number_words() as usize);
    match kv.ty {
        KvType::F32 => out.copy_from_slice(bytemuck::cast_slice(numbers)),
        // In one run, for the processor's own conversion.
        KvType::F16 => bytemuck::cast_slice::<u32, f16>(numbers).convert_to_f32_slice(out),
        KvType::Q8_0 | KvType::Q4_0 => {
            let block = kv.block() as usize;
            let words = block / kv.ty.numbers_per_word() as usize;
            let runs = out.chunks_mut(RUN * block).zip(numbers.chunks(RUN * words)).zip(scales.chunks(RUN / 2));
            for ((out, numbers), scales) in runs {
                let blocks = out.chunks_exact_mut(block).zip(numbers.chunks_exact(words));
                for ((block, numbers), scale) in blocks.zip(halves(scales)) {
                    match kv.ty {
                        KvType::Q8_0 => bytes_times(numbers, scale, block),
                        _ => nibbles_times(numbers, scale, block),
                    }
                }
            }
        }
    }
}

/// Blocks whose scales are converted at once, by the processor's own conversion.
const RUN: usize = 8;

/// Halves of at most four words, the low one of each first.
fn halves(words: &[u32]) -> [f32; RUN] {
    let mut halves = [0.0; RUN];
    bytemuck::cast_slice::<u32, f16>(words).convert_to_f32_slice(&mut halves[..2 * words.len()]);
    halves
}

fn bytes_times(words: &[u32], scale: f32, out: &mut [f32]) {
    let bytes = bytemuck::cast_slice::<u32, i8>(words);
    out.iter_mut().zip(bytes).for_each(|(v, byte)| *v = f32::from(*byte) * scale);
}

/// Every step of it is exact.
fn nibbles_times(words: &[u32], scale: f32, out: &mut [f32]) {
    let (units, least) = (UNITS.map(|unit| unit * scale), -8.0 * scale);
    for (eight, word) in out.as_chunks_mut::<8>().0.iter_mut().zip(words) {
        let places = places(*word);
        *eight = std::array::from_fn(|i| places[i] * units[i % 4] + least);
    }
}

/// What the nibbles of a half of a word are worth where they stand.
const UNITS: [f32; 4] = [1.0, 1.0 / 16.0, 1.0 / 256.0, 1.0 / 4096.0];

/// The nibbles of a word, lowest first, where they stand in its halves: a shift that differs from lane to lane does not vectorise on older
/// processors. [`UNITS`] makes numbers of them.
fn places(word: u32) -> [f32; 8] {
    let halves = [word & 0xffff, word >> 16];
    std::array::from_fn(|i| (halves[i / 4] & (0xf << (4 * (i % 4)))) as i32 as f32)
}

/// Writes `head` as the vector that begins at `word`.
pub fn store(cache: &mut [u32], kv: &KvShape, word: usize, head: &[f32]) {
    let words = &mut cache[word..][..kv.position_words() as usize];
    let (numbers, scales) = words.split_at_mut(kv.number_words() as usize);
    match kv.ty {
        KvType::F32 => numbers.copy_from_slice(bytemuck::cast_slice(head)),
        KvType::F16 => bytemuck::cast_slice_mut::<u32, f16>(numbers).convert_from_f32_slice(head),
        KvType::Q8_0 | KvType::Q4_0 => {
            let block = kv.block() as usize;
            let rounded: Vec<f32> = head.chunks_exact(block).map(|block| scale_for(block, kv.ty)).collect();
            scales.iter_mut().zip(rounded.chunks(2)).for_each(|(word, two)| *word = pair(two));
            let per_word = kv.ty.numbers_per_word() as usize;
            for (index, (word, several)) in numbers.iter_mut().zip(head.chunks_exact(per_word)).enumerate() {
                *word = quants(several, rounded[index * per_word / block], kv.ty);
            }
        }
    }
}

/// One or two numbers as a word.
fn pair(numbers: &[f32]) -> u32 {
    let bits = |i: usize| numbers.get(i).map_or(0, |v| u32::from(f16::from_f32(*v).to_bits()));
    bits(0) | bits(1) << 16
}

/// The scale of a block, rounded to the f16 that is stored.
fn scale_for(block: &[f32], ty: KvType) -> f32 {
    let peak = block.iter().fold(0.0f32, |peak, v| if v.abs() > peak.abs() { *v } else { peak });
    let scale = if ty == KvType::Q8_0 { peak.abs() / 127.0 } else { peak / -8.0 };
    f16::from_f32(scale.clamp(-65504.0, 65504.0)).to_f32()
}

/// Quants as a word, the first lowest.
fn quants(numbers: &[f32], scale: f32, ty: KvType) -> u32 {
    let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
    let quant = |v: &f32| match ty {
        KvType::Q8_0 => (v * inverse).round_ties_even().clamp(-127.0, 127.0) as i32 as u32 & 255,
        _ => (v * inverse + 8.5).floor().clamp(0.0, 15.0) as u32,
    };
    let bits = 32 / numbers.len();
    numbers.iter().enumerate().fold(0, |word, (j, v)| word | quant(v) << (bits * j))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::verify::random_f32s;
    use inglenook_format::quant::{WeightType, dequantise, quantise};

    fn shape(ty: KvType, head_dim: u32) -> KvShape {
        KvShape { kv_heads: 1, head_dim, pages_per_sequence: 1, ty, segment_pages: 1 }
    }

    fn round_trip(kv: &KvShape, head: &[f32]) -> Vec<f32> {
        let mut words = vec![u32::MAX; kv.position_words() as usize];
        store(&mut words, kv, 0, head);
        let mut out = vec![f32::NAN; head.len()];
        load(&words, kv, 0, &mut out);
        out
    }

    fn random(seed: u64, len: u32) -> Vec<f32> {
        random_f32s(seed, len).into_iter().map(f32::from_bits).collect()
    }

    fn squared_error(a: &[f32], b: &[f32]) -> f64 {
        a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum()
    }

    #[test]
    fn kv_blocks_keep_numbers_as_well_as_the_gguf_types_of_the_same_name() {
        let head = random(1, 4096);
        for (ty, gguf) in [(KvType::Q8_0, WeightType::Q8_0), (KvType::Q4_0, WeightType::Q4_0)] {
            let (mut raw, mut known) = (Vec::new(), vec![0.0; head.len()]);
            quantise(gguf, &head, &mut raw).unwrap();
            dequantise(gguf, &raw, &mut known).unwrap();
            let ours = squared_error(&head, &round_trip(&shape(ty, 4096), &head));
            let theirs = squared_error(&head, &known);
            assert!(ours <= theirs * 1.01, "{ty:?}: {ours} against {theirs}");
        }
    }

    #[test]
    fn kv_blocks_err_by_a_step_at_most_at_every_width() {
        for head_dim in [8, 24, 48, 64, 80, 96, 128] {
            let head = random(head_dim.into(), head_dim);
            for (ty, levels) in [(KvType::Q8_0, 127.0), (KvType::Q4_0, 8.0)] {
                let kv = shape(ty, head_dim);
                let found = round_trip(&kv, &head);
                let block = kv.block() as usize;
                for (a, b) in head.chunks_exact(block).zip(found.chunks_exact(block)) {
                    let step = a.iter().fold(0.0f32, |peak, v| peak.max(v.abs())) / levels;
                    // Half a step, but Q4_0 has no number for what is farthest from 0 on the other side.
                    let most = if ty == KvType::Q4_0 { 1.01 } else { 0.51 } * step;
                    assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() <= most), "{ty:?} {head_dim}: {a:?} {b:?}");
                }
            }
        }
    }

    #[test]
    fn kv_blocks_stay_finite_where_numbers_are_zero_tiny_or_huge() {
        for ty in [KvType::Q8_0, KvType::Q4_0] {
            for value in [0.0, -0.0, 1e-30, -1e-7, 3e38, -3e38] {
                let found = round_trip(&shape(ty, 32), &[value; 32]);
                assert!(found.iter().all(|v| v.is_finite() && v.abs() <= value.abs().max(1e-6)), "{ty:?} {value}");
            }
        }
    }
}
