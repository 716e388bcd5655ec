//! Chat templates: the Jinja programs that models carry to turn messages into a prompt.
//!
//! Rendered as HF transformers renders them (`apply_chat_template`, which runs jinja2 with `trim_blocks`, `lstrip_blocks`, loop
//! controls and a few functions of its own). A template is a program from a stranger: its steps, its depth and its output are
//! bounded, it reads nothing but its input, and whatever it asks for that does not exist is an error that says so.

mod budget;
mod error;
mod functions;
mod json;
mod methods;
mod operators;
mod source;
mod time;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use minijinja::machinery::{self, CompiledTemplate, TemplateConfig};
use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, Value};
use serde_json::Value as Json;

pub use error::TemplateError;

/// Longest template that is taken, in bytes. The longest public ones have about 30 KB.
pub const MAX_SOURCE: usize = 512 << 10;

/// Most steps of the template engine a rendering may take. A long template takes about 200 a message.
const MAX_STEPS: u64 = 1_000_000;

/// Deepest nesting of macros, loops and blocks (a macro call counts 10).
const MAX_DEPTH: usize = 200;

const NAME: &str = "chat_template";

/// What a template is rendered from. Fields that are none are `None` to the template, as in transformers.
#[derive(Clone, Debug, Default)]
pub struct TemplateInput<'a> {
    /// The conversation: an array of objects with `role`, `content` and what else the template knows.
    pub messages: &'a [Json],
    /// The tools on offer: an array of OpenAI's tool objects.
    pub tools: Option<&'a [Json]>,
    /// Documents to answer from.
    pub documents: Option<&'a [Json]>,
    /// Whether the prompt ends with the beginning of the assistant's turn.
    pub add_generation_prompt: bool,
    /// The text of the begin-of-text token; empty where there is none.
    pub bos_token: &'a str,
    /// The text of the end-of-text token; empty where there is none.
    pub eos_token: &'a str,
    /// Further variables, such as `enable_thinking`. They win over the ones above.
    pub extra: Option<&'a serde_json::Map<String, Json>>,
    /// The caller's local time for `strftime_now`, in seconds since 1970-01-01 00:00 of that same clock; a template that asks
    /// for the time where there is none fails.
    pub local_time: Option<i64>,
}

/// A template that is known to be valid. Make it once for a model; rendering does not change it.
pub struct ChatTemplate {
    env: Environment<'static>,
    config: TemplateConfig,
    source: String,
}

impl ChatTemplate {
    /// Takes a template.
    ///
    /// # Errors
    /// [`TemplateError::TooLong`], [`TemplateError::TooComplex`] and [`TemplateError::Syntax`].
    pub fn new(source: &str) -> Result<Self, TemplateError> {
        if source.len() > MAX_SOURCE {
            return Err(TemplateError::TooLong(source.len()));
        }
        let syntax_config = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        let syntax_config = syntax_config.map_err(|error| TemplateError::from_engine(&error))?;
        let config = TemplateConfig { syntax_config, default_auto_escape: Arc::new(|_| AutoEscape::None) };
        let mut env = Environment::new();
        env.set_fuel(Some(MAX_STEPS));
        env.set_recursion_limit(MAX_DEPTH);
        functions::install(&mut env);
        operators::install(&mut env);
        let source = source::prepare(source, &config.syntax_config)?;
        let template = Self { env, config, source };
        template.compile()?;
        Ok(template)
    }

    /// The prompt for a conversation.
    ///
    /// # Errors
    /// The template refuses the conversation ([`TemplateError::Raised`]), asks for what does not exist, fails, or exceeds a bound.
    pub fn render(&self, input: &TemplateInput<'_>) -> Result<String, TemplateError> {
        let compiled = self.compile()?;
        let mut env = self.env.clone();
        budget::grant(&mut env, input_len(input));
        let mut text = String::new();
        let mut output = machinery::make_string_output(&mut text);
        let rendered = machinery::eval(
            &env,
            &compiled.instructions,
            context(input),
            &compiled.blocks,
            &mut output,
            AutoEscape::None,
        );
        // The state ends here, before the output it may refer to.
        rendered.map(drop).map_err(|error| TemplateError::from_engine(&error))?;
        Ok(text)
    }

    /// Its source, as it is run.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Compiles the template anew for each use, which takes well under a millisecond; the program borrows its source.
    fn compile(&self) -> Result<CompiledTemplate<'_>, TemplateError> {
        let mut compiled = CompiledTemplate::new(NAME, &self.source, &self.config)
            .map_err(|error| TemplateError::from_engine(&error))?;
        budget::instrument(&mut compiled.instructions);
        compiled.blocks.values_mut().for_each(budget::instrument);
        Ok(compiled)
    }
}

impl fmt::Debug for ChatTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChatTemplate").field("source", &self.source).finish_non_exhaustive()
    }
}

/// The variables that a template sees.
fn context(input: &TemplateInput<'_>) -> Value {
    let list = |items: &[Json]| items.iter().map(json::from_json).collect::<Value>();
    let own = [
        ("messages", list(input.messages)),
        ("tools", input.tools.map_or(Value::from(()), list)),
        ("documents", input.documents.map_or(Value::from(()), list)),
        ("add_generation_prompt", Value::from(input.add_generation_prompt)),
        ("bos_token", Value::from(input.bos_token)),
        ("eos_token", Value::from(input.eos_token)),
        ("strftime_now", time::strftime_now(input.local_time)),
    ];
    let extra = input.extra.into_iter().flatten().map(|(name, value)| (name.as_str(), json::from_json(value)));
    Value::from_pairs(own.into_iter().chain(extra))
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
        Json::Array(items) => items.iter().map(json_len).sum(),
        Json::Object(map) => map.iter().map(|(key, value)| key.len() + json_len(value)).sum(),
        _ => 8,
    }
}
