//! What follows a token: whether it stands, what has to come behind it, and whether the answer ends. Touches no device. What the grammar
//! is asked is answered later, so that other sequences go on meanwhile.

use std::collections::VecDeque;

use inglenook_grammar::{Asks, GrammarError};

use super::constraint::{Constraint, Start};
use super::event::{Event, FinishReason};
use super::output::OutputPipeline;
use crate::error::Error;
use inglenook_text::output::{OutputParser, ReasoningBudget};
use inglenook_text::{Special, Tokenizer};

/// Allowed tokens in a row that make up for the steps lost behind a rejected one.
const LONG_RUN: u32 = 32;

/// Most tokens chosen under the mask before any is chosen without it again.
const MAX_BACKOFF: u32 = 32;

/// What decides of a sequence's tokens.
#[derive(Debug)]
pub(super) struct TokenPolicy {
    pub stop_ids: Vec<u32>,
    /// Tokens that may still come.
    pub remaining: u32,
    pub output: OutputPipeline,
    pub constraint: Option<Constraint>,
    pub reasoning: ReasoningState,
    pub mask_mode: MaskMode,
    pub backoff: Backoff,
    /// What the last token has come to so far.
    pub step: Advance,
}

/// What a chosen token has come to.
#[derive(Debug, Default)]
pub(super) struct Advance {
    /// The tokens that now stand.
    pub tokens: Vec<u32>,
    pub events: VecDeque<Event>,
    pub next: NextAction,
}

/// How tokens are chosen while a grammar holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MaskMode {
    /// Each under the mask of what may come.
    Masked,
    /// Where the grammar allows nearly every token: without a mask, and verified afterwards. So many were allowed one after the other.
    Unmasked(u32),
}

/// How long tokens are chosen under the mask after one chosen without it was rejected.
#[derive(Debug, Clone, Copy)]
pub(super) struct Backoff {
    /// Tokens under the mask still to come.
    pub left: u32,
    /// How many it will be the next time: more with every time that it soon went wrong.
    next: u32,
}

/// How long the model may think.
#[derive(Debug)]
pub(super) struct ReasoningState {
    pub budget: ReasoningBudget,
    /// Whether the budget has an end.
    pub is_limited: bool,
    /// The tokens that close a thought, and no more.
    pub close: Vec<u32>,
    /// The tokens that close a thought and begin the answer.
    pub closing: Vec<u32>,
    /// Whether they were the last to be forced: a thought that they do not end must not hold the answer up for ever.
    pub closed: bool,
}

/// What to do after a token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum NextAction {
    /// Take the next.
    #[default]
    GoOn,
    /// Decode from the tokens that stand.
    Resume,
    /// Decode from there under a mask: the token is none that may come.
    Rejected,
    /// End.
    End(FinishReason),
}

impl Default for Backoff {
    fn default() -> Backoff {
        Backoff { left: 0, next: 1 }
    }
}

impl TokenPolicy {
    /// Whether the grammar holds.
    pub fn is_held(&self) -> bool {
        self.constraint.as_ref().is_some_and(Constraint::holds)
    }

    /// Whether the next token is chosen under a mask.
    pub fn is_masked(&self) -> bool {
        self.is_held() && self.mask_mode == MaskMode::Masked
    }

    /// The tokens that may come next, where a mask was asked for.
    pub fn mask(&self) -> &[u32] {
        self.constraint.as_ref().map_or(&[], Constraint::last_mask)
    }

    /// Steps that may be in flight. Without a mask, half as many as were allowed in a row, since those behind a rejected one are lost.
    pub fn lookahead(&self) -> u32 {
        match self.mask_mode {
            MaskMode::Unmasked(run) if self.is_held() => (run / 2).max(1),
            _ => u32::MAX,
        }
    }

    /// A token that was chosen without a mask may not come.
    fn reject(&mut self) {
        let MaskMode::Unmasked(run) = self.mask_mode else { return };
        self.mask_mode = MaskMode::Masked;
        self.backoff.next = if run < LONG_RUN { (2 * self.backoff.next).min(MAX_BACKOFF) } else { 1 };
        self.backoff.left = self.backoff.next;
    }

