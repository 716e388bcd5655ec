//! What does not fit into the context: left out where the request allows it, told of, and nothing else changes.

mod support;

use inglenook::device::Device;
use inglenook::engine::event::FinishReason;
use inglenook::engine::request::Request;
use inglenook::engine::score::{LogitsEvaluator, ScoreOptions};
use inglenook::engine::{Engine, EngineOptions};
use inglenook::kernels::kv::KvType;
use inglenook::plan::KernelCache;
use inglenook::source::Memory;
use pollster::block_on;
use serde_json::{Value, json};
use support::{EMBER, Said, read};

const CONTEXT: u32 = 128;

fn engine(context: u32) -> Engine {
    let options = EngineOptions { context: Some(context), kv_type: KvType::F32, ..EngineOptions::default() };
    block_on(Engine::load(Device::Cpu, &Memory(EMBER), &options, &mut |_| true)).expect("ember loads")
}

fn request(fields: Value) -> Request {
    support::request(json!({"temperature": 0, "truncation": "auto"}), fields)
}

fn ask(engine: &Engine, request: Request) -> Said {
    block_on(read(&mut engine.submit(request).expect("a good request")))
}

/// The reference: each token is the likeliest behind what a prompt of the tokens that stand would have.
#[test]
fn answer_past_the_context_goes_on_as_from_the_truncated_prompt_anew() {
    let engine = engine(CONTEXT);
    let prompt = "Once upon a time there was a cat that lived by the sea.";
    let said = ask(&engine, request(json!({"prompt": prompt, "max_tokens": 400, "ignore_eos": true})));
    assert_eq!((said.reason, said.tokens.len()), (FinishReason::Length, 400));
    assert!(said.truncated.len() >= 4, "{:?}", said.truncated);
    let told: u32 = said.truncated.iter().map(|(_, tokens, _)| tokens).sum();
    assert_eq!((said.usage.truncated_tokens, said.usage.completion_tokens), (told, 400));

    let tokenizer = engine.tokenizer();
    let mut standing = tokenizer.encode(prompt, inglenook::text::Special::AsText, tokenizer.adds_bos());
    let kept = usize::from(tokenizer.adds_bos());
    let options = ScoreOptions { chunk: 1, context: CONTEXT, kv: KvType::F32 };
    let evaluator = LogitsEvaluator::load(KernelCache::new(Device::Cpu), &Memory(EMBER), options);
    let evaluator = block_on(evaluator).expect("ember loads");
    let vocab = evaluator.model().config().vocab as usize;
    let mut drops = said.truncated.iter().peekable();
    let mut logits = block_on(evaluator.logits(&standing)).expect("computes");
    for (at, token) in said.tokens.iter().enumerate() {
        if let Some((_, dropped, _)) = drops.next_if(|(_, _, came)| *came == at) {
            assert_eq!(standing.len(), CONTEXT as usize);
            standing.drain(kept..kept + *dropped as usize);
            logits = block_on(evaluator.logits(&standing)).expect("computes");
        }
        let last = &logits[logits.len() - vocab..];
        let stops = tokenizer.stop_ids();
        let best = (0..vocab as u32)
            .filter(|id| !stops.contains(id))
            .max_by(|a, b| last[*a as usize].total_cmp(&last[*b as usize]));
        let gap = best.map_or(0.0, |best| last[best as usize] - last[*token as usize]);
        assert!(best == Some(*token) || gap < 1e-3, "token {at}: {token} is {gap} below {best:?}");
        standing.push(*token);
        if standing.len() < CONTEXT as usize {
            logits = block_on(evaluator.extend(standing.len() as u32 - 1, &[*token])).expect("computes");
        }
    }
    assert!(drops.next().is_none());
}

fn turns(count: usize) -> Vec<Value> {
    let turn = |number| {
        [
            json!({"role": "user", "content": format!("What is {number} + {number}?")}),
            json!({"role": "assistant", "content": format!("{number} + {number} = {}.", 2 * number)}),
        ]
    };
    let mut messages = vec![json!({"role": "system", "content": "You are a helpful calculator."})];
    messages.extend((0..count).flat_map(turn));
    messages.push(json!({"role": "user", "content": "What colour is the sky?"}));
    messages
}

