//! `inglenook render`: the prompt that a conversation becomes. RequiredFeatures no weights and no GPU.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use inglenook::engine::request::Request;
use serde_json::{Map, Value, json};

use crate::arguments::{self, PromptArguments};
use crate::load;

const EXAMPLES: &str = "\
Examples:
  inglenook render --user \"What is the opposite of hot?\"
  inglenook render --model qwen3-0.6b-q4_k_m.gguf --var enable_thinking=false conversation.json
  inglenook render --tools tools.json --user \"What is the weather in Oslo?\" --ids
  inglenook render --template chatml --no-generation-prompt < request.json";

/// Show the prompt that a conversation becomes
///
/// The conversation is JSON: a list of messages, or a whole request in OpenAI's form. It is rendered by the model's own template,
/// of whose file nothing but the metadata is read.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// The conversation; without it or with `-`, standard input
    conversation: Option<PathBuf>,
    /// A conversation of one question, instead of a file
    #[arg(short, long, value_name = "TEXT", conflicts_with = "conversation")]
    user: Option<String>,
    /// The system message in front of it
    #[arg(short, long, value_name = "TEXT", requires = "user")]
    system: Option<String>,
    /// Leave out the beginning of the assistant's turn
    #[arg(long)]
    no_generation_prompt: bool,
    /// Leave the last message open, so that an answer continues it
    #[arg(long)]
    continue_final_message: bool,
    /// Print the ids of the prompt's tokens instead of its text
    #[arg(long)]
    ids: bool,
    /// Print one JSON object with the prompt and its ids
    #[arg(long)]
    json: bool,
    /// A GGUF file; without one, the built-in model ember
    #[arg(short, long, value_name = "FILE")]
    model: Option<PathBuf>,
    #[command(flatten)]
    prompt: PromptArguments,
}

/// Renders, and prints. The prompt's text is printed as it is, with no line end added.
///
/// # Errors
/// What is wrong with a file, or what the template refuses.
pub fn run(options: &Options) -> Result<()> {
    let request = request(options)?;
    if request.messages.is_empty() {
        bail!("the conversation has no messages");
    }
    let name = load::name(options.model.as_deref());
    let prompts = load::prompts(options.model.as_deref())?;
    let text = || prompts.render(&request).with_context(|| format!("{name} cannot render the conversation"));
    let shown = match (options.json, options.ids) {
        (true, _) => {
            let tokens = prompts.tokens(&request)?;
            json!({ "prompt": text()?, "count": tokens.len(), "ids": tokens }).to_string() + "\n"
        }
        (_, true) => json!(prompts.tokens(&request)?).to_string() + "\n",
        _ => text()?,
    };
    io::stdout().write_all(shown.as_bytes())?;
    Ok(())
}

fn request(options: &Options) -> Result<Request> {
    let mut fields = match &options.user {
        Some(question) => {
            let system = options.system.iter().map(|text| json!({ "role": "system", "content": text }));
            let messages: Value = system.chain([json!({ "role": "user", "content": question })]).collect();
            Map::from_iter([("messages".to_string(), messages)])
        }
        None => arguments::request_fields(options.conversation.as_deref())?,
    };
    options.prompt.add_to(&mut fields)?;
    if options.no_generation_prompt {
        fields.insert("add_generation_prompt".into(), json!(false));
    }
    if options.continue_final_message {
        fields.insert("continue_final_message".into(), json!(true));
    }
    arguments::read(fields)
}
