//! What an embedder's audit hook sees: every request with what became of it, once it has ended.

use std::fmt;

use crate::clock::SystemTime;

use super::event::{Event, FinishReason, Timings, Usage};
use super::request::Request;
use crate::error::Error;

/// A request that has ended, in one way or another.
#[derive(Debug, Clone)]
pub struct AuditRecord {
    /// The request, as it was submitted.
    pub request: Request,
    /// When it was submitted.
    pub submitted: SystemTime,
    /// When it ended.
    pub ended: SystemTime,
    /// Its answers. One of a request that failed has what was generated before; one that was refused has none.
    pub answers: Vec<AuditAnswer>,
    /// Why it failed or was refused, if so: a code that stays the same across versions, and a sentence.
    pub error: Option<(&'static str, String)>,
}

/// One answer (of `n`) to a request.
#[derive(Debug, Clone, Default)]
pub struct AuditAnswer {
    /// Its text.
    pub text: String,
    /// The model's thoughts.
    pub reasoning: String,
    /// The tools it called.
    pub calls: Vec<AuditCall>,
    /// The ids of its tokens.
    pub tokens: Vec<u32>,
    /// Why it ended, what it used and how long it took. None of a request that failed.
    pub finish: Option<(FinishReason, Usage, Timings)>,
}

/// A call of a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditCall {
    /// The tool's name.
    pub name: String,
    /// JSON of an object; less than that where the answer ended before.
    pub arguments: String,
    /// Its number in the answer.
    index: u32,
}

impl AuditRecord {
    /// Of a request that comes now.
    pub(super) fn new(request: Request, answers: usize) -> AuditRecord {
        let now = SystemTime::now();
        let answers = vec![AuditAnswer::default(); answers];
        AuditRecord { request, submitted: now, ended: now, answers, error: None }
    }

    /// The whole record, of a request that ends now.
    pub(super) fn end(mut self, tokens: &[Vec<u32>], error: Option<&Error>) -> AuditRecord {
        self.ended = SystemTime::now();
        self.error = error.map(|error| (error.code(), error.to_string()));
        self.answers.iter_mut().zip(tokens).for_each(|(answer, tokens)| answer.tokens.clone_from(tokens));
        self
    }
}

impl AuditAnswer {
    pub(super) fn take(&mut self, event: &Event) {
        match event {
            Event::Text { text } => self.text += text,
            Event::Reasoning { text } => self.reasoning += text,
            Event::ToolCall { index, name, .. } => {
                self.calls.push(AuditCall { name: name.clone(), arguments: String::new(), index: *index });
            }
            Event::ToolArguments { index, text } => {
                let call = self.calls.iter_mut().find(|call| call.index == *index);
                call.into_iter().for_each(|call| call.arguments += text);
            }
            Event::MalformedCall { index, text } => {
                self.calls.retain(|call| Some(call.index) != *index);
                self.text += text;
            }
            Event::Done { reason, usage, timings } => self.finish = Some((*reason, *usage, *timings)),
            Event::Logprobs { .. } | Event::PromptLogprobs { .. } | Event::Truncated { .. } => {}
        }
    }
}

/// The embedder's hook.
pub(super) struct AuditHook(Box<dyn FnMut(AuditRecord)>);

impl fmt::Debug for AuditHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuditHook")
    }
}

impl AuditHook {
    pub fn new(hook: Box<dyn FnMut(AuditRecord)>) -> AuditHook {
        AuditHook(hook)
    }

    /// Calls it. Its panic, which the panic hook has reported, ends that call alone.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn call(&mut self, record: AuditRecord) {
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (self.0)(record)));
    }

    /// Calls it. A panic ends the module, as all do there.
    #[cfg(target_arch = "wasm32")]
    pub fn call(&mut self, record: AuditRecord) {
        (self.0)(record);
    }
}
