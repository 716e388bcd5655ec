//! Generated text under every tool-call format and way of thinking, which the last two bytes choose. Between bytes 0 stand the names of
//! control tokens. However the text is cut, the deltas are the same, and each call ends as a JSON object or as a malformed one.
#![no_main]

use inglenook_text::output::{Delta, OutputFormat, OutputParser, ReasoningFormat, ToolCallFormat, ToolSpec};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};

fuzz_target!(|input: &[u8]| {
    let Some((text, &[format, reasoning])) = input.split_last_chunk::<2>() else { return };
    let text = String::from_utf8_lossy(text);
    let format = OutputFormat {
        tool_call_format: pick(ToolCallFormat::names(), format).and_then(ToolCallFormat::from_name),
        reasoning: pick(ReasoningFormat::names(), reasoning).and_then(ReasoningFormat::from_name),
        id_seed: 0,
    };
    for (starts_in_reasoning, is_cut) in [(false, false), (false, true), (true, false)] {
        let whole = parse(&format, starts_in_reasoning, is_cut, &text, usize::MAX);
        check_calls(&whole);
        for bytes in [1, 5] {
            assert_eq!(whole, parse(&format, starts_in_reasoning, is_cut, &text, bytes), "in pieces of {bytes}");
        }
    }
});

/// The name of this number; behind the last, none.
fn pick(names: impl Iterator<Item = &'static str>, number: u8) -> Option<&'static str> {
    let names: Vec<_> = names.collect();
    names.get(usize::from(number) % (names.len() + 1)).copied()
}

/// The deltas of a text that comes in pieces of so many bytes and the rest of a character, with neighbours of a kind joined.
fn parse(format: &OutputFormat, starts_in_reasoning: bool, is_cut: bool, text: &str, bytes: usize) -> Vec<Delta> {
    let parameters = json!({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "object"}}});
    let tools = ["get", "get_all"].map(|name| ToolSpec { name: name.to_owned(), parameters: parameters.clone() });
    let mut parser = OutputParser::new(format, &tools, starts_in_reasoning);
    let mut deltas = Vec::new();
    for (number, mut part) in text.split('\0').enumerate() {
        if number % 2 == 1 {
            parser.push_control(part, &mut deltas);
            continue;
        }
        while !part.is_empty() {
            let piece;
            (piece, part) = part.split_at(part.ceil_char_boundary(bytes.min(part.len())));
            parser.push(piece, &mut deltas);
            assert!(parser.in_call() || parser.held() <= parser.longest_hold(), "{} bytes are held", parser.held());
        }
    }
    if is_cut {
        parser.cut_off(&mut deltas)
    } else {
        parser.finish(&mut deltas)
    }
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

/// Calls do not overlap, each ends, and the arguments of those that end well are JSON objects.
fn check_calls(deltas: &[Delta]) {
    let (mut open, mut arguments) = (None, "");
    for delta in deltas {
        match delta {
            Delta::CallBegin { index, .. } => {
                assert_eq!(open.replace(*index), None);
                arguments = "";
            }
            Delta::CallArguments { index, text } => {
                assert_eq!(open, Some(*index));
                arguments = text;
            }
            Delta::CallEnd { index } => {
                assert_eq!(open.take(), Some(*index));
                serde_json::from_str::<Map<String, Value>>(arguments).expect("arguments are an object");
            }
            Delta::Malformed { index, .. } => assert_eq!(open.take(), *index),
            Delta::Text(_) | Delta::Reasoning(_) => assert_eq!(open, None),
        }
    }
    assert_eq!(open, None);
}
