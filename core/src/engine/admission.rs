//! The beginning of an answer: a request is checked, and everything that its tokens will meet is made ready.

use std::cell::RefCell;
use std::rc::Rc;

use super::Engine;
use super::adapters::namespace;
use super::answer::{Answer, Mailbox};
use super::audit::AuditRecord;
use super::constraint::{Constraint, OutputConstraint};
use super::event::Event;
use super::output::OutputPipeline;
use super::prompt::Prompt;
use super::request::{Request, RequestError};
use super::sequence::{Clock, Sequence};
use super::token_policy::{Advance, Backoff, MaskMode, ReasoningState, TokenPolicy};
use super::truncation::SlidingWindow;
use crate::error::Error;
use crate::kernels::sampling::{BIASED, MAX_STOPS};
use inglenook_text::Special;
use inglenook_text::output::{ReasoningBudget, ReasoningFormat};

impl Engine {
    /// Checks a request and queues it. The device is not touched before an answer is awaited.
    ///
    /// # Errors
    /// [`Error::Request`], [`Error::Template`]; [`RequestError::Busy`] where the queue is full. A grammar is compiled meanwhile: what is
    /// wrong with one is the answer's error.
    pub fn submit(&self, request: Request) -> Result<Answer, Error> {
        let audits = self.shared.with(|driver| driver.audits);
        let begun = self.begin(&request, audits);
        if let Err(error) = &begun {
            let record = audits.then(|| AuditRecord::new(request, 0));
            self.shared.with(|driver| driver.refuse(record, error));
        }
        self.shared.wake();
        self.shared.tell_audit();
        begun
    }

    fn begin(&self, request: &Request, audits: bool) -> Result<Answer, Error> {
        if let Some(error) = self.shared.with(|driver| driver.failure().cloned()) {
            return Err(error.into());
        }
        let sequences = self.sequences(request)?;
        let prompt_tokens = sequences.first().map_or(0, |sequence| sequence.prompt.len());
        let mut mailbox = Mailbox::new(sequences.len() as u32);
        mailbox.audit = audits.then(|| AuditRecord::new(request.clone(), sequences.len()));
        let mailbox = Rc::new(RefCell::new(mailbox));
        let rank = (request.priority.unwrap_or(0), self.born.elapsed().as_millis() as i64);
        let ids: Result<Vec<_>, Error> = self.shared.with(|driver| {
            let mut ids = Vec::new();
            for (choice, sequence) in sequences.into_iter().enumerate() {
                let id = driver.next_id();
                let (prompt, limit) = (&sequence.prompt, sequence.limit() as usize);
                if let Err(full) = driver.scheduler.submit(id, prompt, limit, rank, namespace(&sequence.adapters)) {
                    ids.iter().for_each(|id| driver.discard(*id));
                    let retry_after_ms = driver.millis_per_answer() as u64;
                    return Err(RequestError::Busy { waiting: full.waiting, retry_after_ms }.into());
                }
                driver.insert(id, sequence, choice as u32, mailbox.clone());
                ids.push(id);
            }
            Ok(ids)
        });
        Ok(Answer::new(self.shared.clone(), mailbox, ids?, prompt_tokens))
    }

    /// The choices of an answer, each at its beginning.
    pub(super) fn sequences(&self, request: &Request) -> Result<Vec<Sequence>, Error> {
        request.check()?;
        let (mut prompt, dropped) = self.prompts().fitting(request, self.context)?;
        if prompt.tokens.is_empty() {
            return Err(RequestError::Empty.into());
        }
        let window = self.prompts().window(request, &prompt.tokens, self.context);
        let bias = request.bias()?;
        if let Some((token, _)) = bias.iter().find(|(token, _)| *token >= self.model().vocab()) {
            return Err(RequestError::NoSuchToken(*token).into());
        }
        let seed = self.shared.with(|driver| driver.next_id()) ^ seed_of_now();
        prompt.format.id_seed = seed;
        // Each choice draws by a seed of its own.
        let drawn_by = request.seed.unwrap_or(seed);
        let choices = u64::from(request.n.unwrap_or(1));
        let choice =
            |choice| self.sequence(request, &prompt, (window, dropped), drawn_by.wrapping_add(choice), bias.clone());
        let mut sequences = (0..choices).map(choice).collect::<Result<Vec<Sequence>, Error>>()?;
        // The choices have one prompt, which is scored once.
        let first = sequences.first_mut();
        first.into_iter().for_each(|first| first.scoring = request.prompt_logprobs.map(|top| (top, 0)));
        Ok(sequences)
    }

