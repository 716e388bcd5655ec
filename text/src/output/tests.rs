//! What holds for any text: nothing is lost, cuts do not matter, time is linear and memory bounded.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::json;

use super::reader::Form;
use super::{Delta, OutputFormat, OutputParser, ReasoningFormat, ToolCallFormat, ToolSpec};

const FORMATS: [ReasoningFormat; 16] = [
    ReasoningFormat::Think,
    ReasoningFormat::Thinking,
    ReasoningFormat::Reasoning,
    ReasoningFormat::Seed,
    ReasoningFormat::Mistral,
    ReasoningFormat::Command,
    ReasoningFormat::Granite,
    ReasoningFormat::Hunyuan,
    ReasoningFormat::Gemma,
    ReasoningFormat::Apertus,
    ReasoningFormat::Apriel,
    ReasoningFormat::KimiK3,
    ReasoningFormat::MiniMaxM3,
    ReasoningFormat::Hunyuan3,
    ReasoningFormat::SolarOpen,
    ReasoningFormat::Harmony,
];

/// Many more cases, and longer texts.
fn full() -> bool {
    std::env::var_os("INGLENOOK_FULL").is_some()
}

fn config() -> ProptestConfig {
    let cases = if full() { 5_000 } else { 150 };
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) }
}

fn formats() -> impl Iterator<Item = ToolCallFormat> {
    ToolCallFormat::names().filter_map(ToolCallFormat::from_name)
}

fn tools() -> Vec<ToolSpec> {
    let parameters = json!({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "object"}}});
    ["get", "get_all"].map(|name| ToolSpec { name: name.to_owned(), parameters: parameters.clone() }).into()
}

/// The deltas of `parts`, with neighbours of a kind joined.
fn parse(format: Option<ToolCallFormat>, reasoning: Option<ReasoningFormat>, parts: &[&str]) -> Vec<Delta> {
    let mut parser =
        OutputParser::new(&OutputFormat { tool_call_format: format, reasoning, id_seed: 0 }, &tools(), false);
    let mut deltas = Vec::new();
    for part in parts {
        parser.push(part, &mut deltas);
        assert!(parser.in_call() || parser.held() <= parser.longest_hold(), "{} bytes are held", parser.held());
    }
    parser.finish(&mut deltas);
    let mut joined: Vec<Delta> = Vec::new();
    for delta in deltas {
        match (joined.last_mut(), &delta) {
            (Some(Delta::Text(last)), Delta::Text(text)) | (Some(Delta::Reasoning(last)), Delta::Reasoning(text)) => {
                last.push_str(text);
            }
            (Some(Delta::CallArguments { text: last, .. }), Delta::CallArguments { text, .. }) => last.push_str(text),
            _ => joined.push(delta),
        }
    }
    joined
}

fn chars(text: &str) -> Vec<&str> {
    text.split("").filter(|part| !part.is_empty()).collect()
}

/// All that deltas say. Of a call that was withdrawn, its own text says it all.
fn said(deltas: &[Delta]) -> String {
    let mut said = String::new();
    for delta in deltas {
        match delta {
            Delta::Text(text) | Delta::Reasoning(text) | Delta::Malformed { text, .. } => said.push_str(text),
            Delta::CallArguments { text, .. } => said.push_str(text),
            Delta::CallBegin { id, name, .. } => {
                said.push_str(id);
                said.push_str(name);
            }
            Delta::CallEnd { .. } => {}
        }
        said.push('\n');
    }
    said
}

/// Arguments of calls that ended are JSON objects, and no call is left open.
fn check_calls(deltas: &[Delta]) {
    let mut arguments = String::new();
    let mut open = None;
    for delta in deltas {
        match delta {
            Delta::CallBegin { index, .. } => {
                assert_eq!(open.replace(*index), None);
                arguments.clear();
            }
            Delta::CallArguments { index, text } => {
                assert_eq!(open, Some(*index));
                arguments.push_str(text);
            }
            Delta::CallEnd { index } => {
                assert_eq!(open.take(), Some(*index));
                let object: serde_json::Result<serde_json::Map<_, _>> = serde_json::from_str(&arguments);
                assert!(object.is_ok(), "{arguments}");
            }
            Delta::Malformed { index, .. } => assert_eq!(open.take(), *index),
            Delta::Text(_) | Delta::Reasoning(_) => assert_eq!(open, None),
        }
    }
    assert_eq!(open, None);
}

