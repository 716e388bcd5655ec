//! What tests of the engine share: devices, requests, and what becomes of an answer.
#![allow(dead_code, reason = "each test uses a part of it")]

pub mod module;

use inglenook::device::Device;
use inglenook::engine::Answer;
use inglenook::engine::event::{Event, FinishReason, Usage};
use inglenook::engine::request::Request;
use inglenook::gpu::{Gpu, GpuOptions};
use pollster::block_on;
use serde_json::Value;

pub const EMBER: &[u8] = include_bytes!("../../../models/ember/ember-q8_0.gguf");

pub fn gpu() -> Device {
    Device::Gpu(block_on(Gpu::request(&GpuOptions::default())).expect("an adapter for tests"))
}

/// A software adapter used like a real GPU: split attention, larger chunks, other variants.
pub fn gpu_as_hardware() -> Device {
    let options = GpuOptions { as_hardware: true, ..GpuOptions::default() };
    Device::Gpu(block_on(Gpu::request(&options)).expect("an adapter for tests"))
}

/// A request with these fields, and those of `all` that are not among them.
pub fn request(mut all: Value, fields: Value) -> Request {
    let Value::Object(fields) = fields else { panic!("an object, not {fields}") };
    fields.into_iter().for_each(|(name, value)| all[name] = value);
    Request::from_json(&all.to_string()).expect("a request")
}

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Said {
    /// With that of calls that turned out malformed.
    pub text: String,
    pub thought: String,
    /// Names and arguments of the calls that stand.
    pub calls: Vec<(String, String)>,
    pub is_malformed: bool,
    pub tokens: Vec<u32>,
    pub reason: FinishReason,
    pub usage: Usage,
    /// Messages and tokens that were left out, and how many tokens of the answer had come.
    pub truncated: Vec<(u32, u32, usize)>,
}

/// Reads an answer to its end; of `n` choices the first.
pub async fn read(answer: &mut Answer) -> Said {
    let (mut text, mut thought, mut calls, mut is_malformed) = (String::new(), String::new(), Vec::new(), false);
    let mut truncated = Vec::new();
    loop {
        match answer.next().await.expect("generates").expect("an end") {
            Event::Text { text: piece } => text += &piece,
            Event::Reasoning { text: piece } => thought += &piece,
            Event::ToolCall { name, .. } => calls.push((name, String::new())),
            Event::ToolArguments { text: piece, .. } => calls.last_mut().expect("a call").1 += &piece,
            Event::MalformedCall { index, text: piece } => {
                if index.is_some() {
                    calls.pop();
                }
                text += &piece;
                is_malformed = true;
            }
            Event::Logprobs { .. } | Event::PromptLogprobs { .. } => {}
            Event::Truncated { messages, tokens } => truncated.push((messages, tokens, answer.tokens(0).len())),
            Event::Done { reason, usage, .. } => {
                let tokens = answer.tokens(0);
                return Said { text, thought, calls, is_malformed, tokens, reason, usage, truncated };
            }
        }
    }
}
