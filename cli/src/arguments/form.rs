//! What an answer must look like, what must not be in it, and how long it may be thought about.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;
use serde_json::{Map, Value, json};

use super::rule::rule;
use super::{json_file, text_file};

/// The form of an answer. One form at most.
#[derive(Debug, Args)]
#[command(next_help_heading = "Form of the answer")]
pub struct FormArguments {
    /// `text`, `json_object`, or OpenAI's object as JSON
    #[arg(long, value_name = "FORMAT", value_parser = format, group = "answer_form")]
    response_format: Option<Value>,
    /// JSON that the schema in this file allows
    #[arg(long, value_name = "FILE", group = "answer_form")]
    json_schema: Option<PathBuf>,
    /// What this regular expression matches as a whole
    #[arg(long, value_name = "REGEX", group = "answer_form")]
    regex: Option<String>,
    /// What this grammar derives: Lark's form in a file `.lark`, llama.cpp's in a file `.gbnf`
    #[arg(long, value_name = "FILE", group = "answer_form")]
    grammar: Option<PathBuf>,
    /// One of these texts; give it several times
    #[arg(long, value_name = "TEXT", group = "answer_form")]
    choice: Vec<String>,
    /// The answer is free up to the end of this text, and has the form from there on
    #[arg(long, value_name = "TEXT", requires = "answer_form")]
    trigger: Option<String>,
    /// Tokens of thought at most; then the answer begins
    #[arg(long, value_name = "N", help_heading = "Tools, reasoning, template")]
    reasoning_budget: Option<u32>,
    /// End or mask the answer where something would appear in it: `stop:TEXT`, `mask:TEXT`, `stop:/REGEX/`, `mask:/REGEX/`, or
    /// a rule as JSON; may be given several times
    #[arg(long, value_name = "RULE", value_parser = rule)]
    rule: Vec<Value>,
}

impl FormArguments {
    /// Puts them into a request's fields.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn add_to(&self, fields: &mut Map<String, Value>) -> Result<()> {
        if let Some(mut format) = self.format()? {
            if let (Some(trigger), Some(format)) = (&self.trigger, format.as_object_mut()) {
                format.insert("trigger".into(), json!(trigger));
            }
            fields.insert("response_format".into(), format);
        }
        if let Some(tokens) = self.reasoning_budget {
            let reasoning = fields.entry("reasoning").or_insert_with(|| json!({}));
            reasoning["budget_tokens"] = json!(tokens);
        }
        if !self.rule.is_empty() {
            fields.insert("content_rules".into(), json!(self.rule));
        }
        Ok(())
    }

    fn format(&self) -> Result<Option<Value>> {
        Ok(if let Some(format) = &self.response_format {
            Some(format.clone())
        } else if let Some(path) = &self.json_schema {
            let schema = json!({ "name": stem(path), "schema": json_file(path)? });
            Some(json!({ "type": "json_schema", "json_schema": schema }))
        } else if let Some(regex) = &self.regex {
            Some(json!({ "type": "regex", "regex": regex }))
        } else if let Some(path) = &self.grammar {
            Some(json!({ "type": grammar_kind(path)?, "grammar": text_file(path)? }))
        } else if !self.choice.is_empty() {
            Some(json!({ "type": "choice", "choices": self.choice }))
        } else {
            None
        })
    }
}

fn stem(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

fn grammar_kind(path: &Path) -> Result<&'static str> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("lark") => Ok("lark"),
        Some("gbnf") => Ok("gbnf"),
        _ => bail!("{}: a grammar's file must end in .lark or .gbnf, which tells its form", path.display()),
    }
}

fn format(text: &str) -> Result<Value, String> {
    match text {
        "text" | "json_object" => Ok(json!({ "type": text })),
        json => match serde_json::from_str::<Value>(json) {
            Ok(value) if value.is_object() => Ok(value),
            _ => Err("must be `text`, `json_object`, or an object such as {\"type\": \"json_schema\", …}".into()),
        },
    }
}
