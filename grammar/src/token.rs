//! The tokens of a vocabulary, as the matcher needs them, and as they cross to another WebAssembly module.

use crate::GrammarError;

/// One token of a vocabulary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it adds to the output; the name, for a control token.
    pub bytes: Vec<u8>,
    /// Whether it is a control token: no text of a grammar ever matches it, only its name in a Lark grammar does.
    pub control: bool,
}

/// Bit of a packed token's flags.
const CONTROL: u8 = 1;

/// The tokens in one block: for each a byte of flags (bit 0: control), its length as a little-endian u32, and its bytes.
pub fn pack(tokens: impl IntoIterator<Item = Token>) -> Vec<u8> {
    let mut packed = Vec::new();
    for token in tokens {
        packed.push(if token.control { CONTROL } else { 0 });
        packed.extend_from_slice(&(token.bytes.len() as u32).to_le_bytes());
        packed.extend_from_slice(&token.bytes);
    }
    packed
}

/// The tokens of a block that [`pack`] made.
///
/// # Errors
/// When the block is cut short.
pub fn unpack(packed: &[u8]) -> Result<Vec<Token>, GrammarError> {
    let mut tokens = Vec::new();
    let mut rest = packed;
    while let Some((&flags, after)) = rest.split_first() {
        let (length, after) = after.split_first_chunk::<4>().ok_or_else(cut_short)?;
        let (bytes, after) = after.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or_else(cut_short)?;
        tokens.push(Token { bytes: bytes.to_vec(), control: flags & CONTROL != 0 });
        rest = after;
    }
    Ok(tokens)
}

fn cut_short() -> GrammarError {
    GrammarError::Vocabulary("the packed vocabulary is cut short".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked() {
        let tokens = vec![
            Token { bytes: b"a".to_vec(), control: false },
            Token { bytes: vec![], control: false },
            Token { bytes: b"<|end|>".to_vec(), control: true },
        ];
        let packed = pack(tokens.clone());
        assert_eq!(packed[..6], [0, 1, 0, 0, 0, b'a']);
        assert_eq!(unpack(&packed).unwrap(), tokens);
    }

    #[test]
    fn a_block_cut_anywhere_within_a_token_is_refused() {
        let packed = pack([Token { bytes: b"abc".to_vec(), control: true }]);
        for length in 1..packed.len() {
            assert!(unpack(&packed[..length]).is_err(), "{length} bytes");
        }
        assert!(unpack(&[0, 0xff, 0xff, 0xff, 0xff, 1]).is_err());
    }
}
