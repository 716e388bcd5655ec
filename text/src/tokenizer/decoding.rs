//! From tokens back to text: what is special about the beginning. All else is in each token's bytes.

use super::vocab::Vocab;

/// How a text begins.
#[derive(Debug, Default)]
pub(super) enum Decoding {
    /// As the tokens say.
    #[default]
    Plain,
    /// Without this many of the spaces that the tokens begin with: encoding put them there.
    Spaces(usize),
    /// The first token loses all its spaces.
    FirstWithoutSpaces,
    /// Tokens are words with a space in front, which the first one loses, unless it continues a word: then it gets its mark back.
    Words {
        /// The mark of continuing tokens.
        mark: String,
        /// For each token whether it continues a word.
        continues: Vec<bool>,
    },
}

/// How far the beginning of a text has got.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Beginning {
    /// Spaces that are still to be taken away.
    spaces: usize,
    begun: bool,
}

impl Decoding {
    /// At the start of a text.
    pub fn begin(&self) -> Beginning {
        Beginning { spaces: if let Decoding::Spaces(spaces) = self { *spaces } else { 0 }, begun: false }
    }

    /// Appends to `out` what the token `id` adds to a text.
    pub fn append(&self, vocab: &Vocab, id: u32, at: &mut Beginning, out: &mut Vec<u8>) {
        let bytes = vocab.bytes(id);
        let first = !at.begun;
        at.begun |= !bytes.is_empty();
        match self {
            Decoding::Words { mark, continues } if first => match continues.get(id as usize) {
                Some(true) => out.extend([mark.as_bytes(), bytes].concat()),
                _ => out.extend_from_slice(bytes.strip_prefix(b" ").unwrap_or(bytes)),
            },
            Decoding::FirstWithoutSpaces if first => out.extend(bytes.iter().filter(|&&byte| byte != b' ')),
            Decoding::Spaces(_) if at.spaces > 0 => {
                let taken = bytes.iter().take(at.spaces).take_while(|&&byte| byte == b' ').count();
                // Anything but a space ends it.
                at.spaces = if taken == bytes.len() { at.spaces - taken } else { 0 };
                out.extend_from_slice(&bytes[taken..]);
            }
            _ => out.extend_from_slice(bytes),
        }
    }
}
