//! Sound vocabularies, one of each kind, small enough to be damaged a hundred thousand times.

use inglenook_format::gguf::write::GgufWriter;
use inglenook_format::gguf::{Array, Strings, Value};
use serde_json::{Value as Json, json};

use crate::Vocabulary;

/// Words that every vocabulary knows, with scores.
const WORDS: [(&str, f32); 14] = [
    ("▁", -2.0),
    ("a", -3.0),
    ("b", -3.5),
    ("▁a", -4.0),
    ("aa", -4.5),
    ("l", -3.1),
    ("o", -3.2),
    ("lo", -5.0),
    ("▁world", -6.0),
    ("He", -6.5),
    ("1", -3.9),
    ("é", -7.0),
    ("aaaa", -8.0),
    ("ll", -8.5),
];

/// All of them.
pub fn all() -> Vec<Vocabulary> {
    vec![
        json_file(&byte_level()),
        json_file(&sentencepiece()),
        json_file(&unigram()),
        json_file(&word_piece()),
        Vocabulary::SentencePiece(model(1)),
        Vocabulary::SentencePiece(model(2)),
        gguf("gpt2"),
        gguf("llama"),
        gguf("t5"),
        gguf("bert"),
    ]
}

fn json_file(json: &Json) -> Vocabulary {
    Vocabulary::Json(json.to_string().into_bytes())
}

fn added(id: u32, content: &str) -> Json {
    json!({
        "id": id, "content": content, "single_word": id == 1, "lstrip": id == 2, "rstrip": id == 0,
        "normalized": id == 1, "special": id != 1
    })
}

fn template() -> Json {
    json!({
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [],
        "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}}
    })
}

fn byte_level() -> Json {
    let letters = ('!'..='~').chain('¡'..='¬').chain('®'..='ÿ').chain('Ā'..='Ń');
    let names = ["<s>", "word", "</s>"].map(String::from).into_iter().chain(letters.map(String::from));
    let words = ["aa", "aaaa", "Ġa", "Ġb"].map(String::from);
    let vocab: serde_json::Map<String, Json> =
        names.chain(words).zip(0..).map(|(text, id)| (text, json!(id))).collect();
    json!({
        "version": "1.0",
        "added_tokens": [added(0, "<s>"), added(1, "word"), added(2, "</s>")],
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Strip", "strip_left": true, "strip_right": false}]},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": r"(?i:'t)|[a-z]++|\d{1,3}| ?[^\sa-z]+|\s+(?!\S)|\s+"}, "behavior": "Isolated", "invert": false},
            {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}
        ]},
        "post_processor": template(),
        "decoder": {"type": "ByteLevel"},
        "model": {"type": "BPE", "dropout": null, "unk_token": null, "ignore_merges": true, "vocab": vocab,
            "merges": [["a", "a"], ["aa", "aa"], "Ġ a", ["Ġ", "b"]]}
    })
}

fn sentencepiece() -> Json {
    let bytes = (0..=255).map(|byte| format!("<0x{byte:02X}>"));
    let names = ["<s>", "word", "</s>"].map(String::from).into_iter().chain(bytes);
    let words = WORDS.iter().map(|(text, _)| (*text).to_owned());
    let vocab: serde_json::Map<String, Json> =
        names.chain(words).zip(0..).map(|(text, id)| (text, json!(id))).collect();
    json!({
        "added_tokens": [added(0, "<s>"), added(1, "word"), added(2, "</s>")],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
        ]},
        "pre_tokenizer": null,
        "post_processor": template(),
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0}
        ]},
        "model": {"type": "BPE", "unk_token": "<s>", "fuse_unk": true, "byte_fallback": true, "vocab": vocab,
            "merges": [["a", "a"], ["aa", "aa"], ["▁", "a"], ["l", "o"], ["l", "l"]]}
    })
}

fn unigram() -> Json {
    let names = ["<s>", "word", "</s>"].map(|name| json!([name, 0.0]));
    let vocab: Vec<Json> = names.into_iter().chain(WORDS.iter().map(|(text, score)| json!([text, score]))).collect();
    json!({
        "added_tokens": [added(0, "<s>"), added(1, "word"), added(2, "</s>")],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "NFKC"}, {"type": "Lowercase"}, {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}
        ]},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "WhitespaceSplit"}, {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": true}
        ]},
        "post_processor": template(),
        "decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": true},
        "model": {"type": "Unigram", "unk_id": 0, "byte_fallback": false, "vocab": vocab}
    })
}

