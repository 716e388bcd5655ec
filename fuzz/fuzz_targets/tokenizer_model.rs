//! A SentencePiece `tokenizer.model`: refused with a message, or a tokenizer that holds together.
#![no_main]

use inglenook_fuzz::check_tokenizer;
use inglenook_text::Tokenizer;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| match Tokenizer::from_sentencepiece(bytes) {
    Ok(tokenizer) => check_tokenizer(tokenizer, &String::from_utf8_lossy(bytes)),
    Err(error) => assert!(!error.to_string().is_empty()),
});