/// Parts of calls in any format. `§` stands for a word of which no other is in the text.
const FRAGMENTS: [&str; 40] = [
    "§",
    "§",
    "§",
    "§",
    "§",
    " ",
    "\n",
    "{",
    "}",
    "}",
    "[",
    "]",
    "(",
    ")",
    ",",
    ":",
    "\"",
    "\"",
    "'",
    "\\",
    "é",
    "=",
    ">",
    "```",
    "get",
    "get\n",
    "a",
    "a=",
    "all\n",
    "{\"name\": \"get\", ",
    "{\"tool_name\": \"get\", ",
    "\"arguments\": {",
    "\"parameters\": {",
    "\"a\": \"",
    "\"b\": {}",
    "true",
    "-1.5",
    "None",
    "<think>",
    "</think>",
];

/// [`FRAGMENTS`] and, three times over, the format's own markers.
fn fragments(format: ToolCallFormat) -> Vec<&'static str> {
    let spec = format.spec();
    let mut own: Vec<&str> =
        spec.start_markers.iter().map(|marker| marker.text).chain(spec.inner.iter().copied()).collect();
    own.extend(spec.ornaments.iter().map(|(text, _)| *text));
    for marker in spec.start_markers {
        match marker.form {
            Form::XmlParams(form) => {
                own.extend([form.open, form.name_end, form.key.0, form.key.1, form.value, form.close, form.last()]);
                own.extend(form.value_ends);
            }
            Form::Elements(form) => own.extend([form.open, "get\">", form.mark, "<a>", "</a>", "<item>", form.close]),
            Form::Braces(form) => own.extend([form.call, "get{", "a:", form.quote, form.close]),
            Form::Python(form) => own.extend(form.close),
            Form::JsonObject(form) | Form::JsonOr(form, _) => own.extend(form.close),
            Form::NameThenJson(form) => own.extend(form.close.into_iter().chain(form.name_ends.iter().copied())),
        }
    }
    FRAGMENTS.into_iter().chain(own.repeat(3)).collect()
}

const HARMONY_FRAGMENTS: [&str; 14] = [
    "§",
    "{\"a\": 1}",
    "{",
    "<|start|>",
    "assistant",
    "<|channel|>",
    "analysis",
    "final",
    "commentary to=functions.get",
    "<|constrain|>json",
    "<|message|>",
    "<|end|>",
    "<|call|>",
    " ",
];

fn fill(fragments: &[&str], choice: &[usize]) -> (String, Vec<String>) {
    let mut words = Vec::new();
    let mut text = String::new();
    for index in choice {
        match fragments[index % fragments.len()] {
            "§" => {
                words.push(format!("w{}x", words.len()));
                text.push_str(words.last().unwrap());
            }
            fragment => text.push_str(fragment),
        }
    }
    (text, words)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn text_without_markers_passes_unchanged(text in "([ -=?-~éß日😀\\n]|<|tool|\\{\"|\\[|> |``|thin){0,60}") {
        for format in formats().map(Some).chain([None]) {
            for reasoning in FORMATS.into_iter().map(Some).chain([None]) {
                let harmony = match format {
                    Some(format) => format == ToolCallFormat::Harmony,
                    None => reasoning == Some(ReasoningFormat::Harmony),
                };
                // Between messages, and so before text that has no header, white space is none.
                let expected = if harmony { text.trim_start() } else { &text };
                let expected = Some(expected.to_owned()).filter(|text| !text.is_empty());
                let expected: Vec<Delta> = expected.map(Delta::Text).into_iter().collect();
                prop_assert_eq!(&parse(format, reasoning, &[&text]), &expected);
                prop_assert_eq!(&parse(format, reasoning, &chars(&text)), &expected);
            }
        }
    }

    #[test]
    fn no_word_between_fragments_of_markers_is_lost(choice in prop::collection::vec(any::<usize>(), 0..40)) {
        for format in formats().filter(|format| *format != ToolCallFormat::Harmony) {
            let (text, words) = fill(&fragments(format), &choice);
            let think = Some(ReasoningFormat::Think);
            let deltas = parse(Some(format), think, &[&text]);
            check_calls(&deltas);
            let said = said(&deltas);
            for word in &words {
                let name = format.name();
                prop_assert!(said.contains(word.as_str()), "{name}: {word} of {text:?} is lost in {deltas:?}");
            }
            prop_assert_eq!(parse(Some(format), think, &chars(&text)), deltas, "{}: {:?}", format.name(), text);
        }
    }

    #[test]
    fn messages_are_read_the_same_however_they_are_cut(choice in prop::collection::vec(any::<usize>(), 0..20)) {
        let (text, _) = fill(&HARMONY_FRAGMENTS, &choice);
        let deltas = parse(Some(ToolCallFormat::Harmony), None, &[&text]);
        check_calls(&deltas);
        prop_assert_eq!(parse(Some(ToolCallFormat::Harmony), None, &chars(&text)), deltas, "{:?}", text);
    }
}

