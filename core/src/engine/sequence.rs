//! One choice of an answer in the making: the tokens that stand, how they are chosen, and the events they became. Touches no device.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::clock::Instant;

use super::adapters::Chosen;
use super::constraint::Constraint;
use super::event::{Event, FinishReason, Timings, Usage};
use super::executor::SlotState;
use super::logprobs::{Logprob, TokenLogprob};
use super::metrics::{Histogram, RequestMetrics};
use super::token_policy::{Advance, TokenPolicy};
use super::truncation::SlidingWindow;
use crate::kernels::batch::Row;
use crate::kernels::sampling::{HOLD, LOGPROB_WORDS, MASKED, SamplingParams, history_words, recent_words, stop_words};
use inglenook_text::Tokenizer;

/// One choice of an answer.
#[derive(Debug)]
pub(super) struct Sequence {
    pub prompt: Vec<u32>,
    pub generated: Vec<u32>,
    /// Tokens to generate at most.
    pub most: u32,
    /// Positions there are.
    pub context: u32,
    /// How it goes on where they are used up; none where it ends there.
    pub window: Option<SlidingWindow>,
    /// Tokens behind the window's kept ones that were left out.
    pub dropped: usize,
    pub params: SamplingParams,
    /// The adapters that it is computed with.
    pub adapters: Chosen,
    pub bias: Vec<(u32, f32)>,
    pub stop_ids: Vec<u32>,
    pub tokenizer: Arc<Tokenizer>,
    /// What decides of its tokens; away while it waits for what it asked of the grammar.
    pub policy: Option<Box<TokenPolicy>>,
    pub events: VecDeque<Event>,
    pub usage: Usage,
    pub clock: Clock,
    /// How many of the likeliest tokens are told with each, where log-probabilities are.
    pub top_logprobs: Option<u32>,
    /// Where the prompt's tokens are scored: how many of the likeliest are told with each, and after how many tokens that was done.
    pub scoring: Option<(u32, usize)>,
    /// A bit for each token that ends a repetition for DRY.
    pub breakers: Vec<u32>,
}

/// When what happened.
#[derive(Debug)]
pub(super) struct Clock {
    pub submitted: Instant,
    pub started: Option<Instant>,
    pub first_token: Option<Instant>,
    last_token: Option<Instant>,
    pub token_ms: Histogram,
}

impl Clock {
    /// Of a request that comes now.
    pub fn new() -> Clock {
        Clock {
            submitted: Instant::now(),
            started: None,
            first_token: None,
            last_token: None,
            token_ms: Histogram::default(),
        }
    }

    /// So many tokens were read now. How long each took, milliseconds; none of the first.
    pub fn tokens(&mut self, count: usize) -> Option<f64> {
        let now = Instant::now();
        self.first_token.get_or_insert(now);
        self.last_token.replace(now).map(|last| millis(last, now) / count as f64)
    }

    pub fn timings(&self) -> Timings {
        let started = self.started.unwrap_or(self.submitted);
        let first = self.first_token.unwrap_or(started);
        Timings {
            queue_ms: millis(self.submitted, started),
            prefill_ms: millis(started, first),
            first_token_ms: self.first_token.map(|first| millis(self.submitted, first)),
            decode_ms: millis(first, Instant::now()),
            token_ms: self.token_ms.summary(),
        }
    }
}

fn millis(from: Instant, to: Instant) -> f64 {
    to.duration_since(from).as_secs_f64() * 1e3
}

impl Sequence {
    /// Number of tokens that stand: the prompt's and those generated, without those left out.
    pub fn len(&self) -> usize {
        self.prompt.len() + self.generated.len() - self.dropped
    }

    /// The position at which its row must end, so far.
    pub fn limit(&self) -> u32 {
        self.context.min(self.len() as u32 + self.remaining())
    }

