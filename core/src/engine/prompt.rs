//! How conversations become prompts.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::request::{Request, RequestError};
use crate::error::Error;
use inglenook_format::gguf::Metadata;
use inglenook_text::output::{
    OutputFormat, ReasoningFormat, ToolCallFormat, ToolSpec, ends_behind_thought, starts_in_reasoning,
};
use inglenook_text::template::parts;
use inglenook_text::{ChatInput, ChatTemplate, ChatTemplates, Special, Tokenizer, vocabulary};

/// The variable by which built-in templates leave a space behind a special token to the tokenizer, where it puts one there itself.
const ADDS_SPACE: &str = "tokenizer_adds_space";

/// What a model's file says of prompts. Shared by an engine and whoever asks for a prompt alone.
#[derive(Debug)]
pub struct PromptBuilder {
    tokenizer: Arc<Tokenizer>,
    templates: ChatTemplates,
}

/// A prompt, and how its answer is to be read.
#[derive(Debug)]
pub(super) struct Prompt {
    pub tokens: Vec<u32>,
    pub format: OutputFormat,
    pub tools: Vec<ToolSpec>,
    pub starts_in_reasoning: bool,
    /// Whether the model may still open a thought itself: it is not forbidden to think, and the prompt holds no thought for it.
    pub may_think: bool,
}

/// A conversation as text.
struct Rendered {
    text: String,
    /// What users wrote of it: bytes, in order.
    user: Vec<Range<usize>>,
    format: OutputFormat,
}

impl PromptBuilder {
    /// Of the model whose file has this metadata.
    ///
    /// # Errors
    /// A tokenizer that cannot be used. (A template that cannot be is an error where it is asked for.)
    pub fn from_gguf(metadata: &Metadata) -> Result<PromptBuilder, Error> {
        let tokenizer = Arc::new(Tokenizer::from_gguf(metadata)?);
        let is_control = |name: &str| vocabulary::control(&tokenizer, name).is_some();
        let templates = ChatTemplates::from_gguf(metadata).with_proof(&is_control);
        Ok(PromptBuilder { tokenizer, templates })
    }

    /// The model's tokenizer.
    pub fn tokenizer(&self) -> &Arc<Tokenizer> {
        &self.tokenizer
    }

    /// Whether conversations can become prompts without a template being named.
    pub fn can_chat(&self) -> bool {
        self.templates.choose(None, false).is_ok()
    }

    /// The prompt's text for a conversation, as the model's template renders it.
    ///
    /// # Errors
    /// What the template says; [`RequestError::NoToolCallFormat`], [`RequestError::Unknown`].
    pub fn render(&self, request: &Request) -> Result<String, Error> {
        Ok(self.rendered(request)?.text)
    }

    /// The tokens of a request's prompt.
    ///
    /// # Errors
    /// As [`PromptBuilder::render`].
    pub fn tokens(&self, request: &Request) -> Result<Vec<u32>, Error> {
        Ok(self.prompt(request)?.tokens)
    }

    /// The tokens of a request's prompt, and how its answer is to be read.
    ///
    /// # Errors
    /// As [`PromptBuilder::render`]; [`RequestError::BadTool`], [`RequestError::Media`].
    pub(super) fn prompt(&self, request: &Request) -> Result<Prompt, Error> {
        let tools = tools(request)?;
        if let Some((at, part, kind)) = parts::media(&request.messages) {
            return Err(RequestError::Media { at, part, kind: kind.to_owned() }.into());
        }
        if let Some(text) = &request.prompt {
            let special = if request.parse_special { Special::Parse } else { Special::AsText };
            let tokens = self.tokenizer.encode(text, special, self.tokenizer.adds_bos());
            let (tool_call_format, reasoning) = (named_tool_call_format(request)?, named_reasoning(request)?);
            if !tools.is_empty() && tool_call_format.is_none() {
                return Err(RequestError::NoToolCallFormat.into());
            }
            let format = OutputFormat { tool_call_format, reasoning, id_seed: 0 };
            let may_think = request.reasoning.budget() != Some(0);
            return Ok(Prompt { tokens, format, tools, starts_in_reasoning: false, may_think });
        }
        let Rendered { text, user, format } = self.rendered(request)?;
        let bos = self.tokenizer.special_ids().bos.map(|id| self.tokenizer.token_bytes(id));
        let own = user.first().map_or(text.len(), |span| span.start);
        let has_bos = bos.is_some_and(|bos| text.as_bytes()[..own].starts_with(bos));
        let mut tokens = self.tokenizer.encode_prompt(&text, &user, self.tokenizer.adds_bos() && !has_bos);
        let mut starts_in_reasoning = format.reasoning.is_some_and(|format| starts_in_reasoning(&text, format));
        let has_thought = format.reasoning.is_some_and(|format| ends_behind_thought(&text, format));
        let may_think = !has_thought && request.reasoning.budget() != Some(0);
        // Under a form not every model could think of its own accord: where a thought is wanted before it, the prompt opens it.
        let wanted = request.needs_grammar() && request.reasoning.enabled() == Some(true) && !starts_in_reasoning;
        if let Some(opening) = format.reasoning.filter(|_| wanted).and_then(ReasoningFormat::opening_text) {
            tokens.extend(self.tokenizer.encode(opening, Special::Parse, false));
            starts_in_reasoning = true;
        }
        Ok(Prompt { tokens, format, tools, starts_in_reasoning, may_think })
    }

