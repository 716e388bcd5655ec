//! Model files as people have them: converters leave out, mistype and add. What a file says is used or refused by name, nothing
//! that is optional stops a load, and no file makes an answer of what is none.
//!
//! The cases are changes to ember and to the golden models (`edit.rs`).

mod dropped;
mod edit;
mod garbage;
mod optional;
mod stops;
#[path = "../support/mod.rs"]
mod support;

use inglenook::device::Device;
use inglenook::engine::event::{Event, FinishReason, Usage};
use inglenook::engine::request::{Request, Stop};
use inglenook::engine::score::{LogitsEvaluator, ScoreOptions};
use inglenook::engine::{Engine, EngineOptions};
use inglenook::error::Error;
use inglenook::kernels::kv::KvType;
use inglenook::plan::KernelCache;
use inglenook::source::Memory;
use pollster::block_on;
use serde_json::json;

use edit::File;

use support::gpu;

const QUESTION: &str = "What is 17 + 25?";

fn load(file: &File, device: Device) -> Result<Engine, Error> {
    block_on(Engine::load(device, &Memory(file.bytes()), &EngineOptions::default(), &mut |_| true))
}

/// The code and the message of a load that must fail; the header alone must tell the same.
fn refused(file: &File) -> (&'static str, String) {
    let error = load(file, Device::Cpu).expect_err("a file to be refused");
    let checked = Engine::check(&file.header()).expect_err("a header to be refused");
    assert_eq!(checked.to_string(), error.to_string());
    (error.code(), error.to_string())
}

/// Asserts that a file is sound, and names what this version cannot do.
fn unsupported(file: &File, named: &str) {
    let (code, message) = refused(file);
    assert_eq!(code, "Unsupported", "{message}");
    assert!(message.contains(named), "{named} is not named: {message}");
}

struct Answer {
    text: String,
    tokens: Vec<u32>,
    finish: FinishReason,
    usage: Usage,
}

fn greedy(question: &str) -> Request {
    Request {
        messages: vec![json!({"role": "user", "content": question})],
        temperature: Some(0.0),
        max_tokens: Some(40),
        stop: Stop::None,
        ..Request::default()
    }
}

fn answer(engine: &mut Engine, request: Request) -> Result<Answer, Error> {
    let mut generation = engine.submit(request)?;
    let mut text = String::new();
    loop {
        match block_on(generation.next())?.expect("an end") {
            Event::Text { text: piece } => text += &piece,
            Event::Done { reason, usage, .. } => {
                return Ok(Answer { text, tokens: generation.tokens(0), finish: reason, usage });
            }
            other => panic!("a plain answer has no {other:?}"),
        }
    }
}

/// Logits of a prompt on the CPU, and the scorer with its taps.
fn score(file: &File) -> (Vec<f32>, LogitsEvaluator) {
    let prompt: Vec<u32> = (0..40).map(|i| (i * 37 + 11) % 500).collect();
    let options = ScoreOptions { chunk: 64, context: 64, kv: KvType::F32 };
    let scorer =
        block_on(LogitsEvaluator::load(KernelCache::new(Device::Cpu), &Memory(file.bytes()), options)).expect("loads");
    (block_on(scorer.logits(&prompt)).expect("computes"), scorer)
}
