//! Generated text under every tool-call format and way of thinking, which two bytes in front choose: however it is cut, the deltas are the
//! same, and arguments of calls that end are JSON objects.
#![no_main]

use inglenook_text::output::{Delta, OutputFormat, OutputParser, ReasoningFormat, ToolCallFormat, ToolSpec};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};

fuzz_target!(|input: (u8, u8, &str)| {
    let (format, reasoning, text) = input;
    let formats: Vec<_> = ToolCallFormat::names().collect();
    let reasonings: Vec<_> = ReasoningFormat::names().collect();
    let format = OutputFormat {
        tool_call_format: formats.get(format as usize).and_then(|name| ToolCallFormat::from_name(name)),
        reasoning: reasonings.get(reasoning as usize).and_then(|name| ReasoningFormat::from_name(name)),
        id_seed: 0,
    };
    let whole = parse(&format, &[text]);
    let letters: Vec<&str> = text.split("").filter(|letter| !letter.is_empty()).collect();
    assert_eq!(whole, parse(&format, &letters));
    for call in whole.windows(2) {
        if let [Delta::CallArguments { text, .. }, Delta::CallEnd { .. }] = call {
            serde_json::from_str::<Map<String, Value>>(text).expect("arguments are an object");
        }
    }
});

/// The deltas of `parts`, with neighbours of a kind joined.
fn parse(format: &OutputFormat, parts: &[&str]) -> Vec<Delta> {
    let parameters = json!({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "object"}}});
    let tools = ["get", "get_all"].map(|name| ToolSpec { name: name.to_owned(), parameters: parameters.clone() });
    let mut parser = OutputParser::new(format, &tools, false);
    let mut deltas = Vec::new();
    parts.iter().for_each(|part| parser.push(part, &mut deltas));
    parser.finish(&mut deltas);
    let mut joined: Vec<Delta> = Vec::new();
    for delta in deltas {
        match (joined.last_mut(), &delta) {
            (Some(Delta::Text(last)), Delta::Text(text))
            | (Some(Delta::Reasoning(last)), Delta::Reasoning(text))
            | (Some(Delta::CallArguments { text: last, .. }), Delta::CallArguments { text, .. }) => last.push_str(text),
            _ => joined.push(delta),
        }
    }
    joined
}
