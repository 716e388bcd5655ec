//! Twins of `shaders/conv_store.wgsl` and `shaders/conv.wgsl`.

use super::gated_activation::activate;
use super::kv::{load_from, store_into};
use crate::kernels::Activation;
use crate::kernels::batch::Row;
use crate::kernels::conv::{Columns, channels};
use crate::kernels::kv::KvShape;

/// Keeps `columns` of each row of `x`, multiplied by those from `times` on where there are some.
pub fn conv_store(
    rows: &[Row],
    x: &[f32],
    (columns, times): (Columns, Option<u32>),
    (segments, pages): (&mut [&mut [u32]], &[u32]),
    kv: &KvShape,
) {
    let (half, count) = (kv.head_dim as usize, channels(kv) as usize);
    for (row, x) in rows.iter().zip(x.chunks_exact(columns.stride as usize)).filter(|(row, _)| kv.has_place(row)) {
        let mut kept = x[columns.offset as usize..][..count].to_vec();
        if let Some(times) = times {
            kept.iter_mut().zip(&x[times as usize..]).for_each(|(kept, factor)| *kept *= factor);
        }
        let word = kv.key_word(&pages[(row.sequence * kv.pages_per_sequence) as usize..], 0, row.position);
        store_into(segments, kv, word, &kept[..half]);
        store_into(segments, kv, kv.value_word(word), &kept[half..]);
    }
}

/// Convolves what is kept: `weights` is `[channels, length]`, `bias` `[channels]`, `out` `[rows, channels]`.
pub fn conv(
    rows: &[Row],
    (segments, pages): (&[&[u32]], &[u32]),
    kv: &KvShape,
    (weights, bias, length, activation): (&[f32], Option<&[f32]>, u32, Option<Activation>),
    gates: Option<(&[f32], Columns)>,
    out: &mut [f32],
) {
    let (half, count) = (kv.head_dim as usize, channels(kv) as usize);
    let mut kept = vec![0.0; count];
    for (r, (row, out)) in rows.iter().zip(out.chunks_exact_mut(count)).enumerate() {
        if !kv.has_place(row) {
            continue;
        }
        match bias {
            Some(bias) => out.copy_from_slice(bias),
            None => out.fill(0.0),
        }
        let table = &pages[(row.sequence * kv.pages_per_sequence) as usize..];
        for back in (0..length.min(row.position + 1)).rev() {
            let word = kv.key_word(table, 0, row.position - back);
            let (first, second) = kept.split_at_mut(half);
            load_from(segments, kv, word, first);
            load_from(segments, kv, kv.value_word(word), second);
            let of_position = weights.iter().skip((length - 1 - back) as usize).step_by(length as usize);
            out.iter_mut().zip(&kept).zip(of_position).for_each(|((out, kept), weight)| *out += weight * kept);
        }
        if let Some(activation) = activation {
            out.iter_mut().for_each(|out| *out = activate(*out, activation));
        }
        if let Some((gates, columns)) = gates {
            let gates = &gates[r * columns.stride as usize + columns.offset as usize..];
            out.iter_mut().zip(gates).for_each(|(out, gate)| *out *= gate);
        }
    }
}
