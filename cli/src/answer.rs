//! One answer from an engine, piece by piece, until it ends or ctrl-C stops it.

use std::fmt;
use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use inglenook::engine::event::{Event, FinishReason, Timings, Usage};
use inglenook::engine::request::Request;
use inglenook::engine::{Engine, Info};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{interrupt, show};

/// An answer that has ended.
#[derive(Debug)]
pub struct Answer {
    /// All of its text.
    pub text: String,
    /// What the model thought.
    pub reasoning: String,
    /// The tools it called.
    pub calls: Vec<ToolCall>,
    /// What looked like calls and was none, beside being text.
    pub malformed: Vec<MalformedCall>,
    /// The ids of its tokens.
    pub tokens: Vec<u32>,
    /// Why it ended.
    pub reason: FinishReason,
    /// Tokens used.
    pub usage: Usage,
    /// How long it took.
    pub timings: Timings,
}

/// A tool call. Displayed as `name({"key": "value"})`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    /// What the tool's result must name.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// JSON of an object.
    pub arguments: String,
}

/// Text that looked like a call and was none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MalformedCall {
    /// The number of the call that was announced and is withdrawn, if one was.
    pub index: Option<u32>,
    /// The text, which is in the answer's, too.
    pub text: String,
}

impl ToolCall {
    /// In OpenAI's form.
    pub fn json(&self) -> Value {
        let ToolCall { id, name, arguments } = self;
        json!({ "id": id, "type": "function", "function": { "name": name, "arguments": arguments } })
    }
}

impl fmt::Display for ToolCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.name, self.arguments)
    }
}

