//! A model's tokens as llguidance sees them: a trie of their bytes, and a way to tokenise forced text.

use std::collections::HashMap;

use llguidance::toktrie::{TokRxInfo, TokTrie, TokenId, TokenizerEnv};

use crate::GrammarError;
use crate::token::Token;

/// Most tokens a vocabulary may have; the trie counts its nodes in 24 bits.
const MAX_TOKENS: usize = 1 << 20;

/// Most bytes that all tokens may have together, for the same reason.
const MAX_BYTES: usize = 12 << 20;

/// Longest token that may be chosen under a grammar, in bytes: the trie is walked by recursion as deep as a token is long, and
/// keeps depths in 8 bits. The longest ones in use are runs of 128 spaces.
const MAX_TOKEN: usize = 250;

/// From text to tokens: the tokenizer of the model. The tokens' bytes joined must be the text; where they are not (or where the
/// text is no whole UTF-8), the longest tokens of the vocabulary are used instead.
pub type Tokenize = Box<dyn Fn(&[u8]) -> Vec<u32> + Send + Sync>;

/// The tokens of a model, shared by all grammars that are compiled for it.
pub struct Vocabulary {
    trie: TokTrie,
    controls: HashMap<String, u32>,
    tokenize: Tokenize,
}

impl Vocabulary {
    /// A vocabulary whose token `i` is the `i`-th of `tokens`, with the ids of the tokens that end an output.
    ///
    /// # Errors
    /// When there are no tokens or far too many, or no token that ends an output among them.
    pub fn new(tokens: &[Token], eos: &[u32], tokenize: Tokenize) -> Result<Vocabulary, GrammarError> {
        let bytes: usize = tokens.iter().map(|token| token.bytes.len()).sum();
        if tokens.is_empty() || tokens.len() > MAX_TOKENS || bytes > MAX_BYTES {
            let wrong = format!("{} tokens of {bytes} bytes (at most {MAX_TOKENS} and {MAX_BYTES})", tokens.len());
            return Err(GrammarError::Vocabulary(wrong));
        }
        if eos.is_empty() || eos.iter().any(|&id| id as usize >= tokens.len()) {
            return Err(GrammarError::Vocabulary("it has no token that ends an output".to_owned()));
        }
        let words: Vec<Vec<u8>> = tokens.iter().enumerate().map(|(id, token)| word(id, token, eos)).collect();
        let trie = TokTrie::from(&TokRxInfo::new(tokens.len() as u32, eos[0]), &words).with_eos_tokens(eos);
        let mut controls = HashMap::new();
        for (id, token) in tokens.iter().enumerate().filter(|(_, token)| token.control) {
            controls.entry(String::from_utf8_lossy(&token.bytes).into_owned()).or_insert(id as u32);
        }
        Ok(Vocabulary { trie, controls, tokenize })
    }

    /// How many tokens there are.
    pub fn len(&self) -> usize {
        self.trie.vocab_size()
    }

    /// Whether there are none, which [`Vocabulary::new`] does not allow.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The ids of the tokens that end an output.
    pub fn eos(&self) -> &[u32] {
        self.trie.eos_tokens()
    }

    /// The id of the control token of this name.
    pub(crate) fn control(&self, name: &str) -> Option<u32> {
        self.controls.get(name).copied()
    }
}

/// What the trie holds for a token: nothing where no text may ever match it. Control tokens are reached by their ids alone, and
/// a byte 0xff is what llguidance marks them with (in UTF-8 it has no place).
fn word(id: usize, token: &Token, eos: &[u32]) -> Vec<u8> {
    let matched = !token.control
        && !eos.contains(&(id as u32))
        && token.bytes.len() <= MAX_TOKEN
        && !token.bytes.contains(&TokTrie::SPECIAL_TOKEN_MARKER);
    if matched { token.bytes.clone() } else { Vec::new() }
}

impl TokenizerEnv for Vocabulary {
    fn tok_trie(&self) -> &TokTrie {
        &self.trie
    }

    fn tokenize_bytes(&self, text: &[u8]) -> Vec<TokenId> {
        let tokens = (self.tokenize)(text);
        let mut rest = text;
        for &token in &tokens {
            match rest.strip_prefix(self.trie.token(token)) {
                Some(after) if after.len() < rest.len() => rest = after,
                _ => return self.trie.greedy_tokenize(text),
            }
        }
        if rest.is_empty() { tokens } else { self.trie.greedy_tokenize(text) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str) -> Token {
        Token { bytes: text.as_bytes().to_vec(), control: text.starts_with("<|") }
    }

    fn vocabulary(answer: Vec<u32>) -> Vocabulary {
        let tokens: Vec<Token> = ["<|end|>", "a", "b", "ab", "abc"].map(token).to_vec();
        Vocabulary::new(&tokens, &[0], Box::new(move |_| answer.clone())).unwrap()
    }

    #[test]
    fn the_models_own_tokens_are_taken_where_they_spell_the_text() {
        assert_eq!(vocabulary(vec![1, 2]).tokenize_bytes(b"ab"), [1, 2]);
    }

    #[test]
    fn tokens_that_spell_another_text_are_replaced() {
        for wrong in [vec![1], vec![2, 1], vec![1, 2, 1], vec![0, 3], vec![9], vec![]] {
            assert_eq!(vocabulary(wrong.clone()).tokenize_bytes(b"ab"), [3], "{wrong:?}");
        }
    }

    #[test]
    fn control_tokens_are_found_by_name_and_not_by_text() {
        let vocabulary = vocabulary(vec![]);
        assert_eq!(vocabulary.control("<|end|>"), Some(0));
        assert_eq!(vocabulary.control("a"), None);
        assert!(vocabulary.trie.token(0).is_empty());
    }

    #[test]
    fn what_cannot_be_matched_over_is_refused() {
        let refused = |tokens: &[Token], eos: &[u32]| Vocabulary::new(tokens, eos, Box::new(|_| vec![])).is_err();
        assert!(refused(&[], &[0]));
        assert!(refused(&[token("a")], &[]));
        assert!(refused(&[token("a")], &[1]));
        assert!(refused(&vec![token("a"); MAX_TOKENS + 1], &[0]));
    }

    #[test]
    fn strange_tokens_are_never_matched_and_break_nothing() {
        let long = Token { bytes: vec![b'a'; 100_000], control: false };
        let marker = Token { bytes: vec![0xff, b'['], control: false };
        let vocabulary = Vocabulary::new(&[long, marker, token("a"), token("a")], &[2], Box::new(|_| vec![])).unwrap();
        assert!((0..3).all(|id| vocabulary.trie.token(id).is_empty()));
        assert_eq!(vocabulary.tokenize_bytes(b"a"), [3]);
    }
}
