//! `tokenizer_config.json`: the special tokens' names and the chat templates.

use serde::Deserialize;
use serde_json::Value;

use crate::TokenizerError;

/// What of a `tokenizer_config.json` is used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenizerConfig {
    /// Begin of text.
    pub bos_token: Option<String>,
    /// End of text.
    pub eos_token: Option<String>,
    /// Stands for text that cannot be spelled.
    pub unk_token: Option<String>,
    /// Fills a batch.
    pub pad_token: Option<String>,
    /// The chat templates, the default one first.
    pub chat_templates: Vec<NamedTemplate>,
}

/// A chat template with its name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct NamedTemplate {
    /// "default" where the file has only one.
    pub name: String,
    /// Its source.
    pub template: String,
}

/// The name of a template that has none.
const DEFAULT: &str = "default";

#[derive(Deserialize)]
struct File {
    bos_token: Option<Value>,
    eos_token: Option<Value>,
    unk_token: Option<Value>,
    pad_token: Option<Value>,
    chat_template: Option<Templates>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Templates {
    One(String),
    Named(Vec<NamedTemplate>),
}

impl TokenizerConfig {
    /// Reads a `tokenizer_config.json`.
    ///
    /// # Errors
    /// It is not JSON, or a chat template is neither a string nor a list of named ones.
    pub fn parse(json: &[u8]) -> Result<Self, TokenizerError> {
        let damaged = |error: serde_json::Error| TokenizerError::BadFile {
            file: "tokenizer_config.json",
            problem: error.to_string(),
        };
        let file: File = serde_json::from_slice(json).map_err(damaged)?;
        let mut chat_templates = match file.chat_template {
            None => Vec::new(),
            Some(Templates::One(template)) => vec![NamedTemplate { name: DEFAULT.into(), template }],
            Some(Templates::Named(templates)) => templates,
        };
        if let Some(default) = chat_templates.iter().position(|template| template.name == DEFAULT) {
            chat_templates[..=default].rotate_right(1);
        }
        Ok(Self {
            bos_token: content(file.bos_token),
            eos_token: content(file.eos_token),
            unk_token: content(file.unk_token),
            pad_token: content(file.pad_token),
            chat_templates,
        })
    }
}

/// A token's text: the value itself, or the `content` of an added token.
fn content(token: Option<Value>) -> Option<String> {
    match token? {
        Value::String(text) => Some(text),
        Value::Object(mut token) => match token.remove("content")? {
            Value::String(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_and_templates_come_in_two_forms_each() {
        let one = br#"{"bos_token": {"content": "<s>", "lstrip": false}, "eos_token": "</s>", "pad_token": null, "chat_template": "t"}"#;
        let config = TokenizerConfig::parse(one).unwrap();
        assert_eq!((config.bos_token.as_deref(), config.eos_token.as_deref()), (Some("<s>"), Some("</s>")));
        assert_eq!((config.pad_token, config.chat_templates[0].name.as_str()), (None, "default"));
        let named =
            br#"{"chat_template": [{"name": "tool_use", "template": "u"}, {"name": "default", "template": "d"}]}"#;
        let names: Vec<String> =
            TokenizerConfig::parse(named).unwrap().chat_templates.into_iter().map(|template| template.name).collect();
        assert_eq!(names, ["default", "tool_use"]);
        assert!(TokenizerConfig::parse(br#"{"chat_template": 1}"#).is_err());
        assert!(TokenizerConfig::parse(b"[").is_err());
    }
}
