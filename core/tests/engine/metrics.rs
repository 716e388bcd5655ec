//! Figures of requests and engines, and the audit hook: they agree with what the answers say.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use inglenook::engine::event::{Event, FinishReason, Timings, Usage};
use inglenook::engine::request::Request;
use inglenook::engine::{Answer, Engine, EngineOptions};
use inglenook::source::Memory;
use inglenook::{Device, to_prometheus};
use litemap::LiteMap;
use pollster::block_on;
use serde_json::{Value, json};

use crate::{EMBER, gpu};

fn load(device: Device, options: &EngineOptions) -> Engine {
    block_on(Engine::load(device, &Memory(EMBER), options, &mut |_| true)).expect("ember loads")
}

fn request(fields: Value) -> Request {
    Request::from_json(&fields.to_string()).expect("a request")
}

fn ask(question: &str) -> Request {
    request(json!({"temperature": 0, "max_tokens": 24, "messages": [{"role": "user", "content": question}]}))
}

/// The text of an answer, and its end.
fn read(answer: &mut Answer) -> (String, FinishReason, Usage, Timings) {
    let mut text = String::new();
    loop {
        match block_on(answer.next()).expect("generates").expect("an end") {
            Event::Text { text: piece } => text += &piece,
            Event::Done { reason, usage, timings } => return (text, reason, usage, timings),
            _ => {}
        }
    }
}

#[test]
fn engine_metrics_are_the_sums_of_the_answers_usages() {
    let engine = load(Device::Cpu, &EngineOptions { max_sequences: Some(2), ..EngineOptions::default() });
    let questions = ["Hello!", "Hello!", "What is 17 + 25?", "Count: 1 2 3 1 2 3 1 2 3 1 2 3"];
    let mut answers: Vec<Answer> = questions.iter().map(|question| engine.submit(ask(question)).unwrap()).collect();
    let before = engine.metrics();
    assert_eq!((before.queued, before.running, before.completion_tokens), (4, 0, 0));
    let ends: Vec<_> = answers.iter_mut().map(read).collect();
    let metrics = engine.metrics();
    let sum = |field: fn(&Usage) -> u32| ends.iter().map(|(_, _, usage, _)| u64::from(field(usage))).sum::<u64>();
    assert_eq!(metrics.prompt_tokens, sum(|usage| usage.prompt_tokens));
    assert_eq!(metrics.completion_tokens, sum(|usage| usage.completion_tokens));
    assert_eq!(metrics.cached_tokens, sum(|usage| usage.cached_tokens));
    assert_eq!(metrics.drafted_tokens, sum(|usage| usage.drafted_tokens));
    assert_eq!(metrics.accepted_tokens, sum(|usage| usage.accepted_tokens));
    assert_eq!(metrics.requests.values().sum::<u64>(), 4);
    // Each token but an answer's first came some time after another.
    assert_eq!(metrics.token_ms.count(), metrics.completion_tokens - 4);
    assert_eq!((metrics.first_token_ms.count(), metrics.queue_ms.count()), (4, 4));
    assert_eq!((metrics.queued, metrics.running), (0, 0));
    assert!(metrics.tokens_per_second > 0.0 && metrics.pages_used <= metrics.pages);
    assert_eq!(metrics.memory_bytes[&"weights"], engine.info().memory.weights);
    for (_, _, usage, timings) in &ends {
        assert_eq!(timings.token_ms.count, u64::from(usage.completion_tokens) - 1);
        let first = timings.first_token_ms.unwrap();
        assert!((first - timings.queue_ms - timings.prefill_ms).abs() < 1e-6);
    }
    let text = to_prometheus(&[("ember", &metrics)]);
    let line = format!("inglenook_completion_tokens_total{{model=\"ember\"}} {}\n", metrics.completion_tokens);
    assert!(text.contains(&line), "{text}");
}

#[test]
fn engine_metrics_count_cancelled_and_refused_requests_by_reason() {
    let options = EngineOptions { max_sequences: Some(1), max_waiting: Some(1), ..EngineOptions::default() };
    let engine = load(Device::Cpu, &options);
    let mut cancelled = engine.submit(ask("Tell me a story about a cat.")).unwrap();
    let refused = engine.submit(ask("Hello!")).unwrap_err();
    assert_eq!(refused.code(), "Busy");
    block_on(cancelled.next()).unwrap();
    cancelled.cancel();
    drop(cancelled);
    assert!(engine.submit(request(json!({"prompt": "a", "max_tokens": 4, "logit_bias": {"999999": 1}}))).is_err());
    let mut whole = engine.submit(ask("Hello!")).unwrap();
    let (_, reason, ..) = read(&mut whole);
    let lost = engine.submit(ask("Hello!")).unwrap();
    let (metrics, handle) = (engine.metrics(), engine.clone());
    let expected = [(reason.name(), 1), ("aborted", 1), ("Busy", 1), ("BadRequest", 1)];
    assert_eq!(metrics.requests, LiteMap::from_iter(expected));
    engine.close();
    assert_eq!(handle.metrics().requests[&"Lost"], 1);
    drop(lost);
    assert_eq!(handle.metrics().requests[&"aborted"], 1);
}

