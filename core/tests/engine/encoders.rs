//! Conversations as the families' own encoders make tokens of them (`tests/goldens/encoders`), against built-in templates together with
//! a tokenizer: only so shows what the two make of the spaces behind special tokens.

use std::fs;
use std::path::{Path, PathBuf};

use inglenook::engine::PromptBuilder;
use inglenook::engine::request::Request;
use inglenook_format::gguf::{Array, Gguf, Metadata, Strings, Value};
use inglenook_format::source::Memory;
use serde_json::{Value as Json, json};

const TOKENS: &str = "tokenizer.ggml.tokens";

fn tests(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests").join(path)
}

/// Mistral's special tokens.
const SPECIAL: [&str; 10] = [
    "[INST]",
    "[/INST]",
    "[TOOL_CALLS]",
    "[AVAILABLE_TOOLS]",
    "[/AVAILABLE_TOOLS]",
    "[TOOL_RESULTS]",
    "[/TOOL_RESULTS]",
    "[SYSTEM_PROMPT]",
    "[/SYSTEM_PROMPT]",
    "[TOOL_CONTENT]",
];

/// The prompts of a model with a vocabulary of the goldens, to which those of these control tokens are added that it lacks.
fn prompts(vocabulary: &str, special: &[&str], adds_space: Option<bool>) -> PromptBuilder {
    let bytes = fs::read(tests(&format!("goldens/tokenizers/{vocabulary}.gguf"))).unwrap();
    let gguf = pollster::block_on(Gguf::read(&Memory(&bytes))).unwrap();
    let known: Vec<&str> = gguf.metadata.strings(TOKENS).unwrap().iter().collect();
    let special: Vec<&str> = special.iter().copied().filter(|token| !known.contains(token)).collect();
    let mut entries: Vec<(String, Value)> = Vec::new();
    for (key, value) in gguf.metadata.iter() {
        let value = match (key, value) {
            (TOKENS, _) => known.iter().chain(&special).copied().collect::<Strings>().into(),
            ("tokenizer.ggml.scores", Value::Array(Array::F32(scores))) => {
                Value::Array(Array::F32([scores.clone(), vec![0.0; special.len()]].concat()))
            }
            ("tokenizer.ggml.token_type", Value::Array(Array::I32(types))) => {
                Value::Array(Array::I32([types.clone(), vec![3; special.len()]].concat()))
            }
            // The goldens' vocabularies end a text with whatever token their family has.
            ("tokenizer.ggml.eos_token_id", _) => {
                (known.iter().position(|&token| token == "</s>").unwrap() as u32).into()
            }
            ("tokenizer.ggml.add_space_prefix", _) if adds_space.is_some() => continue,
            _ => value.clone(),
        };
        entries.push((key.to_owned(), value));
    }
    entries.extend(adds_space.map(|flag| ("tokenizer.ggml.add_space_prefix".to_owned(), flag.into())));
    PromptBuilder::from_gguf(&Metadata::new(entries).unwrap()).unwrap()
}

/// The names of control tokens, and the text between them.
fn pieces(prompts: &PromptBuilder, ids: &[u32]) -> Vec<String> {
    let tokenizer = prompts.tokenizer();
    let spelled = |ids: &[u32]| -> Vec<u8> { ids.iter().flat_map(|&id| tokenizer.token_bytes(id)).copied().collect() };
    let alike = ids.chunk_by(|&a, &b| !tokenizer.is_control(a) && !tokenizer.is_control(b));
    alike.map(|ids| String::from_utf8(spelled(ids)).unwrap()).collect()
}

fn encoded(prompts: &PromptBuilder, template: &str, case: &Json) -> Result<Vec<String>, String> {
    let mut request = json!({"messages": case["messages"], "chat_template": template, "add_generation_prompt": false});
    if !case["tools"].is_null() {
        request["tools"] = case["tools"].clone();
    }
    let request = Request::from_json(&request.to_string()).map_err(|error| error.to_string())?;
    let tokens = prompts.tokens(&request).map_err(|error| error.to_string())?;
    Ok(pieces(prompts, &tokens))
}

