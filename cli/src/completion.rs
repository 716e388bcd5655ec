//! Answers in OpenAI's form. What npm/src/openai/response.ts makes of the same events is the same: `tests/completions` holds both to it.

use std::time::{SystemTime, UNIX_EPOCH};

use inglenook::engine::Info;
use inglenook::engine::event::Usage;
use serde_json::{Value, json};

use crate::answer::{Answer, ToolCall};

impl Answer {
    /// The assistant's message.
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

    /// The choice of this number.
    fn choice(&self, index: usize) -> Value {
        let content = (!self.logprobs.is_empty()).then_some(&self.logprobs);
        let logprobs = content.map(|content| json!({ "content": content, "refusal": null }));
        let mut message = self.message();
        message["refusal"] = Value::Null;
        json!({ "index": index, "message": message, "finish_reason": self.reason, "logprobs": logprobs })
    }
}

/// What the choices of one request used; the prompt counts once.
fn usage(choices: &[Answer]) -> Value {
    let first = choices.first().map(|answer| answer.usage).unwrap_or_default();
    let sum = |count: fn(&Usage) -> u32| choices.iter().map(|answer| count(&answer.usage)).sum::<u32>();
    let completion_tokens = sum(|usage| usage.completion_tokens);
    let mut usage = json!({
        "prompt_tokens": first.prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": first.prompt_tokens + completion_tokens,
        "prompt_tokens_details": { "cached_tokens": first.cached_tokens },
    });
    let [drafted, accepted] = [sum(|usage| usage.drafted_tokens), sum(|usage| usage.accepted_tokens)];
    if drafted > 0 {
        usage["completion_tokens_details"] =
            json!({ "accepted_prediction_tokens": accepted, "rejected_prediction_tokens": drafted - accepted });
    }
    let truncated_tokens = sum(|usage| usage.truncated_tokens);
    if truncated_tokens > 0 {
        usage["truncated_tokens"] = truncated_tokens.into();
    }
    usage
}

/// OpenAI's completion object of a request's choices, with the first one's token ids and timings, the adapter and why it is this one
/// beside what it has.
pub fn completion(choices: &[Answer], info: &Info) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let numbered = choices.iter().enumerate().map(|(index, answer)| answer.choice(index));
    let mut completion = json!({
        "id": format!("chatcmpl-{:x}", now.as_nanos()),
        "object": "chat.completion",
        "created": now.as_secs(),
        "model": info.model.name,
        "choices": numbered.collect::<Vec<_>>(),
        "usage": usage(choices),
        "tokens": choices.first().map(|answer| &answer.tokens),
        "timings": choices.first().map(|answer| answer.timings),
        "adapter": info.adapter.name,
        "adapter_reason": info.reason,
        "adapter_measured": info.measured,
    });
    if let Some(first) = choices.first().filter(|first| !first.prompt_logprobs.is_empty()) {
        completion["prompt_logprobs"] = json!(first.prompt_logprobs);
    }
    completion
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use inglenook::engine::event::{Event, FinishReason, TokenLogprob};
    use inglenook::engine::logprobs::Logprob;

    use super::*;
    use crate::answer::Choices;

    fn text(json: &Value) -> String {
        json.as_str().expect("a text").to_owned()
    }

    fn number(json: &Value) -> u32 {
        json.as_u64().map_or_else(|| panic!("a number, not {json}"), |number| number as u32)
    }

    fn logprob(json: &Value) -> Logprob {
        let bytes = json["bytes"].as_array().expect("bytes").iter().map(|byte| number(byte) as u8).collect();
        Logprob { token: text(&json["token"]), logprob: json["logprob"].as_f64().expect("a number") as f32, bytes }
    }

    /// An event as it is serialised.
    fn event(json: &Value) -> Event {
        let index = || number(&json["index"]);
        match json["type"].as_str().expect("a type") {
            "text" => Event::Text { text: text(&json["text"]) },
            "reasoning" => Event::Reasoning { text: text(&json["text"]) },
            "tool_call" => Event::ToolCall { index: index(), id: text(&json["id"]), name: text(&json["name"]) },
            "tool_arguments" => Event::ToolArguments { index: index(), text: text(&json["text"]) },
            "malformed_call" => {
                Event::MalformedCall { index: json["index"].as_u64().map(|at| at as u32), text: text(&json["text"]) }
            }
            "logprobs" => {
                let token = |json: &Value| TokenLogprob {
                    own: logprob(json),
                    top_logprobs: json["top_logprobs"].as_array().expect("a list").iter().map(logprob).collect(),
                };
                Event::Logprobs { tokens: json["tokens"].as_array().expect("a list").iter().map(token).collect() }
            }
            "done" => {
                let reasons = [FinishReason::Stop, FinishReason::Length, FinishReason::ToolCalls];
                let reason = reasons.into_iter().find(|reason| reason.name() == json["reason"]).expect("a reason");
                let usage = &json["usage"];
                let usage = Usage {
                    prompt_tokens: number(&usage["prompt_tokens"]),
                    completion_tokens: number(&usage["completion_tokens"]),
                    cached_tokens: number(&usage["cached_tokens"]),
                    drafted_tokens: number(&usage["drafted_tokens"]),
                    accepted_tokens: number(&usage["accepted_tokens"]),
                    ..Usage::default()
                };
                Event::Done { reason, usage, timings: Default::default() }
            }
            other => panic!("no event is a {other}"),
        }
    }

    #[test]
    fn completions_are_what_their_events_say() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/completions");
        let mut count = 0;
        for entry in fs::read_dir(folder).expect("the folder") {
            let path = entry.expect("a file").path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let case: Value = serde_json::from_str(&fs::read_to_string(&path).expect("a text")).expect("JSON");
            let mut choices = Choices::new(case["choices"].as_array().expect("choices").len());
            for json in case["events"].as_array().expect("events") {
                choices.take(number(&json["choice"]), event(json), &mut |_| Ok(())).expect("shown");
            }
            let answers = choices.ended(|_| Vec::new());
            let found: Vec<Value> = answers.iter().enumerate().map(|(index, answer)| answer.choice(index)).collect();
            assert_eq!(json!(found), case["choices"], "{}", path.display());
            assert_eq!(usage(&answers), case["usage"], "{}", path.display());
            count += 1;
        }
        assert!(count >= 4, "{count}");
    }
}