    /// The beginning: what has to come before the first token is chosen. Waits until the grammar is compiled.
    pub async fn begin(&mut self, advances: &mut Vec<Advance>) -> Result<(), Error> {
        if let Some(constraint) = &mut self.constraint {
            constraint.prepare().await?;
        }
        let next = self.advance(None, &[]).await?;
        advances.push(Advance { next, ..std::mem::take(&mut self.step) });
        self.foresee().await
    }

    /// Takes tokens that were chosen one behind the other: what each came to, as far as they stand.
    pub async fn take_all(&mut self, chosen: &[u32], advances: &mut Vec<Advance>) -> Result<(), Error> {
        for (&token, nth) in chosen.iter().zip(1..) {
            if self.is_masked() {
                self.backoff.left = self.backoff.left.saturating_sub(1);
            }
            let next = match self.advance(Some(token), &chosen[nth..]).await? {
                // What has to come in its place, if anything has to.
                NextAction::Rejected => match self.advance(None, &[]).await? {
                    NextAction::GoOn => NextAction::Resume,
                    next => next,
                },
                next => next,
            };
            advances.push(Advance { next, ..std::mem::take(&mut self.step) });
            if next != NextAction::GoOn {
                break;
            }
        }
        self.foresee().await
    }

    /// Makes the mask of the next token, if it has one.
    async fn foresee(&mut self) -> Result<(), Error> {
        if self.is_masked()
            && let Some(constraint) = &mut self.constraint
        {
            constraint.mask().await?;
        }
        Ok(())
    }

