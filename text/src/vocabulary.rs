//! What others ask of a tokenizer than tokens of texts: the compiler of grammars wants all tokens in one block and the tokens of a
//! text that is forced; the formats want to know which markers are tokens.

use std::sync::Arc;

use inglenook_grammar::Token;

use super::{Special, StreamDecoder, Tokenizer};

/// All tokens in one block, as [`inglenook_grammar::unpack`] reads it.
pub fn packed(tokenizer: &Tokenizer) -> Vec<u8> {
    let token = |id: u32| Token { bytes: tokenizer.token_bytes(id).to_vec(), control: tokenizer.is_control(id) };
    inglenook_grammar::pack((0..tokenizer.vocab_size() as u32).map(token))
}

/// The tokens of bytes within a text; none where they are no whole characters.
pub fn encode(tokenizer: &Tokenizer, bytes: &[u8]) -> Vec<u32> {
    std::str::from_utf8(bytes).map(|text| tokenizer.encode(text, Special::AsText, false)).unwrap_or_default()
}

/// The control token of a name.
pub fn control(tokenizer: &Tokenizer, name: &str) -> Option<u32> {
    match tokenizer.encode(name, Special::Parse, false)[..] {
        [id] if tokenizer.is_control(id) => Some(id),
        _ => None,
    }
}

/// Whether a text is a token, and is found as one wherever it stands in a prompt.
pub fn has_token(tokenizer: &Tokenizer, text: &str) -> bool {
    tokenizer.encode(text, Special::Parse, false).len() == 1
}

/// The text of tokens, names of control tokens included.
pub fn spell(tokenizer: &Arc<Tokenizer>, ids: &[u32]) -> String {
    let mut decoder = StreamDecoder::new(tokenizer.clone());
    let mut text = String::new();
    for &id in ids {
        match tokenizer.is_control(id) {
            true => text.push_str(&String::from_utf8_lossy(tokenizer.token_bytes(id))),
            false => text.push_str(&decoder.push(id)),
        }
    }
    text + &decoder.flush()
}
