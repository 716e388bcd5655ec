//! From the tokens that the device has chosen to their sequences, and what is asked of the device next.

use web_time::Instant;

use super::{Driver, InFlight, InFlightWork, STEPS_PER_SUBMIT};
use crate::engine::scheduler::SeqId;
use crate::engine::sequence::{MaskMode, NextAction};
use crate::error::Error;
use crate::kernels::sampling::NO_TOKEN;

impl Driver {
    /// Takes what a submission has computed.
    pub(super) fn take(&mut self, done: InFlight, words: &[u32], logprobs: &[u32]) {
        let millis = self.millis(&done);
        match done.work {
            InFlightWork::Prefill { tokens } => self.chunks.measured(tokens, millis),
            InFlightWork::Decode { rows, steps, span, lookahead } => {
                if let [row] = rows[..] {
                    self.step_times.measured_plain(millis, steps);
                    self.book_plain(row.id, steps);
                }
                for row in rows {
                    if self.scheduler.epoch(row.id) != Some(row.epoch) {
                        continue;
                    }
                    let is_masked = self.entries.get(&row.id).is_some_and(|entry| entry.sequence.is_masked());
                    let steps = if is_masked { 1 } else { steps };
                    self.scheduler.read(row.id, steps);
                    let tokens = (0..steps).map_while(|step| span.token(words, row.slot, step)).collect();
                    let logprobs = (0..steps).map_while(|step| span.logprobs(logprobs, row.slot, step)).collect();
                    let taken = self.take_tokens(row.id, tokens, logprobs, usize::from(lookahead));
                    self.fail_unless(row.id, taken);
                }
            }
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

    pub(super) fn fail_unless(&mut self, id: SeqId, taken: Result<(), Error>) {
        if let Err(error) = taken {
            self.fail_one(id, error);
        }
    }

    /// Takes the tokens that a sequence's row has chosen, and what follows from each.
    pub(super) fn take_tokens(
        &mut self,
        id: SeqId,
        tokens: Vec<u32>,
        logprobs: Vec<&[u32]>,
        ahead: usize,
    ) -> Result<(), Error> {
        let mut logprobs = logprobs.into_iter();
        let read = tokens.iter().take_while(|token| **token != NO_TOKEN).count();
        let entry = self.entries.get_mut(&id).filter(|_| read > 0);
        let token_ms = entry.and_then(|entry| entry.sequence.clock.tokens(read));
        for token in tokens {
            let Some(entry) = self.entries.get_mut(&id) else { return Ok(()) };
            let sequence = &mut entry.sequence;
            if token == NO_TOKEN {
                // Its row has ended: what the ring says of it in later steps is older than they are.
                self.scheduler.rewind(id);
                self.scheduler.set_held(id, true);
                self.faulty.push_back(id);
                return Ok(());
            }
            // A first group is one token, so that its time is that of the prompt.
            token_ms.into_iter().for_each(|ms| sequence.clock.token_ms.record(ms));
            let logprobs = logprobs.next();
            if sequence.is_masked() {
                sequence.backoff.left = sequence.backoff.left.saturating_sub(1);
            }
            let (standing, events_before) = (sequence.len(), sequence.events.len());
            let next = match sequence.advance(Some(token))? {
                // What has to come in its place, if anything has to.
                NextAction::Rejected => match sequence.advance(None)? {
                    NextAction::GoOn => NextAction::Resume,
                    next => next,
                },
                next => next,
            };
            // The step that chose the token has computed the one before it; with a pass queued behind, the token itself, if it stands
            // and has not ended the row.
            let stands = sequence.len() > standing && sequence.token(standing) == token;
            let goes_on = !matches!(next, NextAction::End(_)) && !sequence.stop_ids.contains(&token);
            let computed = standing + if stands && goes_on { ahead } else { 0 };
            if let Some(logprobs) = logprobs {
                sequence.tell_logprobs(standing, token, logprobs, events_before);
            }
            self.tell(id, standing, computed);
            match next {
                NextAction::GoOn => {}
                NextAction::Resume | NextAction::Rejected => {
                    self.scheduler.rewind(id);
                    break;
                }
                NextAction::End(reason) => {
                    self.finish(id, reason);
                    return Ok(());
                }
            }
        }
        self.choose_pace(id)
    }

    /// Tells the scheduler and the answer of the tokens from `standing` on.
    pub(super) fn tell(&mut self, id: SeqId, standing: usize, computed: usize) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let sequence = &mut entry.sequence;
        let new: Vec<u32> = (standing..sequence.len()).map(|position| sequence.token(position)).collect();
        self.scheduler.extend(id, &new, computed);
        if self.speculates {
            self.foreseen += entry.lookup.foresaw(&new);
        }
        let cached = self.scheduler.cached(id).unwrap_or_default();
        sequence.usage.cached_tokens = cached.min(sequence.prompt.len()) as u32;
        let mut mailbox = entry.mailbox.borrow_mut();
        mailbox.generated[entry.choice as usize].extend_from_slice(&new);
        mailbox.push(entry.choice, sequence.events.drain(..));
        drop(mailbox);
        let now_ms = self.now_ms();
        self.throughput.record(new.len() as u64, now_ms);
    }

    /// Begins a sequence: what has to come before its first token is chosen.
    pub(in crate::engine) fn begin(&mut self, id: SeqId) -> Result<(), Error> {
        let Some(entry) = self.entries.get_mut(&id) else { return Ok(()) };
        let standing = entry.sequence.len();
        match entry.sequence.advance(None)? {
            NextAction::End(reason) => {
                self.tell(id, standing, 0);
                self.finish(id, reason);
                return Ok(());
            }
            NextAction::GoOn | NextAction::Resume | NextAction::Rejected => self.tell(id, standing, 0),
        }
        self.choose_pace(id)
    }

    /// Whether a sequence's next token is chosen under a mask, which is made here.
    pub(super) fn choose_pace(&mut self, id: SeqId) -> Result<(), Error> {
        let Some(entry) = self.entries.get_mut(&id) else { return Ok(()) };
        let sequence = &mut entry.sequence;
        if sequence.is_masked()
            && let Some(constraint) = &mut sequence.constraint
        {
            let mask = constraint.mask()?;
            match allowed_run(mask, self.vocab_size).filter(|_| sequence.backoff.left == 0) {
                Some(run) => {
                    sequence.mask_mode = MaskMode::Unmasked(run);
                    self.scheduler.rewind(id);
                }
                None => {
                    mask.clone_into(&mut entry.mask);
                    sequence.forbid_early_end(&mut entry.mask);
                }
            }
        }
        let is_masked = sequence.is_masked();
        let features = self.runner.features();
        entry.waits_for_plan = features.or(sequence.params.features()) != features;
        self.scheduler.set_pace(id, is_masked, sequence.lookahead());
        self.scheduler.set_held(id, entry.waits_for_plan);
        self.propose(id);
        Ok(())
    }
}

/// How far tokens may be chosen without this mask: as if so many had been allowed already. Not at all where it forbids a good part of
/// the vocabulary.
fn allowed_run(mask: &[u32], vocab: usize) -> Option<u32> {
    let allowed: usize = mask.iter().map(|word| word.count_ones() as usize).sum();
    match allowed * 100 / vocab.max(1) {
        98.. => Some(4 * STEPS_PER_SUBMIT),
        50..98 => Some(0),
        _ => None,
    }
}
