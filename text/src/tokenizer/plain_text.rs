//! Plain text never gives a control token, whatever the vocabulary. What a vocabulary cannot spell is its own unknown token (of
//! SentencePiece and WordPiece, as in the references), which stops nothing, or is left out.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Parts, Special, SpecialIds, Tokenizer};
use inglenook_format::gguf::Gguf;
use inglenook_format::source::Memory;

/// Whether an id may come from plain text.
fn may_come(tokenizer: &Tokenizer, id: u32) -> bool {
    let is_unknown = tokenizer.special_ids().unknown == Some(id) && tokenizer.stop_ids().binary_search(&id).is_err();
    !tokenizer.is_control(id) || is_unknown
}

fn check(tokenizer: &Tokenizer, name: &str, text: &str) {
    let ids = tokenizer.encode(text, Special::AsText, false);
    let wrong: Vec<u32> = ids.iter().copied().filter(|&id| !may_come(tokenizer, id)).collect();
    assert!(wrong.is_empty(), "{name}: {text:?} gives {wrong:?}");
    let prompt = tokenizer.encode_prompt(text, std::slice::from_ref(&(0..text.len())), false);
    assert_eq!(prompt, ids, "{name}: {text:?} within a prompt");
}

/// Every letter of Latin-1, samples of each plane, and names of special tokens whole, in halves, and in letters that normal forms
/// make them of.
fn texts(tokenizer: &Tokenizer) -> Vec<String> {
    let mut texts =
        vec!["<0x0A><0x00>".to_owned(), "\u{2581}\u{2581}</s>\u{2581}".to_owned(), "a \u{200b}\u{feff}<s>".to_owned()];
    let letters = (0..0x100).chain((0..=0x10).flat_map(|plane| (0..64).map(move |at| plane * 0x1_0000 + at * 1009)));
    texts.extend(letters.filter_map(char::from_u32).map(|letter| format!("a{letter}b {letter}{letter}")));
    let controls = (0..tokenizer.vocab_size() as u32).filter(|&id| tokenizer.is_control(id)).take(300);
    for name in controls.map(|id| String::from_utf8_lossy(tokenizer.token_bytes(id)).into_owned()) {
        let wide = |c: char| if ('!'..='~').contains(&c) { char::from_u32(u32::from(c) + 0xfee0).unwrap() } else { c };
        let fullwidth: String = name.chars().map(wide).collect();
        let cut = name.floor_char_boundary(name.len() / 2);
        texts.extend([
            format!(" {name} {name}{name}\n"),
            format!("{}{}", &name[..cut], name),
            format!("{name}{}", &name[cut..]),
            format!("{}\u{200b}{}", &name[..cut], &name[cut..]),
            format!("a{fullwidth} {}", name.replace(' ', "\u{2581}")),
            format!("{}{name}", name.to_uppercase()),
        ]);
    }
    texts
}

fn read(path: &Path) -> Option<Tokenizer> {
    let bytes = fs::read(path).unwrap();
    Some(match path.extension()?.to_str()? {
        "gguf" => Tokenizer::from_gguf(&pollster::block_on(Gguf::read(&Memory(bytes))).unwrap().metadata).unwrap(),
        "json" => Tokenizer::from_json(&bytes, None).unwrap(),
        "model" => Tokenizer::from_sentencepiece(&bytes).unwrap(),
        _ => return None,
    })
}

#[test]
fn plain_text_gives_no_control_token_in_any_family() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/goldens/tokenizers");
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut checked = 0;
    for path in paths {
        let Some(tokenizer) = read(&path) else { continue };
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        texts(&tokenizer).iter().for_each(|text| check(&tokenizer, &name, text));
        checked += 1;
    }
    assert!(checked >= 50, "{checked}");
}

/// SmolLM2's vocabulary lacks some bytes, and its configuration calls the end of text unknown.
#[test]
fn bytes_without_a_token_are_left_out_of_byte_level_texts() {
    let tokens = ["<|endoftext|>", "a", "b", "c"];
    for (model, pre) in [("gpt2", "smollm"), ("gpt2", "starcoder"), ("gpt2", "refact"), ("gpt2", "gpt-2")] {
        let ids = SpecialIds { bos: Some(0), eos: Some(0), unknown: Some(0), ..SpecialIds::default() };
        let parts = Parts {
            model,
            pre_tokenizer: Some(pre),
            tokens: tokens.to_vec(),
            token_types: vec![3, 1, 1, 1],
            ids,
            ..Parts::default()
        };
        let tokenizer = Tokenizer::new(&parts).unwrap();
        for unspelled in ["\u{4}", "\u{6}", "\u{13}", "\u{1d}", "\u{40000}", "é"] {
            let text = format!("a{unspelled}b");
            assert_eq!(tokenizer.encode(&text, Special::AsText, false), [1, 2], "{pre}: {text:?}");
            assert_eq!(tokenizer.encode(&text, Special::Parse, false), [1, 2], "{pre}: {text:?}");
        }
    }
}

/// A file may call any token unknown: one that ends a text is not.
#[test]
fn an_unknown_token_that_ends_a_text_is_none() {
    let of = |unknown: u32| {
        let ids = SpecialIds { bos: Some(1), eos: Some(2), unknown: Some(unknown), ..SpecialIds::default() };
        let parts = Parts {
            model: "llama",
            tokens: vec!["<unk>", "<s>", "</s>", "\u{2581}", "a", "b"],
            token_types: vec![2, 3, 3, 1, 1, 1],
            scores: vec![0.0; 6],
            ids,
            ..Parts::default()
        };
        Tokenizer::new(&parts).map(|tokenizer| tokenizer.encode("a\u{4}b", Special::AsText, false))
    };
    assert_eq!(of(0).unwrap(), [3, 4, 0, 5]);
    assert_eq!(of(2).unwrap(), [3, 4, 5]);
}
