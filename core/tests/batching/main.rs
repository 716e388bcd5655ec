//! Many answers at once: each gives the tokens that it gives alone, whatever else joins, leaves, shares its prefix or takes its pages.

mod ended;
mod storm;
#[path = "../support/mod.rs"]
mod support;
mod traces;

use std::collections::HashMap;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use inglenook::device::Device;
use inglenook::engine::event::{Event, FinishReason, TokenLogprob, Usage};
use inglenook::engine::request::Request;
use inglenook::engine::score::{LogitsEvaluator, ScoreOptions};
use inglenook::engine::{Answer, Engine, EngineOptions};
use inglenook::kernels::Variant;
use inglenook::kernels::kv::KvType;
use inglenook::plan::KernelCache;
use inglenook::source::Memory;
use pollster::block_on;
use serde_json::{Value, json};
use support::{EMBER, Said, gpu, gpu_as_hardware};

const QUESTIONS: [&str; 8] = [
    "What is the opposite of hot?",
    "Tell me a story about a cat.",
    "What is 17 + 25?",
    "Hello!",
    "Name three animals.",
    "Count from 1 to 30.",
    "What colour is the sky?",
    "Write a sentence about the sea.",
];

fn load(device: Device, options: &EngineOptions) -> Engine {
    block_on(Engine::load(device, &Memory(EMBER), options, &mut |_| true)).expect("ember loads")
}

fn request(fields: Value) -> Request {
    support::request(json!({"temperature": 0, "max_tokens": 40}), fields)
}

fn ask(question: &str) -> Request {
    request(json!({"messages": [{"role": "user", "content": question}]}))
}

async fn read(mut answer: Answer) -> Said {
    support::read(&mut answer).await
}

