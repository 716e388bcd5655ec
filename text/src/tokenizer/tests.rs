//! Encoding and decoding against slow, plain twins.

mod damaged;

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use unicode_normalization::UnicodeNormalization;

use super::aligned::Aligned;
use super::pre_tokenizer;
use super::split::{Piece, Pieces};
use super::{Parts, Special, SpecialIds, Tokenizer};
use crate::StreamDecoder;

/// How GPT-2's alphabet writes a byte, derived as its source does: printable bytes as themselves, the rest numbered on.
fn written(byte: u8) -> String {
    let printable = |b: u8| matches!(b, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    let code =
        if printable(byte) { u32::from(byte) } else { 0x100 + (0..byte).filter(|&b| !printable(b)).count() as u32 };
    char::from_u32(code).unwrap().to_string()
}

/// A byte-level vocabulary: 256 bytes, what merges make of them, then control and user-defined tokens.
struct Gpt2 {
    tokens: Vec<String>,
    types: Vec<i32>,
    merges: Vec<String>,
}

impl Gpt2 {
    fn new(merges: &[(&str, &str)]) -> Self {
        let spell = |text: &str| text.bytes().map(written).collect::<String>();
        let mut tokens: Vec<String> = (0..=255).map(written).collect();
        let mut lines = Vec::new();
        for (left, right) in merges {
            tokens.push(spell(&format!("{left}{right}")));
            lines.push(format!("{} {}", spell(left), spell(right)));
        }
        let mut types = vec![1; tokens.len()];
        for (text, kind) in [("<|endoftext|>", 3), ("<|im_end|>", 3), ("<tool>", 4), ("<tool>s", 4)] {
            tokens.push(text.into());
            types.push(kind);
        }
        Self { tokens, types, merges: lines }
    }

    fn parts(&self, pre: &'static str) -> Parts<'_> {
        Parts {
            model: "gpt2",
            pre_tokenizer: Some(pre),
            tokens: self.tokens.iter().map(String::as_str).collect(),
            token_types: self.types.clone(),
            merges: self.merges.iter().map(String::as_str).collect(),
            ids: SpecialIds { eos: Some(self.id("<|endoftext|>")), ..SpecialIds::default() },
            ..Parts::default()
        }
    }

    fn id(&self, text: &str) -> u32 {
        self.tokens.iter().position(|token| token == text).unwrap() as u32
    }
}

const MERGES: &[(&str, &str)] = &[
    ("a", "a"),
    ("b", "a"),
    ("aa", "aa"),
    ("a", "b"),
    (" ", "a"),
    ("ab", "ba"),
    (" ", " "),
    ("ba", "b"),
    ("  ", "  "),
    (" a", "b"),
];

/// A small byte-level vocabulary and its tokenizer, split as GPT-2 does.
static GPT2: LazyLock<(Gpt2, Arc<Tokenizer>)> = LazyLock::new(|| {
    let vocab = Gpt2::new(MERGES);
    let tokenizer = Tokenizer::new(&vocab.parts("gpt-2")).unwrap();
    (vocab, Arc::new(tokenizer))
});

/// A small SentencePiece tokenizer.
static SPM: LazyLock<Arc<Tokenizer>> = LazyLock::new(|| Arc::new(spm(PIECES, true)));

/// Byte-pair encoding as it is defined: look at all pairs, join the leftmost of the best rank, begin again.
fn naive_bpe(vocab: &Gpt2, word: &str) -> Vec<u32> {
    let mut pieces: Vec<String> = word.bytes().map(written).collect();
    loop {
        let rank = |pair: &[String]| vocab.merges.iter().position(|merge| *merge == pair.join(" "));
        let best = pieces.windows(2).enumerate().filter_map(|(at, pair)| Some((rank(pair)?, at))).min();
        let Some((_, at)) = best else { break };
        let right = pieces.remove(at + 1);
        pieces[at].push_str(&right);
    }
    pieces.iter().map(|piece| vocab.id(piece)).collect()
}

/// The words that a pre-tokenizer makes of a text.
fn words(pre: &str, text: &str) -> Vec<String> {
    let whole = Piece { range: 0..text.len(), token: None };
    let mut pieces = Pieces { text: Aligned::new(text, false), list: vec![whole], at_start: true };
    pieces.run(&pre_tokenizer::row(Some(pre)).unwrap().steps().unwrap());
    pieces.list.iter().map(|piece| pieces.text.as_str()[piece.range.clone()].to_owned()).collect()
}

#[test]
fn words_are_split_as_the_reference_splits_them() {
    // Expected values from HF tokenizers with each family's published pattern.
    let text = "I'LL we'll  12345 don't\n\n  x\t\ty...?! é\u{301}A½ ";
    for (pre, expected) in [
        (
            "gpt-2",
            vec![
                "I", "'", "LL", " we", "'ll", " ", " 12345", " don", "'t", "\n\n ", " x", "\t", "\t", "y", "...?!",
                " é", "\u{301}", "A", "½", " ",
            ],
        ),
        (
            "llama-bpe",
            vec![
                "I", "'LL", " we", "'ll", " ", " ", "123", "45", " don", "'t", "\n\n", " ", " x", "\t", "\ty", "...?!",
                " é", "\u{301}A", "½", " ",
            ],
        ),
        (
            "qwen2",
            vec![
                "I", "'LL", " we", "'ll", " ", " ", "1", "2", "3", "4", "5", " don", "'t", "\n\n", " ", " x", "\t",
                "\ty", "...?!", " é", "\u{301}A", "½", " ",
            ],
        ),
        (
            "smollm",
            vec![
                "I", "'", "LL", " we", "'ll", "  ", "1", "2", "3", "4", "5", " don", "'t", "\n\n ", " x", "\t", "\t",
                "y", "...?!", " é", "\u{301}", "A", "½", " ",
            ],
        ),
        (
            "tekken",
            vec![
                "I",
                "'LL",
                " we",
                "'ll",
                " ",
                " ",
                "1",
                "2",
                "3",
                "4",
                "5",
                " don",
                "'t",
                "\n\n",
                " ",
                " x",
                "\t",
                "\ty",
                "...?!",
                " é\u{301}",
                "A",
                "½",
                " ",
            ],
        ),
    ] {
        assert_eq!(words(pre, text), expected, "{pre}");
    }
}

#[test]
fn every_pre_tokenizer_of_the_table_compiles_and_loses_nothing() {
    let text = "a\u{0}b \u{a0}\u{2028}ſ's 中文字 😀👩‍👩‍👧 \r\n\t١٢٣ ǅ \u{ad}//\n";
    for name in pre_tokenizer::names() {
        let words = words(name, text).concat();
        let plain: Option<Vec<u8>> =
            super::alphabet::spelled(&words).filter(|_| pre_tokenizer::row(Some(name)).unwrap().in_alphabet());
        assert!(words == text || plain.as_deref() == Some(text.as_bytes()), "{name}");
    }
}

#[test]
fn encode_takes_special_token_matches_as_text_unless_told_to_parse() {
    let vocab = Gpt2::new(MERGES);
    let tokenizer = Tokenizer::new(&vocab.parts("gpt-2")).unwrap();
    let text = "a<|im_end|>b<tool>s<tool>";
    let [end, tool, tools] = ["<|im_end|>", "<tool>", "<tool>s"].map(|text| vocab.id(text));
    let (a, b) = (u32::from(b'a'), u32::from(b'b'));
    assert_eq!(tokenizer.encode(text, Special::Parse, true), [a, end, b, tools, tool]);
    let as_text = tokenizer.encode(text, Special::AsText, false);
    assert!(!as_text.contains(&end));
    assert_eq!(as_text[as_text.len() - 2..], [tools, tool]);
    assert_eq!(tokenizer.decode(&as_text), text);
    assert_eq!(tokenizer.decode(&[a, end, b, 9999]), "ab");
    assert_eq!(tokenizer.token_bytes(end), b"<|im_end|>");
    assert_eq!(tokenizer.stop_ids(), [vocab.id("<|endoftext|>"), end]);
    assert_eq!(tokenizer.count_tokens("aaaa aaaa"), 3);
}

/// A SentencePiece vocabulary: control tokens, 256 bytes, then pieces with their scores.
fn spm_tokens(pieces: &[(&str, f32)]) -> (Vec<String>, Vec<i32>, Vec<f32>) {
    let mut tokens: Vec<String> = ["<unk>", "<s>", "</s>"].map(String::from).into();
    let mut types = vec![2, 3, 3];
    tokens.extend((0..=255).map(|byte| format!("<0x{byte:02X}>")));
    types.extend([6; 256]);
    let mut scores = vec![0.0; tokens.len()];
    for (text, score) in pieces {
        tokens.push((*text).into());
        types.push(1);
        scores.push(*score);
    }
    (tokens, types, scores)
}

fn spm(pieces: &[(&str, f32)], add_space_prefix: bool) -> Tokenizer {
    let (tokens, types, scores) = spm_tokens(pieces);
    let parts = Parts {
        model: "llama",
        tokens: tokens.iter().map(String::as_str).collect(),
        token_types: types,
        scores,
        ids: SpecialIds { bos: Some(1), eos: Some(2), unknown: Some(0), ..SpecialIds::default() },
        add_space_prefix: Some(add_space_prefix),
        ..Parts::default()
    };
    Tokenizer::new(&parts).unwrap()
}

const PIECES: &[(&str, f32)] = &[
    ("▁", -1.0),
    ("a", -2.0),
    ("b", -3.0),
    ("ab", -4.0),
    ("▁a", -5.0),
    ("ba", -4.0),
    ("▁ab", -6.0),
    ("▁▁", -7.0),
    ("aba", -8.0),
];

#[test]
fn sentencepiece_joins_by_score_and_spells_the_rest_in_bytes() {
    let tokenizer = spm(PIECES, true);
    let id = |text: &str| 259 + PIECES.iter().position(|(piece, _)| *piece == text).unwrap() as u32;
    // "▁aba": "ab" and "ba" have the same score, so the left one is joined; then "▁ab" beats "aba".
    assert_eq!(tokenizer.encode("aba", Special::Parse, true), [1, id("▁ab"), id("a")]);
    assert_eq!(tokenizer.encode("é", Special::Parse, false), [id("▁"), 3 + 0xc3, 3 + 0xa9]);
    assert_eq!(tokenizer.encode("</s>b", Special::Parse, false), [2, id("▁"), id("b")]);
    assert_eq!(tokenizer.encode("", Special::Parse, true), [1]);
    assert!(tokenizer.adds_bos());
    for text in [" a  b", "ab é😀", "a\n▁"] {
        let ids = tokenizer.encode(text, Special::AsText, true);
        assert_eq!(tokenizer.decode(&ids), text.replace('▁', " "));
    }
    let unprefixed = spm(PIECES, false);
    assert!(tokenizer.adds_space() && !unprefixed.adds_space());
    assert_eq!(unprefixed.encode("a a", Special::Parse, false), [id("a"), id("▁a")]);
    assert_eq!(unprefixed.decode(&[id("▁a")]), " a");
}

proptest! {
    #[test]
    fn merges_are_those_of_the_definition(text in "([ab]{0,30}| {1,5}){0,4}") {
        let (vocab, tokenizer) = &*GPT2;
        let mut expected = Vec::new();
        for word in words("gpt-2", &text) {
            expected.extend(naive_bpe(vocab, &word));
        }
        prop_assert_eq!(tokenizer.encode(&text, Special::AsText, false), expected);
    }

    #[test]
    fn decoding_gives_the_text_back_and_streaming_gives_the_same(text in any::<String>()) {
        for tokenizer in [&GPT2.1, &*SPM] {
            let ids = tokenizer.encode(&text, Special::AsText, false);
            prop_assert_eq!(tokenizer.decode(&ids), text.replace('▁', " "));
            prop_assert_eq!(streamed(tokenizer, &ids), text.replace('▁', " "));
        }
    }

    #[test]
    fn any_ids_decode_the_same_streamed_or_whole(ids in prop::collection::vec(0u32..300, 0..40)) {
        for tokenizer in [&GPT2.1, &*SPM] {
            prop_assert_eq!(streamed(tokenizer, &ids), tokenizer.decode(&ids));
        }
    }
}

fn streamed(tokenizer: &Arc<Tokenizer>, ids: &[u32]) -> String {
    let mut decoder = StreamDecoder::new(tokenizer.clone());
    let mut text: String = ids.iter().map(|&id| decoder.push(id)).collect();
    text.push_str(&decoder.flush());
    text
}

#[test]
fn half_a_character_is_held_back() {
    let vocab = Gpt2::new(MERGES);
    let mut decoder = StreamDecoder::new(Arc::new(Tokenizer::new(&vocab.parts("gpt-2")).unwrap()));
    let emoji = "😀".as_bytes();
    let steps: Vec<String> = emoji.iter().map(|&byte| decoder.push(byte.into())).collect();
    assert_eq!(steps, ["", "", "", "😀"]);
    assert_eq!(decoder.push(emoji[0].into()), "");
    assert_eq!(decoder.push(u32::from(b'a')), "\u{fffd}a");
    assert_eq!(decoder.push(emoji[0].into()) + &decoder.push(emoji[1].into()), "");
    assert_eq!(decoder.flush(), "\u{fffd}");
}

/// A tokenizer of the kind `model` over [`PIECES`] and the tokens around them.
fn scored(model: &'static str) -> Tokenizer {
    let (tokens, types, scores) = spm_tokens(PIECES);
    let parts = Parts {
        model,
        tokens: tokens.iter().map(String::as_str).collect(),
        token_types: types,
        scores,
        ids: SpecialIds { bos: Some(1), eos: Some(2), unknown: Some(0), ..SpecialIds::default() },
        ..Parts::default()
    };
    Tokenizer::new(&parts).unwrap()
}

/// A tokenizer of words and what continues them.
fn word_piece() -> Tokenizer {
    let tokens = vec!["[UNK]", "[CLS]", "[SEP]", "▁a", "a", "▁ab", "b", "▁1", "1", "▁<", "▁'", "▁b"];
    let ids = SpecialIds { bos: Some(1), unknown: Some(0), separator: Some(2), ..SpecialIds::default() };
    let token_types = [3, 3, 3].into_iter().chain([1; 9]).collect();
    Tokenizer::new(&Parts { model: "bert", tokens, token_types, ids, ..Parts::default() }).unwrap()
}

#[test]
fn a_megabyte_of_anything_encodes_in_linear_time() {
    // INGLENOOK_TIMES prints the times. A tenth of a second a megabyte when optimised and alone on the machine; anything quadratic takes hours.
    let (size, limit) = (if cfg!(debug_assertions) { 1 << 18 } else { 1 << 20 }, Duration::from_secs(8));
    let vocab = Gpt2::new(MERGES);
    let texts = ["a", " ", "é", "😀", "\n", "1", "ab ", " \n", "<", "'", "e\u{301}", "\u{301}"]
        .map(|unit| unit.repeat(size / unit.len()));
    let pres = [
        "gpt-2",
        "llama-bpe",
        "qwen2",
        "smollm",
        "tekken",
        "gpt-4o",
        "falcon",
        "deepseek-llm",
        "kimi-k2",
        "exaone-moe",
    ];
    let byte_level = pres.map(|pre| (pre, Tokenizer::new(&vocab.parts(pre)).unwrap()));
    let others = [("spm", spm(PIECES, true)), ("unigram", scored("t5")), ("WordPiece", word_piece())];
    for (name, tokenizer) in byte_level.iter().chain(&others) {
        for text in &texts {
            let start = Instant::now();
            let ids = tokenizer.encode(text, Special::Parse, false);
            let took = start.elapsed();
            if std::env::var_os("INGLENOOK_TIMES").is_some() {
                println!("{name}, {:?}…: {} tokens in {took:?}", &text[..4], ids.len());
            }
            assert!(took < limit, "{name}, {:?}…: {took:?}", &text[..4]);
            assert!(!matches!(*name, "gpt-2" | "spm") || tokenizer.decode(&ids).nfc().eq(text.nfc()), "{name}");
        }
    }
}

#[test]
fn a_run_of_spaces_that_ends_before_text_takes_linear_time() {
    // DeepSeek's `\s+$` looks to the end of the run, and fails there, from each of its places.
    let tokenizer = Tokenizer::new(&Gpt2::new(MERGES).parts("deepseek-llm")).unwrap();
    let start = Instant::now();
    let text = " ".repeat(1 << 19) + "x";
    assert_eq!(tokenizer.decode(&tokenizer.encode(&text, Special::AsText, false)), text);
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
}

#[test]
fn offsets_are_those_of_the_original_text() {
    let vocab = Gpt2::new(MERGES);
    let text = "<|im_end|>ab e\u{301}\u{327} <tool>😀";
    let tokenizer = Tokenizer::new(&vocab.parts("qwen2")).unwrap();
    let found = tokenizer.encode_with_offsets(text, Special::Parse);
    let parts: Vec<&str> = found.iter().map(|(_, range)| &text[range.clone()]).collect();
    // NFC makes "ȩ" and "\u{301}" of "e\u{301}\u{327}": each of their bytes comes from the whole. Each byte of the emoji is a token.
    assert_eq!(parts[..3], ["<|im_end|>", "ab", " "]);
    assert_eq!(parts[3..7], ["e\u{301}\u{327}"; 4]);
    assert_eq!(parts[7..], [" ", "<tool>", "😀", "😀", "😀", "😀"]);
    let ids: Vec<u32> = found.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, tokenizer.encode(text, Special::Parse, false));

    let units: Vec<u16> = text.encode_utf16().collect();
    for ((id, bytes), (same, range)) in found.iter().zip(tokenizer.encode_with_utf16_offsets(text, Special::Parse)) {
        let part = String::from_utf16(&units[range.start as usize..range.end as usize]).unwrap();
        assert_eq!((same, part.as_str()), (*id, &text[bytes.clone()]));
    }

    let found = spm(PIECES, true).encode_with_offsets("ab  é", Special::AsText);
    let ranges: Vec<_> = found.into_iter().map(|(_, range)| range).collect();
    // "▁ab": the space in front is none of the text's.
    assert_eq!(ranges, [0..2, 2..4, 4..6, 4..6]);

    let tokenizer = word_piece();
    let found = tokenizer.encode_with_offsets("Á  ab!", Special::AsText);
    assert_eq!(found, [(3, 0..2), (5, 4..6), (0, 6..7)]);
}

#[test]
fn a_whole_text_has_what_the_model_wants_around_it() {
    assert_eq!(word_piece().encode_whole("a", Special::AsText), [1, 3, 2]);
    assert_eq!(scored("t5").encode_whole("a", Special::AsText).last(), Some(&2));
    assert_eq!(scored("llama").encode_whole("a", Special::AsText)[0], 1);
    let vocab = Gpt2::new(MERGES);
    let separator = vocab.id("<|im_end|>");
    let mut parts = vocab.parts("roberta-bpe");
    (parts.ids.separator, parts.add_sep, parts.add_eos) = (Some(separator), Some(true), Some(false));
    assert_eq!(Tokenizer::new(&parts).unwrap().encode_whole("a", Special::AsText), [u32::from(b'a'), separator]);
    let json = br#"{"added_tokens": [], "post_processor": {"type": "TemplateProcessing", "single": [
        {"SpecialToken": {"id": "[x]", "type_id": 0}}, {"SpecialToken": {"id": "[y]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "special_tokens": {"[x]": {"id": "[x]", "ids": [1]}, "[y]": {"id": "[y]", "ids": [2]}}},
        "model": {"type": "WordLevel", "vocab": {"a": 0, "[x]": 1, "[y]": 2}, "unk_token": "a"}}"#;
    let config = br#"{"bos_token": "[x]", "eos_token": {"content": "[y]"}}"#;
    let tokenizer = Tokenizer::from_json(json, Some(config)).unwrap();
    assert_eq!(tokenizer.encode_whole("a", Special::AsText), [1, 2, 0]);
    assert_eq!(tokenizer.encode("a", Special::AsText, true), [1, 2, 0]);
    assert_eq!((tokenizer.special_ids().bos, tokenizer.special_ids().eos), (Some(1), Some(2)));
    assert!(tokenizer.stop_ids().contains(&2));
}

#[test]
#[cfg(feature = "hf")]
fn metadata_may_hold_a_whole_tokenizer_json_and_name_its_special_tokens() {
    use inglenook_format::gguf::{Metadata, Value};

    let json = r#"{"added_tokens": [{"id": 1, "content": "[x]", "special": true}, {"id": 2, "content": "[y]", "special": true}],
        "model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}}"#;
    let entry = |key: &str, value: Value| (format!("tokenizer.{key}"), value);
    let entries = vec![
        entry("huggingface.json", json.into()),
        entry("ggml.bos_token_id", 1u32.into()),
        entry("ggml.eot_token_id", 2u32.into()),
        entry("ggml.eos_token_id", 900u32.into()),
    ];
    let tokenizer = Tokenizer::from_gguf(&Metadata::new(entries).unwrap()).unwrap();
    let ids = tokenizer.special_ids();
    assert_eq!((ids.bos, ids.eos, ids.eot), (Some(1), None, Some(2)));
    assert!(tokenizer.stop_ids().contains(&2));
    assert_eq!(tokenizer.encode("a", Special::AsText, false), [0]);
}

#[test]
fn no_merge_makes_a_control_token() {
    let mut vocab = Gpt2::new(&[("a", "b")]);
    let ab = vocab.id("ab");
    vocab.types[ab as usize] = 3;
    let tokenizer = Tokenizer::new(&vocab.parts("gpt-2")).unwrap();
    assert_eq!(tokenizer.encode("ab", Special::AsText, false), [u32::from(b'a'), u32::from(b'b')]);
    assert_eq!(tokenizer.encode("ab", Special::Parse, false), [ab]);
}

#[test]
fn unused_pieces_are_split_again_into_what_they_were_joined_from() {
    let (mut tokens, mut types, mut scores) = spm_tokens(PIECES);
    // "abab" may be joined, which leads to "ababa", but is no token of a text itself.
    for (text, kind, score) in [("abab", 5, -3.5), ("ababa", 1, -3.6)] {
        tokens.push(text.into());
        types.push(kind);
        scores.push(score);
    }
    let parts = Parts {
        model: "llama",
        tokens: tokens.iter().map(String::as_str).collect(),
        token_types: types,
        scores,
        add_space_prefix: Some(false),
        ..Parts::default()
    };
    let tokenizer = Tokenizer::new(&parts).unwrap();
    let id = |text: &str| tokens.iter().position(|token| token == text).unwrap() as u32;
    assert_eq!(tokenizer.encode("ababa", Special::AsText, false), [id("ababa")]);
    assert_eq!(tokenizer.encode("abab", Special::AsText, false), [id("ab"), id("ab")]);
    let found = tokenizer.encode_with_offsets("abab", Special::AsText);
    assert_eq!(found, [(id("ab"), 0..2), (id("ab"), 2..4)]);
}

#[test]
fn long_texts_are_cut_between_characters() {
    let parts: Vec<&str> = super::parts_of("aé😀中b", 4).collect();
    assert_eq!(parts, ["aé", "😀", "中b"]);
}
