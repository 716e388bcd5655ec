//! Requests that are long and have little in them: made here, and not kept as files.

use serde_json::{Value, json};

use crate::ANSWER;

/// Tokens of ember's vocabulary.
const VOCAB: usize = 1530;

fn too_long(tokens: usize) -> String {
    format!(
        "the prompt has {tokens} tokens, and the context of 2048 leaves no room for an answer; shorten the conversation, load the \
         model with a longer context, or let old turns be left out (`\"truncation\": \"auto\"`)"
    )
}

/// Names, requests, and what must come of each, as in the files.
pub fn requests() -> Vec<(&'static str, String, String)> {
    let hello = json!([{"role": "user", "content": "Hi"}]);
    let turn = |at: usize| match at % 2 {
        0 => json!({"role": "user", "content": "a"}),
        _ => json!({"role": "assistant", "content": "b"}),
    };
    let tool = |at: usize| {
        let parameters = json!({"type": "object", "properties": {}});
        json!({"type": "function", "function": {"name": format!("f{at}"), "parameters": parameters}})
    };
    let bias: Value = (0..VOCAB).map(|id| (id.to_string(), json!(-100))).collect();
    let all = |count: usize, item: &dyn Fn(usize) -> Value| (0..count).map(item).collect::<Value>();
    let stops = all(10_000, &|at| json!(format!("never {at}")));
    let one_word = json!({"type": "choice", "choices": ["yes"]});
    let answers = [
        ("messages-10000", json!({"messages": all(10_000, &turn)}), too_long(60_003)),
        ("tools-1000", json!({"messages": hello, "tools": all(1000, &tool)}), too_long(30_936)),
        ("prompt-too-long", json!({"messages": [{"role": "user", "content": "a b ".repeat(5000)}]}), too_long(10_009)),
        (
            "stops-10000",
            json!({"messages": hello, "stop": stops}),
            "there are 10000 stop strings and content rules; at most 1024 are taken. A regex can hold several"
                .to_owned(),
        ),
        ("bias-of-every-token", json!({"messages": hello, "logit_bias": bias}), ANSWER.to_owned()),
        (
            "format-biased-against",
            json!({"messages": hello, "response_format": one_word, "logit_bias": bias}),
            ANSWER.to_owned(),
        ),
    ];
    let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    let deep = format!(
        r#"{{"messages": [{{"role": "assistant", "tool_calls": [{{"function": {{"name": "f", "arguments": {deep}}}}}]}}]}}"#
    );
    let deep = (
        "deep-arguments",
        deep,
        "the request cannot be read: recursion limit exceeded at line 1 column 213".to_owned(),
    );
    answers.into_iter().map(|(name, request, answer)| (name, request.to_string(), answer)).chain([deep]).collect()
}
