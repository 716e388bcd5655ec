//! One answer in the making: prompt, queued steps, what has to follow a token, the end.
//!
//! Tokens are chosen in one of two ways. Freely, steps are queued in groups ahead of the reads. Under a mask that depends on
//! the token before, each choice is read before the next. Where something other than the chosen token has to follow (what a
//! grammar forces, the end of a thought that is too long), or the way changes, decoding resumes from the tokens that stand.

use std::collections::VecDeque;

use web_time::Instant;

use super::Engine;
use super::constraint::Constraint;
use super::event::{Event, Finish, Timings, Usage};
use super::output::Output;
use super::request::RequestError;
use crate::error::Error;
use crate::kernels::sampling::{MASKED, SamplingParams, history_words, stop_words};
use crate::plan::Pending;
use crate::text::output::ReasoningBudget;

/// Steps in a submission once an answer is under way: a read for every four tokens.
const GROUP: u32 = 4;
/// Submissions queued ahead, so that the GPU works while the CPU waits.
const AHEAD: usize = 2;

/// One answer in the making. Move it on with [`Engine::next`].
#[derive(Debug)]
pub struct Generation {
    pub(super) id: u64,
    pub(super) prompt: Vec<u32>,
    /// Position at which generation must end.
    pub(super) limit: u32,
    pub(super) params: SamplingParams,
    pub(super) bias: Vec<(u32, f32)>,
    pub(super) stop_ids: Vec<u32>,
    pub(super) output: Output,
    pub(super) constraint: Option<Constraint>,
    pub(super) thought: Thought,
    pub(super) progress: Progress,
}

/// How far an answer is.
#[derive(Debug)]
pub(super) struct Progress {
    phase: Phase,
    /// Reads under way, oldest first, each with its number of tokens.
    queued: VecDeque<(Pending, u32)>,
    /// Steps submitted so far.
    submitted: u32,
    events: VecDeque<Event>,
    generated: Vec<u32>,
    cancelled: bool,
    usage: Usage,
    started: Instant,
    first_token: Option<Instant>,
}

/// How long the model may think.
#[derive(Debug)]
pub(super) struct Thought {
    pub budget: ReasoningBudget,
    /// The tokens that close a thought.
    pub closing: Vec<u32>,
    /// Whether they were the last to be forced: a thought that they do not end must not hold the answer up for ever.
    pub closed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Waiting,
    /// Tokens of the prompt whose keys and values are there.
    Prefill(u32),
    Decode,
    Done,
}

/// What to do after a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// Take the next.
    GoOn,
    /// Decode from the tokens that stand.
    Resume,
    /// End.
    End(Finish),
}

impl Progress {
    /// Of an answer to a prompt of so many tokens.
    pub fn new(prompt_tokens: usize) -> Progress {
        Progress {
            phase: Phase::Waiting,
            queued: VecDeque::new(),
            submitted: 0,
            events: VecDeque::new(),
            generated: Vec::new(),
            cancelled: false,
            usage: Usage { prompt_tokens: prompt_tokens as u32, ..Usage::default() },
            started: Instant::now(),
            first_token: None,
        }
    }

    fn timings(&self) -> Timings {
        let millis = |from: Instant, to: Instant| to.duration_since(from).as_secs_f64() * 1e3;
        let first = self.first_token.unwrap_or(self.started);
        Timings { prefill_ms: millis(self.started, first), decode_ms: millis(first, Instant::now()) }
    }
}

impl Generation {
    /// Ends the answer: no step is submitted any more, and the next event is the last.
    pub fn cancel(&mut self) {
        self.progress.cancelled = true;
    }

    /// Ids of the tokens generated so far.
    pub fn tokens(&self) -> &[u32] {
        &self.progress.generated
    }

    /// Number of tokens of the prompt.
    pub fn prompt_tokens(&self) -> usize {
        self.prompt.len()
    }

    /// Number of tokens that stand: the prompt's and those generated.
    fn len(&self) -> usize {
        self.prompt.len() + self.progress.generated.len()
    }

    /// Tokens that may still come.
    fn remaining(&self) -> u32 {
        self.limit - self.len() as u32
    }