    fn rendered(&self, request: &Request) -> Result<Rendered, Error> {
        let tools = request.offered_tools();
        let template = self.templates.choose(request.chat_template.as_deref(), tools.is_some())?;
        let mut format = self.format(template, request)?;
        let tool_call_format = format.tool_call_format;
        if tools.is_none() {
            // What looks like a call then is text; thoughts in channels are told apart without a format.
            format.tool_call_format = None;
        } else if tool_call_format.is_none() && template.capabilities().tools {
            return Err(RequestError::NoToolCallFormat.into());
        }
        let ids = self.tokenizer.special_ids();
        let name = |id: Option<u32>| {
            let bytes = id.map(|id| self.tokenizer.token_bytes(id)).unwrap_or_default();
            String::from_utf8_lossy(bytes).into_owned()
        };
        let (bos, eos) = (name(ids.bos), name(ids.eos));
        let mut extra = variables(request, template);
        extra.entry(ADDS_SPACE).or_insert(self.tokenizer.adds_space().into());
        let rendered = self.templates.render(&ChatInput {
            messages: &request.messages,
            tools: request.offered_tools(),
            documents: request.documents.as_deref(),
            add_generation_prompt: request.add_generation_prompt.unwrap_or(!request.continue_final_message),
            continue_final_message: request.continue_final_message,
            template: request.chat_template.as_deref(),
            extra: Some(&extra),
            bos_token: &bos,
            eos_token: &eos,
            local_time: request.local_time,
            tool_call_format,
        })?;
        let user = if request.parse_special { Vec::new() } else { rendered.user };
        Ok(Rendered { text: rendered.text, user, format })
    }

    /// How a model with this template writes, or how the request says that it does.
    fn format(&self, template: &ChatTemplate, request: &Request) -> Result<OutputFormat, RequestError> {
        let has_token = |text: &str| vocabulary::has_token(&self.tokenizer, text);
        let (tool_call_format, reasoning) = (named_tool_call_format(request)?, named_reasoning(request)?);
        Ok(OutputFormat {
            tool_call_format: tool_call_format.or_else(|| template.tool_call_format(&has_token)),
            reasoning: reasoning.or_else(|| ReasoningFormat::detect(template.source(), &has_token)),
            id_seed: 0,
        })
    }
}

/// What a template sees beside the conversation: what the caller gives, and the switches by which templates know whether the model is
/// to think.
fn variables(request: &Request, template: &ChatTemplate) -> Map<String, Value> {
    let mut variables = request.chat_template_kwargs.clone().unwrap_or_default();
    if let Some(enabled) = request.reasoning.enabled() {
        for name in ["enable_thinking", "thinking"] {
            variables.entry(name).or_insert(Value::Bool(enabled));
        }
    }
    if let Some(word) = request.reasoning.effort.and_then(|effort| effort.word_for(template.source())) {
        variables.entry("reasoning_effort").or_insert(word.into());
    }
    variables
}

/// The form of calls that the request names.
fn named_tool_call_format(request: &Request) -> Result<Option<ToolCallFormat>, RequestError> {
    let Some(name) = &request.tool_dialect else { return Ok(None) };
    let known = || ToolCallFormat::names().collect::<Vec<_>>().join(", ");
    let unknown = || RequestError::Unknown { name: "tool_dialect", found: name.clone(), known: known() };
    ToolCallFormat::from_name(name).map(Some).ok_or_else(unknown)
}

/// The form of thoughts that the request names.
fn named_reasoning(request: &Request) -> Result<Option<ReasoningFormat>, RequestError> {
    let Some(name) = &request.reasoning_format else { return Ok(None) };
    let known = || ReasoningFormat::names().collect::<Vec<_>>().join(", ");
    let unknown = || RequestError::Unknown { name: "reasoning_format", found: name.clone(), known: known() };
    ReasoningFormat::from_name(name).map(Some).ok_or_else(unknown)
}

/// The tools on offer.
fn tools(request: &Request) -> Result<Vec<ToolSpec>, RequestError> {
    let mut names = HashSet::new();
    let tools = request.offered_tools().unwrap_or_default().iter().enumerate();
    tools
        .map(|(index, tool)| {
            let wrong = |what| RequestError::BadTool { index, what };
            let function = tool.get("function").ok_or_else(|| wrong("it has no `function`"))?;
            let name = function.get("name").and_then(Value::as_str).filter(|name| !name.is_empty());
            let name = name.ok_or_else(|| wrong("its function has no `name`"))?;
            if !names.insert(name) {
                return Err(wrong("another tool has its name"));
            }
            let parameters = function.get("parameters").cloned().unwrap_or(Value::Null);
            if !may_describe_an_object(&parameters) {
                return Err(wrong("its `parameters` are no JSON schema of an object"));
            }
            Ok(ToolSpec { name: name.to_owned(), parameters })
        })
        .collect()
}

/// Whether a tool's arguments, which are one object, may be of this schema. Nothing at all is a schema of any.
fn may_describe_an_object(schema: &Value) -> bool {
    match schema {
        Value::Null => true,
        Value::Object(schema) => match schema.get("type") {
            Some(Value::Array(types)) => types.iter().any(|name| name == "object"),
            Some(name) => name == "object",
            None => true,
        },
        _ => false,
    }
}