fn word_piece() -> Json {
    let names = ["<s>", "word", "</s>", "hello", "##lo", "##a", "a", "##b", "1", "##2", "don", "'", "t"];
    let vocab: serde_json::Map<String, Json> =
        names.iter().zip(0..).map(|(text, id)| ((*text).to_owned(), json!(id))).collect();
    json!({
        "added_tokens": [added(0, "<s>"), added(1, "word"), added(2, "</s>")],
        "normalizer": {"type": "Lowercase"},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "WhitespaceSplit"}, {"type": "Split", "pattern": {"String": "'"}, "behavior": "Contiguous", "invert": false}
        ]},
        "post_processor": {"type": "BertProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0]},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
        "model": {"type": "WordPiece", "unk_token": "<s>", "continuing_subword_prefix": "##", "max_input_chars_per_word": 40, "vocab": vocab}
    })
}

/// A `tokenizer.model` of SentencePiece, of model type 1 (unigram) or 2 (byte pairs).
fn model(kind: u8) -> Vec<u8> {
    let mut file = Vec::new();
    let mut piece = |text: &str, score: f32, kind: u8| {
        let mut message = vec![0x0a, text.len() as u8];
        message.extend_from_slice(text.as_bytes());
        message.push(0x15);
        message.extend_from_slice(&score.to_le_bytes());
        message.extend_from_slice(&[0x18, kind]);
        file.extend_from_slice(&[0x0a, message.len() as u8]);
        file.append(&mut message);
    };
    piece("<unk>", 0.0, 2);
    piece("<s>", 0.0, 3);
    piece("</s>", 0.0, 3);
    piece("<user>", 0.0, 4);
    piece("▁wor", -5.5, 5);
    (0..=255).for_each(|byte| piece(&format!("<0x{byte:02X}>"), 0.0, 6));
    WORDS.iter().for_each(|&(text, score)| piece(text, score, 1));
    file.extend_from_slice(&[0x12, 8, 0x18, kind, 0x98, 0x02, 1, 0xc8, 0x02, 1]);
    file.extend_from_slice(&[0x1a, 6, 0x18, 1, 0x20, 0, 0x28, 1]);
    file
}

/// A GGUF file's vocabulary of the kind `model`.
fn gguf(model: &str) -> Vocabulary {
    let (names, kinds): (Vec<String>, Vec<i32>) = match model {
        "gpt2" => {
            let letters = ('!'..='~').chain('¡'..='¬').chain('®'..='ÿ').chain('Ā'..='Ń').map(String::from);
            letters.chain(["aa", "aaaa", "Ġa"].map(String::from)).map(|text| (text, 1)).unzip()
        }
        "bert" => ["[UNK]", "[CLS]", "[SEP]", "▁hello", "lo", "▁a", "a", "▁don", "▁'"]
            .map(|text| (text.to_owned(), 1))
            .into_iter()
            .unzip(),
        _ => {
            let words = WORDS.iter().map(|(text, _)| ((*text).to_owned(), 1));
            words.chain((0..=255).map(|byte| (format!("<0x{byte:02X}>"), 6))).unzip()
        }
    };
    let special = [("<unk>", 2), ("<s>", 3), ("</s>", 3), ("<user>", 4)].map(|(text, kind)| (text.to_owned(), kind));
    let (names, kinds): (Vec<String>, Vec<i32>) = special.into_iter().chain(names.into_iter().zip(kinds)).unzip();
    let scores: Vec<f32> =
        (0..names.len()).map(|id| WORDS.get(id.wrapping_sub(4)).map_or(0.0, |(_, score)| *score)).collect();
    let mut writer = GgufWriter::new();
    writer
        .entry("tokenizer.ggml.model", model)
        .entry("tokenizer.ggml.pre", "bloom")
        .entry("tokenizer.ggml.tokens", names.iter().collect::<Strings>())
        .entry("tokenizer.ggml.token_type", Value::Array(Array::I32(kinds)))
        .entry("tokenizer.ggml.scores", Value::Array(Array::F32(scores)))
        .entry("tokenizer.ggml.bos_token_id", 1u32)
        .entry("tokenizer.ggml.eos_token_id", 2u32)
        .entry("tokenizer.ggml.unknown_token_id", 0u32)
        .entry("tokenizer.ggml.add_bos_token", true);
    if model == "gpt2" {
        writer.entry("tokenizer.ggml.merges", ["a a", "aa aa", "Ġ a"].iter().collect::<Strings>());
    }
    Vocabulary::Gguf(writer.start(Vec::new()).unwrap().finish().unwrap())
}
