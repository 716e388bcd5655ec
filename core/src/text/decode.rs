//! Text as it is generated: whole characters out of tokens that may end in the middle of one.

use std::sync::Arc;

use super::tokenizer::Tokenizer;

/// Turns a stream of token ids into text. The strings it gives, joined, are [`Tokenizer::decode`] of the same ids.
#[derive(Debug)]
pub struct StreamDecoder {
    tokenizer: Arc<Tokenizer>,
    /// The beginning of a character whose end has not come yet: 3 bytes at most.
    pending: Vec<u8>,
    /// Whether nothing has been decoded yet, so that a leading space is still to be taken away.
    at_start: bool,
}

impl StreamDecoder {
    /// At the start of a text.
    pub fn new(tokenizer: Arc<Tokenizer>) -> Self {
        let at_start = tokenizer.strips_leading_space();
        Self { tokenizer, pending: Vec::new(), at_start }
    }

    /// The text that `id` completes; empty for control tokens and for parts of a character.
    pub fn push(&mut self, id: u32) -> String {
        if self.tokenizer.is_control(id) {
            return String::new();
        }
        let mut bytes = self.tokenizer.token_bytes(id);
        if self.at_start && !bytes.is_empty() {
            bytes = bytes.strip_prefix(b" ").unwrap_or(bytes);
            self.at_start = false;
        }
        self.pending.extend_from_slice(bytes);
        let whole = self.pending.len() - incomplete_len(&self.pending);
        let text = String::from_utf8_lossy(&self.pending[..whole]).into_owned();
        self.pending.drain(..whole);
        text
    }

    /// The end of the text: U+FFFD for a character that was never completed. The decoder is as new afterwards.
    pub fn flush(&mut self) -> String {
        self.at_start = self.tokenizer.strips_leading_space();
        String::from_utf8_lossy(&std::mem::take(&mut self.pending)).into_owned()
    }
}

/// How many bytes at the end begin a UTF-8 character that later bytes could complete.
fn incomplete_len(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    loop {
        match std::str::from_utf8(rest) {
            Ok(_) => return 0,
            Err(error) => match error.error_len() {
                None => return rest.len() - error.valid_up_to(),
                Some(len) => rest = &rest[error.valid_up_to() + len..],
            },
        }
    }
}
