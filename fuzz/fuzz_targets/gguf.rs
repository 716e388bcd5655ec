//! A GGUF file: what is accepted holds together, and its vocabulary is refused or encodes.
#![no_main]

use inglenook_format::gguf::Gguf;
use inglenook_format::source::Memory;
use inglenook_text::{Special, Tokenizer};
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
    if let Ok(tokenizer) = Tokenizer::from_gguf(&gguf.metadata) {
        let ids = tokenizer.encode("a b 12 é", Special::Parse, true);
        assert!(ids.iter().all(|&id| (id as usize) < tokenizer.vocab_size()));
    }
});
