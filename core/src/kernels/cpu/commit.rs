//! Twin of `shaders/commit.wgsl`.

use crate::kernels::batch::{self, FINISHED, HEADER_WORDS, Row};
use crate::kernels::sampling::{NO_TOKEN, RING, STOP_WORDS, SamplingParams};

/// What is remembered of sequences between steps.
#[derive(Debug)]
pub struct SequenceState<'a> {
    /// `[sequences, vocab]`.
    pub history: &'a mut [u32],
    /// `[sequences, RING]`.
    pub ring: &'a mut [u32],
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
    let (count, step) = (batch::count(words), words[1]);
    if count == 0 {
        return;
    }
    let rows: &mut [Row] = bytemuck::cast_slice_mut(&mut words[HEADER_WORDS..][..4 * count]);
    for (row, token) in rows.iter_mut().zip(chosen).filter(|(row, _)| row.flags & FINISHED == 0) {
        let sequence = row.sequence as usize;
        state.ring[sequence * RING as usize + (step % RING) as usize] = *token;
        if *token == NO_TOKEN {
            row.flags |= FINISHED;
            continue;
        }
        let past = &mut state.history[sequence * vocab as usize + *token as usize];
        *past += u32::from(*past & 0xffff < 0xffff);
        row.token = *token;
        row.position += 1;
        let stops = &stops[sequence * STOP_WORDS as usize..][..STOP_WORDS as usize];
        let limit = params[sequence].limit;
        if stops[1..].iter().take(stops[0] as usize).any(|stop| stop == token) || (limit > 0 && row.position >= limit) {
            row.flags |= FINISHED;
        }
    }
    let live = rows.iter().any(|row| row.flags & FINISHED == 0);
    words[1] = step.wrapping_add(1);
    if !live {
        words[0] = 0;
    }
}