    /// The token at a position that stands.
    fn token(&self, position: usize) -> u32 {
        match position.checked_sub(self.prompt.len()) {
            Some(index) => self.progress.generated[index],
            None => self.prompt[position],
        }
    }

    /// Whether the next token is chosen under a mask.
    fn is_masked(&self) -> bool {
        self.constraint.as_ref().is_some_and(Constraint::holds)
    }

    /// Takes the token that the model chose, and what has to follow it; at the beginning, what has to come first.
    fn advance(&mut self, chosen: Option<u32>) -> Result<Then, Error> {
        let was_masked = self.is_masked();
        let mut queue: VecDeque<u32> = chosen.into_iter().collect();
        let mut resume = false;
        loop {
            while let Some(token) = queue.pop_front() {
                let tokens = self.hold(token)?;
                resume |= tokens != [token];
                for token in tokens {
                    if let Some(finish) = self.take(token) {
                        return Ok(Then::End(self.judge(finish)));
                    }
                }
            }
            self.must_follow(&mut queue)?;
            if queue.is_empty() {
                break;
            }
            resume = true;
        }
        if self.constraint.as_mut().is_some_and(Constraint::must_stop) {
            return Ok(Then::End(Finish::Stop));
        }
        Ok(if resume || was_masked != self.is_masked() { Then::Resume } else { Then::GoOn })
    }

    /// The last token that fits may just have completed what was asked for.
    fn judge(&mut self, finish: Finish) -> Finish {
        let complete = self.constraint.as_mut().is_some_and(Constraint::is_complete);
        if finish == Finish::Length && complete { Finish::Stop } else { finish }
    }

    /// Tells the constraint of a token; the tokens to take in its place.
    fn hold(&mut self, token: u32) -> Result<Vec<u32>, Error> {
        let remaining = self.remaining() as usize;
        match &mut self.constraint {
            Some(constraint) if !self.stop_ids.contains(&token) => {
                Ok(constraint.take(self.output.tokenizer(), token, remaining)?)
            }
            _ => Ok(vec![token]),
        }
    }

    /// Makes a token part of the answer; the reason to end, if it is one.
    fn take(&mut self, token: u32) -> Option<Finish> {
        let Progress { generated, usage, events, .. } = &mut self.progress;
        generated.push(token);
        usage.completion_tokens += 1;
        let ended = self.output.take(token, events);
        if self.stop_ids.contains(&token) {
            return Some(Finish::Stop);
        }
        let thinking = self.output.in_reasoning();
        self.thought.budget.count(thinking);
        self.thought.closed &= thinking;
        ended.or_else(|| (self.remaining() == 0).then_some(Finish::Length))
    }

    /// Adds what has to come next, whatever the model would say: the end of a thought that is too long, what the grammar
    /// forces.
    fn must_follow(&mut self, queue: &mut VecDeque<u32>) -> Result<(), Error> {
        if self.thought.budget.is_spent() && !self.thought.closed {
            queue.extend(&self.thought.closing);
            self.thought.closed = true;
        } else if let Some(constraint) = &mut self.constraint {
            constraint.forced(queue)?;
        }
        Ok(())
    }

    fn all_submitted(&self) -> bool {
        self.remaining() <= self.in_flight()
    }

    /// Steps that are submitted and not yet read.
    fn in_flight(&self) -> u32 {
        self.progress.queued.iter().map(|(_, steps)| steps).sum()
    }

    /// Steps of the next submission: one, so that the first token comes at once; then what completes a group; then groups.
    fn next_group(&self) -> u32 {
        let wanted = match self.progress.submitted {
            0 => 1,
            steps => GROUP - steps % GROUP,
        };
        wanted.min(self.remaining() - self.in_flight())
    }
}

