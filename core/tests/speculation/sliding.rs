//! Drafts for an answer that has filled its context and goes on.

use inglenook::device::Device;
use inglenook::engine::request::Request;
use inglenook::engine::{Engine, EngineOptions};
use inglenook::text::Special;
use serde_json::{Value, json};

use crate::support::{self, EMBER, gpu};
use crate::{agreeing_engines, assert_same, engines, model, say};

const CONTEXT: u32 = 128;

/// A prompt that leaves room for so few tokens that nearly all of the answer comes behind a slide.
fn nearly_full(engine: &Engine) -> String {
    let tokenizer = engine.tokenizer();
    let count = |text: &str| tokenizer.encode(text, Special::AsText, tokenizer.adds_bos()).len();
    let words = "Once there was a cat that lived by the sea with an old man who could not sleep at night. ".repeat(20);
    let mut end = words.len();
    while count(&words[..end]) > CONTEXT as usize - 4 {
        end = words[..end].trim_end().rfind(' ').expect("more words");
    }
    words[..end].to_owned()
}

fn ask(fields: &Value, prompt: &str) -> Request {
    let all = json!({"temperature": 0, "max_tokens": 300, "truncation": "auto", "ignore_eos": true, "prompt": prompt});
    support::request(all, fields.clone())
}

fn kinds() -> [Value; 2] {
    [json!({}), json!({"temperature": 1.0, "seed": 4, "repetition_penalty": 1.2, "frequency_penalty": 0.3})]
}

/// Fault: a draft model was shown the tokens that a slide had left out, too.
#[test]
fn draft_model_goes_on_past_the_context_from_the_tokens_that_stand() {
    for device in [Device::Cpu, gpu()] {
        let engines = agreeing_engines(device, CONTEXT);
        let prompt = nearly_full(&engines[0]);
        for fields in kinds() {
            let [said, expected] = engines.each_ref().map(|engine| say(engine, ask(&fields, &prompt)));
            assert_same(&said, &expected);
            assert_eq!(said.tokens.len(), 300);
            let [usage, plain] = [said.usage, expected.usage];
            assert_eq!(usage.truncated_tokens, plain.truncated_tokens);
            assert!(plain.truncated_tokens > 200 && plain.drafted_tokens == 0, "{plain:?}");
            // It says the same of the same tokens: what is not accepted was looked up.
            assert!(usage.accepted_tokens > 150 && usage.accepted_tokens * 10 >= usage.drafted_tokens * 8, "{usage:?}");
        }
    }
}

#[test]
fn prompt_lookup_past_the_context_changes_no_token() {
    let drafting = EngineOptions { free_drafts: true, ..EngineOptions::default() };
    let engines = engines(&model(Device::Cpu, EMBER, CONTEXT), &drafting);
    let prompt = nearly_full(&engines[0]);
    let mut accepted = 0;
    for fields in kinds() {
        let [said, expected] = engines.each_ref().map(|engine| say(engine, ask(&fields, &prompt)));
        assert_same(&said, &expected);
        assert_eq!(said.usage.truncated_tokens, expected.usage.truncated_tokens);
        accepted += said.usage.accepted_tokens;
    }
    assert!(accepted > 50, "{accepted}");
}
