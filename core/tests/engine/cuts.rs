//! Answers that `max_tokens` cuts anywhere: one that claims to be whole is what the model says when it is not cut.
//!
//! `INGLENOOK_FULL=1 cargo test -p inglenook --test engine cuts` makes 1,000 cuts.

use inglenook::device::Device;
use inglenook::engine::event::FinishReason;
use inglenook::engine::request::Request;
use inglenook::engine::{Engine, EngineOptions};
use inglenook::source::Memory;
use pollster::block_on;
use serde_json::{Value, json};

use crate::support::{EMBER, Said, read};

/// The longest answer before it is cut, in tokens.
const LONG: u32 = 160;

fn load() -> Engine {
    block_on(Engine::load(Device::Cpu, &Memory(EMBER), &EngineOptions::default(), &mut |_| true)).expect("ember loads")
}

fn answer(engine: &Engine, request: &Value) -> Said {
    let request = Request::from_json(&request.to_string()).expect("a request");
    block_on(read(&mut engine.submit(request).expect("good")))
}

fn tool(name: &str, properties: Value) -> Value {
    let required: Vec<&String> = properties.as_object().expect("an object").keys().collect();
    let parameters =
        json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false});
    json!({"type": "function", "function": {"name": name, "strict": true, "parameters": parameters}})
}

fn schema(schema: Value) -> Value {
    json!({"response_format": {"type": "json_schema", "json_schema": {"name": "form", "schema": schema}}})
}

/// Six forms, and four ways to offer tools.
fn asked() -> (Vec<Value>, Vec<Value>) {
    let person = json!({"type": "object", "additionalProperties": false, "required": ["name", "age", "tags"], "properties": {
        "name": {"type": "string"}, "age": {"type": "integer"}, "tags": {"type": "array", "items": {"enum": ["a", "b", "c"]}}}});
    let story = json!({"type": "object", "additionalProperties": false, "required": ["story"],
        "properties": {"story": {"type": "string"}}});
    let tools = json!([
        tool("get_weather", json!({"city": {"type": "string"}, "days": {"type": "integer"}})),
        tool("tell", json!({"story": {"type": "string"}}))
    ]);
    let format = |format: Value| json!({ "response_format": format });
    let forms = vec![
        schema(person),
        schema(story.clone()),
        format(json!({"type": "json_object"})),
        format(json!({"type": "regex", "regex": "[a-z]+( [a-z]+)*[.]"})),
        format(json!({"type": "gbnf", "grammar": "root ::= item+\nitem ::= \"- \" [a-z ]+ \"\\n\""})),
        format(
            json!({"type": "choice", "choices": ["yes", "no, never again in this world", "a long way off, and further"]}),
        ),
    ];
    let calls = vec![
        json!({"tools": tools, "tool_choice": "required"}),
        json!({"tools": tools, "tool_choice": {"type": "function", "function": {"name": "tell"}}, "parallel_tool_calls": false}),
        json!({"tools": tools}),
        json!({"tools": tools, "response_format": schema(story)["response_format"]}),
    ];
    (forms, calls)
}

#[test]
fn cut_form_claims_to_be_whole_only_if_it_is() {
    try_cuts(&asked().0, 3);
}

#[test]
fn cut_call_claims_to_be_whole_only_if_it_is() {
    try_cuts(&asked().1, 4);
}

fn try_cuts(asked: &[Value], seed: u64) {
    let cuts = if std::env::var_os("INGLENOOK_FULL").is_some() { 500 } else { 40 };
    let mut random = fastrand::Rng::with_seed(seed);
    let engine = load();
    let questions = ["Who is it?", "What is the weather in Paris?", "Tell me a story about a fox."];
    let (mut whole, mut cut_off) = (0, 0);
    // A few cuts of one answer: the uncut one takes the longest.
    for round in 0..cuts / 10 {
        let mut request = asked[round % asked.len()].clone();
        request["messages"] = json!([{"role": "user", "content": questions[random.usize(..questions.len())]}]);
        request["temperature"] = json!(if random.bool() { 0.0 } else { 1.2 });
        (request["seed"], request["max_tokens"]) = (json!(random.u32(..)), json!(LONG));
        let uncut = answer(&engine, &request);
        for _ in 0..10 {
            request["max_tokens"] = json!(random.u32(1..=60));
            let cut = answer(&engine, &request);
            match cut.reason {
                FinishReason::Stop | FinishReason::ToolCalls => {
                    let what =
                        |said: &Said| (said.text.clone(), said.thought.clone(), said.calls.clone(), said.is_malformed);
                    assert_eq!((what(&cut), cut.reason), (what(&uncut), uncut.reason), "{request}");
                    whole += 1;
                }
                FinishReason::Length => {
                    // Calls that stand are the first of those that would have come.
                    assert!(uncut.calls.starts_with(&cut.calls), "{request}: {cut:?} of {uncut:?}");
                    cut_off += 1;
                }
                reason => panic!("{reason:?}: {request}"),
            }
        }
    }
    eprintln!("{whole} were whole, {cut_off} cut off");
    assert!(whole * 20 > cuts && cut_off * 20 > cuts, "both ways are tried: {whole} of {cuts} were whole");
}
