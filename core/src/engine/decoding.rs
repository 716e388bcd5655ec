//! The decode loop: from a generation's state to steps on the device, and from the tokens they choose back to the generation.
//!
//! Tokens are chosen in one of two ways. Freely, steps are queued in groups ahead of the reads. Under a mask that depends on
//! the token before, each choice is read before the next. Where something other than the chosen token has to follow (what a
//! grammar forces, the end of a thought that is too long), or the way changes, decoding resumes from the tokens that stand.
//!
//! Where a grammar allows nearly every token, as within a text, waiting for each would be a waste: tokens are chosen freely there, too,
//! and the first that may not come is chosen again under a mask. That draws from the same distribution, and with the same noise the
//! same token: the best of all, where it is allowed, is the best of those allowed. (top_k, top_p and min_p then cut before the
//! grammar does.)

use web_time::Instant;

use super::Engine;
use super::event::{Event, Finish};
use super::generation::{GROUP, Generation, Phase, Progress, Then};
use super::request::RequestError;
use crate::error::Error;
use crate::kernels::sampling::{MASKED, NO_TOKEN, history_words, stop_words};

/// Submissions queued ahead, so that the GPU works while the CPU waits.
const AHEAD: usize = 2;

impl Engine {
    /// The next event of a generation; none after [`Event::Done`].
    ///
    /// # Errors
    /// [`RequestError::Busy`] while another generation is under way; failures of the device, and [`FaultError`], after which nothing
    /// follows.
    ///
    /// [`FaultError`]: super::FaultError
    pub async fn next(&mut self, generation: &mut Generation) -> Result<Option<Event>, Error> {
        loop {
            if let Some(event) = generation.progress.events.pop_front() {
                return Ok(Some(event));
            }
            let moved = match generation.progress.phase {
                Phase::Done => return Ok(None),
                _ if generation.progress.cancelled => {
                    self.finish(generation, Finish::Aborted);
                    Ok(())
                }
                Phase::Waiting => self.begin(generation).await,
                Phase::Prefill(done) => self.prefill(generation, done).await,
                Phase::Decode if generation.is_masked() => self.decode_masked(generation).await,
                Phase::Decode => self.decode(generation).await,
            };
            if let Err(error) = moved {
                generation.progress.phase = Phase::Done;
                generation.progress.events.clear();
                self.release(generation);
                self.computed.truncate(0);
                return Err(error);
            }
        }
    }

    async fn begin(&mut self, generation: &mut Generation) -> Result<(), Error> {
        if self.active.is_some_and(|active| active != generation.id) {
            return Err(RequestError::Busy.into());
        }
        self.active = Some(generation.id);
        while let Some(pending) = self.abandoned.pop_front() {
            pending.wait().await?;
        }
        generation.progress.started = Instant::now();
        // The last token always goes through the decode plan, which answers it.
        let prompt = &generation.prompt[..generation.prompt.len() - 1];
        let same = self.computed.keep_common(prompt);
        generation.progress.usage.cached_tokens = same as u32;
        generation.progress.phase = Phase::Prefill(same as u32);
        Ok(())
    }

    async fn prefill(&mut self, generation: &mut Generation, done: u32) -> Result<(), Error> {
        let last = generation.prompt.len() - 1;
        if (done as usize) < last {
            let end = last.min((done + self.runner.chunk()) as usize);
            self.compute(&generation.prompt[done as usize..end]);
            self.runner.wait_idle().await?;
            generation.progress.phase = Phase::Prefill(end as u32);
            return Ok(());
        }
        generation.progress.phase = Phase::Decode;
        match generation.advance(None)? {
            Then::End(finish) => self.finish(generation, finish),
            Then::GoOn | Then::Resume | Then::Refused => {
                self.runner.set_stops(&stop_words(&generation.stop_ids).unwrap_or_default());
                self.resume(generation);
            }
        }
        Ok(())
    }

    async fn decode(&mut self, generation: &mut Generation) -> Result<(), Error> {
        while generation.progress.queued.len() < AHEAD && generation.next_group() > 0 {
            let (first, steps) = (generation.progress.submitted, generation.next_group());
            let is_ready = self.computed.is_ready_at(generation.len());
            generation.progress.queued.push_back((self.runner.decode(first, steps, is_ready), steps));
            self.computed.set_ready(false);
            generation.progress.submitted += steps;
        }
        let Some((pending, steps)) = generation.progress.queued.pop_front() else {
            self.finish(generation, Finish::Length);
            return Ok(());
        };
        let tokens: Vec<u32> = bytemuck::pod_collect_to_vec(&pending.wait().await?);
        generation.progress.first_token.get_or_insert_with(Instant::now);
        for (token, behind) in tokens[..steps as usize].iter().zip((0..steps).rev()) {
            if *token == NO_TOKEN {
                return Err(self.fault(generation).await);
            }
            self.step_has_computed(generation, behind + generation.in_flight() == 0);
            let then = match generation.advance(Some(*token))? {
                // What has to come in its place, if anything has to.
                Then::Refused => match generation.advance(None)? {
                    Then::GoOn => Then::Resume,
                    then => then,
                },
                then => then,
            };
            match then {
                Then::GoOn => {}
                Then::Resume | Then::Refused => {
                    // Steps queued ahead have gone another way; the queue's order keeps them apart from what follows.
                    self.abandon_reads(generation);
                    self.resume(generation);
                    break;
                }
                Then::End(finish) => {
                    self.finish(generation, finish);
                    break;
                }
            }
        }
        Ok(())
    }

