//! Damaged `tokenizer.json` files that are long and have little in them: made here, and not kept as files.

use serde_json::{Value, json};

use crate::files::SOUND;

/// A sound file of four tokens, with `part` in place of its own.
fn sound_but_for(part: &str, value: Value) -> String {
    let mut file = json!({
        "added_tokens": [{
            "id": 0, "content": "<s>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
            "special": true
        }],
        "normalizer": null,
        "pre_tokenizer": null,
        "post_processor": null,
        "decoder": {"type": "Fuse"},
        "model": {"type": "BPE", "vocab": {"<s>": 0, "a": 1, "b": 2, "ab": 3}, "merges": [["a", "b"]]}
    });
    file[part] = value;
    file.to_string()
}

/// Names, files, and what loading each must answer.
pub fn files() -> Vec<(&'static str, String, &'static str)> {
    let replace = json!({"type": "Replace", "pattern": {"String": "a"}, "content": "a".repeat(5000)});
    let replaces = vec![replace; 8];
    let start = json!({"SpecialToken": {"id": "<s>", "type_id": 0}});
    let mut single = vec![start; 100];
    single.push(json!({"Sequence": {"id": "A", "type_id": 0}}));
    let special = json!({"<s>": {"id": "<s>", "ids": [0]}});
    let template = json!({"type": "TemplateProcessing", "single": single, "special_tokens": special});
    let nested = |depth: usize, open: &str, inner: &str, close: &str| {
        format!("{}{inner}{}", open.repeat(depth), close.repeat(depth))
    };
    let sequences = nested(400, r#"{"type":"Sequence","normalizers":["#, "", "]}");
    vec![
        (
            "replace-with-a-megabyte",
            sound_but_for("normalizer", json!({"type": "Sequence", "normalizers": replaces})),
            SOUND,
        ),
        (
            "decoder-that-swells",
            sound_but_for("decoder", json!({"type": "Sequence", "decoders": replaces})),
            "tokenizer.json cannot be read: the decoder makes more than 4 bytes of one",
        ),
        (
            "template-of-many-tokens",
            sound_but_for("post_processor", template),
            "tokenizer.json cannot be read: more than 64 special tokens around a text",
        ),
        (
            "nested-sequences",
            format!(r#"{{"normalizer": {sequences},"model":{{}}}}"#),
            "tokenizer.json cannot be read: recursion limit exceeded at line 1 column 2158",
        ),
        (
            "nested-lists",
            format!(r#"{{"normalizer": {}}}"#, nested(5000, "[", "", "]")),
            "tokenizer.json cannot be read: recursion limit exceeded at line 1 column 142",
        ),
    ]
}
