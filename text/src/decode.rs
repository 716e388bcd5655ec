//! Text as it is generated: whole characters out of tokens that may end in the middle of one.

use std::sync::Arc;

use super::tokenizer::{Beginning, Tokenizer};

/// Turns a stream of token ids into text. The strings it gives, joined, are [`Tokenizer::decode`] of the same ids.
#[derive(Debug)]
pub struct StreamDecoder {
    tokenizer: Arc<Tokenizer>,
    /// The beginning of a character whose end has not come yet: 3 bytes at most.
    pending: Vec<u8>,
    /// Whether the next token is the first, which may lose a space.
    beginning: Beginning,
}

impl StreamDecoder {
    /// At the start of a text.
    pub fn new(tokenizer: Arc<Tokenizer>) -> Self {
        let beginning = tokenizer.beginning();
        Self { tokenizer, pending: Vec::new(), beginning }
    }

    /// The text that `id` completes; empty for control tokens and for parts of a character.
    pub fn push(&mut self, id: u32) -> String {
        self.tokenizer.append_bytes(id, &mut self.beginning, &mut self.pending);
        let whole = self.pending.len() - incomplete_len(&self.pending);
        let text = String::from_utf8_lossy(&self.pending[..whole]).into_owned();
        self.pending.drain(..whole);
        text
    }

    /// Forgets the beginning of a character whose end has not come; how many bytes that were.
    pub fn discard(&mut self) -> usize {
        std::mem::take(&mut self.pending).len()
    }

    /// The end of the text: U+FFFD for a character that was never completed. The decoder is as new afterwards.
    pub fn flush(&mut self) -> String {
        self.beginning = self.tokenizer.beginning();
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
