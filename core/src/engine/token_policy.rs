//! What follows a token: whether it stands, what has to come behind it, and whether the answer ends. Touches no device.

use std::collections::VecDeque;

use super::constraint::{Constraint, Start};
use super::event::FinishReason;
use super::sequence::{MaskMode, NextAction, Sequence};
use crate::error::Error;
use inglenook_text::output::OutputParser;
use inglenook_text::{Special, Tokenizer};

impl Sequence {
    /// Takes the token that the model chose, and what has to follow it; at the beginning, what has to come first.
    pub fn advance(&mut self, chosen: Option<u32>) -> Result<NextAction, Error> {
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
                let Some(tokens) = self.hold(token)? else { return Ok(NextAction::Rejected) };
                resume |= tokens != [token];
                for token in tokens {
                    let (stands, ended) = self.take(token)?;
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
            self.must_follow(&mut queue)?;
            if queue.is_empty() {
                break;
            }
            resume = true;
        }
        if resume {
            self.mask_mode = MaskMode::Masked;
        }
        // On trust nothing is asked of the grammar but whether a token may come: the first that may not brings the rest up.
        if self.mask_mode == MaskMode::Masked && self.constraint.as_mut().is_some_and(Constraint::must_stop) {
            return Ok(NextAction::End(FinishReason::Stop));
        }
        Ok(if resume || was_masked != self.is_masked() { NextAction::Resume } else { NextAction::GoOn })
    }

    /// The last token that fits may just have completed what was asked for, so that nothing else could have come.
    fn judge(&mut self, finish: FinishReason) -> FinishReason {
        let is_over = self.constraint.as_mut().is_some_and(Constraint::must_stop);
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
    /// not come.
    fn hold(&mut self, token: u32) -> Result<Option<Vec<u32>>, Error> {
        let remaining = self.remaining() as usize;
        let Some(constraint) = self.constraint.as_mut().filter(|constraint| constraint.holds()) else {
            return Ok(Some(vec![token]));
        };
        if self.stop_ids.contains(&token) {
            let may_end = self.mask_mode == MaskMode::Masked || constraint.is_complete();
            if !may_end {
                self.reject();
            }
            return Ok(may_end.then(|| vec![token]));
        }
        match constraint.take(token, remaining, self.output.in_call()) {
            Ok(tokens) => {
                if let MaskMode::Unmasked(run) = &mut self.mask_mode {
                    *run += 1;
                }
                Ok(Some(tokens))
            }
            // Under a mask this is an error; here it is what was to be found out, and the matcher stands where it stood. Where it is
            // broken instead, the mask that comes next says so.
            Err(_) if self.mask_mode != MaskMode::Masked => {
                self.reject();
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Makes a token part of the answer: whether it stands as it is, and the reason to end, if it is one. Where a grammar begins within
    /// the token, only what comes before stands.
    fn take(&mut self, token: u32) -> Result<(bool, Option<FinishReason>), Error> {
        let stops = self.stop_ids.contains(&token);
        let events = &mut self.events;
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
            self.reasoning.budget.count(thinking);
            self.reasoning.closed &= thinking;
            self.generated.push(*token);
            self.usage.completion_tokens += 1;
            if self.remaining() == 0 {
                break;
            }
        }
        let ended = ended.filter(|_| !stops).or_else(|| (self.remaining() == 0).then_some(FinishReason::Length));
        Ok((standing == [token], if stops { Some(FinishReason::Stop) } else { ended }))
    }

    /// Adds what has to come next, whatever the model would say: the end of a thought that is too long, what the grammar
    /// forces.
    fn must_follow(&mut self, queue: &mut VecDeque<u32>) -> Result<(), Error> {
        if self.reasoning.budget.is_spent() && !self.reasoning.closed {
            self.reasoning.closed = true;
            match self.constraint.as_mut().filter(|constraint| constraint.holds()) {
                None => queue.extend(&self.reasoning.closing),
                // A grammar that has room for thoughts knows what comes behind them.
                Some(constraint) => {
                    let closes = self.reasoning.close.first().map(|first| constraint.allows(*first)).transpose()?;
                    queue.extend(self.reasoning.close.iter().filter(|_| closes == Some(true)));
                }
            }
        } else if let Some(constraint) = self.constraint.as_mut().filter(|_| self.mask_mode == MaskMode::Masked) {
            constraint.forced(queue)?;
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
