//! The keys of tokenizers.

use inglenook_format::gguf::Metadata;
use serde_json::json;

use crate::files::{Files, config, directory, tensors};

fn metadata(files: &Files) -> Metadata {
    files.open().unwrap().gguf.metadata
}

fn with_tokenizer() -> Files {
    let tokenizer = json!({ "model": {}, "added_tokens": [
        { "id": 5, "content": "<s>" }, { "id": 6, "content": "</s>" }, { "id": 7, "content": "<|end|>", "special": true },
    ]});
    directory(&config(), &tensors()).with("tokenizer.json", tokenizer.to_string())
}

#[test]
fn tokenizer_is_taken_over_as_it_is_written() {
    let text = "{ \"added_tokens\":[],\n \"löss\": 1.50 }";
    let files = directory(&config(), &tensors()).with("tokenizer.json", text);
    assert_eq!(metadata(&files).str("tokenizer.huggingface.json"), Ok(text));
}

#[test]
fn ends_of_answers_come_from_the_tokenizer_and_the_generation_configuration() {
    let described = json!({ "bos_token": "<s>", "eos_token": { "content": "<|end|>" }, "add_bos_token": true, "chat_template": "plain" });
    let generation = json!({ "eos_token_id": [6, 7, 3], "temperature": 0.6, "top_k": 20 });
    let files = with_tokenizer()
        .with("tokenizer_config.json", described.to_string())
        .with("generation_config.json", generation.to_string());
    let meta = metadata(&files);
    let id = |key: &str| meta.u32(&format!("tokenizer.ggml.{key}_token_id")).ok();
    assert_eq!(["bos", "eos", "eot", "eom", "padding"].map(id), [Some(5), Some(7), Some(6), Some(3), None]);
    assert_eq!(meta.bool("tokenizer.ggml.add_bos_token"), Ok(true));
    assert_eq!(meta.str("tokenizer.chat_template"), Ok("plain"));
    assert_eq!((meta.f32("general.sampling.temp"), meta.number("general.sampling.top_k")), (Ok(0.6), Some(20.0)));
}

#[test]
fn template_of_its_own_file_goes_first_and_of_several_the_default_counts() {
    let several =
        json!({ "chat_template": [{ "name": "rag", "template": "r" }, { "name": "default", "template": "d" }] });
    let files = with_tokenizer().with("tokenizer_config.json", several.to_string());
    assert_eq!(metadata(&files).str("tokenizer.chat_template"), Ok("d"));
    let files = files.with("chat_template.jinja", "own");
    assert_eq!(metadata(&files).str("tokenizer.chat_template"), Ok("own"));
}