/// A part of an answer, as it is shown.
#[derive(Debug)]
pub enum Part<'a> {
    /// Text of the answer.
    Text(&'a str),
    /// Text of the model's thoughts.
    Thought(&'a str),
    /// A call that is whole.
    Call(&'a ToolCall),
    /// Text of the answer that looked like a call and was none.
    Malformed(&'a str),
}

impl Answer {
    /// Tokens and rates, for people.
    pub fn summary(&self) -> String {
        let Answer { usage, timings, .. } = self;
        let computed = usage.prompt_tokens - usage.cached_tokens;
        let mut summary = format!(
            "queued {:.0} ms; prompt: {} tokens ({} cached), {:.1} tok/s; ",
            timings.queue_ms,
            usage.prompt_tokens,
            usage.cached_tokens,
            show::per_second(computed.into(), timings.prefill_ms),
        );
        if let Some(first_token_ms) = timings.first_token_ms {
            summary += &format!("first token after {first_token_ms:.0} ms; ");
        }
        summary += &format!(
            "answer: {} tokens, {:.1} tok/s, {:.1} ms a token (p95 {:.1})",
            usage.completion_tokens,
            // The first token belongs to the prompt's time.
            show::per_second(usage.completion_tokens.saturating_sub(1).into(), timings.decode_ms),
            timings.token_ms.p50,
            timings.token_ms.p95,
        );
        if usage.drafted_tokens > 0 {
            summary += &format!("; drafted: {}, accepted: {}", usage.drafted_tokens, usage.accepted_tokens);
        }
        summary
    }

    /// The assistant's message, in OpenAI's form.
    pub fn message(&self) -> Value {
        let content = if self.text.is_empty() && !self.calls.is_empty() { Value::Null } else { json!(self.text) };
        let mut message = json!({ "role": "assistant", "content": content });
        if !self.reasoning.is_empty() {
            message["reasoning_content"] = json!(self.reasoning);
        }
        if !self.calls.is_empty() {
            message["tool_calls"] = self.calls.iter().map(ToolCall::json).collect();
        }
        if !self.malformed.is_empty() {
            message["malformed_tool_calls"] = json!(self.malformed);
        }
        message
    }

    /// OpenAI's completion object, with the tokens' ids, timings, the adapter and why it is this one beside what it has.
    pub fn completion(&self, info: &Info) -> Value {
        let Answer { usage, tokens, timings, .. } = self;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        json!({
            "id": format!("chatcmpl-{:x}", now.as_nanos()),
            "object": "chat.completion",
            "created": now.as_secs(),
            "model": info.model.name,
            "choices": [{ "index": 0, "message": self.message(), "finish_reason": self.reason }],
            "usage": {
                "prompt_tokens": usage.prompt_tokens,
                "completion_tokens": usage.completion_tokens,
                "total_tokens": usage.prompt_tokens + usage.completion_tokens,
                "prompt_tokens_details": { "cached_tokens": usage.cached_tokens },
            },
            "tokens": tokens,
            "timings": timings,
            "adapter": info.adapter.name,
            "adapter_reason": info.reason,
        })
    }
}

/// Answers `request`; `show` gets the parts as they come. After ctrl-C the answer ends with [`FinishReason::Aborted`].
///
/// # Errors
/// What the engine says of the request or the device, and what `show` says.
pub fn answer(
    engine: &mut Engine,
    request: Request,
    mut show: impl FnMut(Part<'_>) -> io::Result<()>,
) -> Result<Answer> {
    let mut generation = engine.submit(request)?;
    let mut draft = Draft::default();
    while let Some(event) = pollster::block_on(generation.next())? {
        if let Event::Done { reason, usage, timings } = event {
            if reason == FinishReason::Aborted {
                draft.drop_call();
            }
            draft.end_call(&mut show)?;
            let Draft { text, reasoning, calls, malformed, .. } = draft;
            let tokens = generation.tokens(0);
            return Ok(Answer { text, reasoning, calls, malformed, tokens, reason, usage, timings });
        }
        draft.take(event, &mut show)?;
        if interrupt::pressed() {
            generation.cancel();
        }
    }
    unreachable!("an answer's last event is Done")
}

/// An answer in the making.
#[derive(Debug, Default)]
struct Draft {
    text: String,
    reasoning: String,
    calls: Vec<ToolCall>,
    malformed: Vec<MalformedCall>,
    /// The number of a call that is still being written, the last of `calls`.
    open: Option<u32>,
}

impl Draft {
    fn take(&mut self, event: Event, show: &mut impl FnMut(Part<'_>) -> io::Result<()>) -> io::Result<()> {
        match event {
            Event::Text { text } => {
                self.end_call(show)?;
                show(Part::Text(&text))?;
                self.text += &text;
            }
            Event::Reasoning { text } => {
                self.end_call(show)?;
                show(Part::Thought(&text))?;
                self.reasoning += &text;
            }
            Event::ToolCall { index, id, name } => {
                self.end_call(show)?;
                self.calls.push(ToolCall { id, name, arguments: String::new() });
                self.open = Some(index);
            }
            Event::ToolArguments { text, .. } => {
                if let Some(call) = self.calls.last_mut() {
                    call.arguments += &text;
                }
            }
            Event::MalformedCall { index, text } => {
                if index.is_some() && index == self.open {
                    self.drop_call();
                }
                self.end_call(show)?;
                show(Part::Malformed(&text))?;
                self.text += &text;
                self.malformed.push(MalformedCall { index, text });
            }
            Event::Logprobs { .. } | Event::Done { .. } => {}
        }
        Ok(())
    }

    /// Forgets the call that was being written.
    fn drop_call(&mut self) {
        if self.open.take().is_some() {
            self.calls.pop();
        }
    }

    /// Shows the call that was being written, now that something else comes.
    fn end_call(&mut self, show: &mut impl FnMut(Part<'_>) -> io::Result<()>) -> io::Result<()> {
        match (self.open.take(), self.calls.last()) {
            (Some(_), Some(call)) => show(Part::Call(call)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a stream of events comes to: what was shown, and the draft.
    fn take(events: Vec<Event>) -> (Vec<String>, Draft) {
        let (mut shown, mut draft) = (Vec::new(), Draft::default());
        let mut show = |part: Part<'_>| {
            shown.push(match part {
                Part::Text(text) => text.to_string(),
                Part::Thought(text) => format!("[{text}]"),
                Part::Call(call) => call.to_string(),
                Part::Malformed(text) => format!("!{text}"),
            });
            Ok(())
        };
        for event in events {
            draft.take(event, &mut show).expect("shown");
        }
        draft.end_call(&mut show).expect("shown");
        (shown, draft)
    }

    fn call(index: u32) -> Event {
        Event::ToolCall { index, id: format!("call_{index}"), name: "add".into() }
    }

    fn arguments(index: u32, text: &str) -> Event {
        Event::ToolArguments { index, text: text.into() }
    }

    #[test]
    fn calls_are_shown_whole() {
        let events = vec![
            Event::Reasoning { text: "hm".into() },
            Event::Text { text: "so".into() },
            call(0),
            arguments(0, "{\"a\""),
            arguments(0, ":1}"),
            call(1),
            arguments(1, "{}"),
        ];
        let (shown, draft) = take(events);
        assert_eq!(shown, ["[hm]", "so", "add({\"a\":1})", "add({})"]);
        assert_eq!((draft.text.as_str(), draft.reasoning.as_str(), draft.calls.len()), ("so", "hm", 2));
    }

    #[test]
    fn a_call_that_is_withdrawn_is_text() {
        let malformed = |index| Event::MalformedCall { index, text: "<call".into() };
        let (shown, draft) = take(vec![call(0), arguments(0, "{"), malformed(Some(0)), malformed(None)]);
        assert_eq!(shown, ["!<call", "!<call"]);
        assert_eq!((draft.text.as_str(), draft.calls.len()), ("<call<call", 0));
        let (shown, draft) = take(vec![call(0), arguments(0, "{}"), malformed(None)]);
        assert_eq!((shown.len(), draft.calls.len()), (2, 1), "the first call stands");
    }
    #[test]
    fn malformed_calls_are_in_the_message_beside_the_text() {
        let malformed = |index, text: &str| Event::MalformedCall { index, text: text.into() };
        let (_, draft) = take(vec![call(0), malformed(Some(0), "<a"), malformed(None, "<b")]);
        let found = json!(draft.malformed);
        assert_eq!(found, json!([{ "index": 0, "text": "<a" }, { "index": null, "text": "<b" }]));
    }
}
