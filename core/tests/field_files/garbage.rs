//! No garbage that looks like an answer: ids without a token, logits that are no numbers, vocabularies that do not hold together.

use half::f16;
use inglenook::device::Device;
use inglenook::engine::request::Request;
use inglenook::error::Error;
use inglenook::format::gguf::{Array, Strings, Value};
use serde_json::json;

use crate::edit::File;
use crate::{QUESTION, answer, gpu, greedy, load, refused};

const EMBEDDING: &str = "token_embd.weight";

/// Rows of the embedding, made larger, behind its last: they win wherever they may.
fn padded(file: File, rows: &[usize]) -> File {
    let mut file = file;
    let table = file.tensor(EMBEDDING);
    let size = table.data.len() / table.dims[1] as usize;
    for row in rows {
        let mut row = table.data[row * size..(row + 1) * size].to_vec();
        for block in row.chunks_exact_mut(34) {
            let scale = f16::from_le_bytes([block[0], block[1]]).to_f32();
            block[..2].copy_from_slice(&f16::from_f32(1.5 * scale).to_le_bytes());
        }
        table.data.extend(row);
    }
    table.dims[1] += rows.len() as u64;
    file
}

const STRONG: [usize; 11] = [15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 1529];

#[test]
fn rows_beyond_the_tokens_are_never_chosen() {
    let file = padded(File::ember(), &STRONG);
    let tokens = file.tokens().len() as u32;
    for device in [Device::Cpu, gpu()] {
        let expected = answer(&mut load(&File::ember(), device.clone()).unwrap(), greedy(QUESTION)).unwrap();
        let mut engine = load(&file, device).unwrap();
        assert_eq!(answer(&mut engine, greedy(QUESTION)).unwrap().tokens, expected.tokens);
        for (seed, top_p) in [(1, None), (2, Some(0.95)), (3, Some(0.5))] {
            let request = Request { temperature: Some(2.0), top_p, seed: Some(seed), ..greedy("Tell me a story.") };
            let found = answer(&mut engine, request).unwrap().tokens;
            assert!(found.iter().all(|token| *token < tokens), "{found:?}");
        }
        let biased = json!({ tokens.to_string(): 1 }).as_object().cloned();
        let error =
            answer(&mut engine, Request { logit_bias: biased, ..greedy(QUESTION) }).err().expect("no such token");
        assert_eq!(error.code(), "BadRequest");
    }
}

#[test]
fn tokens_that_only_fill_the_vocabulary_up_are_never_chosen() {
    let file = padded(File::ember(), &STRONG);
    let names = (0..STRONG.len()).map(|i| format!("[PAD{i}]"));
    let tokens: Strings = file.tokens().into_iter().chain(names).collect();
    let Value::Array(Array::I32(kinds)) = file.get("tokenizer.ggml.token_type") else { panic!("types") };
    let kinds: Vec<i32> = kinds.iter().copied().chain([5; STRONG.len()]).collect();
    let file = file.set("tokenizer.ggml.tokens", tokens).set("tokenizer.ggml.token_type", kinds);
    let expected = answer(&mut load(&File::ember(), Device::Cpu).unwrap(), greedy(QUESTION)).unwrap();
    let mut engine = load(&file, Device::Cpu).unwrap();
    assert_eq!(answer(&mut engine, greedy(QUESTION)).unwrap().text, expected.text);
}

#[test]
fn fewer_rows_than_tokens_are_refused() {
    let mut file = File::ember();
    let table = file.tensor(EMBEDDING);
    let (rows, size) = (table.dims[1], table.data.len() / table.dims[1] as usize);
    table.dims[1] = rows - 3;
    table.data.truncate((rows as usize - 3) * size);
    let (code, message) = refused(&file);
    assert_eq!(code, "BadFile");
    assert!(message.contains(&rows.to_string()) && message.contains(&(rows - 3).to_string()), "{message}");
}

#[test]
fn vocabularies_that_do_not_hold_together_are_refused_by_key() {
    let merges = "tokenizer.ggml.merges";
    let scores = "tokenizer.ggml.scores";
    let spm = || {
        let vocabulary = File::golden("tokenizers/llama-spm.gguf");
        let own = |key: &str| key.starts_with("tokenizer.");
        let mut file = File::ember();
        file.entries.retain(|(key, _)| !own(key));
        file.entries.extend(vocabulary.entries.into_iter().filter(|(key, _)| own(key)));
        let rows = file.tokens().len();
        let table = file.tensor(EMBEDDING);
        let size = table.data.len() / table.dims[1] as usize;
        table.dims[1] = rows as u64;
        table.data.resize(rows * size, 0);
        file
    };
    assert!(load(&spm(), Device::Cpu).is_ok());
    let Value::Array(Array::F32(sound)) = spm().get(scores).clone() else { panic!("scores") };
    let mut nan = sound.clone();
    nan[300] = f32::NAN;
    for (file, named) in [
        (File::ember().without(merges), merges),
        (File::ember().set(merges, Strings::default()), merges),
        (spm().without(scores), scores),
        (spm().set(scores, sound[1..].to_vec()), scores),
        (spm().set(scores, nan), "score of token 300"),
    ] {
        let (code, message) = refused(&file);
        assert_eq!(code, "BadFile", "{message}");
        assert!(message.contains(named), "{message}");
    }
}

