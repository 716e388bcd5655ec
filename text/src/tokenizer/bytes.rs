//! Byte tokens, `<0x00>` to `<0xFF>`: how a vocabulary of characters spells what it lacks.

/// The byte of a token `<0xNN>`.
pub(super) fn byte_token(text: &str) -> Option<u8> {
    let digits = text.strip_prefix("<0x")?.strip_suffix('>')?;
    let is_hex = digits.len() == 2 && digits.bytes().all(|c| c.is_ascii_hexdigit());
    if is_hex { u8::from_str_radix(digits, 16).ok() } else { None }
}

/// The token of each byte, where the vocabulary has one.
#[derive(Clone, Debug)]
pub(super) struct ByteTokens(Vec<Option<u32>>);

impl ByteTokens {
    /// From the bytes and their tokens. Of two tokens for one byte the first counts.
    pub fn new(tokens: impl Iterator<Item = (u8, u32)>) -> Self {
        let mut ids = vec![None; 256];
        for (byte, id) in tokens {
            ids[usize::from(byte)].get_or_insert(id);
        }
        Self(ids)
    }

    /// The tokens that spell `text`, one for each byte; none if one is missing.
    pub fn spell(&self, text: &str) -> Option<Vec<u32>> {
        text.bytes().map(|byte| self.0[usize::from(byte)]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_two_hexadecimal_digits_are_a_byte() {
        assert_eq!(byte_token("<0x4a>"), Some(0x4a));
        for text in ["<0x-1>", "<0x1>", "<0x100>", "<0xGG>", "<0x+1>", "0x11", "<0xé>"] {
            assert_eq!(byte_token(text), None, "{text}");
        }
        let tokens = ByteTokens::new([(b'a', 7), (b'b', 8), (b'a', 9)].into_iter());
        assert_eq!(tokens.spell("ab"), Some(vec![7, 8]));
        assert_eq!(tokens.spell("abc"), None);
    }
}
