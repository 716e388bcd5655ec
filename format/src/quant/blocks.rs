//! From blocks to floats, the same code for a file's blocks and for repacked planes.
//!
//! Formulas and bit orders are those of ggml's reference (`dequantize_row_*` in `ggml-quants.c`); sums and products are in
//! f32 and in its order, so that results are equal bit for bit.

use half::f16;
use half::slice::HalfFloatSliceExt;

use super::chunks::{Block, CHUNK, Share};
use super::planes::Plane;
use super::{QuantError, WeightType};

/// Blocks as bytes: part `i` of block `b` begins at `b * strides[i]` of its slice.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub quants: &'a [u8],
    pub high_bits: &'a [u8],
    pub scales: &'a [u8],
    pub strides: [usize; 3],
}

/// Dequantises blocks as they stand in a GGUF file.
///
/// # Errors
/// [`QuantError::PartBlock`] when `raw` is no whole number of blocks, [`QuantError::Length`] when `out` does not have
/// [`WeightType::block_len`] weights for each.
pub fn dequantise(ty: WeightType, raw: &[u8], out: &mut [f32]) -> Result<(), QuantError> {
    let blocks = raw.len() / ty.block_bytes();
    if !raw.len().is_multiple_of(ty.block_bytes()) {
        return Err(QuantError::PartBlock { ty, bytes: raw.len() });
    }
    if out.len() != blocks * ty.block_len() {
        return Err(QuantError::Length { ty, blocks, weights: out.len() });
    }
    let from = |plane| raw.get(ty.part(plane).from..).unwrap_or_default();
    let view = View {
        quants: from(Plane::Quants),
        high_bits: from(Plane::HighBits),
        scales: from(Plane::Scales),
        strides: [ty.block_bytes(); 3],
    };
    dequantise_blocks(ty, view, out);
    Ok(())
}

/// Dequantises as many blocks as `out` has room for; the caller has checked that `view` holds them.
pub(super) fn dequantise_blocks(ty: WeightType, view: View<'_>, out: &mut [f32]) {
    match ty {
        WeightType::F32 => singles(view.quants, out, f32::from_le_bytes),
        WeightType::F16 => halves(view.quants, out),
        WeightType::BF16 => singles(view.quants, out, |q| f32::from_bits(u32::from(u16::from_le_bytes(q)) << 16)),
        WeightType::Q8_0 => each(view, out, |q, _: &[u8; 0], s, out| q8_0(q, s, out)),
        WeightType::Q4_0 => each(view, out, |q, _: &[u8; 0], s, out| q4_0(q, s, out)),
        WeightType::Q4_1 => each(view, out, |q, _: &[u8; 0], s, out| q4_1(q, s, out)),
        WeightType::Q5_0 => each(view, out, q5_0),
        WeightType::Q5_1 => each(view, out, q5_1),
        WeightType::Q4_K => each(view, out, |q, _: &[u8; 0], s, out| q4_k(q, s, out)),
        WeightType::Q5_K => each(view, out, q5_k),
        WeightType::Q6_K => each(view, out, q6_k),
        _ => chunks(ty, view, out),
    }
}

/// Calls `block` with the parts of each block and its `L` weights.
fn each<const Q: usize, const H: usize, const S: usize, const L: usize>(
    view: View<'_>,
    out: &mut [f32],
    block: impl Fn(&[u8; Q], &[u8; H], &[u8; S], &mut [f32; L]),
) {
    let [q_stride, h_stride, s_stride] = view.strides;
    for (b, out) in out.as_chunks_mut::<L>().0.iter_mut().enumerate() {
        block(
            bytes_at(view.quants, b * q_stride),
            bytes_at(view.high_bits, b * h_stride),
            bytes_at(view.scales, b * s_stride),
            out,
        );
    }
}

