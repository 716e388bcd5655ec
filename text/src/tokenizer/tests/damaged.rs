//! Vocabularies that do not hold together, and tiny ones.

use super::*;
use crate::tokenizer::TokenizerError;

/// The error of a vocabulary that `change` has broken.
fn broken(change: impl FnOnce(&mut Parts<'_>)) -> TokenizerError {
    let vocab = Gpt2::new(MERGES);
    let mut parts = vocab.parts("gpt-2");
    change(&mut parts);
    Tokenizer::new(&parts).unwrap_err()
}

#[test]
fn vocabularies_that_do_not_hold_together_are_refused() {
    use TokenizerError as E;
    assert!(matches!(broken(|p| p.tokens.clear()), E::Empty));
    assert!(matches!(broken(|p| p.model = "wordish"), E::UnknownModel(name) if name == "wordish"));
    assert!(matches!(broken(|p| p.pre_tokenizer = Some("nope")), E::UnknownPreTokenizer(name) if name == "nope"));
    let near = broken(|p| p.pre_tokenizer = Some("qwen3")).to_string();
    assert!(near.contains("\"qwen3\" is not known (the nearest name that is: \"qwen2\"), so"), "{near}");
    let near = broken(|p| p.model = "gpt-3").to_string();
    assert!(near.contains("\"gpt-3\" is not supported (the nearest name that is: \"gpt2\"); supported"), "{near}");
    assert!(matches!(broken(|p| p.token_types.truncate(3)), E::LengthMismatch { found: 3, .. }));
    assert!(matches!(broken(|p| p.token_types[7] = 77), E::BadTokenType { id: 7, kind: 77 }));
    assert!(matches!(broken(|p| p.ids.bos = Some(u32::MAX)), E::IdOutOfRange { id: u32::MAX, .. }));
    assert!(matches!(broken(|p| p.add_bos = Some(true)), E::MissingId { .. }));
    for merge in ["", "a", " a", "a "] {
        assert!(matches!(broken(|p| p.merges[1] = merge), E::BadMerge { index: 1, .. }), "{merge:?}");
    }
    assert!(matches!(broken(|p| p.merges[1] = "zz y"), E::UnknownMergeToken { index: 1, token } if token == "zz"));
    // Both sides exist, their joint text does not: it must not be read past the end of the longest token.
    assert!(matches!(broken(|p| p.merges[1] = "<|endoftext|> <|im_end|>"), E::UnknownMergeToken { index: 1, .. }));
    let long = "x".repeat(300);
    let error = broken(|p| {
        p.tokens.push(&long.clone().leak()[..]);
        p.token_types.push(3);
    });
    assert!(matches!(error, E::SpecialTooLong { len: 300, .. }));
}

#[test]
fn sentencepiece_vocabularies_that_do_not_hold_together_are_refused() {
    use TokenizerError as E;
    let (tokens, types, scores) = spm_tokens(PIECES);
    let parts = Parts {
        model: "llama",
        tokens: tokens.iter().map(String::as_str).collect(),
        token_types: types,
        scores,
        ..Parts::default()
    };
    for bad in ["<0x-1>", "<0x1>", "<0x100>", "<0xGG>", "<0x+1>", "0x11", "<0x00>", "<0xé>"] {
        let mut parts = parts.clone();
        parts.tokens[20] = bad;
        assert!(matches!(Tokenizer::new(&parts), Err(E::BadByteToken { id: 20, .. })), "{bad}");
    }
    let mut short = parts.clone();
    short.scores.clear();
    assert!(matches!(Tokenizer::new(&short), Err(E::LengthMismatch { found: 0, .. })));
    let mut nan = parts.clone();
    nan.scores[4] = f32::NAN;
    assert!(matches!(Tokenizer::new(&nan), Err(E::BadScore(4))));
}

#[test]
fn tiny_and_repetitive_vocabularies_do_not_panic() {
    for model in ["gpt2", "llama", "t5", "bert", "gemma4"] {
        for tokens in [vec!["a"], vec![""], vec!["a", "a", "", "é"]] {
            let scores = vec![0.0; tokens.len()];
            let tokenizer = Tokenizer::new(&Parts { model, tokens, scores, ..Parts::default() }).unwrap();
            let ids = tokenizer.encode("aé ", Special::Parse, true);
            assert!(ids.iter().all(|&id| (id as usize) < tokenizer.vocab_size()));
            tokenizer.decode(&[0, 1, u32::MAX]);
        }
    }
}
