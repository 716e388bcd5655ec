//! Grammars are compiled and masks made while other answers go on: by counts and order, with a compiler that waits until it is let go.

use std::sync::{Arc, Mutex, MutexGuard};

use inglenook::device::Device;
use inglenook::engine::event::{Event, FinishReason};
use inglenook::engine::request::Request;
use inglenook::engine::{Answer, Engine, EngineOptions};
use inglenook::source::Memory;
use inglenook::text::vocabulary;
use inglenook_grammar::{Compiler, GrammarError, GrammarThread, Grammars, Match, Vocabulary, unpack};
use pollster::block_on;
use serde_json::{Value, json};

use crate::{EMBER, gpu_as_hardware};

/// What the thread of grammars waits for: whoever holds these lets nothing pass.
#[derive(Clone, Default)]
struct Gates {
    compile: Arc<Mutex<()>>,
    mask: Arc<Mutex<()>>,
}

fn pass(gate: &Mutex<()>) {
    drop(gate.lock().expect("no test panics with a gate closed"));
}

fn close(gate: &Mutex<()>) -> MutexGuard<'_, ()> {
    gate.lock().expect("no test panics with a gate closed")
}

/// The real compiler behind gates. A grammar that mentions `panic` panics.
struct Gated {
    compiler: Compiler,
    gates: Gates,
}

struct GatedMatch(Box<dyn Match>, Gates);

impl Grammars for Gated {
    fn compile(&mut self, spec: &str) -> Result<Box<dyn Match>, GrammarError> {
        pass(&self.gates.compile);
        assert!(!spec.contains("panic"), "the compiler broke");
        Ok(Box::new(GatedMatch(Grammars::compile(&mut self.compiler, spec)?, self.gates.clone())))
    }
}

impl Match for GatedMatch {
    fn mask(&mut self, words: &mut [u32]) -> Result<(), GrammarError> {
        pass(&self.1.mask);
        self.0.mask(words)
    }

    fn accept(&mut self, token: u32) -> Result<(), GrammarError> {
        self.0.accept(token)
    }

    fn landing(&mut self, budget: usize) -> usize {
        self.0.landing(budget)
    }

    fn land(&mut self, token: u32, budget: usize) -> Result<u32, GrammarError> {
        self.0.land(token, budget)
    }

    fn forced(&mut self) -> Result<Vec<u32>, GrammarError> {
        self.0.forced()
    }

    fn is_complete(&mut self) -> bool {
        self.0.is_complete()
    }

    fn must_stop(&mut self) -> bool {
        self.0.must_stop()
    }

    fn fork(&self) -> Box<dyn Match> {
        Box::new(GatedMatch(self.0.fork(), self.1.clone()))
    }
}

fn devices() -> [Device; 2] {
    [Device::Cpu, gpu_as_hardware()]
}

fn load(device: Device) -> (Engine, Gates) {
    let engine = block_on(Engine::load(device, &Memory(EMBER), &EngineOptions::default(), &mut |_| true));
    let (engine, gates) = (engine.expect("ember loads"), Gates::default());
    let (tokenizer, behind) = (engine.tokenizer().clone(), gates.clone());
    let words = tokenizer.vocab_size().div_ceil(32);
    engine.grammars().fill(Box::new(GrammarThread::new(words, move || {
        let tokens = unpack(&vocabulary::packed(&tokenizer)).expect("packed");
        let encode = tokenizer.clone();
        let tokenize = Box::new(move |bytes: &[u8]| vocabulary::encode(&encode, bytes));
        let vocabulary = Vocabulary::new(&tokens, tokenizer.stop_ids(), tokenize).expect("a vocabulary");
        let compiler = Compiler::new(Arc::new(vocabulary)).expect("a compiler");
        Box::new(Gated { compiler, gates: behind.clone() })
    })));
    (engine, gates)
}

fn free() -> Request {
    request(json!({}))
}

fn form(regex: &str) -> Request {
    request(json!({"response_format": {"type": "regex", "regex": regex}}))
}

fn request(more: Value) -> Request {
    let mut request =
        json!({"messages": [{"role": "user", "content": "Tell me a story."}], "temperature": 0, "max_tokens": 30});
    for (key, value) in more.as_object().expect("members") {
        request[key] = value.clone();
    }
    Request::from_json(&request.to_string()).expect("a request")
}

fn submit(engine: &Engine, request: Request) -> Answer {
    engine.submit(request).expect("a good request")
}

/// Drives an answer to its end: its tokens.
fn run(mut answer: Answer) -> (Vec<u32>, FinishReason) {
    loop {
        if let Event::Done { reason, .. } = block_on(answer.next()).expect("generates").expect("an end") {
            return (answer.tokens(0), reason);
        }
    }
}

const DIGITS: &str = "([0-9]{3} ){2}[0-9]";