impl Engine {
    /// The next event of a generation; none after [`Event::Done`].
    ///
    /// # Errors
    /// [`RequestError::Busy`] while another generation is under way; failures of the device, after which nothing follows.
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
                self.release(generation);
                self.cached.clear();
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
        let same = self.cached.iter().zip(prompt).take_while(|(a, b)| a == b).count();
        self.cached.truncate(same);
        generation.progress.usage.cached_tokens = same as u32;
        generation.progress.phase = Phase::Prefill(same as u32);
        Ok(())
    }

    async fn prefill(&mut self, generation: &mut Generation, done: u32) -> Result<(), Error> {
        let last = generation.prompt.len() - 1;
        if (done as usize) < last {
            let end = last.min((done + self.runner.chunk()) as usize);
            self.compute(&generation.prompt[done as usize..end]);
            self.runner.settle().await?;
            generation.progress.phase = Phase::Prefill(end as u32);
            return Ok(());
        }
        generation.progress.phase = Phase::Decode;
        match generation.advance(None)? {
            Then::End(finish) => self.finish(generation, finish),
            Then::GoOn | Then::Resume => {
                self.write_history(generation);
                self.resume(generation);
            }
        }
        Ok(())
    }

    async fn decode(&mut self, generation: &mut Generation) -> Result<(), Error> {
        while generation.progress.queued.len() < AHEAD && !generation.all_submitted() {
            let (first, steps) = (generation.progress.submitted, generation.next_group());
            generation.progress.queued.push_back((self.runner.decode(first, steps), steps));
            generation.progress.submitted += steps;
        }
        let Some((pending, steps)) = generation.progress.queued.pop_front() else {
            self.finish(generation, Finish::Length);
            return Ok(());
        };
        let tokens: Vec<u32> = bytemuck::pod_collect_to_vec(&pending.wait().await?);
        generation.progress.first_token.get_or_insert_with(Instant::now);
        for token in &tokens[..steps as usize] {
            // A step has computed keys and values of the token before the one it chose.
            self.cached.push(generation.token(self.cached.len()));
            match generation.advance(Some(*token))? {
                Then::GoOn => {}
                Then::Resume => {
                    // Steps queued ahead have gone another way; the queue's order keeps them apart from what follows.
                    self.abandon_reads(generation);
                    self.write_history(generation);
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
        let Some(constraint) = &mut generation.constraint else { return Ok(()) };
        let pending = self.runner.choose(generation.progress.submitted, constraint.mask()?);
        generation.progress.submitted += 1;
        let tokens: Vec<u32> = bytemuck::pod_collect_to_vec(&pending.wait().await?);
        generation.progress.first_token.get_or_insert_with(Instant::now);
        let [token] = tokens[..] else { return Ok(()) };
        let then = generation.advance(Some(token))?;
        if let Then::End(finish) = then {
            self.finish(generation, finish);
            return Ok(());
        }
        if then == Then::GoOn {
            // The forward pass over it was queued with the choice.
            self.cached.push(token);
            return Ok(());
        }
        if generation.token(self.cached.len()) == token {
            self.cached.push(token);
        }
        if generation.params.remembers() {
            self.write_history(generation);
        }
        self.resume(generation);
        Ok(())
    }

    /// Computes keys and values of tokens that follow the cached ones.
    fn compute(&mut self, tokens: &[u32]) {
        for chunk in tokens.chunks(self.runner.chunk() as usize) {
            self.runner.prefill(self.cached.len() as u32, chunk);
            self.cached.extend_from_slice(chunk);
        }
    }

    /// Decodes from the tokens that stand.
    fn resume(&mut self, generation: &Generation) {
        let last = generation.len() - 1;
        self.cached.truncate(last);
        let missing: Vec<u32> = (self.cached.len()..last).map(|position| generation.token(position)).collect();
        self.compute(&missing);
        let mut params = generation.params;
        params.flags |= if generation.is_masked() { MASKED } else { 0 };
        let token = generation.token(last);
        self.runner.resume(token, last as u32, generation.progress.submitted, params);
        if generation.is_masked() {
            self.runner.forward();
            self.cached.push(token);
        }
    }

    fn write_history(&self, generation: &Generation) {
        let vocab = self.runner.model().config().vocab;
        let history = history_words(vocab, &generation.prompt, generation.tokens(), &generation.bias);
        self.runner.begin(&history, &stop_words(&generation.stop_ids).unwrap_or_default());
    }

    fn finish(&mut self, generation: &mut Generation, reason: Finish) {
        generation.progress.phase = Phase::Done;
        self.release(generation);
        let Progress { events, usage, .. } = &mut generation.progress;
        let mut reason = reason;
        if reason != Finish::Aborted {
            let ended = generation.output.finish(events);
            reason = match reason {
                Finish::Stop | Finish::Length if ended.is_some() => ended.unwrap_or(reason),
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
