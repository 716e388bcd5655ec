//! Twins of `shaders/scan.wgsl` and `shaders/scan_gates.wgsl`.

use crate::kernels::batch::Row;
use crate::kernels::kv::{KvShape, PAGE};
use crate::kernels::scan::{ScanRule, ScanShape};

/// Moves states on over runs of rows, and asks them: `x` is `[rows, x_cols]`, `gates` `[rows, 3, heads]`, `out` `[rows, heads · values]`.
pub fn scan(
    rows: &[Row],
    (x, x_cols): (&[f32], u32),
    gates: &[f32],
    (segments, pages): (&mut [&mut [u32]], &[u32]),
    (shape, kv): (&ScanShape, &KvShape),
    out: &mut [f32],
) {
    let (heads, width) = (shape.heads as usize, shape.width() as usize);
    let mut begin = 0;
    while begin < rows.len() {
        let mut end = begin + 1;
        while end < rows.len() && goes_on(&rows[end - 1], &rows[end], kv) {
            end += 1;
        }
        let (first, count) = (rows[begin].position, end - begin);
        if kv.has_place(&rows[begin]) {
            let table = &pages[(rows[begin].sequence * kv.pages_per_sequence) as usize..];
            let x = x[begin * x_cols as usize..].chunks_exact(x_cols as usize);
            let gates = gates[begin * 3 * heads..].chunks_exact(3 * heads);
            for head in 0..heads {
                let out = out[begin * width..].chunks_exact_mut(width);
                let run = x.clone().zip(gates.clone()).zip(out).take(count);
                scan_head(run, (first, count as u32), head, (segments, table), (shape, kv));
            }
        }
        begin = end;
    }
}

/// Whether a row goes on from the one before it.
fn goes_on(before: &Row, row: &Row, kv: &KvShape) -> bool {
    kv.has_place(before) && kv.has_place(row) && row.sequence == before.sequence && row.position == before.position + 1
}

/// One head over a run of `count` rows, of which the first stands at `first`: x, gates and the output of each.
fn scan_head<'a>(
    run: impl Iterator<Item = ((&'a [f32], &'a [f32]), &'a mut [f32])>,
    (first, count): (u32, u32),
    head: usize,
    (segments, table): (&mut [&mut [u32]], &[u32]),
    (shape, kv): (&ScanShape, &KvShape),
) {
    let (keys, values) = (shape.keys as usize, shape.values as usize);
    let words = (keys + 1) * values;
    let place = |page: u32| {
        let word = kv.key_word(table, 0, page * PAGE);
        (word / kv.segment_words(), word % kv.segment_words() + head * words)
    };
    let mut state = vec![0.0; keys * values];
    let mut is_seen = false;
    if let Some(before) = first.checked_sub(1) {
        let (segment, at) = place(before / PAGE);
        let stored = &segments[segment][at..][..words];
        state.copy_from_slice(bytemuck::cast_slice(&stored[..keys * values]));
        is_seen = !first.is_multiple_of(PAGE) && stored[keys * values] == first + 1;
    }
    let key_head = shape.key_of(head as u32) as usize;
    let [queries_at, keys_at, values_at] = shape.columns.map(|column| column as usize);
    let mut known = vec![0.0; values];
    for (position, ((x, gates), out)) in (first..).zip(run) {
        let [decay, step, skip] = [0, 1, 2].map(|gate| gates[gate * shape.heads as usize + head]);
        let query = &x[queries_at + key_head * keys..][..keys];
        let key = &x[keys_at + key_head * keys..][..keys];
        let value = &x[values_at + head * values..][..values];
        let out = &mut out[head * values..][..values];
        let (of_key, of_query) = match shape.rule {
            ScanRule::Add => (1.0, 1.0),
            ScanRule::Delta { eps } => {
                (inverse_length(key, eps), inverse_length(query, eps) / (shape.keys as f32).sqrt())
            }
        };
        if position > first || !is_seen {
            known.fill(0.0);
            if shape.rule != ScanRule::Add {
                for (state, key) in state.chunks_exact(values).zip(key) {
                    known.iter_mut().zip(state).for_each(|(known, state)| *known += state * key);
                }
            }
            for (known, value) in known.iter_mut().zip(value) {
                *known = step * (value - *known * decay * of_key) * of_key;
            }
            for (state, key) in state.chunks_exact_mut(values).zip(key) {
                state.iter_mut().zip(&known).for_each(|(state, taken)| *state = decay * *state + key * taken);
            }
        }
        out.fill(0.0);
        for (state, query) in state.chunks_exact(values).zip(query) {
            out.iter_mut().zip(state).for_each(|(out, state)| *out += state * query);
        }
        out.iter_mut().zip(value).for_each(|(out, value)| *out = *out * of_query + skip * value);
        let (page, end) = (position / PAGE, first + count);
        let is_kept = page * PAGE < first || (page + 2) * PAGE > end;
        if position + 1 == end || (position % PAGE == PAGE - 1 && is_kept) {
            let (segment, at) = place(page);
            let stored = &mut segments[segment][at..][..words];
            stored[..keys * values].copy_from_slice(bytemuck::cast_slice(&state));
            stored[keys * values..].fill(position + 1);
        }
    }
}

fn inverse_length(vector: &[f32], eps: f32) -> f32 {
    1.0 / (vector.iter().map(|v| v * v).sum::<f32>() + eps).sqrt()
}

/// The gates of each row: `x` is `[rows, stride]`, with times from a column on, and perhaps steps from another; `learned`
/// `[2 or 3, heads]`: rate, bias, skip; `out` `[rows, 3, heads]`: decay, step, skip.
pub fn scan_gates(
    rows: usize,
    (x, stride, times, steps): (&[f32], u32, u32, Option<u32>),
    (learned, heads, skips): (&[f32], u32, bool),
    out: &mut [f32],
) {
    let heads = heads as usize;
    for (x, out) in x.chunks_exact(stride as usize).zip(out.chunks_exact_mut(3 * heads)).take(rows) {
        for head in 0..heads {
            let raw = x[times as usize + head] + learned[heads + head];
            let time = if raw > 20.0 { raw } else { (1.0 + raw.exp()).ln() };
            out[head] = (learned[head] * time).exp();
            out[heads + head] = match steps {
                Some(steps) => 1.0 / (1.0 + (-x[steps as usize + head]).exp()),
                None => time,
            };
            out[2 * heads + head] = if skips { learned[2 * heads + head] } else { 0.0 };
        }
    }
}
