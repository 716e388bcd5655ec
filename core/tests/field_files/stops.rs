//! What ends a turn ends it whatever type the file gives it, is one token in prompts and no text in answers.

use inglenook::device::Device;
use inglenook::engine::event::FinishReason;
use inglenook::format::gguf::{Array, Value};
use inglenook::text::Special;

use crate::edit::File;
use crate::{QUESTION, answer, greedy, load, refused};

const IM_START: u32 = 1528;
const IM_END: u32 = 1529;

fn check(name: &str, file: &File) {
    let mut engine = load(file, Device::Cpu).unwrap_or_else(|error| panic!("{name}: {error}"));
    let found = answer(&mut engine, greedy(QUESTION)).unwrap();
    assert_eq!(found.text, "17 + 25 = 42.", "{name}");
    assert_eq!((found.finish, found.usage.prompt_tokens), (FinishReason::Stop, 18), "{name}");
    assert_eq!(engine.tokenizer().decode(&[IM_END]), "", "{name}");
    let written = engine.tokenizer().encode("a <|im_end|>", Special::AsText, false);
    assert!(!written.contains(&IM_END), "{name}: what a user writes stays text");
}

#[test]
fn the_markers_are_where_the_cases_say() {
    let tokens = File::ember().tokens();
    assert_eq!([&tokens[IM_START as usize], &tokens[IM_END as usize]], ["<|im_start|>", "<|im_end|>"]);
}

#[test]
fn a_turn_end_of_another_type_is_a_control_token() {
    check("as it is", &File::ember());
    for (name, kind) in [("normal", 1), ("user-defined", 4), ("unused", 5), ("undefined", 0)] {
        check(name, &File::ember().retyped(IM_END, kind));
        // The file may name none of the ends, too.
        let unnamed = File::ember().retyped(IM_END, kind);
        check(name, &unnamed.without("tokenizer.ggml.eot_token_id").set("tokenizer.ggml.eos_token_id", IM_END));
    }
}

#[test]
fn markers_typed_as_plain_text_are_control_tokens() {
    check("both", &File::ember().retyped(IM_END, 1).retyped(IM_START, 1));
    check("no types at all", &File::ember().without("tokenizer.ggml.token_type"));
    let Value::Array(Array::I32(kinds)) = File::ember().get("tokenizer.ggml.token_type").clone() else { panic!() };
    check("all normal", &File::ember().set("tokenizer.ggml.token_type", vec![1; kinds.len()]));
}

/// The end that a file names may be an ordinary word: it ends the answer and is not shown, and stays a word in prompts.
#[test]
fn an_ordinary_token_that_ends_answers_is_not_shown() {
    let plain = answer(&mut load(&File::ember(), Device::Cpu).unwrap(), greedy(QUESTION)).unwrap();
    let last = plain.tokens[plain.tokens.len() - 2];
    let file = File::ember().set("tokenizer.ggml.eos_token_id", last);
    let mut engine = load(&file, Device::Cpu).unwrap();
    let end = engine.tokenizer().decode(&[last]);
    let found = answer(&mut engine, greedy(QUESTION)).unwrap();
    assert_eq!((found.finish, found.text + &end), (FinishReason::Stop, plain.text));
    assert_eq!(found.usage.prompt_tokens, plain.usage.prompt_tokens);
}

/// `ember` with other markers in its vocabulary and its template, in which the user's words have none.
fn renamed(start: &str, end: &str) -> File {
    let mut tokens = File::ember().tokens();
    tokens[IM_START as usize] = start.to_owned();
    tokens[IM_END as usize] = end.to_owned();
    let Value::String(template) = File::ember().get("tokenizer.chat_template").clone() else { panic!("a template") };
    let template = template.replace("<|im_start|>", start).replace("<|im_end|>", end);
    let tokens = Value::Array(Array::String(tokens.iter().collect()));
    File::ember().set("tokenizer.ggml.tokens", tokens).set("tokenizer.chat_template", template)
}

const OPENERS: [(&str, &str); 3] =
    [("<|im_start|>", "<|im_end|>"), ("<start_of_turn>", "<end_of_turn>"), ("[INST]", "[/INST]")];

#[test]
fn an_opener_of_another_type_is_one_token_in_prompts() {
    for (start, end) in OPENERS {
        for kind in [1, 3, 4, 5, 6] {
            let name = format!("{start} of type {kind}");
            let mut engine = load(&renamed(start, end).retyped(IM_START, kind), Device::Cpu).expect(&name);
            let found = answer(&mut engine, greedy(QUESTION)).unwrap();
            assert_eq!((found.text.as_str(), found.usage.prompt_tokens), ("17 + 25 = 42.", 18), "{name}");
        }
    }
}

#[test]
fn an_opener_that_a_user_writes_stays_text_whatever_its_type() {
    for kind in [1, 3, 4, 5] {
        let engine = load(&File::ember().retyped(IM_START, kind), Device::Cpu).unwrap();
        let written = engine.tokenizer().encode("a <|im_start|>", Special::AsText, false);
        assert!(!written.contains(&IM_START), "type {kind}");
    }
}

#[test]
fn a_vocabulary_without_a_token_of_text_is_refused() {
    let Value::Array(Array::I32(kinds)) = File::ember().get("tokenizer.ggml.token_type").clone() else { panic!() };
    for kind in [2, 3, 4, 5] {
        let file = File::ember().set("tokenizer.ggml.token_type", vec![kind; kinds.len()]);
        let (code, message) = refused(&file);
        assert_eq!(code, "BadFile", "type {kind}: {message}");
        assert!(message.contains("token_type"), "type {kind}: {message}");
    }
}

#[test]
fn turn_ends_of_other_families_end_answers_though_the_file_names_none() {
    for end in ["[EOT]", "<end_of_utterance>", "<|END_OF_TURN_TOKEN|>", "</s>"] {
        for kind in [1, 3, 4] {
            let file = renamed("<|im_start|>", end).retyped(IM_END, kind).without("tokenizer.ggml.eot_token_id");
            // What the file names is some other token.
            let mut engine = load(&file.set("tokenizer.ggml.eos_token_id", IM_START), Device::Cpu).expect(end);
            let found = answer(&mut engine, greedy(QUESTION)).unwrap();
            assert_eq!(
                (found.text.as_str(), found.finish),
                ("17 + 25 = 42.", FinishReason::Stop),
                "{end} of type {kind}"
            );
        }
    }
}
