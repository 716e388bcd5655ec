//! Twin of `shaders/commit.wgsl`.

use crate::kernels::batch::{self, FINISHED, HEADER_WORDS, HELD, Row, VERIFY, place_in_draft};
use crate::kernels::sampling::{HOLD, NO_TOKEN, RECENT, RING, STOP_WORDS, SamplingParams, TIMES};

/// What is remembered of sequences between steps.
#[derive(Debug)]
pub struct SequenceState<'a> {
    /// `[sequences, vocab]`.
    pub history: &'a mut [u32],
    /// `[sequences, RING]`.
    pub ring: &'a mut [u32],
    /// `[sequences, RECENT]`.
    pub recent: &'a mut [u32],
}

/// Ends a step of the batch in `words` with the tokens `chosen`: `[rows]`. `stops`: `[sequences, STOP_WORDS]`.
pub fn commit(
    words: &mut [u32],
    chosen: &[u32],
    params: &[SamplingParams],
    stops: &[u32],
    state: SequenceState,
    vocab: u32,
) {
    let (count, step) = (batch::count(words), batch::step(words));
    words[1] = step.wrapping_add(1);
    let rows: &mut [Row] = bytemuck::cast_slice_mut(&mut words[HEADER_WORDS..][..4 * count]);
    for r in 0..rows.len() {
        if !rows[r].is_sampled() {
            continue;
        }
        let (sequence, token) = (rows[r].sequence as usize, chosen[r]);
        let place = step.wrapping_add(place_in_draft(rows, r)) % RING;
        state.ring[sequence * RING as usize + place as usize] = token;
        let row = &mut rows[r];
        if token == NO_TOKEN || row.flags & VERIFY != 0 {
            row.flags |= FINISHED;
            continue;
        }
        let past = &mut state.history[sequence * vocab as usize + token as usize];
        *past += u32::from(*past & TIMES < TIMES);
        row.token = token;
        row.position += 1;
        state.recent[sequence * RECENT as usize + (row.position % RECENT) as usize] = token;
        let stops = &stops[sequence * STOP_WORDS as usize..][..STOP_WORDS as usize];
        let SamplingParams { limit, flags, .. } = params[sequence];
        if stops[1..].iter().take(stops[0] as usize).any(|stop| *stop == token) || (limit > 0 && row.position >= limit)
        {
            row.flags |= FINISHED;
        } else if flags & HOLD != 0 {
            row.flags |= HELD;
        }
    }
    if rows.iter().all(Row::is_finished) {
        words[0] = 0;
    }
}
