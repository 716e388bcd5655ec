//! What others ask of a tokenizer than tokens of texts: the compiler of grammars wants all tokens in one block and the tokens of a
//! text that is forced; the dialects want to know which markers are tokens.

use inglenook_grammar::Token;

use super::{Special, Tokenizer};

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
