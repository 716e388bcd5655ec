//! Chat templates: the Jinja programs that models carry to turn messages into a prompt.
//!
//! Rendered exactly as HF transformers renders them (`apply_chat_template`: jinja2 with `trim_blocks`, `lstrip_blocks`, loop controls
//! and a few functions of its own). A template is a program from a stranger: its steps, its depth and its output are bounded, it
//! reads nothing but its input, and whatever it asks for that does not exist is an error that says so.

pub mod builtin;
mod calls;
mod capabilities;
mod choice;
mod dropped_messages;
mod error;
mod finish;
mod history;
mod jinja;
mod json;
mod merge;
mod origin;
pub mod parts;
mod thoughts;
mod time;

#[cfg(test)]
mod tests;

use std::sync::OnceLock;

use serde_json::Value as Json;

use super::output::ToolCallFormat;

pub use capabilities::Capabilities;
pub use choice::{ChatInput, ChatTemplates, Prompt};
pub use error::TemplateError;
use jinja::{Limits, Program, Span, Text, Value};
use origin::Origin;
pub use thoughts::ThoughtPlace;

/// Longest template that is taken, in bytes. The longest public ones have about 30 KB.
pub const MAX_SOURCE: usize = 256 << 10;

/// What a template is rendered from. Fields that are none are `None` to the template, as in transformers.
#[derive(Clone, Debug, Default)]
pub struct TemplateInput<'a> {
    /// The conversation: an array of objects with `role`, `content` and what else the template knows. Members that are null are left
    /// out, and reasoning is given under each name that templates know it by, as transformers does.
    pub messages: &'a [Json],
    /// The tools on offer: an array of OpenAI's tool objects.
    pub tools: Option<&'a [Json]>,
    /// Documents to answer from.
    pub documents: Option<&'a [Json]>,
    /// Whether the prompt ends with the beginning of the assistant's turn.
    pub add_generation_prompt: bool,
    /// Whether the prompt ends within the last message, for the model to go on with it. Not together with
    /// `add_generation_prompt`.
    pub continue_final_message: bool,
    /// The text of the begin-of-text token; empty where there is none.
    pub bos_token: &'a str,
    /// The text of the end-of-text token; empty where there is none.
    pub eos_token: &'a str,
    /// Further variables, such as `enable_thinking`. They win over the ones above, and count as the template's own words.
    pub extra: Option<&'a serde_json::Map<String, Json>>,
    /// The caller's local time for `strftime_now`, in seconds since 1970-01-01 00:00 of that same clock; a template that asks
    /// for the time where there is none fails.
    pub local_time: Option<i64>,
}

/// A template that is known to be valid. Make it once for a model; rendering does not change it.
#[derive(Debug)]
pub struct ChatTemplate {
    program: Program,
    source: String,
    capabilities: OnceLock<Capabilities>,
}

impl ChatTemplate {
    /// Takes a template.
    ///
    /// # Errors
    /// [`TemplateError::TooLong`], [`TemplateError::TooComplex`], [`TemplateError::Syntax`], and [`TemplateError::Unknown`] for a
    /// tag that does not exist.
    pub fn new(source: &str) -> Result<Self, TemplateError> {
        if source.len() > MAX_SOURCE {
            return Err(TemplateError::TooLong(source.len()));
        }
        let program = Program::parse(source)?;
        Ok(Self { program, source: source.to_owned(), capabilities: OnceLock::new() })
    }

    /// The template's own text.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What the template can take. Found out at the first call, and kept.
    pub fn capabilities(&self) -> &Capabilities {
        self.capabilities.get_or_init(|| Capabilities::probe(self))
    }

    /// The form in which the model writes tool calls, in answers and in histories: the one that the template shows or, where it
    /// leaves that to the messages' content, the one that the vocabulary proves. `None` if it is not known.
    pub fn tool_call_format(&self, has_token: &dyn Fn(&str) -> bool) -> Option<ToolCallFormat> {
        ToolCallFormat::detect(&self.source, self.capabilities().calls, has_token)
    }

    /// The prompt for a conversation.
    ///
    /// # Errors
    /// The template refuses the conversation ([`TemplateError::Raised`]), asks for what does not exist, fails, or exceeds a bound;
    /// the last message cannot be continued.
    pub fn render(&self, input: &TemplateInput<'_>) -> Result<String, TemplateError> {
        self.answer(input, None)
    }

    /// The prompt, in at most so many steps.
    fn answer(&self, input: &TemplateInput<'_>, most: Option<u64>) -> Result<String, TemplateError> {
        Ok(self.compose(input, most, None)?.0)
    }

    /// The prompt, and which of its bytes the conversation brought in. `own`: see [`origin::own_mark`].
    fn compose(
        &self,
        input: &TemplateInput<'_>,
        most: Option<u64>,
        own: Option<char>,
    ) -> Result<(String, Vec<Span>), TemplateError> {
        let mut messages: Vec<Json> = input.messages.iter().map(finish::plain_message).collect();
        let cut = match input.continue_final_message {
            true => Some(finish::mark(&mut messages, &self.source, input.add_generation_prompt, own)?),
            false => None,
        };
        let mut limits = Limits::new(input_len(input), most);
        let variables = variables(&mut limits, input, &messages, &Origin { own, template: &self.source })?;
        let (mut text, mut user) = self.program.render(limits, variables, input.local_time)?;
        if let Some(cut) = cut {
            text = cut.apply(text)?;
            user.retain_mut(|span| {
                span.end = span.end.min(text.len());
                span.start < span.end
            });
        }
        Ok((text, user))
    }
}

/// The variables that a template sees.
fn variables<'a>(
    limits: &mut Limits,
    input: &'a TemplateInput<'_>,
    messages: &[Json],
    origin: &Origin<'_>,
) -> Result<Vec<(&'a str, Value)>, TemplateError> {
    let given = messages.iter().map(|message| origin.message(limits, message)).collect::<Result<Vec<Value>, _>>()?;
    let messages = Value::list(limits, given)?;
    let mut list = |items: Option<&[Json]>| match items {
        Some(items) => {
            let items = items.iter().map(|item| json::from_json(limits, item, &|text| Text::user(text)));
            let items = items.collect::<Result<Vec<Value>, _>>()?;
            Value::list(limits, items)
        }
        None => Ok(Value::None),
    };
    let mut variables = vec![
        ("messages", messages),
        ("tools", list(input.tools)?),
        ("documents", list(input.documents)?),
        ("add_generation_prompt", Value::Bool(input.add_generation_prompt)),
        ("bos_token", Value::text(input.bos_token)),
        ("eos_token", Value::text(input.eos_token)),
    ];
    for (name, value) in input.extra.into_iter().flatten() {
        variables.push((name, json::from_json(limits, value, &|text| Text::own(text))?));
    }
    Ok(variables)
}

/// Bytes of text in the input.
fn input_len(input: &TemplateInput<'_>) -> usize {
    let lists = [Some(input.messages), input.tools, input.documents];
    let listed = lists.into_iter().flatten().flatten().map(json_len).sum::<usize>();
    listed + input.extra.into_iter().flatten().map(|(_, value)| json_len(value)).sum::<usize>()
}

fn json_len(value: &Json) -> usize {
    match value {
        Json::String(text) => text.len(),
        Json::Array(items) => items.iter().map(json_len).sum::<usize>() + 8,
        Json::Object(map) => map.iter().map(|(key, value)| key.len() + json_len(value)).sum::<usize>() + 8,
        _ => 8,
    }
}
