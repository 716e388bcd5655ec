//! One answer in the making: the tokens that stand, what has to follow a token, and when it ends. Touches no device.

use std::collections::VecDeque;

use web_time::Instant;

use super::constraint::{Constraint, Start};
use super::event::{Event, Finish, Timings, Usage};
use super::output::Output;
use crate::error::Error;
use crate::kernels::sampling::SamplingParams;
use crate::plan::PendingReadback;
use inglenook_text::output::{OutputParser, ReasoningBudget};
use inglenook_text::{Special, Tokenizer};

/// Steps in a submission once an answer is under way: a read for every four tokens.
pub(super) const GROUP: u32 = 4;

/// Tokens on trust that make up for the steps lost behind a wrong one.
const LONG_RUN: u32 = 32;

/// Tokens under the mask, at most, before any is chosen on trust again.
const MOST_WARY: u32 = 32;

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
    pub phase: Phase,
    /// Reads under way, oldest first, each with its number of tokens.
    pub queued: VecDeque<(PendingReadback, u32)>,
    /// Steps submitted so far.
    pub submitted: u32,
    /// Under a grammar that allows nearly every token: tokens are chosen without a mask, and looked at afterwards. So many were allowed
    /// one after the other; none where a mask is needed.
    pub trusted: Option<u32>,
    /// How many tokens need the mask before any is chosen like that again.
    pub wary: u32,
    /// How many it will be the next time: more with every time that it soon went wrong.
    pub wariness: u32,
    pub events: VecDeque<Event>,
    pub generated: Vec<u32>,
    pub cancelled: bool,
    pub usage: Usage,
    pub started: Instant,
    pub first_token: Option<Instant>,
}

/// How long the model may think.
#[derive(Debug)]
pub(super) struct Thought {
    pub budget: ReasoningBudget,
    /// The tokens that close a thought, and no more.
    pub close: Vec<u32>,
    /// The tokens that close a thought and begin the answer.
    pub closing: Vec<u32>,
    /// Whether they were the last to be forced: a thought that they do not end must not hold the answer up for ever.
    pub closed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Waiting,
    /// Tokens of the prompt whose keys and values are there.
    Prefill(u32),
    Decode,
    Done,
}

