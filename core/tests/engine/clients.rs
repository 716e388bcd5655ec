//! What clients of OpenAI's API send (`tests/clients/CLIENT/CASE.json`, recorded by `tests/clients/record.mjs`): taken in its meaning, or
//! refused by an error that names the field.

use std::fs;
use std::path::{Path, PathBuf};

use inglenook::device::Device;
use inglenook::engine::request::{Request, ToolChoice};
use inglenook::engine::{Engine, EngineOptions};
use inglenook::source::Memory;
use pollster::block_on;
use serde_json::{Map, Value, json};

use crate::EMBER;

/// The recorded requests.
fn files() -> Vec<PathBuf> {
    let clients = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/clients");
    let mut paths = Vec::new();
    for client in ["openai", "langchain", "ai-sdk"] {
        paths.extend(fs::read_dir(clients.join(client)).unwrap().map(|entry| entry.unwrap().path()));
    }
    paths.sort();
    paths
}

#[test]
fn requests_of_clients_keep_their_meaning_or_are_refused_by_field() {
    let engine = block_on(Engine::load(Device::Cpu, &Memory(EMBER), &EngineOptions::default(), &mut |_| true)).unwrap();
    let paths = files();
    assert!(paths.len() >= 40, "{} requests", paths.len());
    let mut wrong = Vec::new();
    for path in paths {
        let recorded: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let found = match Request::from_json(&recorded["body"].to_string()) {
            // A form is compiled while its prompt is computed: what is wrong with one comes in place of the first event.
            Ok(request) => match engine.submit(request.clone()).and_then(|mut answer| block_on(answer.next())) {
                Ok(_) => json!({"prompt": engine.prompts().render(&request).unwrap(), "asks": asks(&request)}),
                Err(error) => json!({"error": error.to_string()}),
            },
            Err(error) => json!({"error": error.to_string()}),
        };
        if found != recorded["expected"] {
            wrong.push(format!("{}:\n{found}\nnot\n{}", path.display(), recorded["expected"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// What a request asks for beside its prompt, where it says anything.
fn asks(request: &Request) -> Value {
    // As short as JavaScript writes it.
    let number = |value: Option<f32>| json!(value.map(|value| value.to_string().parse::<Value>().unwrap()));
    let tools = request.offered_tools().unwrap_or_default().iter();
    let tools: Vec<&Value> = tools.map(|tool| &tool["function"]["name"]).collect();
    let choice = match &request.tool_choice {
        ToolChoice::Auto => json!(null),
        ToolChoice::None => json!("none"),
        ToolChoice::Required => json!("required"),
        ToolChoice::Named(name) => json!({"named": name}),
    };
    let form: Option<Value> = request.response_format.spec().map(|spec| serde_json::from_str(&spec.to_json()).unwrap());
    let all = json!({
        "stream": request.stream.then_some(true),
        "n": request.n.filter(|n| *n > 1),
        "logprobs": request.logprobs.filter(|asks| *asks),
        "top_logprobs": request.top_logprobs,
        "max_tokens": request.max_tokens,
        "temperature": number(request.temperature),
        "top_p": number(request.top_p),
        "frequency_penalty": number(request.frequency_penalty),
        "presence_penalty": number(request.presence_penalty),
        "seed": request.seed.map(u64::cast_signed),
        "stop": Some(request.stop.strings()).filter(|stop| !stop.is_empty()),
        "tools": Some(tools).filter(|tools| !tools.is_empty()),
        "tool_choice": choice,
        "strict_tools": request.strict_tools().then_some(true),
        "parallel_tool_calls": request.parallel_tool_calls,
        "form": form,
        "thinks": request.reasoning.enabled(),
        "effort": request.reasoning.effort.map(|effort| effort.word()),
    });
    let Value::Object(all) = all else { unreachable!() };
    Value::Object(all.into_iter().filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>())
}
