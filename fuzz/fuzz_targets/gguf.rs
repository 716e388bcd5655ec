//! A GGUF file: what is accepted holds together, and its vocabulary is refused or makes a tokenizer that does.
#![no_main]

use inglenook_format::gguf::Gguf;
use inglenook_format::source::Memory;
use inglenook_fuzz::check_tokenizer;
use inglenook_text::{ChatTemplates, Tokenizer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(gguf) = pollster::block_on(Gguf::read(&Memory(bytes))) else { return };
    let mut end = gguf.data_start;
    for tensor in gguf.tensors_by_offset() {
        assert!(tensor.offset >= end, "{tensor:?} overlaps");
        end = tensor.end();
        let _ = tensor.weight_type();
    }
    assert!(gguf.tensors().is_empty() || end <= bytes.len() as u64);
    let _ = ChatTemplates::from_gguf(&gguf.metadata).choose(None, false);
    if let Ok(tokenizer) = Tokenizer::from_gguf(&gguf.metadata) {
        check_tokenizer(tokenizer, &String::from_utf8_lossy(bytes));
    }
});