/// What to do after a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// Take the next.
    GoOn,
    /// Decode from the tokens that stand.
    Resume,
    /// Decode from there under a mask: the token is none that may come.
    Refused,
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
            trusted: None,
            wary: 0,
            wariness: 1,
            events: VecDeque::new(),
            generated: Vec::new(),
            cancelled: false,
            usage: Usage { prompt_tokens: prompt_tokens as u32, ..Usage::default() },
            started: Instant::now(),
            first_token: None,
        }
    }

    /// A token that was chosen on trust may not come.
    fn distrust(&mut self) {
        let run = self.trusted.take().unwrap_or(0);
        self.wariness = if run < LONG_RUN { (2 * self.wariness).min(MOST_WARY) } else { 1 };
        self.wary = self.wariness;
    }

    pub(super) fn timings(&self) -> Timings {
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
    pub(super) fn len(&self) -> usize {
        self.prompt.len() + self.progress.generated.len()
    }

    /// Tokens that may still come.
    pub(super) fn remaining(&self) -> u32 {
        self.limit - self.len() as u32
    }

    /// The token at a position that stands.
    pub(super) fn token(&self, position: usize) -> u32 {
        match position.checked_sub(self.prompt.len()) {
            Some(index) => self.progress.generated[index],
            None => self.prompt[position],
        }
    }

    /// Whether the next token is chosen under a mask.
    pub(super) fn is_masked(&self) -> bool {
        self.is_held() && self.progress.trusted.is_none()
    }

    /// Takes the token that the model chose, and what has to follow it; at the beginning, what has to come first.
    pub(super) fn advance(&mut self, chosen: Option<u32>) -> Result<Then, Error> {
        let was_masked = self.is_masked();
        let mut queue: VecDeque<u32> = chosen.into_iter().collect();
        let mut resume = false;
        loop {
            while let Some(token) = queue.pop_front() {
                if self.stop_ids.contains(&token)
                    && let Some(missing) = self.missing()
                {
                    (queue, resume) = (missing.into(), true);
                    continue;
                }
                let was_free = !self.is_held();
                let Some(tokens) = self.hold(token)? else { return Ok(Then::Refused) };
                resume |= tokens != [token];
                for token in tokens {
                    let (stands, ended) = self.take(token)?;
                    resume |= !stands;
                    if let Some(finish) = ended {
                        return Ok(Then::End(self.judge(finish)));
                    }
                }
                if was_free && self.is_held() {
                    // What would have followed freely has no place in the grammar that begins here.
                    queue.clear();
                }
            }
            self.must_follow(&mut queue)?;
            if queue.is_empty() {
                break;
            }
            resume = true;
        }
        if resume {
            self.progress.trusted = None;
        }
        // On trust nothing is asked of the grammar but whether a token may come: the first that may not brings the rest up.
        if self.progress.trusted.is_none() && self.constraint.as_mut().is_some_and(Constraint::must_stop) {
            return Ok(Then::End(Finish::Stop));
        }
        Ok(if resume || was_masked != self.is_masked() { Then::Resume } else { Then::GoOn })
    }

    /// The last token that fits may just have completed what was asked for, so that nothing else could have come.
    fn judge(&mut self, finish: Finish) -> Finish {
        let is_over = self.constraint.as_mut().is_some_and(Constraint::must_stop);
        if finish == Finish::Length && is_over { Finish::Stop } else { finish }
    }

    /// Whether the text was brought to its end before the model would have ended it.
    pub(super) fn is_shortened(&self) -> bool {
        self.constraint.as_ref().is_some_and(Constraint::is_shortened)
    }

    /// Whether the grammar holds.
    fn is_held(&self) -> bool {
        self.constraint.as_ref().is_some_and(Constraint::holds)
    }

    /// What has to be written where the model ends its turn before what it is held to has begun: the thought is closed, and the
    /// text behind which the grammar begins is written for it. Nothing where the answer is good without.
    fn missing(&mut self) -> Option<Vec<u32>> {
        let constraint = self.constraint.as_ref().filter(|constraint| !constraint.holds())?;
        let (thinks, calls) = (self.output.in_reasoning(), self.output.in_call());
        if thinks {
            // Of an answer that needs no grammar, only a call is held to one, wherever it stands.
            let free = matches!(constraint.start(), Start::Behind { required: false, .. });
            let closes = !self.thought.closed && (!free || calls);
            self.thought.closed |= closes;
            return closes.then(|| self.thought.closing.clone());
        }
        match constraint.start() {
            // A call may come in place of the form.
            _ if calls || self.output.called() => None,
            Start::Answer => Some(self.thought.closing.clone()),
            Start::Behind { text, required: true } => Some(self.output.tokenizer().encode(text, Special::Parse, false)),
            Start::Behind { required: false, .. } | Start::AtOnce(_) => None,
        }
    }

    /// Tells the grammar, where it holds, of a token; the tokens to take in its place. None where it was chosen without a mask, and may
    /// not come.
    fn hold(&mut self, token: u32) -> Result<Option<Vec<u32>>, Error> {
        let remaining = self.remaining() as usize;
        let trusted = self.progress.trusted;
        let Some(constraint) = self.constraint.as_mut().filter(|constraint| constraint.holds()) else {
            return Ok(Some(vec![token]));
        };
        if self.stop_ids.contains(&token) {
            let may_end = trusted.is_none() || constraint.is_complete();
            if !may_end {
                self.progress.distrust();
            }
            return Ok(may_end.then(|| vec![token]));
        }
        match constraint.take(token, remaining, self.output.in_call()) {
            Ok(tokens) => {
                self.progress.trusted = trusted.map(|run| run + 1);
                Ok(Some(tokens))
            }
            // Under a mask this is an error; here it is what was to be found out, and the matcher has not moved.
            Err(_) if trusted.is_some() => {
                self.progress.distrust();
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Makes a token part of the answer: whether it stands as it is, and the reason to end, if it is one. Where a grammar begins within
    /// the token, only what comes before stands.
    fn take(&mut self, token: u32) -> Result<(bool, Option<Finish>), Error> {
        let stops = self.stop_ids.contains(&token);
        let events = &mut self.progress.events;
        let awaiting = self.constraint.as_mut().filter(|constraint| !constraint.holds() && !stops);
        let mut standing = vec![token];
        let ended = match awaiting {
            None => self.output.take(token, events),
            Some(constraint) => {
                let mut begins = |parser: &OutputParser, c| constraint.begins_behind(parser, c);
                let (rest, ended) = self.output.take_until(token, &mut begins, events);
                if let Some(rest) = rest {
                    constraint.begin()?;
                    standing = front(self.output.tokenizer(), token, rest);
                }
                ended
            }
        };
        for token in &standing {
            let thinking = self.output.in_reasoning();
            self.thought.budget.count(thinking);
            self.thought.closed &= thinking;
            self.progress.generated.push(*token);
            self.progress.usage.completion_tokens += 1;
            if self.remaining() == 0 {
                break;
            }
        }
        let ended = ended.filter(|_| !stops).or_else(|| (self.remaining() == 0).then_some(Finish::Length));
        Ok((standing == [token], if stops { Some(Finish::Stop) } else { ended }))
    }

    /// Adds what has to come next, whatever the model would say: the end of a thought that is too long, what the grammar
    /// forces.
    fn must_follow(&mut self, queue: &mut VecDeque<u32>) -> Result<(), Error> {
        if self.thought.budget.is_spent() && !self.thought.closed {
            self.thought.closed = true;
            match self.constraint.as_mut().filter(|constraint| constraint.holds()) {
                None => queue.extend(&self.thought.closing),
                // A grammar that has room for thoughts knows what comes behind them.
                Some(constraint) => {
                    let closes = self.thought.close.first().map(|first| constraint.allows(*first)).transpose()?;
                    queue.extend(self.thought.close.iter().filter(|_| closes == Some(true)));
                }
            }
        } else if let Some(constraint) = self.constraint.as_mut().filter(|_| self.progress.trusted.is_none()) {
            constraint.forced(queue)?;
        }
        Ok(())
    }

    /// Steps that are submitted and not yet read.
    pub(super) fn in_flight(&self) -> u32 {
        self.progress.queued.iter().map(|(_, steps)| steps).sum()
    }

    /// Steps of the next submission: one, so that the first token comes at once; then what completes a group; then groups. While tokens
    /// are chosen on trust, half as many may be under way as were right, since those behind a wrong one are lost.
    pub(super) fn next_group(&self) -> u32 {
        let wanted = match self.progress.submitted {
            0 => 1,
            steps => GROUP - steps % GROUP,
        };
        let trust = self.progress.trusted.map_or(u32::MAX, |run| (run / 2).max(1));
        wanted.min(self.remaining().min(trust).saturating_sub(self.in_flight()))
    }
}

/// The tokens of a token's text but for its last `rest` bytes. The whole token where that is no text.
fn front(tokenizer: &Tokenizer, token: u32, rest: usize) -> Vec<u32> {
    let bytes = tokenizer.token_bytes(token);
    let front = bytes.len().checked_sub(rest).map(|len| std::str::from_utf8(&bytes[..len]));
    match front {
        Some(Ok(front)) if rest > 0 => tokenizer.encode(front, Special::AsText, false),
        _ => vec![token],
    }
}