#[test]
fn metrics_name_finish_reasons_as_events_do() {
    use FinishReason::{Aborted, ContentFilter, Length, Stop, ToolCalls};
    for reason in [Stop, Length, ToolCalls, ContentFilter, Aborted] {
        assert_eq!(serde_json::to_value(reason).unwrap(), reason.name());
    }
}

#[test]
fn audit_hook_sees_each_request_once_with_its_answer_or_error() {
    let engine = load(Device::Cpu, &EngineOptions::default());
    let seen = Rc::new(RefCell::new(Vec::new()));
    let (log, same) = (seen.clone(), engine.clone());
    // The hook may use the engine.
    engine.set_audit(Box::new(move |record| log.borrow_mut().push((record, same.requests()))));
    let mut answer = engine.submit(ask("Hello!")).unwrap();
    assert!(seen.borrow().is_empty());
    let (text, reason, usage, timings) = read(&mut answer);
    drop(engine.submit(ask("Name three animals.")).unwrap());
    engine.submit(request(json!({"prompt": "a", "logit_bias": {"999999": 1}}))).unwrap_err();
    let mut two = engine.submit(request(json!({"prompt": "a", "n": 2, "max_tokens": 3}))).unwrap();
    while block_on(two.next()).unwrap().is_some() {}
    engine.close();
    let seen = seen.take();
    assert_eq!(seen.len(), 4);
    let (record, under_way) = &seen[0];
    assert_eq!((record.request.max_tokens, record.error.is_none(), *under_way), (Some(24), true, 0));
    assert_eq!((&record.answers[0].text, &record.answers[0].tokens), (&text, &answer.tokens(0)));
    assert_eq!(record.answers[0].finish, Some((reason, usage, timings)));
    assert!(record.submitted <= record.ended);
    assert_eq!(seen[1].0.answers[0].finish.map(|(reason, ..)| reason), Some(FinishReason::Aborted));
    assert_eq!((seen[2].0.answers.len(), seen[2].0.error.as_ref().unwrap().0), (0, "BadRequest"));
    assert_eq!(seen[3].0.answers.iter().map(|answer| answer.tokens.len()).collect::<Vec<_>>(), [3, 3]);
}

#[test]
fn audit_hook_that_panics_leaves_the_engine_running() {
    let engine = load(Device::Cpu, &EngineOptions::default());
    let calls = Rc::new(Cell::new(0));
    let counted = calls.clone();
    engine.set_audit(Box::new(move |_| {
        counted.set(counted.get() + 1);
        panic!("the audit hook of a test");
    }));
    let texts: Vec<String> = (0..2).map(|_| read(&mut engine.submit(ask("Hello!")).unwrap()).0).collect();
    assert_eq!((calls.get(), &texts[0]), (2, &texts[1]));
}

#[test]
fn cached_prompt_needs_at_most_two_decode_steps_before_its_first_token() {
    let gpu = gpu();
    let engine = load(gpu, &EngineOptions::default());
    let prompt = json!({"prompt": "The fire was low and the old dog slept. ".repeat(12), "max_tokens": 1,
                        "temperature": 0});
    read(&mut engine.submit(request(prompt.clone())).unwrap());
    let before = engine.counters();
    let (_, _, usage, _) = read(&mut engine.submit(request(prompt)).unwrap());
    let done = engine.counters().since(&before);
    assert_eq!(usage.cached_tokens, usage.prompt_tokens - 1);
    let steps = done.dispatches.div_ceil(engine.step_costs().0 as u64);
    assert!(steps <= 2 && done.submits <= 2, "{steps} steps' dispatches in {} submissions", done.submits);
}

#[test]
fn fifty_requests_with_a_shared_prefix_compute_it_once() {
    let engine = load(
        Device::Cpu,
        &EngineOptions { context: Some(1024), cache_tokens: Some(16_384), ..EngineOptions::default() },
    );
    let system = "The fire was low and the old dog slept beside it. ".repeat(40);
    let mut answers: Vec<Answer> = (0..50)
        .map(|tail| {
            let prompt = json!({"prompt": format!("{system}{tail}"), "max_tokens": 2, "temperature": 0});
            engine.submit(request(prompt)).unwrap()
        })
        .collect();
    let mut usages = answers.iter_mut().map(|answer| read(answer).2);
    let first = usages.next().unwrap();
    let shared = engine.tokenizer().count_tokens(&system) as u64;
    let tails: u64 = usages.map(|usage| u64::from(usage.prompt_tokens) - shared).sum();
    let least = u64::from(first.prompt_tokens) + tails;
    let computed = engine.counts().prefilled;
    assert!(computed as f64 <= 1.1 * least as f64, "{computed} tokens computed, {least} needed");
}
