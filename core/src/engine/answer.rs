//! The beginning of an answer: a request is checked, and everything that its tokens will meet is made ready.

use inglenook_grammar::Spec;

use super::Engine;
use super::constraint::{Constraint, Wanted};
use super::generation::{Generation, Progress, Thought};
use super::output::Output;
use super::prompt::Prompt;
use super::request::{Request, RequestError, ToolChoice};
use crate::error::Error;
use crate::kernels::sampling::{BIASED, MAX_STOPS};
use crate::text::output::{Choice, ConstraintError, Dialect, ReasoningBudget, ReasoningFormat};
use crate::text::{Special, vocabulary};

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
        Constraint::new(self.grammars.clone(), wanted, self.runner.model().config().vocab)
    }

    fn thought(&self, request: &Request, prompt: &Prompt) -> Thought {
        let closing = prompt.format.reasoning.map_or("", ReasoningFormat::closing_text);
        Thought {
            budget: ReasoningBudget::new(request.reasoning.budget(), prompt.starts_in_reasoning),
            closing: self.tokenizer.encode(closing, Special::Parse, false),
            closed: false,
        }
    }

    /// What the answer must be held to.
    fn wanted(&self, request: &Request, prompt: &Prompt) -> Result<Option<Wanted>, RequestError> {
        // A thought comes before whatever form the answer has.
        let thought = prompt.format.reasoning.filter(|_| prompt.starts_in_reasoning).map(ReasoningFormat::answer_begin);
        let form = request.response_format.spec();
        let choice = match &request.tool_choice {
            ToolChoice::Required => Choice::Required,
            ToolChoice::Named(name) => Choice::Named(name),
            ToolChoice::Auto | ToolChoice::None => {
                let trigger = request.response_format.trigger.as_deref().or(thought).map(str::to_owned);
                return match form {
                    Some(spec) => Ok(Some(Wanted { spec, trigger, repeats: false })),
                    None if request.strict_tools() => self.strict_calls(request, prompt),
                    None => Ok(None),
                };
            }
        };
        if form.is_some() {
            return Err(RequestError::TwoFormats);
        }
        if prompt.tools.is_empty() {
            return Err(ConstraintError::NoTools.into());
        }
        let dialect = prompt.format.dialect.ok_or(RequestError::NoDialect)?;
        let grammar = self.calls(dialect, request, prompt, choice)?.ok_or(RequestError::NoDialect)?;
        Ok(Some(Wanted { spec: Spec::Lark { grammar }, trigger: thought.map(str::to_owned), repeats: false }))
    }

    /// Where the model calls a tool by itself, and has tools whose schemas must be kept.
    fn strict_calls(&self, request: &Request, prompt: &Prompt) -> Result<Option<Wanted>, RequestError> {
        let Some(dialect) = prompt.format.dialect else { return Ok(None) };
        let trigger = dialect.trigger().map(str::to_owned);
        let grammar = self.calls(dialect, request, prompt, Choice::Auto)?;
        Ok(grammar.map(|grammar| Wanted { spec: Spec::Lark { grammar }, trigger, repeats: true }))
    }

    fn calls(
        &self,
        dialect: Dialect,
        request: &Request,
        prompt: &Prompt,
        choice: Choice<'_>,
    ) -> Result<Option<String>, RequestError> {
        let control = |name: &str| vocabulary::control(&self.tokenizer, name);
        Ok(dialect.constraint(&prompt.tools, choice, request.parallel_tool_calls.unwrap_or(true), &control)?)
    }
}

/// A seed that differs from answer to answer, where the caller gave none.
fn seed_of_now() -> u64 {
    let now = web_time::SystemTime::now().duration_since(web_time::UNIX_EPOCH).unwrap_or_default();
    now.as_nanos() as u64
}
