//! The `post_processor` of a `tokenizer.json`: what goes in front of a text and behind it.

use serde_json::Value;

use super::super::TokenizerError;
use super::{damaged, member, type_of, unsupported};

/// The most special tokens around a text. Published files have up to about 4.
const MAX_AFFIXES: usize = 64;

/// The ids in front, and those behind.
type Affixes = (Vec<u32>, Vec<u32>);

/// Reads a post-processor. `by_text`: the id of a token.
pub(super) fn parse(value: Option<&Value>, by_text: &impl Fn(&str) -> Option<u32>) -> Result<Affixes, TokenizerError> {
    let Some(value) = value else { return Ok(Affixes::default()) };
    let affixes = affixes(value, by_text)?;
    check(affixes.0.len() + affixes.1.len())?;
    Ok(affixes)
}

/// Refuses more special tokens than any model wants.
fn check(count: usize) -> Result<(), TokenizerError> {
    if count <= MAX_AFFIXES {
        Ok(())
    } else {
        Err(damaged(format!("more than {MAX_AFFIXES} special tokens around a text")))
    }
}

fn affixes(value: &Value, by_text: &impl Fn(&str) -> Option<u32>) -> Result<Affixes, TokenizerError> {
    match type_of(value) {
        "ByteLevel" => Ok(Affixes::default()),
        "Sequence" => {
            let parts: Vec<Value> = member(value, "processors")?;
            let mut whole = Affixes::default();
            for part in &parts {
                let (mut before, after) = parse(Some(part), by_text)?;
                before.append(&mut whole.0);
                whole.0 = before;
                whole.1.extend(after);
            }
            Ok(whole)
        }
        "TemplateProcessing" => template(value, by_text),
        "BertProcessing" | "RobertaProcessing" => {
            let token = |key| {
                let (text, id): (String, u32) = member(value, key)?;
                if by_text(&text) == Some(id) { Ok(id) } else { Err(missing(&text)) }
            };
            Ok((vec![token("cls")?], vec![token("sep")?]))
        }
        other => Err(unsupported("the post-processor", other)),
    }
}

/// `TemplateProcessing`: a list of special tokens with the text ("A") among them.
fn template(value: &Value, by_text: &impl Fn(&str) -> Option<u32>) -> Result<Affixes, TokenizerError> {
    let parts: Vec<Value> = member(value, "single")?;
    let tokens = value.get("special_tokens").unwrap_or(&Value::Null);
    let (mut before, mut after) = Affixes::default();
    let mut seen_text = false;
    for part in &parts {
        if let Some(token) = part.get("SpecialToken") {
            let name = token.get("id").and_then(Value::as_str).unwrap_or_default();
            let listed: Vec<u32> = match tokens.get(name) {
                Some(token) => member(token, "ids")?,
                None => return Err(missing(name)),
            };
            check(before.len() + after.len() + listed.len())?;
            if by_text(name).is_none_or(|id| !listed.contains(&id)) {
                return Err(missing(name));
            }
            if seen_text { &mut after } else { &mut before }.extend(listed);
        } else if part.get("Sequence").is_some_and(|text| text.get("id").and_then(Value::as_str) == Some("A"))
            && !seen_text
        {
            seen_text = true;
        } else {
            return Err(damaged("the template has a part that is neither a special token nor the text"));
        }
    }
    if seen_text { Ok((before, after)) } else { Err(damaged("the template leaves the text out")) }
}

fn missing(token: &str) -> TokenizerError {
    TokenizerError::MissingToken { part: "the post-processor", token: token.to_owned() }
}