/// Awaits all futures side by side on this thread.
fn together<T>(futures: Vec<impl Future<Output = T>>) -> Vec<T> {
    block_on(async {
        let mut all: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
        std::future::poll_fn(|context| {
            for (future, done) in all.iter_mut().filter(|(_, done)| done.is_none()) {
                if let Poll::Ready(value) = future.as_mut().poll(context) {
                    *done = Some(value);
                }
            }
            if all.iter().all(|(_, done)| done.is_some()) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        all.into_iter().filter_map(|(_, done)| done).collect()
    })
}

/// Polls a future once.
fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

fn alone(device: Device, requests: impl IntoIterator<Item = Request>) -> Vec<Said> {
    let engine = load(device, &EngineOptions::default());
    requests
        .into_iter()
        .map(|request| {
            engine.reset_cache();
            block_on(read(engine.submit(request).expect("a good request")))
        })
        .collect()
}

fn same(found: &[Said], expected: &[Said]) {
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(
            (&found.tokens, found.reason),
            (&expected.tokens, expected.reason),
            "{} / {}",
            found.text,
            expected.text
        );
    }
}

fn eight_answers_at_once(device: Device, device_of_one: Device) {
    let expected = alone(device_of_one, QUESTIONS.map(ask));
    let engine = load(device, &EngineOptions::default());
    let answers: Vec<_> = QUESTIONS.iter().map(|question| read(engine.submit(ask(question)).expect("good"))).collect();
    same(&together(answers), &expected);
    assert_eq!(engine.requests(), 0);
}

#[test]
fn batched_answers_equal_those_given_alone_on_the_cpu() {
    eight_answers_at_once(Device::Cpu, Device::Cpu);
}

#[test]
fn batched_answers_equal_those_given_alone_on_the_gpu() {
    let device = gpu();
    eight_answers_at_once(device.clone(), device);
}

#[test]
fn batched_answers_on_the_path_of_real_gpus_equal_the_cpus() {
    eight_answers_at_once(gpu_as_hardware(), Device::Cpu);
}

#[test]
fn more_answers_than_slots_wait_and_are_all_given() {
    let expected = alone(Device::Cpu, QUESTIONS.map(ask));
    let engine = load(Device::Cpu, &EngineOptions { max_sequences: Some(3), ..EngineOptions::default() });
    let answers: Vec<_> = QUESTIONS.iter().map(|question| read(engine.submit(ask(question)).expect("good"))).collect();
    same(&together(answers), &expected);
}

#[test]
fn answers_that_join_and_leave_change_no_other() {
    let expected = alone(Device::Cpu, QUESTIONS.map(ask));
    let engine = load(Device::Cpu, &EngineOptions::default());
    let mut answers: Vec<_> = Vec::new();
    let mut said: Vec<Option<Said>> = vec![None; QUESTIONS.len()];
    for step in 0..10_000 {
        if step % 7 == 0 && answers.len() < QUESTIONS.len() {
            let answer = engine.submit(ask(QUESTIONS[answers.len()])).expect("good");
            // Every third is given up at once.
            if answers.len() % 3 == 1 {
                drop(engine.submit(ask("Tell me a story about a dog.")).expect("good"));
            }
            answers.push(Box::pin(read(answer)));
        }
        for (answer, said) in answers.iter_mut().zip(&mut said).filter(|(_, said)| said.is_none()) {
            if let Poll::Ready(done) = poll_once(answer.as_mut()) {
                *said = Some(done);
            }
        }
        if said.iter().all(Option::is_some) {
            break;
        }
    }
    same(&said.into_iter().map(|said| said.expect("ended")).collect::<Vec<_>>(), &expected);
}

#[test]
fn answers_under_a_grammar_and_free_ones_go_on_side_by_side() {
    let schema = json!({"type": "object", "properties": {"name": {"type": "string", "maxLength": 8}, "age": {"type": "integer"}},
        "required": ["name", "age"], "additionalProperties": false});
    let form = json!({"type": "json_schema", "json_schema": {"name": "person", "schema": schema}});
    let held =
        |question: &str| request(json!({"messages": [{"role": "user", "content": question}], "response_format": form}));
    let digits = |question: &str| {
        request(json!({"messages": [{"role": "user", "content": question}],
            "response_format": {"type": "regex", "regex": "[0-9]{12}"}}))
    };
    let requests =
        || [held("Who are you?"), ask(QUESTIONS[1]), digits("Count."), ask(QUESTIONS[5]), held("Who is Anna?")];
    let expected = alone(Device::Cpu, requests());
    for device in [Device::Cpu, gpu()] {
        let engine = load(device, &EngineOptions::default());
        let answers = requests().into_iter().map(|request| read(engine.submit(request).expect("good"))).collect();
        same(&together(answers), &expected);
    }
}

#[test]
fn seeded_answers_do_not_depend_on_their_companions() {
    let seeded = |seed: usize| {
        request(
            json!({"messages": [{"role": "user", "content": QUESTIONS[seed % 8]}], "temperature": 1.1, "top_p": 0.9,
            "seed": seed, "repetition_penalty": 1.1, "max_tokens": 24}),
        )
    };
    let expected = alone(Device::Cpu, (0..8).map(seeded));
    for device in [Device::Cpu, gpu()] {
        let engine = load(device, &EngineOptions::default());
        let answers = (0..8).map(|seed| read(engine.submit(seeded(seed)).expect("good"))).collect();
        same(&together(answers), &expected);
    }
}

#[test]
fn answers_are_preempted_and_not_failed_when_pages_run_out() {
    // Pages for one sequence of the whole context and a little, and answers that go on to its end.
    let options = EngineOptions { context: Some(256), max_sequences: Some(4), ..EngineOptions::default() };
    let engine = load(Device::Cpu, &options);
    let stops: Vec<_> = engine.tokenizer().stop_ids().iter().map(|id| (id.to_string(), json!(-100))).collect();
    let endless = |question: &str| {
        let messages = json!([{"role": "user", "content": question}]);
        request(
            json!({"messages": messages, "max_tokens": 1000, "logit_bias": serde_json::Map::from_iter(stops.clone())}),
        )
    };
    let expected: Vec<Said> =
        QUESTIONS.iter().map(|question| block_on(read(engine.submit(endless(question)).expect("good")))).collect();
    assert_eq!(engine.counts().preempted, 0);
    let answers: Vec<_> =
        QUESTIONS.iter().map(|question| read(engine.submit(endless(question)).expect("good"))).collect();
    same(&together(answers), &expected);
    assert!(engine.counts().preempted > 0, "{:?}", engine.counts());
}

#[test]
fn shared_system_prompt_is_computed_once() {
    let engine = load(Device::Cpu, &EngineOptions { context: Some(2048), ..EngineOptions::default() });
    let system = "You know many facts about animals and plants. ".repeat(60);
    let ask = |number: usize| {
        request(json!({"messages": [{"role": "system", "content": system},
            {"role": "user", "content": format!("Tell me about number {number}, please.")}], "max_tokens": 4}))
    };
    let answers: Vec<_> = (0..50).map(|number| read(engine.submit(ask(number)).expect("good"))).collect();
    let said = together(answers);
    let prompts: Vec<u64> = said.iter().map(|said| u64::from(said.usage.prompt_tokens)).collect();
    let prefix = engine.tokenizer().encode(&system, inglenook::text::Special::AsText, false).len() as u64;
    let tails: u64 = prompts.iter().map(|tokens| tokens - prefix).sum();
    let computed = engine.counts().prefilled;
    println!("{computed} tokens computed for 50 prompts of {} tokens, {prefix} of them shared", prompts[0]);
    assert!(prefix > 500, "{prefix}");
    assert!(computed as f64 <= 1.1 * (prefix + tails) as f64, "{computed} of {prefix} and {tails}");
    assert_eq!(said[7].tokens, block_on(read(engine.submit(ask(7)).expect("good"))).tokens);
}

#[test]
fn dropped_answer_frees_its_slot_and_pages() {
    let engine = load(Device::Cpu, &EngineOptions { max_sequences: Some(1), ..EngineOptions::default() });
    let mut first = engine.submit(ask(QUESTIONS[1])).expect("good");
    assert!(poll_once(pin!(first.next())).is_ready());
    drop(first);
    let second = block_on(read(engine.submit(ask(QUESTIONS[0])).expect("good")));
    same(&[second], &alone(Device::Cpu, [ask(QUESTIONS[0])]));
}

#[test]
fn request_of_lower_priority_number_is_served_before_those_that_came_earlier() {
    let engine = load(Device::Cpu, &EngineOptions { max_sequences: Some(1), ..EngineOptions::default() });
    let order = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let ended = order.clone();
    engine.set_audit(Box::new(move |record| ended.borrow_mut().extend(record.request.priority)));
    let of_priority = |priority: i32| request(json!({"prompt": "Once", "max_tokens": 4, "priority": priority}));
    together([0, 5, 1, -5].map(|priority| read(engine.submit(of_priority(priority)).expect("good"))).into());
    assert_eq!(*order.borrow(), [-5, 0, 1, 5]);
    let told = Request::from_json(r#"{"prompt": "Once", "priority": 101}"#).expect("a request").check();
    assert_eq!(told.expect_err("beyond its range").to_string(), "`priority` is 101, and must be between -100 and 100");
    for absurd in ["1e300", "99999999999999999999", "-2147483649", "0.5", "\"high\"", "true"] {
        let told = Request::from_json(&format!(r#"{{"prompt": "Once", "priority": {absurd}}}"#)).expect_err(absurd);
        assert!(told.to_string().contains("`priority`"), "{told}");
    }
}

#[test]
fn full_queue_is_refused_as_busy_and_disturbs_nobody() {
    let options = EngineOptions { max_sequences: Some(1), max_waiting: Some(2), ..EngineOptions::default() };
    let engine = load(Device::Cpu, &options);
    let mut first = engine.submit(ask(QUESTIONS[0])).expect("good");
    let started = block_on(first.next()).expect("generates");
    let waiting: Vec<_> = (0..2).map(|_| engine.submit(ask(QUESTIONS[3])).expect("waits")).collect();
    assert_eq!(engine.submit(ask(QUESTIONS[3])).expect_err("too many").code(), "Busy");
    drop(waiting);
    let rest = block_on(read(first));
    let Some(Event::Text { text }) = started else { panic!("{started:?}") };
    assert_eq!(text + &rest.text, alone(Device::Cpu, [ask(QUESTIONS[0])])[0].text);
}

#[test]
fn drafted_tokens_are_those_of_plain_steps() {
    let text = "one two three four five six seven eight nine ten eleven twelve ".repeat(4);
    let stops: Vec<_> = {
        let engine = load(Device::Cpu, &EngineOptions::default());
        engine.tokenizer().stop_ids().iter().map(|id| (id.to_string(), json!(-100))).collect()
    };
    let copy = |fields: Value| {
        let never = serde_json::Map::from_iter(stops.clone());
        let mut all = json!({"prompt": text, "max_tokens": 120, "logit_bias": never});
        fields.as_object().expect("an object").iter().for_each(|(name, value)| all[name] = value.clone());
        request(all)
    };
    let requests = || {
        [
            copy(json!({})),
            copy(json!({"temperature": 0.8, "seed": 5, "frequency_penalty": 0.3})),
            copy(json!({"temperature": 1.0, "seed": 6, "top_k": 5, "stop": "nine"})),
            ask(QUESTIONS[1]),
        ]
    };
    for device in [Device::Cpu, gpu()] {
        let plain = load(device.clone(), &EngineOptions { no_speculation: true, ..EngineOptions::default() });
        let engine = load(device, &EngineOptions { free_drafts: true, ..EngineOptions::default() });
        let mut accepted = 0;
        for (request, again) in requests().into_iter().zip(requests()) {
            let expected = block_on(read(plain.submit(request).expect("good")));
            let said = block_on(read(engine.submit(again).expect("good")));
            assert_eq!((&said.text, &said.tokens), (&expected.text, &expected.tokens));
            println!("{:?}", said.usage);
            accepted += said.usage.accepted_tokens;
        }
        assert!(accepted > 40, "{accepted}");
    }
}

#[test]
fn choices_of_one_request_share_its_prompt_and_draw_apart() {
    let engine = load(Device::Cpu, &EngineOptions::default());
    let fields = json!({"messages": [{"role": "user", "content": QUESTIONS[1]}], "temperature": 1.2, "seed": 11, "n": 3, "max_tokens": 12});
    let mut answer = engine.submit(request(fields.clone())).expect("good");
    let (mut ended, mut cached) = ([false; 3], 0);
    while let Some((choice, event)) = block_on(answer.next_of_all()).expect("generates") {
        if let Event::Done { usage, .. } = event {
            ended[choice as usize] = true;
            cached += usage.cached_tokens;
        }
    }
    assert_eq!(ended, [true; 3]);
    assert_eq!(cached as usize, 2 * (answer.prompt_tokens() - 1), "the prompt is computed once");
    let tokens: Vec<_> = (0..3).map(|choice| answer.tokens(choice)).collect();
    assert!(tokens[0] != tokens[1] && tokens[1] != tokens[2], "{tokens:?}");
    let mut one = fields;
    one["n"] = json!(1);
    assert_eq!(block_on(read(engine.submit(request(one)).expect("good"))).tokens, tokens[0]);
}

#[test]
fn log_probabilities_are_those_of_the_softmax_and_come_with_each_token() {
    for device in [Device::Cpu, gpu()] {
        let engine = load(device, &EngineOptions::default());
        let fields =
            json!({"messages": [{"role": "user", "content": QUESTIONS[0]}], "logprobs": true, "top_logprobs": 3});
        // Another answer goes on beside it without.
        let beside = read(engine.submit(ask(QUESTIONS[1])).expect("good"));
        let told = async {
            let mut answer = engine.submit(request(fields)).expect("good");
            let mut told = Vec::new();
            while let Some(event) = answer.next().await.expect("generates") {
                if let Event::Logprobs { tokens } = event {
                    told.extend(tokens);
                }
            }
            (answer.tokens(0), told)
        };
        let (said, (tokens, told)) = block_on(async { futures_util::future::join(beside, told).await });
        assert_eq!(said.tokens, alone(Device::Cpu, [ask(QUESTIONS[1])])[0].tokens);
        assert_eq!(told.len(), tokens.len());
        for entry in told {
            assert_eq!(entry.top_logprobs.len(), 3);
            assert!(entry.own.logprob <= 0.0 && entry.top_logprobs[0].logprob >= entry.own.logprob - 1e-6, "{entry:?}");
            let sum: f32 = entry.top_logprobs.iter().map(|top| top.logprob.exp()).sum();
            assert!(sum <= 1.0 + 1e-4, "{sum}");
        }
    }
}

/// The scores of a prompt's tokens, as the engine tells them, and the answer's tokens.
async fn scores(mut answer: Answer) -> (Vec<TokenLogprob>, Vec<u32>, Usage) {
    let mut scores = Vec::new();
    loop {
        match answer.next().await.expect("generates").expect("an end") {
            Event::PromptLogprobs { tokens } => scores.extend(tokens),
            Event::Done { usage, .. } => return (scores, answer.tokens(0), usage),
            _ => {}
        }
    }
}

/// By the softmax of the reference's logits, whatever the cache has of the prompt and whatever else is in the batch.
fn scored_prompts(device: Device, tolerance: f32) {
    let texts = [
        "Once upon a time there was a cat that lived by the sea.",
        "Once upon a time there was",
        "Two plus two is four. ",
    ];
    let options = EngineOptions { kv_type: KvType::F32, context: Some(256), ..EngineOptions::default() };
    let engine = load(device.client(), &options);
    // A GPU's are held to those of the twins, in f32; on the CPU activations are rounded.
    let kernels = match &device {
        Device::Gpu(_) => KernelCache::new(Device::Cpu).force(Variant::Plain),
        _ => KernelCache::new(Device::Cpu),
    };
    let evaluator =
        LogitsEvaluator::load(kernels, &Memory(EMBER), ScoreOptions { chunk: 1, context: 256, kv: KvType::F32 });
    let evaluator = block_on(evaluator).expect("ember loads");
    let vocab = evaluator.model().config().vocab as usize;
    let tokenizer = engine.tokenizer();
    let scored = |text: &str| request(json!({"prompt": text, "prompt_logprobs": 3, "max_tokens": 3}));
    let asked = || texts.iter().map(|text| scores(engine.submit(scored(text)).expect("good"))).collect::<Vec<_>>();
    // Alone and from nothing, from what the cache has, and beside others.
    let (alone, again) = (together(asked()), together(asked()));
    let companion = engine.submit(ask(QUESTIONS[1])).expect("good");
    let beside = together(asked());
    drop(companion);
    for (((found, tokens, usage), again), (text, beside)) in alone.iter().zip(&again).zip(texts.iter().zip(&beside)) {
        let prompt = tokenizer.encode(text, inglenook::text::Special::AsText, tokenizer.adds_bos());
        assert_eq!((found.len(), usage.cached_tokens), (prompt.len() - 1, 0), "{text}");
        assert_eq!((&again.1, &beside.1), (tokens, tokens));
        assert_eq!(again.2.cached_tokens, 0, "what is cached is computed again");
        let logits = block_on(evaluator.logits(&prompt)).expect("computes");
        for (place, token) in prompt.iter().enumerate().skip(1) {
            let logits = &logits[(place - 1) * vocab..place * vocab];
            let highest = logits.iter().copied().fold(f32::MIN, f32::max);
            let total = highest + logits.iter().map(|logit| f64::from(logit - highest).exp()).sum::<f64>().ln() as f32;
            let mut likeliest: Vec<f32> = logits.iter().map(|logit| logit - total).collect();
            likeliest.sort_by(|one, other| other.total_cmp(one));
            for found in [&found[place - 1], &again.0[place - 1], &beside.0[place - 1]] {
                let own = &found.own;
                assert_eq!(own.bytes, tokenizer.token_bytes(*token), "{text} {place}");
                let expected = logits[*token as usize] - total;
                assert!((own.logprob - expected).abs() < tolerance, "{text} {place}: {} {expected}", own.logprob);
                assert_eq!(found.top_logprobs.len(), 3);
                for (top, expected) in found.top_logprobs.iter().zip(&likeliest) {
                    assert!((top.logprob - expected).abs() < tolerance, "{text} {place}: {} {expected}", top.logprob);
                }
            }
        }
    }
}

#[test]
fn prompt_log_probabilities_are_those_of_the_softmax_on_the_cpu() {
    scored_prompts(Device::Cpu, 1e-4);
}

#[test]
fn prompt_log_probabilities_are_those_of_the_softmax_on_the_gpu() {
    scored_prompts(gpu(), 1e-4);
}

#[test]
fn prompt_log_probabilities_come_once_and_change_nothing_of_the_answer() {
    let engine = load(Device::Cpu, &EngineOptions::default());
    let asked = |fields: Value| {
        let mut all =
            json!({"messages": [{"role": "user", "content": QUESTIONS[1]}], "temperature": 1, "seed": 4, "n": 2});
        fields.as_object().expect("an object").iter().for_each(|(name, value)| all[name] = value.clone());
        let mut answer = engine.submit(request(all)).expect("good");
        let mut told = [0, 0];
        while let Some((choice, event)) = block_on(answer.next_of_all()).expect("generates") {
            if let Event::PromptLogprobs { tokens } = event {
                assert!(tokens.iter().all(|token| token.top_logprobs.is_empty()));
                told[choice as usize] += tokens.len();
            }
        }
        (answer.prompt_tokens(), told, answer.tokens(0), answer.tokens(1))
    };
    let (length, told, first, second) = asked(json!({"prompt_logprobs": 0, "logprobs": true}));
    assert_eq!(told, [length - 1, 0]);
    assert_eq!(asked(json!({})), (length, [0, 0], first, second));
    let told = Request::from_json(r#"{"prompt": "Once", "prompt_logprobs": 21}"#).expect("a request").check();
    assert_eq!(told.expect_err("beyond").to_string(), "`prompt_logprobs` is 21, and must be between 0 and 20");
}
