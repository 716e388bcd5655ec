//! How conversations become prompts.

use std::sync::Arc;

use serde_json::Value;

use super::request::{Request, RequestError};
use crate::error::Error;
use crate::format::gguf::Metadata;
use crate::text::output::{Dialect, OutputFormat, ReasoningFormat, ToolSpec, starts_in_reasoning};
use crate::text::{ChatTemplate, Special, TemplateInput, Tokenizer, vocabulary};

/// What a model's file says of prompts. Shared by an engine and whoever asks for a prompt alone.
#[derive(Debug)]
pub struct Prompts {
    tokenizer: Arc<Tokenizer>,
    template: Option<ChatTemplate>,
    /// How the model writes calls and thoughts, as its template shows.
    format: OutputFormat,
}

/// A prompt, and how its answer is to be read.
#[derive(Debug)]
pub(super) struct Prompt {
    pub tokens: Vec<u32>,
    pub format: OutputFormat,
    pub tools: Vec<ToolSpec>,
    pub starts_in_reasoning: bool,
}

impl Prompts {
    /// Of a model with this tokenizer and this template.
    pub fn new(tokenizer: Arc<Tokenizer>, template: Option<ChatTemplate>) -> Prompts {
        let format = format(template.as_ref().map_or("", ChatTemplate::source), &tokenizer);
        Prompts { tokenizer, template, format }
    }

    /// Of the model whose file has this metadata.
    ///
    /// # Errors
    /// A tokenizer or a template that cannot be used.
    pub fn from_gguf(metadata: &Metadata) -> Result<Prompts, Error> {
        let tokenizer = Arc::new(Tokenizer::from_gguf(metadata)?);
        let template = metadata.opt_str("tokenizer.chat_template")?.map(ChatTemplate::new).transpose()?;
        Ok(Prompts::new(tokenizer, template))
    }

    /// The prompt's text for a conversation, as the model's template renders it.
    ///
    /// # Errors
    /// [`RequestError::NoTemplate`], or what the template says.
    pub fn render(&self, request: &Request) -> Result<String, Error> {
        let template = self.template.as_ref().ok_or(RequestError::NoTemplate)?;
        let ids = self.tokenizer.special_ids();
        let name = |id: Option<u32>| {
            let bytes = id.map(|id| self.tokenizer.token_bytes(id)).unwrap_or_default();
            String::from_utf8_lossy(bytes).into_owned()
        };
        let (bos, eos) = (name(ids.bos), name(ids.eos));
        let input = TemplateInput {
            messages: &request.messages,
            tools: request.offered_tools(),
            documents: None,
            add_generation_prompt: true,
            bos_token: &bos,
            eos_token: &eos,
            extra: request.chat_template_kwargs.as_ref(),
            local_time: request.local_time,
        };
        Ok(template.render(&input)?)
    }

    /// The tokens of a request's prompt.
    ///
    /// # Errors
    /// As [`Prompts::render`].
    pub fn tokens(&self, request: &Request) -> Result<Vec<u32>, Error> {
        Ok(self.prompt(request)?.tokens)
    }

    /// The tokens of a request's prompt, and how its answer is to be read.
    ///
    /// # Errors
    /// As [`Prompts::render`]; [`RequestError::BadTool`], [`RequestError::Unknown`].
    pub(super) fn prompt(&self, request: &Request) -> Result<Prompt, Error> {
        let format = named(request, self.format)?;
        let tools = tools(request)?;
        if let Some(text) = &request.prompt {
            let tokens = self.tokenizer.encode(text, Special::AsText, self.tokenizer.adds_bos());
            return Ok(Prompt { tokens, format, tools, starts_in_reasoning: false });
        }
        let text = self.render(request)?;
        let bos = self.tokenizer.special_ids().bos.map(|id| self.tokenizer.token_bytes(id));
        let has_bos = bos.is_some_and(|bos| text.as_bytes().starts_with(bos));
        let tokens = self.tokenizer.encode(&text, Special::Parse, self.tokenizer.adds_bos() && !has_bos);
        let starts_in_reasoning = format.reasoning.is_some_and(|format| starts_in_reasoning(&text, format));
        Ok(Prompt { tokens, format, tools, starts_in_reasoning })
    }
}

/// How a model whose template is `source` writes.
fn format(source: &str, tokenizer: &Tokenizer) -> OutputFormat {
    let has_token = |text: &str| vocabulary::has_token(tokenizer, text);
    OutputFormat {
        dialect: Dialect::detect(source, &has_token),
        reasoning: ReasoningFormat::detect(source, &has_token),
        id_seed: 0,
    }
}

/// The format, but as the request names it.
fn named(request: &Request, format: OutputFormat) -> Result<OutputFormat, RequestError> {
    let mut format = format;
    if let Some(name) = &request.tool_dialect {
        let known = || Dialect::names().collect::<Vec<_>>().join(", ");
        let unknown = || RequestError::Unknown { name: "tool_dialect", found: name.clone(), known: known() };
        format.dialect = Some(Dialect::from_name(name).ok_or_else(unknown)?);
    }
    if let Some(name) = &request.reasoning_format {
        let known = || ReasoningFormat::names().collect::<Vec<_>>().join(", ");
        let unknown = || RequestError::Unknown { name: "reasoning_format", found: name.clone(), known: known() };
        format.reasoning = Some(ReasoningFormat::from_name(name).ok_or_else(unknown)?);
    }
    if request.offered_tools().is_none() {
        // What looks like a call then is text; thoughts in channels are told apart without a dialect.
        format.dialect = None;
    }
    Ok(format)
}

/// The tools on offer.
fn tools(request: &Request) -> Result<Vec<ToolSpec>, RequestError> {
    let tools = request.offered_tools().unwrap_or_default().iter().enumerate();
    tools
        .map(|(index, tool)| {
            let wrong = |what| RequestError::BadTool { index, what };
            let function = tool.get("function").ok_or_else(|| wrong("it has no `function`"))?;
            let name = function.get("name").and_then(Value::as_str).filter(|name| !name.is_empty());
            let name = name.ok_or_else(|| wrong("its function has no `name`"))?.to_owned();
            let parameters = function.get("parameters").cloned().unwrap_or(Value::Null);
            match parameters {
                Value::Null | Value::Object(_) => Ok(ToolSpec { name, parameters }),
                _ => Err(wrong("its `parameters` are no JSON schema")),
            }
        })
        .collect()
}