#[test]
fn streams_go_on_while_a_grammar_compiles() {
    for device in devices() {
        let (engine, gates) = load(device);
        let alone = (run(submit(&engine, form(DIGITS))), run(submit(&engine, free())));
        engine.reset_cache();
        let closed = close(&gates.compile);
        // The one that waits has the first slot, and its row is among those that decode.
        let mut waiting = submit(&engine, form("([0-9]{3} ){2}([0-9])"));
        let others = [free(), free()].map(|request| submit(&engine, request));
        for other in others {
            assert_eq!(run(other), alone.1);
            assert!(waiting.ready().is_none() && waiting.tokens(0).is_empty());
        }
        drop(closed);
        assert_eq!(run(waiting), alone.0);
    }
}

#[test]
fn streams_go_on_while_a_mask_is_made() {
    for device in devices() {
        let (engine, gates) = load(device);
        let alone = (run(submit(&engine, form(DIGITS))), run(submit(&engine, free())));
        engine.reset_cache();
        let mut waiting = submit(&engine, form(DIGITS));
        while waiting.tokens(0).len() < 2 {
            block_on(waiting.next()).expect("generates");
        }
        let closed = close(&gates.mask);
        let before = waiting.tokens(0).len();
        for _ in 0..2 {
            assert_eq!(run(submit(&engine, free())), alone.1);
            assert!(waiting.tokens(0).len() <= before + 1);
        }
        drop(closed);
        assert_eq!(run(waiting), alone.0);
    }
}

/// Where nearly every token may come, tokens are chosen without a mask. Those that wait to be verified go on as far as is sensible.
#[test]
fn unmasked_tokens_are_the_same_however_late_they_are_verified() {
    let text = json!({"response_format": {"type": "regex", "regex": "[^}]{10,300}"}, "max_tokens": 60});
    for device in devices() {
        let (engine, gates) = load(device);
        let alone = run(submit(&engine, request(text.clone())));
        engine.reset_cache();
        let others: Vec<Answer> = (0..3).map(|_| submit(&engine, request(text.clone()))).collect();
        let mut slow = submit(&engine, request(text.clone()));
        while slow.tokens(0).len() < 20 {
            let closed = close(&gates.mask);
            for _ in 0..3 {
                let _ = slow.ready();
            }
            drop(closed);
            block_on(slow.next()).expect("generates");
        }
        for answer in others.into_iter().chain([slow]) {
            assert_eq!(run(answer), alone);
        }
    }
}

#[test]
fn request_that_is_cancelled_while_its_grammar_compiles_frees_everything() {
    for device in devices() {
        let (engine, gates) = load(device);
        let alone = run(submit(&engine, free()));
        engine.reset_cache();
        let empty = engine.metrics();
        let closed = close(&gates.compile);
        // All slots but one.
        let waiting: Vec<Answer> = (0..7).map(|_| submit(&engine, form(DIGITS))).collect();
        assert_eq!(run(submit(&engine, request(json!({"max_tokens": 1})))).0, alone.0[..1]);
        drop(waiting);
        assert_eq!(run(submit(&engine, free())), alone);
        assert_eq!(engine.requests(), 0);
        engine.reset_cache();
        assert_eq!((engine.metrics().pages_used, engine.metrics().queued), (empty.pages_used, 0));
        drop(closed);
        assert_eq!(run(submit(&engine, form("[0-9]{3}"))).1, FinishReason::Stop);
    }
}

#[test]
fn grammar_that_fails_is_the_error_of_its_own_answer() {
    let (engine, gates) = load(Device::Cpu);
    let alone = run(submit(&engine, free()));
    let closed = close(&gates.compile);
    let mut bad = [form("("), form("panic")].map(|request| submit(&engine, request));
    let good = submit(&engine, free());
    drop(closed);
    let codes = bad.each_mut().map(|answer| block_on(answer.next()).expect_err("no such grammar").code());
    assert_eq!(codes, ["BadRequest", "Internal"]);
    assert_eq!(run(good), alone);
    assert_eq!(run(submit(&engine, form("[0-9]{3}"))).1, FinishReason::Stop, "the thread goes on");
    assert_eq!(engine.requests(), 0);
}

#[test]
fn engine_is_dropped_while_a_grammar_compiles() {
    let (engine, gates) = load(Device::Cpu);
    let closed = close(&gates.compile);
    let mut waiting = submit(&engine, form(DIGITS));
    let mut other = submit(&engine, free());
    block_on(other.next()).expect("generates");
    assert!(waiting.ready().is_none());
    engine.close();
    assert!(block_on(waiting.next()).is_err());
    drop((waiting, other));
    drop(closed);
    // What the thread holds of the gate goes with the thread.
    while Arc::strong_count(&gates.compile) > 1 {
        std::thread::yield_now();
    }
}