/// The prompt's text.
fn rendered(template: &str, messages: &Json) -> String {
    let request = json!({"messages": messages, "chat_template": template});
    prompts("llama-spm", &[], None).render(&Request::from_json(&request.to_string()).unwrap()).unwrap()
}

/// Found against FastChat's `vicuna_v1.1`, with which these models were trained: no line breaks stand between the turns.
#[test]
fn builtin_vicuna_writes_what_fastchat_writes() {
    let turns = ["user", "assistant", "user"].into_iter().zip(["hi", "yo", "a\nb"]);
    let turns: Vec<Json> = turns.map(|(role, text)| json!({"role": role, "content": text})).collect();
    let written = "USER: hi ASSISTANT: yo</s>USER: a\nb ASSISTANT:";
    assert_eq!(rendered("vicuna", &json!(turns)), format!("<s>{written}"));
    let with_system = [vec![json!({"role": "system", "content": "Be brief."})], turns].concat();
    assert_eq!(rendered("vicuna", &json!(with_system)), format!("<s>Be brief. {written}"));
    assert_eq!(rendered("vicuna", &json!(with_system[..2])), "<s>Be brief. USER: hi ASSISTANT:");
}

/// What an answer ends up as where the tokenizer puts no space in front of it is no second space in the history.
#[test]
fn builtin_mistral_templates_write_one_space_in_front_of_an_answer() {
    let messages = json!([{"role": "user", "content": "hi"}, {"role": "assistant", "content": " yo"}]);
    for (template, special) in [("mistral-v1", &[][..]), ("mistral-v3", &SPECIAL), ("mistral-v7", &SPECIAL)] {
        let case = json!({"messages": messages});
        let text = encoded(&prompts("llama-spm", special, Some(false)), template, &case).unwrap().concat();
        assert!(text.ends_with("[/INST] yo</s>"), "{template}: {text}");
    }
}

/// A vocabulary that leaves the space to the template is what a `tokenizer.json` of the same model makes of it.
#[test]
fn builtin_mistral_templates_give_the_tokens_of_mistral_common() {
    let golden = serde_json::from_slice::<Json>(&fs::read(tests("goldens/encoders/mistral.json")).unwrap()).unwrap();
    let cases = golden["cases"].as_array().unwrap();
    let (mut wrong, mut count) = (Vec::new(), 0);
    for (template, vocabulary, special, adds_space) in [
        ("mistral-v1", "llama-spm", &[][..], Some(true)),
        ("mistral-v1", "llama-spm", &[], Some(false)),
        ("mistral-v3", "llama-spm", &SPECIAL, Some(true)),
        ("mistral-v3", "llama-spm", &SPECIAL, Some(false)),
        ("mistral-v7", "llama-spm", &SPECIAL, Some(true)),
        ("mistral-v7", "llama-spm", &SPECIAL, Some(false)),
        ("mistral-v3-tekken", "tekken", &SPECIAL, None),
        ("mistral-v7-tekken", "tekken", &SPECIAL, None),
    ] {
        let prompts = prompts(vocabulary, special, adds_space);
        assert_eq!(prompts.tokenizer().adds_space(), adds_space == Some(true));
        for case in cases {
            let Some(expected) = case["expected"].get(template) else { continue };
            // Without the tokenizer's space, the one that an answer begins with is the template's.
            if adds_space == Some(false) && case["name"] == "spaces_in_front" {
                continue;
            }
            count += 1;
            // The encoder of version 3 parses a result and writes it anew, with spaces; a template leaves it as it is.
            let rewrites = template.starts_with("mistral-v3") && case["name"] == "result_in_json_without_spaces";
            let shown = |pieces: &Json| if rewrites { pieces.to_string().replace(' ', "") } else { pieces.to_string() };
            let found = encoded(&prompts, template, case).map(|found| shown(&json!(found)));
            if found != Ok(shown(expected)) {
                wrong.push(format!("{template}, {adds_space:?}, {}:\n{found:?}\n{expected}", case["name"]));
            }
        }
    }
    assert!(count >= 130, "{count}");
    assert!(wrong.is_empty(), "{} of {count} wrong:\n{}", wrong.len(), wrong.join("\n\n"));
}
