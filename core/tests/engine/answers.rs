//! The engine over ember, the embedded model: the same greedy answer on GPU and CPU, the cache, limits, cancelling.

use inglenook::device::Device;
use inglenook::engine::event::{Event, FinishReason, Usage};
use inglenook::engine::request::{Request, Stop};
use inglenook::engine::{Answer, Engine, EngineOptions, Model, ModelOptions, Models};
use inglenook::source::Memory;
use pollster::block_on;
use serde_json::{Value, json};

use crate::{EMBER, gpu, gpu_as_hardware};

fn load(device: Device) -> Engine {
    block_on(Engine::load(device, &Memory(EMBER), &EngineOptions::default(), &mut |_| true)).expect("ember loads")
}

fn ask(question: &str) -> Request {
    Request {
        messages: vec![json!({"role": "user", "content": question})],
        temperature: Some(0.0),
        max_tokens: Some(40),
        ..Request::default()
    }
}

struct Said {
    text: String,
    tokens: Vec<u32>,
    finish: FinishReason,
    usage: Usage,
}

fn run(answer: &mut Answer) -> Said {
    let mut text = String::new();
    loop {
        match block_on(answer.next()).expect("generates").expect("an end") {
            Event::Text { text: piece } => text += &piece,
            other @ (Event::Reasoning { .. } | Event::ToolCall { .. } | Event::ToolArguments { .. }) => {
                panic!("a plain answer has no {other:?}")
            }
            Event::MalformedCall { text: piece, .. } => text += &piece,
            Event::Logprobs { .. } | Event::PromptLogprobs { .. } | Event::Truncated { .. } => {}
            Event::Done { reason, usage, .. } => {
                return Said { text, tokens: answer.tokens(0), finish: reason, usage };
            }
        }
    }
}

fn answer(engine: &mut Engine, request: Request) -> Said {
    run(&mut engine.submit(request).expect("a good request"))
}

#[test]
fn the_gpu_and_the_cpu_give_the_same_greedy_tokens() {
    let mut on_cpu = load(Device::Cpu);
    let mut on_gpus = [load(gpu()), load(gpu_as_hardware())];
    // Of more than two of the largest chunks.
    let long = "The fire was low and the old dog slept beside it. ".repeat(50) + "What did the dog do?";
    for question in ["What is the opposite of hot?", "What is 17 + 25?", "Tell me a story about a cat.", &long] {
        let b = answer(&mut on_cpu, ask(question));
        for on_gpu in &mut on_gpus {
            let a = answer(on_gpu, ask(question));
            assert_eq!(a.tokens, b.tokens, "{question}: {} / {}", a.text, b.text);
            assert_eq!((a.finish, a.usage), (b.finish, b.usage));
        }
        assert!(!b.text.trim().is_empty());
    }
}

#[test]
fn a_conversation_that_goes_on_is_not_computed_again() {
    let mut engine = load(Device::Cpu);
    let first = answer(&mut engine, ask("Hello!"));
    assert_eq!(first.usage.cached_tokens, 0);
    let mut request = ask("Hello!");
    request.messages.push(json!({"role": "assistant", "content": first.text}));
    request.messages.push(json!({"role": "user", "content": "What is 2 + 3?"}));
    let second = answer(&mut engine, request.clone());
    assert!(second.usage.cached_tokens + 4 >= first.usage.prompt_tokens, "{:?}", second.usage);
    engine.reset_cache();
    let again = answer(&mut engine, request);
    assert_eq!(again.usage.cached_tokens, 0);
    assert_eq!(again.tokens, second.tokens, "the cache must not change an answer");
}

#[test]
fn max_tokens_and_stop_strings_end_an_answer() {
    let mut engine = load(Device::Cpu);
    let whole = answer(&mut engine, ask("Tell me a story about a cat."));
    let short = answer(&mut engine, Request { max_tokens: Some(6), ..ask("Tell me a story about a cat.") });
    assert_eq!(short.finish, FinishReason::Length);
    assert_eq!(short.usage.completion_tokens, 6);
    assert_eq!(short.tokens, whole.tokens[..6]);
    let word = whole.text.split_whitespace().nth(2).expect("a story has words");
    let stopped = answer(&mut engine, Request { stop: Stop::One(word.into()), ..ask("Tell me a story about a cat.") });
    assert_eq!(stopped.finish, FinishReason::Stop);
    assert_eq!(stopped.text, whole.text[..whole.text.find(word).expect("it is there")]);
}

#[test]
fn a_seed_gives_the_same_answer_on_both_devices() {
    let (mut on_gpu, mut on_cpu) = (load(gpu()), load(Device::Cpu));
    let request = |seed| Request { temperature: Some(1.0), top_p: Some(0.95), seed: Some(seed), ..ask("Hello!") };
    let first = answer(&mut on_gpu, request(7));
    assert_eq!(answer(&mut on_gpu, request(7)).tokens, first.tokens);
    assert_eq!(answer(&mut on_cpu, request(7)).tokens, first.tokens);
    assert_eq!(answer(&mut load(gpu_as_hardware()), request(7)).tokens, first.tokens);
    let others = (8..12).map(|seed| answer(&mut on_gpu, request(seed)).tokens);
    assert!(others.into_iter().any(|tokens| tokens != first.tokens), "four other seeds all gave the same answer");
}