/// Sets the f16 scale of a block of Q8_0.
fn damage(file: &mut File, name: &str, block: usize, scale: f16) {
    file.tensor(name).data[block * 34..block * 34 + 2].copy_from_slice(&scale.to_le_bytes());
}

/// The message of the error with which an answer ends.
fn fault(file: &File, device: Device, question: &str) -> String {
    let mut engine = load(file, device).unwrap();
    let error = answer(&mut engine, greedy(question)).err().expect("an answer that cannot be");
    assert!(matches!(error, Error::Fault(_)) && error.code() == "WrongAnswer", "{error}");
    // The engine is still there: the next answer fails the same way.
    let again = answer(&mut engine, greedy(question)).err().expect("an answer that cannot be");
    assert_eq!(again.to_string(), error.to_string());
    error.to_string()
}

#[test]
fn a_weight_that_is_no_number_ends_the_answer_and_names_the_stage() {
    let cases = [
        ("blk.2.ffn_down.weight", "`layer2.out`"),
        ("blk.0.attn_output.weight", "`layer0.attn_residual`"),
        ("blk.1.ffn_gate.weight", "`layer1.gated`"),
        ("blk.1.attn_v.weight", "`layer1.attended`"),
    ];
    for device in [Device::Cpu, gpu()] {
        for (name, stage) in cases {
            for scale in [f16::NAN, f16::INFINITY] {
                let mut file = File::ember();
                damage(&mut file, name, 0, scale);
                let message = fault(&file, device.clone(), QUESTION);
                assert!(message.contains(stage) && message.contains("position 0"), "{name}: {message}");
            }
        }
    }
}

#[test]
fn a_token_whose_row_is_no_number_ends_the_answer_where_it_enters() {
    let expected = answer(&mut load(&File::ember(), Device::Cpu).unwrap(), greedy(QUESTION)).unwrap();
    let prompt = expected.usage.prompt_tokens;
    for device in [Device::Cpu, gpu()] {
        // The head is the embedding: the column of a token that is never near is no number in the first step's logits.
        let mut file = File::ember();
        let blocks = file.tensor(EMBEDDING).dims[0] as usize / 32;
        damage(&mut file, EMBEDDING, 700 * blocks, f16::NAN);
        let message = fault(&file, device.clone(), QUESTION);
        assert!(message.contains("`logits`") && message.contains(&format!("position {}", prompt - 1)), "{message}");
    }
}

/// With a head of its own, a row of the embedding is met only when its token enters.
#[test]
fn a_fault_that_comes_with_a_later_token_is_found_there() {
    let mut sound = File::ember();
    let table = sound.tensor(EMBEDDING).clone();
    let sound = sound.with("output.weight", &table.dims, table.ty, table.data);
    let mut engine = load(&sound, Device::Cpu).unwrap();
    let expected = answer(&mut engine, greedy(QUESTION)).unwrap().tokens;
    let prompt = engine.prompts().tokens(&greedy(QUESTION)).unwrap();
    let is_new = |at: &usize| !prompt.contains(&expected[*at]) && !expected[..*at].contains(&expected[*at]);
    let at = (1..expected.len()).find(is_new).expect("a token that neither question nor answer has had");
    for device in [Device::Cpu, gpu()] {
        let mut file = sound.clone();
        let blocks = table.dims[0] as usize / 32;
        damage(&mut file, EMBEDDING, expected[at] as usize * blocks, f16::NAN);
        let message = fault(&file, device, QUESTION);
        let place = format!("position {},", prompt.len() + at);
        assert!(message.contains("`embed`") && message.contains(&place), "{place} {message}");
    }
}

#[test]
fn an_answer_of_which_every_token_is_forbidden_says_so() {
    let mut engine = load(&File::ember(), Device::Cpu).unwrap();
    let tokens = File::ember().tokens().len();
    let none = (0..tokens).map(|token| (token.to_string(), json!(-100))).collect();
    let request = Request { logit_bias: Some(none), ..greedy(QUESTION) };
    let error = answer(&mut engine, request).err().expect("nothing may follow");
    assert_eq!(error.code(), "BadRequest", "{error}");
    assert!(!answer(&mut engine, greedy(QUESTION)).unwrap().text.is_empty(), "the engine goes on");
}