/// Types whose numbers and scales come by chunks.
fn chunks(ty: WeightType, view: View<'_>, out: &mut [f32]) {
    let View { quants, high_bits, scales, strides } = view;
    for (b, out) in out.chunks_exact_mut(ty.block_len()).enumerate() {
        let share = |plane: usize, bytes| Share::plain(bytes, b * strides[plane]);
        let block = Block { ty, quants: share(0, quants), high_bits: share(1, high_bits), scales: share(2, scales) };
        for (chunk, out) in out.as_chunks_mut::<CHUNK>().0.iter_mut().enumerate() {
            let numbers: [i8; CHUNK] = bytemuck::cast(block.numbers(chunk));
            let (scales, minima) = (block.scales(chunk), block.minima(chunk));
            for (i, (out, number)) in out.iter_mut().zip(numbers).enumerate() {
                let half = i / (CHUNK / 2);
                *out = f32::from(number) * scales[half];
                // Zeros keep their sign where there are no minima.
                if ty == WeightType::Q2_K {
                    *out += minima[half];
                }
            }
        }
    }
}

fn bytes_at<const N: usize>(bytes: &[u8], at: usize) -> &[u8; N] {
    bytes[at..].first_chunk().expect("a view holds the blocks asked for")
}

/// A function of its own where that takes more than an instruction.
#[cfg_attr(target_arch = "wasm32", inline(never))]
fn half_at(bytes: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([bytes[at], bytes[at + 1]]).to_f32()
}

/// Types whose block is one weight.
fn singles<const N: usize>(bytes: &[u8], out: &mut [f32], decode: impl Fn([u8; N]) -> f32) {
    for (out, &bytes) in out.iter_mut().zip(bytes.as_chunks::<N>().0) {
        *out = decode(bytes);
    }
}

/// F16, in runs long enough for the processor's own conversion.
fn halves(bytes: &[u8], out: &mut [f32]) {
    const RUN: usize = 64;
    for (bytes, out) in bytes.chunks(2 * RUN).zip(out.chunks_mut(RUN)) {
        let mut run = [f16::ZERO; RUN];
        for (half, &two) in run.iter_mut().zip(bytes.as_chunks::<2>().0) {
            *half = f16::from_le_bytes(two);
        }
        run[..out.len()].convert_to_f32_slice(out);
    }
}

fn q8_0(q: &[u8; 32], s: &[u8; 2], out: &mut [f32; 32]) {
    let d = half_at(s, 0);
    for (out, &q) in out.iter_mut().zip(q) {
        *out = f32::from(q as i8) * d;
    }
}

/// Low nibbles are the first 16 weights, high nibbles the last 16; so in all the types of 32.
fn q4_0(q: &[u8; 16], s: &[u8; 2], out: &mut [f32; 32]) {
    let d = half_at(s, 0);
    for (j, &q) in q.iter().enumerate() {
        out[j] = f32::from((q & 15) as i8 - 8) * d;
        out[j + 16] = f32::from((q >> 4) as i8 - 8) * d;
    }
}

fn q4_1(q: &[u8; 16], s: &[u8; 4], out: &mut [f32; 32]) {
    let (d, m) = (half_at(s, 0), half_at(s, 2));
    for (j, &q) in q.iter().enumerate() {
        out[j] = f32::from(q & 15) * d + m;
        out[j + 16] = f32::from(q >> 4) * d + m;
    }
}

/// The fifth bits, as 0 or 16: bit `j` of `h` belongs to weight `j`.
///
/// Tested by masks and not by shifts, since shifts that differ from lane to lane do not vectorise on older processors.
fn fifth_bits(h: &[u8; 4]) -> [u8; 32] {
    std::array::from_fn(|j| if h[j / 8] & (1 << (j % 8)) == 0 { 0 } else { 16 })
}

fn q5_0(q: &[u8; 16], h: &[u8; 4], s: &[u8; 2], out: &mut [f32; 32]) {
    let d = half_at(s, 0);
    let fifth = fifth_bits(h);
    for (j, &q) in q.iter().enumerate() {
        out[j] = f32::from((q & 15 | fifth[j]) as i8 - 16) * d;
        out[j + 16] = f32::from((q >> 4 | fifth[j + 16]) as i8 - 16) * d;
    }
}

