//! The beginning of an answer: a request is checked, and everything that its tokens will meet is made ready.

use super::Engine;
use super::constraint::{Constraint, Wanted};
use super::generation::{Generation, Progress, Thought};
use super::output::Output;
use super::prompt::Prompt;
use super::request::{Request, RequestError};
use crate::error::Error;
use crate::kernels::sampling::{BIASED, MAX_STOPS};
use inglenook_text::Special;
use inglenook_text::output::{ReasoningBudget, ReasoningFormat};

impl Engine {
    /// Checks a request and turns it into a generation. The device is not touched before the first [`Engine::next`].
    ///
    /// # Errors
    /// [`Error::Request`], [`Error::Template`], [`Error::Grammar`].
    pub fn generate(&mut self, request: Request) -> Result<Generation, Error> {
        request.check()?;
        let mut prompt = self.prompts.prompt(&request)?;
        let limit = self.limit(&request, prompt.tokens.len())?;
        self.next_id += 1;
        let seed = self.next_id ^ seed_of_now();
        prompt.format.id_seed = seed;
        let output =
            Output::new(self.tokenizer.clone(), &request, &prompt.format, &prompt.tools, prompt.starts_in_reasoning)?;
        let wanted = self.wanted(&request, &prompt)?;
        let constraint = wanted.map(|wanted| self.constraint(wanted)).transpose()?;
        let mut stop_ids = self.tokenizer.stop_ids().to_vec();
        stop_ids.truncate(MAX_STOPS);
        let bias = request.bias()?;
        if let Some((token, _)) = bias.iter().find(|(token, _)| *token >= self.runner.vocab()) {
            return Err(RequestError::NoSuchToken(*token).into());
        }
        let mut params = request.sampling(&self.recommended, limit, seed);
        params.flags |= if bias.is_empty() { 0 } else { BIASED };
        Ok(Generation {
            id: self.next_id,
            limit,
            params,
            bias,
            stop_ids,
            output,
            constraint,
            thought: self.thought(&request, &prompt),
            progress: Progress::new(prompt.tokens.len()),
            prompt: prompt.tokens,
        })
    }

    /// The position at which the answer must end.
    fn limit(&self, request: &Request, tokens: usize) -> Result<u32, RequestError> {
        let context = self.runner.context();
        if tokens == 0 {
            return Err(RequestError::Empty);
        }
        if tokens >= context as usize {
            return Err(RequestError::TooLong { tokens, context });
        }
        let room = context - tokens as u32;
        Ok(tokens as u32 + request.max_tokens.unwrap_or(room).min(room))
    }

    fn constraint(&self, wanted: Wanted) -> Result<Constraint, Error> {
        Constraint::new(self.grammars.clone(), wanted, self.tokenizer.vocab_size() as u32)
    }

    fn thought(&self, request: &Request, prompt: &Prompt) -> Thought {
        let tokens = |text: fn(ReasoningFormat) -> &'static str| {
            self.tokenizer.encode(prompt.format.reasoning.map_or("", text), Special::Parse, false)
        };
        Thought {
            budget: ReasoningBudget::new(request.reasoning.budget(), prompt.starts_in_reasoning),
            close: tokens(ReasoningFormat::close),
            closing: tokens(ReasoningFormat::closing_text),
            closed: false,
        }
    }
}

/// A seed that differs from answer to answer, where the caller gave none.
fn seed_of_now() -> u64 {
    let now = web_time::SystemTime::now().duration_since(web_time::UNIX_EPOCH).unwrap_or_default();
    now.as_nanos() as u64
}