    fn sequence(
        &self,
        request: &Request,
        prompt: &Prompt,
        (window, dropped): (Option<SlidingWindow>, (u32, u32)),
        seed: u64,
        bias: Vec<(u32, f32)>,
    ) -> Result<Sequence, Error> {
        let output = OutputPipeline::new(
            self.tokenizer().clone(),
            request,
            &prompt.format,
            &prompt.tools,
            prompt.starts_in_reasoning,
        )?;
        let constraint = self.output_constraint(request, prompt)?;
        let constraint = constraint.map(|constraint| self.constraint(constraint)).transpose()?;
        let mut stop_ids = self.tokenizer().stop_ids().to_vec();
        stop_ids.truncate(MAX_STOPS);
        let start = prompt.tokens.len() as u32;
        // An answer that may go on past the context ends all the same.
        let most = if window.is_some() { self.context } else { self.context - start };
        let most = request.max_tokens.map_or(most, |tokens| if window.is_some() { tokens } else { tokens.min(most) });
        let mut params = request.sampling(&self.info.model.recommended, (start, 0), 0).seeded(seed);
        params.flags |= if bias.is_empty() { 0 } else { BIASED };
        let (messages, tokens) = dropped;
        let truncated: Vec<Event> =
            (messages > 0).then_some(Event::Truncated { messages, tokens }).into_iter().collect();
        let policy = TokenPolicy {
            stop_ids: stop_ids.clone(),
            remaining: most,
            output,
            constraint,
            reasoning: self.reasoning(request, prompt),
            mask_mode: MaskMode::Masked,
            backoff: Backoff::default(),
            step: Advance::default(),
        };
        Ok(Sequence {
            most,
            context: self.context,
            window,
            dropped: 0,
            params,
            adapters: self.shared.with(|driver| driver.adapters.choose(&request.lora))?,
            bias,
            stop_ids,
            tokenizer: self.tokenizer().clone(),
            policy: Some(Box::new(policy)),
            events: truncated.into(),
            usage: super::event::Usage { prompt_tokens: start, truncated_tokens: dropped.1, ..Default::default() },
            clock: Clock::new(),
            top_logprobs: request.logprobs.unwrap_or(false).then_some(request.top_logprobs.unwrap_or(0)),
            scoring: None,
            breakers: request.breaker_words(self.tokenizer(), self.model().vocab()),
            prompt: prompt.tokens.clone(),
            generated: Vec::new(),
        })
    }

    fn constraint(&self, constraint: OutputConstraint) -> Result<Constraint, Error> {
        Constraint::new(self.grammars().clone(), constraint, self.tokenizer().vocab_size() as u32)
    }

    fn reasoning(&self, request: &Request, prompt: &Prompt) -> ReasoningState {
        let tokens = |text: fn(ReasoningFormat) -> &'static str| {
            self.tokenizer().encode(prompt.format.reasoning.map_or("", text), Special::Parse, false)
        };
        ReasoningState {
            budget: ReasoningBudget::new(request.reasoning.budget(), prompt.starts_in_reasoning),
            is_limited: request.reasoning.budget().is_some(),
            close: tokens(ReasoningFormat::close),
            closing: tokens(ReasoningFormat::closing_text),
            closed: false,
        }
    }
}

/// A seed that differs from answer to answer, where the caller gave none.
fn seed_of_now() -> u64 {
    let now = crate::clock::SystemTime::now().duration_since(crate::clock::UNIX_EPOCH).unwrap_or_default();
    now.as_nanos() as u64
}
