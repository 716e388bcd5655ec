//! One answer from an engine, piece by piece, until it ends or ctrl-C stops it.

use std::fmt;
use std::io;

use anyhow::Result;
use inglenook::engine::Engine;
use inglenook::engine::event::{Event, FinishReason, Timings, TokenLogprob, Usage};
use inglenook::engine::request::Request;
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
    /// Log-probabilities of its tokens, if they were asked for.
    pub logprobs: Vec<TokenLogprob>,
    /// Those of the prompt's tokens, if they were asked for.
    pub prompt_logprobs: Vec<TokenLogprob>,
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
    /// Its parts, thoughts first and calls last.
    pub fn parts(&self) -> Vec<Part<'_>> {
        let thought = (!self.reasoning.is_empty()).then_some(Part::Thought(&self.reasoning));
        let text = (!self.text.is_empty()).then_some(Part::Text(&self.text));
        thought.into_iter().chain(text).chain(self.calls.iter().map(Part::Call)).collect()
    }

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
        if usage.truncated_tokens > 0 {
            summary += &format!("; left out: {} tokens", usage.truncated_tokens);
        }
        if usage.drafted_tokens > 0 {
            summary += &format!("; drafted: {}, accepted: {}", usage.drafted_tokens, usage.accepted_tokens);
        }
        summary
    }
}

/// Answers `request`, of several choices with the first; `show` gets its parts as they come. After ctrl-C the answer ends with
/// [`FinishReason::Aborted`].
///
/// # Errors
/// What the engine says of the request or the device, and what `show` says.
pub fn answer(engine: &mut Engine, request: Request, show: impl FnMut(Part<'_>) -> io::Result<()>) -> Result<Answer> {
    Ok(choices(engine, request, show)?.swap_remove(0))
}

/// Answers `request` with all of its choices, of which there is one at least; `show` gets the parts of the first as they come.
///
/// # Errors
/// As [`answer`].
pub fn choices(
    engine: &mut Engine,
    request: Request,
    mut show: impl FnMut(Part<'_>) -> io::Result<()>,
) -> Result<Vec<Answer>> {
    let mut choices = Choices::new(request.n.unwrap_or(1) as usize);
    let mut generation = engine.submit(request)?;
    while let Some((choice, event)) = pollster::block_on(generation.next_of_all())? {
        choices.take(choice, event, &mut show)?;
        if interrupt::pressed() {
            generation.cancel();
        }
    }
    Ok(choices.ended(|choice| generation.tokens(choice)))
}

/// The choices of a request in the making.
#[derive(Debug)]
pub struct Choices(Vec<Draft>);

impl Choices {
    /// So many choices, of which nothing is there yet.
    pub fn new(count: usize) -> Choices {
        Choices((0..count).map(|_| Draft::default()).collect())
    }

    /// Takes an event of a choice; `show` gets the parts of the first one.
    ///
    /// # Errors
    /// What `show` says.
    pub fn take(
        &mut self,
        choice: u32,
        event: Event,
        show: &mut impl FnMut(Part<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut show = |part: Part<'_>| if choice == 0 { show(part) } else { Ok(()) };
        let draft = &mut self.0[choice as usize];
        let Event::Done { reason, usage, timings } = event else { return draft.take(event, &mut show) };
        if reason == FinishReason::Aborted {
            draft.drop_call();
        }
        draft.end = Some((reason, usage, timings));
        draft.end_call(&mut show)
    }

    /// All choices, each of which has ended; `tokens` gives the ids of one's tokens.
    pub fn ended(self, tokens: impl Fn(usize) -> Vec<u32>) -> Vec<Answer> {
        let answer = |(choice, draft): (usize, Draft)| {
            let Draft { text, reasoning, calls, malformed, logprobs, prompt_logprobs, end, .. } = draft;
            let (reason, usage, timings) = end.unwrap_or_else(|| unreachable!("a choice's last event is Done"));
            let tokens = tokens(choice);
            Answer { text, reasoning, calls, malformed, logprobs, prompt_logprobs, tokens, reason, usage, timings }
        };
        self.0.into_iter().enumerate().map(answer).collect()
    }
}

/// An answer in the making.
#[derive(Debug, Default)]
struct Draft {
    text: String,
    reasoning: String,
    calls: Vec<ToolCall>,
    malformed: Vec<MalformedCall>,
    logprobs: Vec<TokenLogprob>,
    prompt_logprobs: Vec<TokenLogprob>,
    /// The number of a call that is still being written, the last of `calls`.
    open: Option<u32>,
    /// How it ended, once it has.
    end: Option<(FinishReason, Usage, Timings)>,
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
            Event::Logprobs { tokens } => self.logprobs.extend(tokens),
            Event::PromptLogprobs { tokens } => self.prompt_logprobs.extend(tokens),
            // The usage says how much.
            Event::Truncated { .. } | Event::Done { .. } => {}
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
