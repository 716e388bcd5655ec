//! What a prompt is made of beside the conversation: tools, the template and its variables.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

use super::json_file;

/// Tools, reasoning, template.
#[derive(Debug, Args)]
#[command(next_help_heading = "Tools, reasoning, template")]
pub struct PromptArguments {
    /// Offer the tools in this file: a JSON list of OpenAI's tool objects
    #[arg(long, value_name = "FILE")]
    tools: Option<PathBuf>,
    /// `auto`, `none`, `required` (some tool must be called), or the name of the tool that must be [default: auto]
    #[arg(long, value_name = "CHOICE", requires = "tools")]
    tool_choice: Option<String>,
    /// Whether the model thinks before it answers [default: as its template has it]
    #[arg(long, value_name = "on|off")]
    reasoning: Option<Switch>,
    /// Render the conversation by this template: a named one of the file, or a built-in one such as `chatml`
    #[arg(long, value_name = "NAME")]
    template: Option<String>,
    /// Give the template a variable; VALUE is JSON, or a plain text; may be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = variable)]
    var: Vec<(String, Value)>,
    /// What becomes of what the context has no room for: `auto` leaves out the oldest turns of the prompt, and the oldest half behind the
    /// system prompt where the answer has filled the context; `disabled` refuses the prompt and ends the answer [default: disabled]
    #[arg(long, value_name = "auto|disabled")]
    truncation: Option<TruncationChoice>,
    /// Take the names of special tokens in what is said for the tokens; otherwise they are plain text
    #[arg(long)]
    special: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TruncationChoice {
    Auto,
    Disabled,
}

impl PromptArguments {
    /// Puts them into a request's fields.
    ///
    /// # Errors
    /// When the tools cannot be read.
    pub fn add_to(&self, fields: &mut Map<String, Value>) -> Result<()> {
        if let Some(path) = &self.tools {
            let tools = json_file(path)?;
            if !tools.is_array() {
                bail!("{} is no list of tools; it must be [{{\"type\": \"function\", …}}, …]", path.display());
            }
            fields.insert("tools".into(), tools);
        }
        if let Some(choice) = &self.tool_choice {
            fields.insert("tool_choice".into(), tool_choice(choice));
        }
        if let Some(switch) = self.reasoning {
            fields.insert("reasoning".into(), json!({ "enabled": switch == Switch::On }));
        }
        if let Some(name) = &self.template {
            fields.insert("chat_template".into(), json!(name));
        }
        if let Some(choice) = self.truncation {
            let word = if choice == TruncationChoice::Auto { "auto" } else { "disabled" };
            fields.insert("truncation".into(), json!(word));
        }
        if self.special {
            fields.insert("parse_special".into(), json!(true));
        }
        if !self.var.is_empty() {
            let own = fields.entry("chat_template_kwargs").or_insert_with(|| json!({}));
            if let Some(own) = own.as_object_mut() {
                own.extend(self.var.iter().cloned());
            }
        }
        Ok(())
    }
}

fn tool_choice(choice: &str) -> Value {
    match choice {
        "auto" | "none" | "required" => json!(choice),
        name => json!({ "type": "function", "function": { "name": name } }),
    }
}

/// A variable. What begins as JSON's lists, objects and texts do must be JSON; what else is no JSON is a text.
fn variable(text: &str) -> Result<(String, Value), String> {
    let Some((key, value)) = text.split_once('=').filter(|(key, _)| !key.is_empty()) else {
        return Err(format!("`{text}` is no KEY=VALUE, such as enable_thinking=false"));
    };
    match serde_json::from_str(value) {
        Ok(value) => Ok((key.into(), value)),
        Err(error) if value.starts_with(['{', '[', '"']) => Err(format!("`{value}` is no JSON: {error}")),
        Err(_) => Ok((key.into(), value.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_json_or_plain_texts() {
        let value = |text: &str| variable(text).map(|(_, value)| value);
        assert_eq!(variable("enable_thinking=false"), Ok(("enable_thinking".into(), json!(false))));
        assert_eq!(value("date=26 Jul 2024"), Ok(json!("26 Jul 2024")));
        assert_eq!(value("list=[1]"), Ok(json!([1])));
        assert_eq!(value("a=b=c"), Ok(json!("b=c")));
        assert!(value("list=[1").is_err() && value("list").is_err() && value("=1").is_err());
    }

    #[test]
    fn a_tool_is_chosen_by_its_name() {
        assert_eq!(tool_choice("required"), "required");
        assert_eq!(tool_choice("now")["function"]["name"], "now");
    }
}