    /// Whether the context is full and the answer may go on.
    pub fn must_slide(&self) -> bool {
        self.window.is_some() && self.len() >= self.context as usize && self.remaining() > 0
    }

    /// Leaves out the oldest half of what stands behind the kept tokens.
    pub fn slide(&mut self) {
        let Some(window) = self.window else { return };
        let standing = self.dropped;
        while self.len() >= self.context as usize {
            let from = window.stays_from(self.len(), |position| self.token(position));
            self.dropped += from - window.kept;
        }
        let tokens = (self.dropped - standing) as u32;
        self.usage.truncated_tokens += tokens;
        self.events.push_back(Event::Truncated { messages: 0, tokens });
    }

    /// By what it is sampled from here on: draws are counted by position, and positions that come again must not draw the same.
    pub fn params(&self) -> SamplingParams {
        let SamplingParams { seed_hi, min_limit, .. } = self.params;
        let dropped = self.dropped as u32;
        let min_limit = if min_limit == u32::MAX { min_limit } else { min_limit.saturating_sub(dropped) };
        SamplingParams { limit: self.limit(), seed_hi: seed_hi.wrapping_add(dropped), min_limit, ..self.params }
    }

    /// Tokens that may still come.
    pub fn remaining(&self) -> u32 {
        self.most.saturating_sub(self.generated.len() as u32)
    }

    /// The token at a position that stands.
    pub fn token(&self, position: usize) -> u32 {
        let is_behind = self.window.is_some_and(|window| position >= window.kept);
        let place = if is_behind { position + self.dropped } else { position };
        match place.checked_sub(self.prompt.len()) {
            Some(index) => self.generated[index],
            None => self.prompt[place],
        }
    }

    /// All tokens that stand.
    pub fn tokens(&self) -> impl Iterator<Item = u32> {
        (0..self.len()).map(|position| self.token(position))
    }