/// The longest that a hostile text may take here, where quadratic time would take minutes.
const PATIENCE: Duration = Duration::from_secs(10);

#[test]
fn hostile_text_takes_linear_time() {
    let size = if full() { 1 << 20 } else { 1 << 17 };
    let units = [
        "{",
        "[",
        "(",
        "<",
        ">",
        "\"",
        "\\",
        "`",
        " ",
        "\n",
        "a",
        "get\n",
        "é",
        "｜",
        "'",
        "{\"a\":",
        "<think>",
        "</think>",
        "{\"name\":\"get\",\"arguments\":",
    ];
    for format in formats() {
        let spec = format.spec();
        let markers: Vec<&str> =
            spec.start_markers.iter().map(|marker| marker.text).chain(spec.inner.iter().copied()).collect();
        for unit in units.iter().chain(&markers) {
            let text = unit.repeat(size / unit.len());
            let behind_a_marker = markers.iter().copied().take(1).chain(pieces_of(&text, 61)).collect();
            for parts in [vec![text.as_str()], behind_a_marker] {
                let start = Instant::now();
                check_calls(&parse(Some(format), Some(ReasoningFormat::Think), &parts));
                assert!(start.elapsed() < PATIENCE, "{}: many {unit:?}", format.name());
            }
        }
    }
}

/// `text` in pieces of about `len` bytes.
fn pieces_of(text: &str, len: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = (len.min(rest.len())..=rest.len()).find(|end| rest.is_char_boundary(*end)).unwrap_or(rest.len());
        let (part, behind) = rest.split_at(end);
        parts.push(part);
        rest = behind;
    }
    parts
}

#[test]
fn arguments_nested_without_end_are_malformed() {
    for open in ["[", "{\"a\":"] {
        let text = format!("<tool_call>{{\"name\": \"get\", \"arguments\": {{\"a\": {}", open.repeat(1 << 16));
        let deltas = parse(Some(ToolCallFormat::Hermes), None, &pieces_of(&text, 1000));
        assert_eq!(deltas.last(), Some(&Delta::Malformed { index: Some(0), text }));
    }
}

#[test]
fn ids_follow_from_the_seed() {
    let id = |seed| {
        let format = OutputFormat { tool_call_format: Some(ToolCallFormat::Mistral), reasoning: None, id_seed: seed };
        let mut deltas = Vec::new();
        OutputParser::new(&format, &[], false).push("[TOOL_CALLS]get[ARGS]{}", &mut deltas);
        match deltas.swap_remove(0) {
            Delta::CallBegin { id, .. } => id,
            delta => panic!("{delta:?}"),
        }
    };
    assert_eq!(id(1), id(1));
    assert_ne!(id(1), id(2));
    assert_eq!(id(1).len(), 9);
}