    async fn decode_masked(&mut self, generation: &mut Generation) -> Result<(), Error> {
        let standing = generation.len();
        let Some(constraint) = &mut generation.constraint else { return Ok(()) };
        let mask = constraint.mask()?;
        let trust = trust(mask, self.tokenizer.vocab_size()).filter(|_| generation.progress.wary == 0);
        if trust.is_some() {
            generation.progress.trusted = trust;
            self.resume(generation);
            return Ok(());
        }
        let is_ready = self.computed.is_ready_at(standing);
        let pending = self.runner.choose(generation.progress.submitted, mask, is_ready);
        generation.progress.submitted += 1;
        let tokens: Vec<u32> = bytemuck::pod_collect_to_vec(&pending.wait().await?);
        generation.progress.first_token.get_or_insert_with(Instant::now);
        generation.progress.wary = generation.progress.wary.saturating_sub(1);
        let [token] = tokens[..] else { return Ok(()) };
        if token == NO_TOKEN {
            return Err(self.fault(generation).await);
        }
        self.step_has_computed(generation, true);
        let then = generation.advance(Some(token))?;
        if let Then::End(finish) = then {
            // Behind a stop token, or at the limit, the batch was finished and the pass did nothing.
            self.finish(generation, finish);
            return Ok(());
        }
        // The forward pass over it was queued with the choice; another token may have taken its place.
        let stands = generation.len() > standing && generation.token(standing) == token;
        self.computed.extend(&[token][..usize::from(stands)]);
        self.computed.set_ready(stands);
        if then != Then::GoOn {
            self.resume(generation);
        }
        Ok(())
    }

    /// A step that was read has computed keys and values of the token before the one it chose, unless they were there. Where it
    /// was the last, that token can be chosen again.
    fn step_has_computed(&mut self, generation: &Generation, last: bool) {
        if self.computed.len() < generation.len() {
            self.computed.extend(&[generation.token(self.computed.len())]);
        }
        self.computed.set_ready(last);
    }

    /// Computes keys and values of tokens that follow the cached ones.
    fn compute(&mut self, tokens: &[u32]) {
        for chunk in tokens.chunks(self.runner.chunk() as usize) {
            self.runner.compute(self.computed.len() as u32, chunk);
            self.computed.extend(chunk);
        }
    }

    /// Decodes from the tokens that stand.
    fn resume(&mut self, generation: &Generation) {
        let last = generation.len() - 1;
        if !self.computed.is_ready_at(last + 1) {
            self.computed.truncate(last);
            let missing: Vec<u32> = (self.computed.len()..last).map(|position| generation.token(position)).collect();
            self.compute(&missing);
        }
        debug_assert!(self.computed.tokens().enumerate().all(|(at, token)| token == generation.token(at)));
        let mut params = generation.params;
        params.flags |= if generation.is_masked() { MASKED } else { 0 };
        if params.remembers() {
            self.write_history(generation);
        }
        self.runner.resume(generation.token(last), last as u32, generation.progress.submitted, params);
    }

    fn write_history(&self, generation: &Generation) {
        self.runner.set_history(&history_words(
            self.runner.vocab(),
            &generation.prompt,
            generation.tokens(),
            &generation.bias,
        ));
    }

    pub(super) fn finish(&mut self, generation: &mut Generation, reason: Finish) {
        generation.progress.phase = Phase::Done;
        self.release(generation);
        let is_shortened = generation.is_shortened();
        let Progress { events, usage, .. } = &mut generation.progress;
        let mut reason = reason;
        if reason != Finish::Aborted {
            let ended = generation.output.finish(reason != Finish::Stop, events);
            reason = match reason {
                Finish::Stop | Finish::Length if ended.is_some() => ended.unwrap_or(reason),
                // What is whole only because it was led to its end is not what the model would have said.
                Finish::Stop if is_shortened => Finish::Length,
                Finish::Stop if generation.output.called() => Finish::ToolCalls,
                reason => reason,
            };
        }
        let (usage, timings) = (*usage, generation.progress.timings());
        generation.progress.events.push_back(Event::Done { reason, usage, timings });
    }

    fn abandon_reads(&mut self, generation: &mut Generation) {
        self.abandoned.extend(generation.progress.queued.drain(..).map(|(pending, _)| pending));
    }

    /// Gives the device to whoever comes next.
    fn release(&mut self, generation: &mut Generation) {
        self.abandon_reads(generation);
        if self.active == Some(generation.id) {
            self.active = None;
        }
    }

    /// Ends a generation that nobody will move on any more, so that another can begin.
    pub fn abandon(&mut self, generation: &mut Generation) {
        if generation.progress.phase != Phase::Done {
            generation.progress.phase = Phase::Done;
            self.release(generation);
        }
    }
}

/// How far tokens may be chosen without this mask: as if so many had been right already. Not at all where it forbids a good part of the
/// vocabulary.
fn trust(mask: &[u32], vocab: usize) -> Option<u32> {
    let allowed: usize = mask.iter().map(|word| word.count_ones() as usize).sum();
    match allowed * 100 / vocab.max(1) {
        98.. => Some(4 * GROUP),
        50..98 => Some(0),
        _ => None,
    }
}