#[test]
fn prompt_that_is_too_long_lacks_its_oldest_turns_and_keeps_the_system_prompt() {
    let engine = engine(256);
    let said = ask(&engine, request(json!({"messages": turns(40), "max_tokens": 20})));
    let [(messages, tokens, 0)] = said.truncated[..] else { panic!("{said:?}") };
    assert!(messages >= 2 && messages.is_multiple_of(2) && said.usage.truncated_tokens == tokens, "{said:?}");
    assert!(said.usage.prompt_tokens + 20 <= 256);
    let mut left = turns(40);
    left.drain(1..1 + messages as usize);
    let anew = ask(&engine, request(json!({"messages": left, "max_tokens": 20, "truncation": "disabled"})));
    assert_eq!(
        (anew.tokens, anew.truncated, anew.usage.prompt_tokens),
        (said.tokens, vec![], said.usage.prompt_tokens)
    );

    let refused = |request| engine.submit(request).expect_err("too long").to_string();
    let told = refused(request(json!({"messages": turns(40), "truncation": "disabled"})));
    assert!(told.contains("\"truncation\": \"auto\""), "{told}");
    let told = refused(request(json!({"messages": [{"role": "user", "content": "a b c ".repeat(400)}]})));
    assert!(told.contains("the prompt has"), "{told}");
}

#[test]
fn answer_to_a_conversation_slides_and_keeps_the_system_prompt() {
    let engine = engine(CONTEXT);
    let said = ask(&engine, request(json!({"messages": turns(1), "max_tokens": 300, "ignore_eos": true})));
    assert_eq!((said.reason, said.tokens.len()), (FinishReason::Length, 300));
    assert!(said.truncated.len() >= 3 && said.truncated[0].0 == 0, "{:?}", said.truncated);
    // What is kept is found in the cache each time, and the answer depends on nothing but what stands.
    assert_eq!(
        ask(&engine, request(json!({"messages": turns(1), "max_tokens": 300, "ignore_eos": true}))).tokens,
        said.tokens
    );
}

#[test]
fn answer_without_max_tokens_ends_after_as_many_as_the_context_has() {
    let engine = engine(64);
    let said = ask(&engine, request(json!({"prompt": "Once", "ignore_eos": true})));
    assert_eq!((said.reason, said.tokens.len()), (FinishReason::Length, 64));
    let said = ask(&engine, request(json!({"prompt": "Once", "ignore_eos": true, "truncation": "disabled"})));
    assert!(said.reason == FinishReason::Length && said.tokens.len() < 64 && said.truncated.is_empty());
}

#[test]
fn grammar_goes_on_past_the_context() {
    let engine = engine(64);
    let form = json!({"type": "regex", "regex": "([0-9]{3} ){50}END"});
    let said = ask(
        &engine,
        request(json!({"prompt": "Count: ", "max_tokens": 400, "response_format": form, "temperature": 1, "seed": 3})),
    );
    assert_eq!(said.reason, FinishReason::Stop, "{said:?}");
    assert!(said.text.ends_with(" END") && said.text.split(' ').count() == 51, "{}", said.text);
    assert!(!said.truncated.is_empty());
}

#[test]
fn seeds_and_penalties_go_on_past_the_context_whatever_runs_beside() {
    let engine = engine(CONTEXT);
    let drawn = |seed: u32| {
        request(
            json!({"prompt": "Once upon a time", "max_tokens": 300, "ignore_eos": true, "temperature": 1, "seed": seed,
            "frequency_penalty": 0.2, "repetition_penalty": 1.1, "dry_multiplier": 0.8}),
        )
    };
    let alone: Vec<Said> = (0..3).map(|seed| ask(&engine, drawn(seed))).collect();
    assert!(alone[0].tokens != alone[1].tokens);
    let mut answers: Vec<_> = (0..3).map(|seed| engine.submit(drawn(seed)).expect("good")).collect();
    for (answer, alone) in answers.iter_mut().zip(&alone) {
        while block_on(answer.next()).expect("generates").is_some() {}
        assert_eq!(answer.tokens(0), alone.tokens);
    }
}
