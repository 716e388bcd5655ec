//! From the texts of tokens, as files spell them, to their bytes.

use super::TokenizerError;
use super::alphabet::spelled;
use super::bpe::Chars;
use super::bytes::{ByteTokens, byte_token};
use super::normalize::SPACE_MARK;
use super::unigram::Candidate;
use super::vocab::{TokenKind, Vocab, WordIndex};

/// The token bytes of a byte-level vocabulary. A text with a character outside the alphabet is taken as it stands, as the
/// reference's decoder does; so are special tokens, which are written plainly.
pub(super) fn byte_level_vocab(tokens: &[&str], kinds: &[TokenKind]) -> Vocab {
    let mut vocab = Vocab::with_capacity(tokens.len(), tokens.iter().map(|text| text.len()).sum());
    for (&text, &kind) in tokens.iter().zip(kinds) {
        let spelled = match kind {
            TokenKind::Control | TokenKind::UserDefined | TokenKind::Unknown => None,
            _ => spelled(text),
        };
        match spelled {
            Some(bytes) => vocab.push(bytes, kind),
            None => vocab.push(text.bytes(), kind),
        }
    }
    vocab
}

/// Characters by the spellings of tokens.
pub(super) fn chars(tokens: &[&str], kinds: &[TokenKind], bytes: Option<ByteTokens>) -> Chars {
    let mut spellings = Vocab::with_capacity(tokens.len(), tokens.iter().map(|text| text.len()).sum());
    tokens.iter().zip(kinds).for_each(|(text, &kind)| spellings.push(text.bytes(), kind));
    let index = WordIndex::new(&spellings, &|_, kind| kind == TokenKind::Normal);
    Chars { spellings, index, bytes, prefix: String::new(), suffix: String::new() }
}

/// The token bytes of a vocabulary that marks spaces with "▁" and spells bytes `<0xNN>`.
pub(super) fn marked_vocab(tokens: &[&str], kinds: &[TokenKind]) -> Result<Vocab, TokenizerError> {
    let mut vocab = Vocab::with_capacity(tokens.len(), tokens.iter().map(|text| text.len()).sum());
    let mut seen = [false; 256];
    for (id, (&text, &kind)) in tokens.iter().zip(kinds).enumerate() {
        match kind {
            TokenKind::Byte => match byte_token(text) {
                Some(byte) if !seen[usize::from(byte)] => {
                    seen[usize::from(byte)] = true;
                    vocab.push([byte], kind);
                }
                _ => return Err(TokenizerError::BadByteToken { id, text: text.to_owned() }),
            },
            TokenKind::Control | TokenKind::Unknown => vocab.push(text.bytes(), kind),
            _ => vocab.push(text.replace(SPACE_MARK, " ").into_bytes(), kind),
        }
    }
    Ok(vocab)
}

/// The byte tokens of a [`marked_vocab`].
pub(super) fn byte_tokens(vocab: &Vocab) -> ByteTokens {
    ByteTokens::new(vocab.kinds().filter_map(|(id, kind)| match (kind, vocab.bytes(id)) {
        (TokenKind::Byte, &[byte]) => Some((byte, id)),
        _ => None,
    }))
}

/// The tokens that a unigram model spells with.
pub(super) fn candidates(vocab: &Vocab) -> impl Iterator<Item = Candidate<'_>> + Clone {
    let text = vocab.kinds().filter(|(_, kind)| matches!(kind, TokenKind::Normal | TokenKind::UserDefined));
    text.map(|(id, kind)| Candidate { id, bytes: vocab.bytes(id), user_defined: kind == TokenKind::UserDefined })
}
