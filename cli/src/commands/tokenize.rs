//! `inglenook tokenize`: a text's tokens, or the text of tokens. RequiredFeatures no weights and no GPU.

use std::io::{self, Read, Write};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::Args;
use inglenook::text::{Special, StreamDecoder, Tokenizer};
use serde_json::{Value, json};

use crate::{arguments, load};

const EXAMPLES: &str = "\
Examples:
  inglenook tokenize \"Hello, world\"
  inglenook tokenize --special --model qwen3-0.6b-q4_k_m.gguf \"<|im_start|>user\"
  inglenook tokenize --file book.txt --count
  inglenook tokenize --ids 15 2034 7
  inglenook tokenize --json hello | jq .ids";

/// Show the tokens of a text, or the text of tokens
///
/// A token is shown with its id, the bytes of the text that it stands for, and what it is. Nothing but the file's vocabulary is read.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// The text, or ids; without it or with `-`, standard input as it is
    text: Vec<String>,
    /// Read the text from this file
    #[arg(short, long, value_name = "FILE", conflicts_with = "text")]
    file: Option<PathBuf>,
    /// The text is ids of tokens: print what they stand for
    #[arg(long)]
    ids: bool,
    /// Take the names of special tokens in the text for the tokens; with --ids, print their names
    #[arg(long)]
    special: bool,
    /// Put in front what the model wants in front of a text
    #[arg(long, conflicts_with = "ids")]
    bos: bool,
    /// Print the number of tokens and nothing else
    #[arg(long, conflicts_with = "json")]
    count: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// A GGUF file, or a tokenizer.json or tokenizer.model; without one, the built-in model ember
    #[arg(short, long, value_name = "FILE")]
    model: Option<PathBuf>,
}

/// Tokenizes, and prints.
///
/// # Errors
/// When a file cannot be read, or ids are none of the vocabulary's.
pub fn run(options: &Options) -> Result<()> {
    let tokenizer = load::tokenizer(options.model.as_deref())?;
    let text = text(options)?;
    let tokens = if options.ids { of_ids(&tokenizer, &ids(&text)?)? } else { of_text(&tokenizer, &text, options) };
    let shown = match (options.count, options.json) {
        (true, _) => format!("{}\n", tokens.len()),
        (_, true) => format!("{}\n", object(&tokenizer, &tokens, options)),
        _ if options.ids => decoded(&tokenizer, &tokens, options.special) + "\n",
        _ => tokens.iter().map(|token| line(&tokenizer, token)).collect(),
    };
    io::stdout().write_all(shown.as_bytes())?;
    Ok(())
}

/// A token, and the bytes of the text that it stands for, where there is one.
type Token = (u32, Option<Range<usize>>);

fn text(options: &Options) -> Result<String> {
    if let Some(path) = &options.file {
        return arguments::text_file(path);
    }
    match options.text.as_slice() {
        [] => {}
        [only] if only == "-" => {}
        words => return Ok(words.join(" ")),
    }
    io::read_to_string(io::stdin().by_ref()).context("cannot read the text")
}

/// Numbers, with whatever white space, commas and brackets between them.
fn ids(text: &str) -> Result<Vec<u32>> {
    let words = text.split(|c: char| c.is_whitespace() || "[],".contains(c)).filter(|word| !word.is_empty());
    words.map(|word| word.parse().with_context(|| format!("`{word}` is no token's id"))).collect()
}

fn of_text(tokenizer: &Tokenizer, text: &str, options: &Options) -> Vec<Token> {
    let special = if options.special { Special::Parse } else { Special::AsText };
    let prefix = tokenizer.encode("", special, options.bos && tokenizer.adds_bos());
    let prefix = prefix.into_iter().map(|id| (id, None));
    let own = tokenizer.encode_with_offsets(text, special).into_iter().map(|(id, place)| (id, Some(place)));
    prefix.chain(own).collect()
}

fn of_ids(tokenizer: &Tokenizer, ids: &[u32]) -> Result<Vec<Token>> {
    let size = tokenizer.vocab_size();
    match ids.iter().find(|&&id| id as usize >= size) {
        Some(id) => bail!("{id} is no token's id; the vocabulary has {size} tokens, from 0 on"),
        None => Ok(ids.iter().map(|&id| (id, None)).collect()),
    }
}

/// The text that tokens stand for, with the names of control tokens if they are wanted.
fn decoded(tokenizer: &Arc<Tokenizer>, tokens: &[Token], special: bool) -> String {
    let mut decoder = StreamDecoder::new(tokenizer.clone());
    let mut text = String::new();
    for &(id, _) in tokens {
        text += &decoder.push(id);
        if special && tokenizer.is_control(id) {
            text += &String::from_utf8_lossy(tokenizer.token_bytes(id));
        }
    }
    text + &decoder.flush()
}

fn line(tokenizer: &Tokenizer, (id, place): &Token) -> String {
    let place = place.as_ref().map_or_else(String::new, |place| format!("{}..{}", place.start, place.end));
    format!("{id:>8}  {place:>14}  {}\n", piece(tokenizer.token_bytes(*id)))
}

/// A token's bytes in quotes; those that are no UTF-8 escaped.
fn piece(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => format!("{text:?}"),
        Err(_) => format!("\"{}\"", bytes.escape_ascii()),
    }
}

fn object(tokenizer: &Arc<Tokenizer>, tokens: &[Token], options: &Options) -> Value {
    let token = |(id, place): &Token| {
        let piece = String::from_utf8_lossy(tokenizer.token_bytes(*id));
        let mut token = json!({ "id": id, "piece": piece });
        if let Some(Range { start, end }) = place {
            token["start"] = json!(start);
            token["end"] = json!(end);
        }
        token
    };
    let ids: Vec<u32> = tokens.iter().map(|(id, _)| *id).collect();
    let list: Vec<Value> = tokens.iter().map(token).collect();
    let mut object = json!({ "count": tokens.len(), "ids": ids, "tokens": list });
    if options.ids {
        object["text"] = json!(decoded(tokenizer, tokens, options.special));
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_however_they_are_written() {
        assert_eq!(ids("[1, 2,3]\n").unwrap(), [1, 2, 3]);
        assert_eq!(ids("4 5").unwrap(), [4, 5]);
        assert!(ids("4 five").is_err_and(|error| error.to_string().contains("`five`")));
        assert!(ids("-1").is_err());
    }

    #[test]
    fn parts_of_characters_are_escaped() {
        assert_eq!(piece("a\n".as_bytes()), r#""a\n""#);
        assert_eq!(piece(b"\xe2\x98"), r#""\xe2\x98""#);
    }
}
