//! A SentencePiece `tokenizer.model`: refused, or a tokenizer that answers.
#![no_main]

use inglenook_text::{Special, Tokenizer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(tokenizer) = Tokenizer::from_sentencepiece(bytes) else { return };
    for text in ["", "Hello  world 12345 <s>é</s>\n\n", "😀👩\u{200d}👧 \u{301}\0字 don't"] {
        let ids = tokenizer.encode(text, Special::Parse, true);
        assert!(ids.iter().all(|&id| (id as usize) < tokenizer.vocab_size()));
        tokenizer.decode(&ids);
    }
});
