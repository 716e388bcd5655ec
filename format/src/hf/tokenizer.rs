//! The tokenizer's keys: `tokenizer.json` as it is, the chat template, and the tokens that begin and end texts.

use serde_json::{Map, Value};

use super::config::Config;
use super::directory::{Directory, read_json, read_text};
use super::error::HfError;
use super::keys::Keys;

/// The largest `tokenizer.json` accepted; Gemma's has 33 MB.
const MAX_TOKENIZER: usize = 100 << 20;
/// The largest of the other files.
const MAX_TEXT: usize = 8 << 20;

/// What `generation_config.json` recommends for sampling, and GGUF's names for it.
const SAMPLING: [(&str, &str); 4] =
    [("temperature", "temp"), ("top_k", "top_k"), ("top_p", "top_p"), ("min_p", "min_p")];

/// Reads the tokenizer's files and sets its keys, and what is recommended for sampling.
pub(super) async fn keys(directory: &dyn Directory, config: &Config, keys: &mut Keys) -> Result<(), HfError> {
    let generation: Option<Map<String, Value>> = read_json(directory, "generation_config.json", MAX_TEXT).await?;
    let generation = generation.unwrap_or_default();
    for (from, to) in SAMPLING {
        if let Some(number) = generation.get(from).and_then(Value::as_f64) {
            let key = format!("general.sampling.{to}");
            if from == "top_k" { keys.whole(&key, number as i32) } else { keys.whole(&key, number as f32) }
        }
    }
    let Some(tokenizer) = read_text(directory, "tokenizer.json", MAX_TOKENIZER).await? else { return Ok(()) };
    let described: Option<Map<String, Value>> = read_json(directory, "tokenizer_config.json", MAX_TEXT).await?;
    let described = described.unwrap_or_default();
    special_tokens(&tokenizer, &described, &generation, config, keys)?;
    let template = match read_text(directory, "chat_template.jinja", MAX_TEXT).await? {
        Some(template) => Some(template),
        None => template(&described),
    };
    if let Some(template) = template {
        keys.whole("tokenizer.chat_template", template);
    }
    keys.whole("tokenizer.huggingface.json", tokenizer);
    Ok(())
}

/// The template in `tokenizer_config.json`: one text, or several with names, of which one is the default.
fn template(described: &Map<String, Value>) -> Option<String> {
    match described.get("chat_template")? {
        Value::String(template) => Some(template.clone()),
        Value::Array(named) => {
            let is_default = |one: &&Value| one.get("name").and_then(Value::as_str) == Some("default");
            named.iter().find(is_default)?.get("template")?.as_str().map(str::to_owned)
        }
        _ => None,
    }
}

/// What of `tokenizer.json` special tokens need.
#[derive(serde::Deserialize)]
struct Added {
    #[serde(default)]
    added_tokens: Vec<AddedToken>,
}

#[derive(serde::Deserialize)]
struct AddedToken {
    id: u32,
    content: String,
}

fn special_tokens(
    tokenizer: &str,
    described: &Map<String, Value>,
    generation: &Map<String, Value>,
    config: &Config,
    keys: &mut Keys,
) -> Result<(), HfError> {
    let added: Added = serde_json::from_str(tokenizer)
        .map_err(|error| HfError::Json { file: "tokenizer.json".into(), detail: error.to_string() })?;
    let id_of = |text: &str| added.added_tokens.iter().find(|token| token.content == text).map(|token| token.id);
    let first = |value: &Value| value.as_u64().or_else(|| value.get(0)?.as_u64()).and_then(|id| u32::try_from(id).ok());
    let number = |name: &str| generation.get(name).and_then(first).or_else(|| config.get(name).and_then(first));
    let named = |name: &str| {
        let token = described.get(name)?;
        token.as_str().or_else(|| token.get("content")?.as_str()).and_then(id_of)
    };
    let kinds = [
        ("bos", "bos"),
        ("eos", "eos"),
        ("unk", "unknown"),
        ("sep", "seperator"),
        ("pad", "padding"),
        ("cls", "cls"),
        ("mask", "mask"),
    ];
    for (kind, key) in kinds {
        // The tokenizer's own word goes first: it is what ends a turn of a chat, where the configuration ends a text.
        if let Some(id) = named(&format!("{kind}_token")).or_else(|| number(&format!("{kind}_token_id"))) {
            keys.whole(&format!("tokenizer.ggml.{key}_token_id"), id);
        }
    }
    // Further tokens that end an answer.
    let eos = named("eos_token").or_else(|| number("eos_token_id"));
    let ends = generation.get("eos_token_id").and_then(Value::as_array);
    let others = ends.into_iter().flatten().filter_map(first).filter(|id| Some(*id) != eos);
    for (key, id) in ["eot", "eom"].into_iter().zip(others) {
        keys.whole(&format!("tokenizer.ggml.{key}_token_id"), id);
    }
    for (name, key) in [("add_bos_token", "add_bos_token"), ("add_eos_token", "add_eos_token")] {
        if let Some(Value::Bool(adds)) = described.get(name) {
            keys.whole(&format!("tokenizer.ggml.{key}"), *adds);
        }
    }
    Ok(())
}