fn q5_1(q: &[u8; 16], h: &[u8; 4], s: &[u8; 4], out: &mut [f32; 32]) {
    let (d, m) = (half_at(s, 0), half_at(s, 2));
    let fifth = fifth_bits(h);
    for (j, &q) in q.iter().enumerate() {
        out[j] = f32::from(q & 15 | fifth[j]) * d + m;
        out[j + 16] = f32::from(q >> 4 | fifth[j + 16]) * d + m;
    }
}

/// Scale and minimum of group `j` (of 8): twelve bytes hold sixteen six-bit numbers, the upper bits of the last groups
/// being tucked into the top of the first bytes.
fn scale_min(s: &[u8; 16], j: usize) -> [f32; 2] {
    let k = &s[4..];
    let (scale, min) = if j < 4 {
        (k[j] & 63, k[j + 4] & 63)
    } else {
        (k[j + 4] & 15 | (k[j - 4] >> 6) << 4, k[j + 4] >> 4 | (k[j] >> 6) << 4)
    };
    [half_at(s, 0) * f32::from(scale), half_at(s, 2) * f32::from(min)]
}

/// Each 32 bytes hold two groups of 32: low nibbles, then high.
fn q4_k(q: &[u8; 128], s: &[u8; 16], out: &mut [f32; 256]) {
    for (j, (out, q)) in out.as_chunks_mut::<32>().0.chunks_exact_mut(2).zip(q.as_chunks::<32>().0).enumerate() {
        let [d_low, m_low] = scale_min(s, 2 * j);
        let [d_high, m_high] = scale_min(s, 2 * j + 1);
        for (out, &q) in out[0].iter_mut().zip(q) {
            *out = d_low * f32::from(q & 15) - m_low;
        }
        for (out, &q) in out[1].iter_mut().zip(q) {
            *out = d_high * f32::from(q >> 4) - m_high;
        }
    }
}

/// As Q4_K, with the fifth bit of group `j` in bit `j` of `h`.
fn q5_k(q: &[u8; 128], h: &[u8; 32], s: &[u8; 16], out: &mut [f32; 256]) {
    for (j, (out, q)) in out.as_chunks_mut::<32>().0.chunks_exact_mut(2).zip(q.as_chunks::<32>().0).enumerate() {
        let [d_low, m_low] = scale_min(s, 2 * j);
        let [d_high, m_high] = scale_min(s, 2 * j + 1);
        let fifth = |h: u8, group: usize| if h & (1 << group) == 0 { 0 } else { 16 };
        for (out, (&q, &h)) in out[0].iter_mut().zip(q.iter().zip(h)) {
            *out = d_low * f32::from(q & 15 | fifth(h, 2 * j)) - m_low;
        }
        for (out, (&q, &h)) in out[1].iter_mut().zip(q.iter().zip(h)) {
            *out = d_high * f32::from(q >> 4 | fifth(h, 2 * j + 1)) - m_high;
        }
    }
}

/// Halves of 128: 64 bytes of low nibbles, 32 bytes of high bit pairs, 8 signed scales of 16 weights each.
fn q6_k(q: &[u8; 128], h: &[u8; 64], s: &[u8; 18], out: &mut [f32; 256]) {
    let d = half_at(s, 16);
    let halves = out.as_chunks_mut::<128>().0.iter_mut().zip(q.as_chunks::<64>().0).zip(h.as_chunks::<32>().0);
    for (half, ((out, q), h)) in halves.enumerate() {
        // d × scale first, as the reference does; sixteen weights share it.
        let scale = |group: usize| d * f32::from(s[8 * half + group] as i8);
        let scales: [f32; 8] = std::array::from_fn(scale);
        for l in 0..32 {
            let group = l / 16;
            let (low, high, top) = (q[l], q[l + 32], h[l]);
            let number = |nibble: u8, pair: u8| f32::from((nibble | (pair & 3) << 4) as i8 - 32);
            out[l] = scales[group] * number(low & 15, top);
            out[l + 32] = scales[group + 2] * number(high & 15, top >> 2);
            out[l + 64] = scales[group + 4] * number(low >> 4, top >> 4);
            out[l + 96] = scales[group + 6] * number(high >> 4, top >> 6);
        }
    }
}
