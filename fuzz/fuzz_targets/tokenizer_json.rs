//! A `tokenizer.json`: refused with a message, or a tokenizer that holds together.
#![no_main]

use inglenook_fuzz::check_tokenizer;
use inglenook_text::Tokenizer;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|json: &str| match Tokenizer::from_json(json.as_bytes(), None) {
    Ok(tokenizer) => check_tokenizer(tokenizer, json),
    Err(error) => assert!(!error.to_string().is_empty()),
});