    /// Takes the token that the model chose, and what has to follow it; at the beginning, what has to come first. `behind`: tokens that
    /// were chosen behind it.
    pub async fn advance(&mut self, chosen: Option<u32>, behind: &[u32]) -> Result<NextAction, Error> {
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
                let Some(tokens) = self.hold(token, &queue, behind).await? else { return Ok(NextAction::Rejected) };
                if tokens != [token] {
                    // What would have followed it has to follow no longer.
                    queue.clear();
                    resume = true;
                }
                for token in tokens {
                    let (stands, ended) = self.take(token).await?;
                    resume |= !stands;
                    if let Some(finish) = ended {
                        return Ok(NextAction::End(self.judge(finish)));
                    }
                }
                if was_free && self.is_held() {
                    // What would have followed freely has no place in the grammar that begins here.
                    queue.clear();
                }
            }
            self.must_follow(&mut queue).await?;
            if queue.is_empty() {
                break;
            }
            resume = true;
        }
        if resume {
            self.mask_mode = MaskMode::Masked;
        }
        // On trust nothing is asked of the grammar but whether a token may come: the first that may not brings the rest up.
        if self.mask_mode == MaskMode::Masked && self.constraint.as_ref().is_some_and(Constraint::must_stop) {
            return Ok(NextAction::End(FinishReason::Stop));
        }
        Ok(if resume || was_masked != self.is_masked() { NextAction::Resume } else { NextAction::GoOn })
    }

    /// The last token that fits may just have completed what was asked for, so that nothing else could have come.
    fn judge(&self, finish: FinishReason) -> FinishReason {
        let is_over = self.constraint.as_ref().is_some_and(Constraint::must_stop);
        if finish == FinishReason::Length && is_over { FinishReason::Stop } else { finish }
    }

    /// What has to be written where the model ends its turn before what it is held to has begun: the thought is closed, and the
    /// text behind which the grammar begins is written for it. Nothing where the answer is good without.
    fn missing(&mut self) -> Option<Vec<u32>> {
        let constraint = self.constraint.as_ref().filter(|constraint| !constraint.holds())?;
        let (thinks, calls) = (self.output.in_reasoning(), self.output.in_call());
        if thinks {
            // Of an answer that needs no grammar, only a call is held to one, wherever it stands.
            let free = matches!(constraint.start(), Start::Behind { required: false, .. });
            let closes = !self.reasoning.closed && (!free || calls);
            self.reasoning.closed |= closes;
            return closes.then(|| self.reasoning.closing.clone());
        }
        match constraint.start() {
            // A call may come in place of the form.
            _ if calls || self.output.called() => None,
            Start::Answer => Some(self.reasoning.closing.clone()),
            Start::Behind { text, required: true } => Some(self.output.tokenizer().encode(text, Special::Parse, false)),
            Start::Behind { required: false, .. } | Start::AtOnce(_) => None,
        }
    }

    /// Tells the grammar, where it holds, of a token; the tokens to take in its place. None where it was chosen without a mask, and may
    /// not come. What comes behind it is told at once: what has to, or else what was chosen.
    async fn hold(&mut self, token: u32, queue: &VecDeque<u32>, behind: &[u32]) -> Result<Option<Vec<u32>>, Error> {
        let in_call = self.output.in_call();
        let Some(constraint) = self.constraint.as_mut().filter(|constraint| constraint.holds()) else {
            return Ok(Some(vec![token]));
        };
        if self.stop_ids.contains(&token) {
            let may_end = self.mask_mode == MaskMode::Masked || constraint.is_complete().await?;
            if !may_end {
                self.reject();
            }
            return Ok(may_end.then(|| vec![token]));
        }
        let is_masked = self.mask_mode == MaskMode::Masked;
        let behind = if is_masked { &[] } else { behind };
        // A budget that is spent puts other tokens in their place.
        let most = if self.reasoning.is_limited { 0 } else { self.remaining as usize };
        let behind = queue.iter().chain(behind).take(most).take_while(|next| !self.stop_ids.contains(next)).copied();
        let asks = if is_masked { constraint.asks() } else { Asks::Nothing };
        match constraint.take(token, behind, self.remaining as usize, in_call, asks).await? {
            Some(tokens) => {
                if let MaskMode::Unmasked(run) = &mut self.mask_mode {
                    *run += 1;
                }
                Ok(Some(tokens))
            }
            None if is_masked => Err(GrammarError::Refused { token }.into()),
            None => {
                self.reject();
                Ok(None)
            }
        }
    }

    /// Makes a token part of the answer: whether it stands as it is, and the reason to end, if it is one. Where a grammar begins within
    /// the token, only what comes before stands.
    async fn take(&mut self, token: u32) -> Result<(bool, Option<FinishReason>), Error> {
        let stops = self.stop_ids.contains(&token);
        let events = &mut self.step.events;
        let awaiting = self.constraint.as_mut().filter(|constraint| !constraint.holds() && !stops);
        let mut standing = vec![token];
        let ended = match awaiting {
            None => self.output.take(token, events),
            Some(constraint) => {
                let mut begins = |parser: &OutputParser, c| constraint.begins_behind(parser, c);
                let (rest, ended) = self.output.take_until(token, &mut begins, events);
                if let Some(rest) = rest {
                    constraint.begin().await?;
                    standing = front(self.output.tokenizer(), token, rest);
                }
                ended
            }
        };
        for token in &standing {
            let thinking = self.output.in_reasoning();
            self.reasoning.budget.count(thinking);
            self.reasoning.closed &= thinking;
            self.step.tokens.push(*token);
            self.remaining = self.remaining.saturating_sub(1);
            if self.remaining == 0 {
                break;
            }
        }
        let ended = ended.filter(|_| !stops).or_else(|| (self.remaining == 0).then_some(FinishReason::Length));
        Ok((standing == [token], if stops { Some(FinishReason::Stop) } else { ended }))
    }

    /// Adds what has to come next, whatever the model would say: the end of a thought that is too long, what the grammar
    /// forces.
    async fn must_follow(&mut self, queue: &mut VecDeque<u32>) -> Result<(), Error> {
        if self.reasoning.budget.is_spent() && !self.reasoning.closed {
            self.reasoning.closed = true;
            match self.constraint.as_mut().filter(|constraint| constraint.holds()) {
                None => queue.extend(&self.reasoning.closing),
                // A grammar that has room for thoughts knows what comes behind them.
                Some(constraint) => {
                    let closes = match self.reasoning.close.first() {
                        Some(first) => constraint.allows(*first).await?,
                        None => false,
                    };
                    queue.extend(self.reasoning.close.iter().filter(|_| closes));
                }
            }
        } else if let Some(constraint) = self.constraint.as_mut().filter(|_| self.mask_mode == MaskMode::Masked) {
            constraint.forced(queue).await?;
        }
        Ok(())
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
