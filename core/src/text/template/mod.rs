//! Chat templates: the Jinja programs that models carry to turn messages into a prompt.
//!
//! Rendered as HF transformers renders them (`apply_chat_template`, which runs jinja2 with `trim_blocks`, `lstrip_blocks`, loop
//! controls and a few functions of its own). A template is a program from a stranger: its steps, its depth and its output are
//! bounded, it reads nothing but its input, and whatever it asks for that does not exist is an error that says so.

mod error;
mod functions;
mod json;
mod methods;
mod source;
mod time;

#[cfg(test)]
mod tests;

use std::io;

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Value};
use serde_json::Value as Json;

pub use error::TemplateError;

/// Longest template that is taken, in bytes. The longest public ones have about 30 KB.
pub const MAX_SOURCE: usize = 512 << 10;

/// Most steps of the template engine a rendering may take. A long template takes about 200 a message.
const MAX_STEPS: u64 = 1_000_000;

/// Deepest nesting of macros, loops and blocks (a macro call counts 10).
const MAX_DEPTH: usize = 200;

/// Most bytes a rendering may add to those of its input.
const MAX_OUTPUT: usize = 4 << 20;

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

/// A parsed template. Make it once for a model; rendering does not change it.
#[derive(Debug)]
pub struct ChatTemplate {
    env: Environment<'static>,
}

impl ChatTemplate {
    /// Parses a template.
    ///
    /// # Errors
    /// [`TemplateError::TooLong`] and [`TemplateError::Syntax`].
    pub fn new(source: &str) -> Result<Self, TemplateError> {
        if source.len() > MAX_SOURCE {
            return Err(TemplateError::TooLong(source.len()));
        }
        let mut env = Environment::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        env.set_syntax(syntax.map_err(|error| TemplateError::from_engine(&error))?);
        env.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        env.set_fuel(Some(MAX_STEPS));
        env.set_recursion_limit(MAX_DEPTH);
        functions::install(&mut env);
        env.add_template_owned(NAME, source::prepare(source)).map_err(|error| TemplateError::from_engine(&error))?;
        Ok(Self { env })
    }

    /// The prompt for a conversation.
    ///
    /// # Errors
    /// The template refuses the conversation ([`TemplateError::Raised`]), asks for what does not exist, fails, or exceeds a bound.
    pub fn render(&self, input: &TemplateInput<'_>) -> Result<String, TemplateError> {
        let context = context(input);
        let mut output = Bounded { bytes: Vec::new(), room: MAX_OUTPUT.saturating_add(input_len(input)) };
        let render = || self.env.get_template(NAME)?.render_captured_to(context, &mut output).map(|_| ());
        let rendered: Result<(), minijinja::Error> = render();
        match rendered {
            Err(_) if output.room == 0 => Err(TemplateError::OutputTooLong),
            Err(error) => Err(TemplateError::from_engine(&error)),
            // Only whole strings are written, so this cannot fail.
            Ok(()) => String::from_utf8(output.bytes).map_err(|_| TemplateError::OutputTooLong),
        }
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

/// Bytes of text in the input, which a template may well repeat.
fn input_len(input: &TemplateInput<'_>) -> usize {
    let of = |values: &[Json]| values.iter().map(json_len).fold(0usize, usize::saturating_add);
    let parts = [Some(input.messages), input.tools, input.documents];
    parts.into_iter().flatten().map(of).fold(0, usize::saturating_add).saturating_mul(2)
}

fn json_len(value: &Json) -> usize {
    match value {
        Json::String(text) => text.len(),
        Json::Array(items) => items.iter().map(json_len).sum(),
        Json::Object(map) => map.iter().map(|(key, value)| key.len() + json_len(value)).sum(),
        _ => 8,
    }
}

/// Takes output until there is no room left.
struct Bounded {
    bytes: Vec<u8>,
    room: usize,
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > self.room {
            self.room = 0;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.room -= bytes.len();
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