#[test]
fn cancelling_submits_nothing_more_and_frees_the_device() {
    let mut engine = load(gpu());
    let mut generation = engine.submit(ask("Tell me a story about a cat.")).expect("a good request");
    while generation.tokens(0).len() < 3 {
        block_on(generation.next()).expect("generates");
    }
    let before = engine.counters();
    generation.cancel();
    let rest = run(&mut generation);
    assert_eq!(rest.finish, FinishReason::Aborted);
    assert_eq!(engine.counters().since(&before).submits, 0);
    let next = answer(&mut engine, ask("What is the opposite of hot?"));
    assert_eq!(next.tokens, answer(&mut load(Device::Cpu), ask("What is the opposite of hot?")).tokens);
}

#[test]
fn steady_decoding_creates_nothing_and_reads_every_fourth_step() {
    [gpu(), gpu_as_hardware()].into_iter().for_each(check_steady_decoding);
}

fn check_steady_decoding(gpu: Device) {
    let mut engine = load(gpu);
    let layers = 2 + engine.step_costs().0 as u64;
    let request = || Request { max_tokens: Some(64), stop: Stop::None, ..ask("Count from 1 to 30.") };
    answer(&mut engine, request());
    let before = engine.counters();
    let tokens = u64::from(answer(&mut engine, request()).usage.completion_tokens);
    let spent = engine.counters().since(&before);
    assert_eq!(spent.objects(), 0, "{spent:?}");
    // The prefill of what is not cached, the first token at once, then groups of four, two of them ahead of the end.
    assert!(spent.reads <= tokens.div_ceil(4) + 4, "{tokens} tokens, {spent:?}");
    assert!(spent.submits <= spent.reads + 2, "{spent:?}");
    assert!(spent.dispatches <= (tokens + 12) * layers, "{spent:?}");
}

/// Fault: buffers to read back to were created all through a structured answer, since only the beginning of an answer gave any back.
#[test]
fn steady_decoding_creates_nothing_under_grammars_and_in_batches() {
    for gpu in [gpu(), gpu_as_hardware()] {
        let engine = load(gpu);
        // Masks for each token, none within texts, and free.
        let form = |regex: &str| json!({"type": "regex", "regex": regex});
        let formats = [form("([0-9]{9} ){20}"), form("[^}]{300,600}"), json!({"type": "text"})];
        let request = |format: &Value, logprobs: bool| {
            let request = json!({"messages": [{"role": "user", "content": "Count."}], "response_format": format, "seed": 3,
                "max_tokens": 40, "ignore_eos": true, "logprobs": logprobs, "temperature": 1.0});
            Request::from_json(&request.to_string()).expect("a request")
        };
        let together = |logprobs: bool| {
            let submit = |format| engine.submit(request(format, logprobs)).expect("a good request");
            formats.iter().map(submit).collect::<Vec<_>>().into_iter().for_each(drain);
            formats.iter().map(submit).for_each(drain);
        };
        for logprobs in [false, true] {
            // Plans for as many rows and for log-probabilities are built, and as many reads are under way as ever will be.
            (0..2).for_each(|_| together(logprobs));
            let before = engine.counters();
            together(logprobs);
            let spent = engine.counters().since(&before);
            assert_eq!(spent.objects(), 0, "logprobs: {logprobs}, {spent:?}");
            assert!(spent.reads > 60, "{spent:?}");
        }
    }
}

fn drain(mut answer: Answer) {
    while block_on(answer.next()).expect("generates").is_some() {}
}

#[test]
fn closing_one_engine_leaves_the_others_on_its_gpu() {
    let device = gpu();
    let question = "Tell me a story about a cat.";
    let alone = answer(&mut load(gpu()), ask(question));
    let (first, mut second) = (load(device.clone()), load(device));
    let mut answers = [&first, &second].map(|engine| engine.submit(ask(question)).expect("a good request"));
    for answer in &mut answers {
        block_on(answer.next()).expect("generates");
    }
    first.close();
    let [closed, open] = &mut answers;
    let end = loop {
        match block_on(closed.next()) {
            Ok(Some(_)) => {}
            end => break end,
        }
    };
    assert!(end.is_err(), "{end:?}");
    while !matches!(block_on(open.next()).expect("generates"), Some(Event::Done { .. })) {}
    assert_eq!(open.tokens(0), alone.tokens);
    assert_eq!(answer(&mut second, ask("Hello!")).tokens, answer(&mut load(Device::Cpu), ask("Hello!")).tokens);
}

#[test]
fn bad_requests_are_refused_with_a_code() {
    let engine = load(Device::Cpu);
    let long = "word ".repeat(6000);
    let bias = json!({"4000000": 1}).as_object().cloned();
    let beyond = Request { logit_bias: bias, ..ask("hi") };
    for request in [Request::default(), ask(&long), Request { top_p: Some(2.0), ..ask("hi") }, beyond] {
        let error = engine.submit(request).expect_err("a bad request");
        assert_eq!(error.code(), "BadRequest", "{error}");
    }
}

