//! What an answer is to be held to: the form that the request gives it, calls that must come, calls of strict tools.

use inglenook_grammar::Spec;
use serde_json::{Value, json};

use super::Engine;
use super::constraint::{OutputConstraint, Start};
use super::prompt::Prompt;
use super::request::{Request, RequestError, ToolChoice};
use crate::error::Error;
use inglenook_text::output::{Choice, ConstraintError, ReasoningFormat};
use inglenook_text::{Special, vocabulary};

impl Engine {
    /// What the answer to a request must be held to, if to anything.
    ///
    /// # Errors
    /// Tools that cannot be forced, and a form that leaves no room for them.
    pub(super) fn output_constraint(
        &self,
        request: &Request,
        prompt: &Prompt,
    ) -> Result<Option<OutputConstraint>, Error> {
        let form = request.response_format.spec();
        let choice = match (&request.tool_choice, &form) {
            (ToolChoice::Required | ToolChoice::Named(_), Some(_)) => return Err(RequestError::TwoFormats.into()),
            (ToolChoice::Required, None) => Choice::Required,
            (ToolChoice::Named(name), None) => Choice::Named(name),
            (ToolChoice::Auto | ToolChoice::None, Some(spec)) => return self.form(spec, request, prompt).map(Some),
            (ToolChoice::Auto | ToolChoice::None, None) => return self.strict_calls(request, prompt),
        };
        if prompt.tools.is_empty() {
            return Err(RequestError::from(ConstraintError::NoTools).into());
        }
        let grammar = self.calls(request, prompt, choice)?.ok_or(RequestError::NoToolCallFormat)?;
        let start = self.behind_thought(prompt);
        Ok(Some(OutputConstraint { spec: Spec::Lark { grammar }, part: None, start, repeats: false, closes: false }))
    }

    /// The form, behind a thought or the caller's trigger. Where tools are offered and nothing comes before the form, calls may come in
    /// its place.
    fn form(&self, spec: &Spec, request: &Request, prompt: &Prompt) -> Result<OutputConstraint, Error> {
        let held = |spec, start| OutputConstraint { spec, part: None, start, repeats: false, closes: true };
        if let Some(text) = request.response_format.trigger.clone().filter(|text| !text.is_empty()) {
            return Ok(held(spec.clone(), Start::Behind { text, required: true }));
        }
        if prompt.format.reasoning == Some(ReasoningFormat::Harmony) {
            // Calls have a channel of their own before the one of the answer.
            return Ok(held(spec.clone(), Start::Answer));
        }
        let start = self.behind_thought(prompt);
        if prompt.tools.is_empty() {
            return Ok(held(spec.clone(), start));
        }
        let calls = self.calls(request, prompt, Choice::Required)?.ok_or(RequestError::NoToolCallFormat)?;
        Ok(OutputConstraint { part: Some(spec.clone()), ..held(either(&calls, spec)?, start) })
    }

    /// Where the model calls a tool by itself, and has tools whose schemas must be kept.
    fn strict_calls(&self, request: &Request, prompt: &Prompt) -> Result<Option<OutputConstraint>, Error> {
        if !request.strict_tools() {
            return Ok(None);
        }
        let Some(text) = prompt.format.tool_call_format.and_then(|format| format.trigger()) else {
            return Ok(None);
        };
        let grammar = self.calls(request, prompt, Choice::Auto)?;
        let start = Start::Behind { text: text.to_owned(), required: false };
        Ok(grammar.map(|grammar| OutputConstraint {
            spec: Spec::Lark { grammar },
            part: None,
            start,
            repeats: true,
            closes: false,
        }))
    }

    /// A grammar of calls in the model's form of calls; none where that is not known, or has no such grammar.
    fn calls(&self, request: &Request, prompt: &Prompt, choice: Choice<'_>) -> Result<Option<String>, RequestError> {
        let Some(format) = prompt.format.tool_call_format else { return Ok(None) };
        let control = |name: &str| vocabulary::control(self.tokenizer(), name);
        Ok(format.constraint(&prompt.tools, choice, request.parallel_tool_calls.unwrap_or(true), &control)?)
    }

    /// Behind the thought that the prompt has opened, or that the model may open with a token of its own; else at once.
    fn behind_thought(&self, prompt: &Prompt) -> Start {
        if prompt.starts_in_reasoning {
            return Start::Answer;
        }
        let opening = prompt.format.reasoning.filter(|_| prompt.may_think).and_then(ReasoningFormat::opening_text);
        let opening = opening.map(|text| self.tokenizer().encode(text, Special::Parse, false)).unwrap_or_default();
        // What is spelled from ordinary tokens may as well be the answer's own text.
        let is_sure = opening.len() == 1 || opening.first().is_some_and(|first| self.tokenizer().is_control(*first));
        Start::AtOnce(if is_sure { opening } else { Vec::new() })
    }
}

/// A grammar of `calls`, or of an answer of the form.
fn either(calls: &str, form: &Spec) -> Result<Spec, RequestError> {
    let schema = match form {
        Spec::JsonSchema { schema, .. } => schema.clone(),
        Spec::JsonObject => json!({"type": "object"}),
        _ => return Err(RequestError::TwoFormats),
    };
    let calls = calls.replacen("start:", "calls:", 1);
    Ok(Spec::Lark { grammar: format!("start: calls | form\nform: %json {}\n{calls}", Value::to_string(&schema)) })
}
