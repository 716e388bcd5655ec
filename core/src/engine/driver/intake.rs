//! From the tokens that the device has chosen to their sequences.

use crate::clock::Instant;

use super::policy::Chosen;
use super::{Driver, InFlight, InFlightWork};
use crate::engine::scheduler::SeqId;
use crate::kernels::sampling::NO_TOKEN;

impl Driver {
    /// Takes what a submission has computed.
    pub(super) fn take(&mut self, done: InFlight, words: &[u32], logprobs: &[u32]) {
        let millis = self.millis(&done);
        match done.work {
            InFlightWork::Prefill { tokens } => self.chunks.measured(tokens, millis),
            InFlightWork::Score { id, from } => {
                // Whatever has become of its slot since: the prompt is the same.
                if let Some(entry) = self.entries.get_mut(&id) {
                    entry.sequence.tell_scores(from, words);
                    entry.mailbox.borrow_mut().push(entry.choice, entry.sequence.events.drain(..));
                    self.limit_prefill(id);
                }
            }
            InFlightWork::Decode { rows, steps, span, lookahead } => {
                if let [row] = rows[..] {
                    self.speculation.times.measured_plain(millis, steps);
                    self.book_plain(row.id, steps);
                }
                for row in rows {
                    if self.scheduler.epoch(row.id) != Some(row.epoch) {
                        continue;
                    }
                    let is_masked = self.entries.get(&row.id).is_some_and(|entry| entry.sequence.is_masked());
                    let steps = if is_masked { 1 } else { steps };
                    let tokens = (0..steps).map_while(|step| span.token(words, row.slot, step)).collect();
                    let logprobs = (0..steps).map_while(|step| span.logprobs(logprobs, row.slot, step));
                    let logprobs = logprobs.map(<[u32]>::to_vec).collect();
                    let ahead = usize::from(lookahead);
                    self.take_tokens(
                        row.id,
                        tokens,
                        Chosen { epoch: row.epoch, steps, ahead, token_ms: None, logprobs },
                    );
                }
            }
            InFlightWork::VerifyDraft { row, drafted } => self.take_verified_draft(row, drafted, millis, words),
            InFlightWork::Draft { row, work } => self.take_draft(row, work, millis, words),
            InFlightWork::Verify { row, draft, drafted_by } => {
                self.take_verified(row, &draft, drafted_by, millis, words)
            }
        }
    }

    /// How long a submission took. A GPU does one after the other.
    fn millis(&mut self, done: &InFlight) -> f64 {
        let now = Instant::now();
        let began = self.last_end.replace(now).map_or(done.submitted, |end| end.max(done.submitted));
        done.took.unwrap_or(now.duration_since(began)).as_secs_f64() * 1e3
    }

    /// Takes the tokens that a sequence's row has chosen to who decides of them.
    pub(super) fn take_tokens(&mut self, id: SeqId, mut tokens: Vec<u32>, mut chosen: Chosen) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let read = tokens.iter().take_while(|token| **token != NO_TOKEN).count();
        tokens.truncate(read + 1);
        // A first group is one token, so that its time is that of the prompt.
        chosen.token_ms = (read > 0).then(|| entry.sequence.clock.tokens(read)).flatten();
        entry.unread.push_back((tokens, chosen));
        self.ask_policy(id);
    }
}