    /// By what it is sampled, as a slot holds that.
    pub fn with_slot_state<T>(&self, vocab: u32, set: impl FnOnce(&SlotState<'_>) -> T) -> T {
        let Sequence { prompt, generated, bias, stop_ids, .. } = self;
        let mut params = self.params();
        params.flags |= if self.is_masked() { MASKED | HOLD } else { 0 };
        let history = params.remembers().then(|| history_words(vocab, prompt, generated, bias, stop_ids));
        let recent = params.features().dry.then(|| {
            let tokens: Vec<u32> = prompt.iter().chain(generated).copied().collect();
            recent_words(&tokens, self.len() as u32)
        });
        let recent = recent.as_deref().map(|recent| (recent, &*self.breakers));
        let stops = stop_words(stop_ids).unwrap_or_default();
        set(&SlotState { params, stops: &stops, history: history.as_deref(), recent })
    }

    /// The row of a batch that decodes from the last token that stands.
    pub fn last_row(&self, slot: u32) -> Row {
        let last = self.len() - 1;
        Row::new(self.token(last), last as u32, slot)
    }

    /// Tells the log-probabilities of the tokens from `standing` on, where they are asked for: those of `chosen` are `words`, and those
    /// that had to come, whatever the model would say, have probability 1. `at`: the place of what they say among the events.
    pub fn tell_logprobs(&mut self, standing: usize, chosen: u32, words: &[u32], at: usize) {
        let Some(top) = self.top_logprobs else { return };
        let tokenizer = &self.tokenizer;
        let tell = |position: usize| match self.token(position) {
            token if position == standing && token == chosen => TokenLogprob::new(tokenizer, words, top),
            token => Some(TokenLogprob { own: Logprob::new(tokenizer, token, 0.0), top_logprobs: Vec::new() }),
        };
        let tokens: Vec<TokenLogprob> = (standing..self.len()).filter_map(tell).collect();
        if !tokens.is_empty() {
            self.events.insert(at.min(self.events.len()), Event::Logprobs { tokens });
        }
    }

    /// Leading tokens that are to be followed by a score which is not told yet, if there are any: those told, and all.
    pub fn unscored(&self) -> Option<(usize, usize)> {
        let (told, all) = (self.scoring?.1, self.prompt.len() - 1);
        (told < all).then_some((told, all))
    }

    /// Tells the scores of what follows the prompt's tokens from `from` on: `[tokens, LOGPROB_WORDS]`.
    pub fn tell_scores(&mut self, from: usize, words: &[u32]) {
        let (Some((top, told)), Some((_, all))) = (self.scoring, self.unscored()) else { return };
        let scores = (from..all).zip(words.chunks_exact(LOGPROB_WORDS as usize));
        let new = scores.filter(|(position, _)| *position >= told);
        let tokenizer = &self.tokenizer;
        let tokens: Vec<TokenLogprob> = new.filter_map(|(_, words)| TokenLogprob::new(tokenizer, words, top)).collect();
        self.scoring = Some((top, told + tokens.len()));
        self.events.push_back(Event::PromptLogprobs { tokens });
    }

    /// Its figures so far.
    pub fn metrics(&self) -> RequestMetrics {
        let Timings { queue_ms, prefill_ms, first_token_ms, .. } = self.clock.timings();
        let Usage { prompt_tokens, completion_tokens, cached_tokens, drafted_tokens, accepted_tokens, .. } = self.usage;
        RequestMetrics {
            queue_ms,
            prefill_ms,
            first_token_ms,
            token_ms: self.clock.token_ms.clone(),
            prompt_tokens: prompt_tokens.into(),
            cached_tokens: cached_tokens.into(),
            completion_tokens: completion_tokens.into(),
            drafted_tokens: drafted_tokens.into(),
            accepted_tokens: accepted_tokens.into(),
        }
    }

    /// Takes what a token has come to.
    pub fn extend(&mut self, advance: &mut Advance) {
        self.usage.completion_tokens += advance.tokens.len() as u32;
        self.generated.append(&mut advance.tokens);
        self.events.append(&mut advance.events);
    }

    /// Whether the next token is chosen under a mask.
    pub fn is_masked(&self) -> bool {
        self.policy.as_ref().is_some_and(|policy| policy.is_masked())
    }

    /// Takes the tokens that end the answer out of a mask while fewer tokens than asked for have come, if others remain: a form that is
    /// whole ends all the same.
    pub fn forbid_early_end(&self, mask: &mut [u32]) {
        if self.len() as u64 >= u64::from(self.params().min_limit) {
            return;
        }
        let is_stop = |token: usize| self.stop_ids.contains(&(token as u32));
        let allowed = |mask: &[u32], token: usize| mask[token / 32] >> (token % 32) & 1 == 1;
        if (0..mask.len() * 32).any(|token| allowed(mask, token) && !is_stop(token)) {
            for stop in &self.stop_ids {
                if let Some(word) = mask.get_mut(*stop as usize / 32) {
                    *word &= !(1 << (stop % 32));
                }
            }
        }
    }

    /// The end of the answer: what is held back of its text, and the last event.
    pub fn finish(&mut self, reason: FinishReason) -> FinishReason {
        let mut reason = reason;
        if let Some(policy) = self.policy.as_mut().filter(|_| reason != FinishReason::Aborted) {
            let is_shortened = policy.constraint.as_ref().is_some_and(Constraint::is_shortened);
            let ended = policy.output.finish(reason != FinishReason::Stop, &mut self.events);
            reason = match reason {
                FinishReason::Stop | FinishReason::Length if ended.is_some() => ended.unwrap_or(reason),
                // What is whole only because it was led to its end is not what the model would have said.
                FinishReason::Stop if is_shortened => FinishReason::Length,
                FinishReason::Stop if policy.output.called() => FinishReason::ToolCalls,
                reason => reason,
            };
        }
        self.events.push_back(Event::Done { reason, usage: self.usage, timings: self.clock.timings() });
        reason
    }
}