#[test]
fn load_refuses_a_cache_that_cannot_fit_before_it_reads_a_weight() {
    for device in [gpu(), Device::Cpu] {
        let options = EngineOptions { cache_tokens: Some(u32::MAX), ..EngineOptions::default() };
        let mut no_weights = |progress| panic!("loading went on to {progress:?}");
        let error = block_on(Engine::load(device.clone(), &Memory(EMBER), &options, &mut no_weights));
        let error = error.expect_err("too large");
        assert_eq!(error.code(), "TooSmall");
        // What it says would fit does.
        let words = error.to_string();
        let fits =
            words.split(' ').rev().find_map(|word| word.parse::<u32>().ok()).unwrap_or_else(|| panic!("{words}"));
        let options = EngineOptions { cache_tokens: Some(fits.min(10_000)), ..EngineOptions::default() };
        block_on(Engine::load(device, &Memory(EMBER), &options, &mut |_| true)).expect("what fits");
    }
}

#[test]
fn models_make_room_for_each_other_within_a_budget() {
    let one = load(Device::Cpu).info().memory.total();
    let mut models = Models::new(Device::Cpu.into(), Some(one * 5 / 2));
    let open = |models: &mut Models, name: &str| {
        block_on(models.load(name, &Memory(EMBER), &EngineOptions::default(), &mut |_| true))
    };
    let first = open(&mut models, "first").expect("room for two");
    open(&mut models, "second").expect("room for two");
    // The first is the least recently used, but it is busy.
    let mut answer = first.submit(ask("Tell me a story about a cat.")).expect("a good request");
    block_on(answer.next()).expect("generates");
    let third = open(&mut models, "third").expect("the second makes room");
    assert_eq!(models.names().collect::<Vec<_>>(), ["first", "third"]);
    let _busy = third.submit(ask("Hello!")).expect("a good request");
    let error = open(&mut models, "fourth").expect_err("both are busy");
    assert_eq!(error.code(), "TooSmall", "{error}");
    let said = run(&mut answer);
    assert_eq!(said.finish, answer_alone("Tell me a story about a cat.").finish);
    assert!(models.unload("third") && !models.unload("third"));
    assert_eq!(models.bytes(), one);
}

#[test]
fn engines_share_a_model_whose_memory_goes_with_the_last() {
    let question = "What is the opposite of hot?";
    let expected = answer_alone(question).tokens;
    for device in [gpu(), Device::Cpu] {
        let options = ModelOptions { context: Some(512), ..ModelOptions::default() };
        let model = block_on(Model::load(device, &Memory(EMBER), &options, &mut |_| true)).expect("ember loads");
        let device = model.device().clone();
        let engine = |context| {
            block_on(Engine::new(model.clone(), &EngineOptions { context, ..EngineOptions::default() })).expect("room")
        };
        let (first, second) = (engine(Some(4096)), engine(Some(256)));
        let contexts = [&first, &second].map(|engine| engine.info().model.context_length);
        assert_eq!(contexts, [512, 256], "the model's is the longest");
        let mut answers = [&first, &second].map(|engine| engine.submit(ask(question)).expect("a good request"));
        block_on(answers[1].next()).expect("generates");
        assert_eq!(run(&mut answers[0]).tokens, expected);
        first.close();
        assert_eq!(run(&mut answers[1]).tokens, expected);
        drop((model, answers));
        second.close();
        if let Device::Gpu(gpu) = device {
            assert_eq!(gpu.counters().live_bytes, 0);
        }
    }
}

fn answer_alone(question: &str) -> Said {
    run(&mut load(Device::Cpu).submit(ask(question)).expect("a good request"))
}

#[test]
fn threads_of_any_number_give_the_same_answer_and_are_told() {
    block_on(async {
        let mut said = Vec::new();
        for threads in [None, Some(0), Some(1), Some(1000)] {
            let options = EngineOptions { threads, ..EngineOptions::default() };
            let engine = Engine::load(Device::Cpu, &Memory(EMBER), &options, &mut |_| true).await.expect("ember loads");
            let fields =
                json!({"messages": [{"role": "user", "content": "Tell me a story."}], "max_tokens": 24, "seed": 5});
            let mut answer =
                engine.submit(Request::from_json(&fields.to_string()).expect("a request")).expect("a request");
            while answer.next().await.expect("generates").is_some() {}
            said.push((answer.tokens(0), engine.info().adapter.driver.clone()));
        }
        let cores = std::thread::available_parallelism().expect("a number").get();
        let told = |threads: usize| format!(", {threads} thread{}", if threads == 1 { "" } else { "s" });
        for ((tokens, driver), threads) in said.iter().zip([cores, cores, 1, cores]) {
            assert_eq!(*tokens, said[0].0);
            assert!(driver.ends_with(&told(threads)), "{driver}");
        }
    });
}
