//! Twins of `shaders/scan.wgsl` and `shaders/scan_gates.wgsl`.

use std::ops::Range;

use super::threads::{ALL_THREADS, spread, threads_for};
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
    let (heads, x_cols) = (shape.heads as usize, x_cols as usize);
    let mut outs = out.chunks_exact_mut(shape.values as usize);
    let mut begin = 0;
    while begin < rows.len() {
        let mut end = begin + 1;
        while end < rows.len() && goes_on(&rows[end - 1], &rows[end], kv) {
            end += 1;
        }
        let answers = outs.by_ref().take((end - begin) * heads);
        let table = &pages[(rows[begin].sequence * kv.pages_per_sequence) as usize..];
        if kv.has_place(&rows[begin]) {
            let run = Run {
                first: rows[begin].position,
                count: end - begin,
                x: &x[begin * x_cols..],
                x_cols,
                gates: &gates[begin * 3 * heads..],
                shape,
            };
            let place = |head: usize, page: u32| {
                let words = ((shape.keys + 1) * shape.values) as usize;
                let word = kv.key_word(table, 0, page * PAGE) + head * words;
                (word / kv.segment_words(), word % kv.segment_words()..word % kv.segment_words() + words)
            };
            let mut parts: Vec<Head<'_>> = (0..heads).map(|head| run.begin(head, segments, place)).collect();
            answers.enumerate().for_each(|(at, answer)| parts[at % heads].answers.push(answer));
            let products = run.count * 3 * shape.words() as usize;
            spread(threads_for(products, ALL_THREADS), parts.iter_mut(), |part| run.scan(part));
            for Head { head, kept, .. } in parts {
                for (position, state) in kept {
                    let (segment, words) = place(head, position / PAGE);
                    let (numbers, tags) = segments[segment][words].split_at_mut(state.len());
                    numbers.copy_from_slice(bytemuck::cast_slice(&state));
                    tags.fill(position + 1);
                }
            }
        } else {
            answers.for_each(drop);
        }
        begin = end;
    }
}

/// Whether a row goes on from the one before it.
fn goes_on(before: &Row, row: &Row, kv: &KvShape) -> bool {
    kv.has_place(before) && kv.has_place(row) && row.sequence == before.sequence && row.position == before.position + 1
}

/// Rows of one sequence at positions that rise by one, and what there is of each.
struct Run<'x> {
    first: u32,
    count: usize,
    x: &'x [f32],
    x_cols: usize,
    gates: &'x [f32],
    shape: &'x ScanShape,
}

/// One head of a run.
struct Head<'o> {
    head: usize,
    /// `[keys, values]`.
    state: Vec<f32>,
    /// Whether the state has gone through the first row.
    is_seen: bool,
    /// Of each row.
    answers: Vec<&'o mut [f32]>,
    /// States to be kept, with the position behind which each is.
    kept: Vec<(u32, Vec<f32>)>,
}

impl Run<'_> {
    /// A head with its state before the run. `place`: the segment and the words of a head's state in a page.
    fn begin<'o>(
        &self,
        head: usize,
        segments: &[&mut [u32]],
        place: impl Fn(usize, u32) -> (usize, Range<usize>),
    ) -> Head<'o> {
        let len = (self.shape.keys * self.shape.values) as usize;
        let (mut state, mut is_seen) = (vec![0.0; len], false);
        if let Some(before) = self.first.checked_sub(1) {
            let (segment, words) = place(head, before / PAGE);
            let stored = &segments[segment][words];
            state.copy_from_slice(bytemuck::cast_slice(&stored[..len]));
            is_seen = !self.first.is_multiple_of(PAGE) && stored[len] == self.first + 1;
        }
        Head { head, state, is_seen, answers: Vec::new(), kept: Vec::new() }
    }

    fn scan(&self, part: &mut Head<'_>) {
        let Run { first, count, shape, .. } = *self;
        let Head { head, state, is_seen, answers, kept } = part;
        let (keys, values, heads) = (shape.keys as usize, shape.values as usize, shape.heads as usize);
        let key_head = shape.key_of(*head as u32) as usize;
        let [queries_at, keys_at, values_at] = shape.columns.map(|column| column as usize);
        let mut taken = vec![0.0; values];
        for (r, answer) in answers.iter_mut().enumerate() {
            let x = &self.x[r * self.x_cols..][..self.x_cols];
            let [decay, step, skip] = [0, 1, 2].map(|gate| self.gates[(r * 3 + gate) * heads + *head]);
            let query = &x[queries_at + key_head * keys..][..keys];
            let key = &x[keys_at + key_head * keys..][..keys];
            let value = &x[values_at + *head * values..][..values];
            let (of_key, of_query) = match shape.rule {
                ScanRule::Add => (1.0, 1.0),
                ScanRule::Delta { eps } => {
                    (inverse_length(key, eps), inverse_length(query, eps) / (shape.keys as f32).sqrt())
                }
            };
            if r > 0 || !*is_seen {
                taken.fill(0.0);
                if shape.rule != ScanRule::Add {
                    for (state, key) in state.chunks_exact(values).zip(key) {
                        taken.iter_mut().zip(state).for_each(|(known, state)| *known += state * key);
                    }
                }
                for (taken, value) in taken.iter_mut().zip(value) {
                    *taken = step * (value - *taken * decay * of_key) * of_key;
                }
                for (state, key) in state.chunks_exact_mut(values).zip(key) {
                    state.iter_mut().zip(&taken).for_each(|(state, taken)| *state = decay * *state + key * taken);
                }
            }
            answer.fill(0.0);
            for (state, query) in state.chunks_exact(values).zip(query) {
                answer.iter_mut().zip(state).for_each(|(answer, state)| *answer += state * query);
            }
            answer.iter_mut().zip(value).for_each(|(answer, value)| *answer = *answer * of_query + skip * value);
            let position = first + r as u32;
            let (page, end) = (position / PAGE, first + count as u32);
            let is_between = page * PAGE >= first && (page + 2) * PAGE <= end;
            if position + 1 == end || (position % PAGE == PAGE - 1 && !is_between) {
                kept.push((position, state.clone()));
            }
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
