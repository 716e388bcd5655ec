//! Log-probabilities of tokens in OpenAI's form.

use serde::Serialize;

use crate::kernels::sampling::{LOGPROB_WORDS, NO_TOKEN};
use inglenook_text::Tokenizer;

/// What stands for the log-probability of what is impossible, as in OpenAI's answers: JSON has no infinity.
const LEAST: f32 = -9999.0;

/// A token of an answer: an entry of OpenAI's `choices[].logprobs.content`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TokenLogprob {
    /// The token and its log-probability.
    #[serde(flatten)]
    pub own: Logprob,
    /// The likeliest tokens at its place, the likeliest first. The token itself may be among them, or may not.
    pub top_logprobs: Vec<Logprob>,
}

/// A token and its log-probability.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Logprob {
    /// Its text; of what is a part of a character, U+FFFD stands in it.
    pub token: String,
    /// The natural logarithm of its probability by the model's own distribution.
    pub logprob: f32,
    /// Its bytes, which put together with those around it are the characters.
    pub bytes: Vec<u8>,
}

impl TokenLogprob {
    /// From the words of a step as the sampler leaves them (`LOGPROB_WORDS`), with `top` of the likeliest tokens. None where no token was
    /// chosen.
    pub fn new(tokenizer: &Tokenizer, words: &[u32], top: u32) -> Option<TokenLogprob> {
        let pairs = words[..LOGPROB_WORDS as usize].chunks_exact(2).take_while(|pair| pair[0] != NO_TOKEN);
        let mut told = pairs.map(|pair| Logprob::new(tokenizer, pair[0], f32::from_bits(pair[1])));
        Some(TokenLogprob { own: told.next()?, top_logprobs: told.take(top as usize).collect() })
    }
}

impl Logprob {
    /// Of a token that has this log-probability.
    pub fn new(tokenizer: &Tokenizer, token: u32, logprob: f32) -> Logprob {
        let bytes = tokenizer.token_bytes(token).to_vec();
        Logprob { token: String::from_utf8_lossy(&bytes).into_owned(), logprob: logprob.max(LEAST), bytes }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::engine::scripted::tokenizer;

    #[test]
    fn entries_have_the_shape_of_openai() {
        let tokenizer = tokenizer();
        let token = |text: &[u8]| {
            let has = |id: &u32| tokenizer.token_bytes(*id) == text;
            (0..tokenizer.vocab_size() as u32).find(has).expect("a byte has a token")
        };
        let mut words = [NO_TOKEN; LOGPROB_WORDS as usize];
        let told = [(token(b"a"), -0.5), (token(&[0xc3]), -0.25), (token(b"a"), -0.5), (token(b"b"), -1e30)];
        for (pair, (token, logprob)) in words.chunks_exact_mut(2).zip(told) {
            pair.copy_from_slice(&[token, f32::to_bits(logprob)]);
        }
        let entry = |top| serde_json::to_value(TokenLogprob::new(&tokenizer, &words, top)).expect("JSON");
        assert_eq!(entry(0), json!({"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": []}));
        assert_eq!(
            entry(20)["top_logprobs"],
            json!([
                {"token": "\u{fffd}", "logprob": -0.25, "bytes": [0xc3]},
                {"token": "a", "logprob": -0.5, "bytes": [97]},
                {"token": "b", "logprob": -9999.0, "bytes": [98]},
            ])
        );
        words[0] = NO_TOKEN;
        assert_eq!(TokenLogprob::new(&tokenizer, &words, 5), None);
    }
}
