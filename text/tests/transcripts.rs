//! Transcripts of generated text, taken apart by `text::output`: a file a case under `tests/transcripts`.
//!
//! Each is parsed whole, cut in two at every byte, in single characters and in random pieces; all ways must give the same. What is
//! held back outside calls is checked after every piece. `INGLENOOK_FULL=1 cargo test -p inglenook-text --test transcripts` tries many more
//! random ways.

use std::fs;
use std::path::{Path, PathBuf};

use inglenook_text::output::{Delta, OutputFormat, OutputParser, ReasoningFormat, ToolCallFormat, ToolSpec};
use serde_json::{Map, Value, json};

/// What comes in: text, or a control token's name.
#[derive(Debug, Clone, PartialEq)]
enum Input {
    Text(String),
    Control(String),
}

/// What comes out, with the deltas of a kind joined.
#[derive(Debug, Clone, PartialEq)]
enum Outcome {
    Text(String),
    Reasoning(String),
    Call { id: String, name: String, arguments: String },
    Malformed { text: String, announced: bool },
}

struct Case {
    name: String,
    format: OutputFormat,
    starts_in_reasoning: bool,
    tools: Vec<ToolSpec>,
    input: Vec<Input>,
    expected: Vec<Value>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/transcripts")
}

fn tools(list: &Value) -> Vec<ToolSpec> {
    let list = list.as_array().expect("a list of tools").iter();
    let text = |tool: &Value| tool["name"].as_str().expect("a tool's name").to_owned();
    list.map(|tool| ToolSpec { name: text(tool), parameters: tool["parameters"].clone() }).collect()
}

fn load(path: &Path, all_tools: &Value) -> Case {
    let name = format!("{}", path.strip_prefix(folder()).unwrap().display());
    let case: Value =
        serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap_or_else(|e| panic!("{name}: {e}"));
    let known = ["tool_call_format", "reasoning", "starts_in_reasoning", "tools", "text", "deltas"];
    let keys = case.as_object().unwrap().keys();
    assert!(keys.clone().all(|key| known.contains(&key.as_str())), "{name}: unknown key among {keys:?}");
    let part = |part: &Value| match part {
        Value::String(text) => Input::Text(text.clone()),
        part => Input::Control(part["control"].as_str().expect("a control token").to_owned()),
    };
    Case {
        format: OutputFormat {
            tool_call_format: case["tool_call_format"]
                .as_str()
                .map(|name| ToolCallFormat::from_name(name).expect("a format's name")),
            reasoning: case["reasoning"]
                .as_str()
                .map(|name| ReasoningFormat::from_name(name).expect("a format's name")),
            id_seed: 1,
        },
        starts_in_reasoning: case["starts_in_reasoning"] == true,
        tools: tools(case.get("tools").unwrap_or(all_tools)),
        input: match &case["text"] {
            Value::Array(parts) => parts.iter().map(part).collect(),
            text => vec![part(text)],
        },
        expected: case["deltas"].as_array().expect("deltas").clone(),
        name,
    }
}

fn cases() -> Vec<Case> {
    let all_tools: Value = serde_json::from_str(&fs::read_to_string(folder().join("tools.json")).unwrap()).unwrap();
    let entries = |path: &Path| {
        let mut paths: Vec<PathBuf> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    };
    let folders = entries(&folder()).into_iter().filter(|path| path.is_dir());
    folders.flat_map(|folder| entries(&folder)).map(|path| load(&path, &all_tools)).collect()
}

fn parser(case: &Case) -> OutputParser {
    OutputParser::new(&case.format, &case.tools, case.starts_in_reasoning)
}

/// Parses `input` piece by piece and checks, after every piece, what must hold.
fn parse(case: &Case, input: &[Input]) -> Vec<Outcome> {
    let mut parser = parser(case);
    let mut deltas = Vec::new();
    for part in input {
        match part {
            Input::Text(text) => parser.push(text, &mut deltas),
            Input::Control(name) => parser.push_control(name, &mut deltas),
        }
        let held = parser.held();
        assert!(
            parser.in_call() || held <= parser.longest_hold(),
            "{}: {held} bytes are held after {part:?}",
            case.name
        );
    }
    parser.finish(&mut deltas);
    assert_eq!(parser.held(), 0, "{}: something is kept at the end", case.name);
    join(&case.name, &deltas)
}

/// Joins the deltas and checks their order: a call begins, has arguments and ends before anything else comes.
fn join(name: &str, deltas: &[Delta]) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    let mut open = None;
    let mut next = 0;
    for delta in deltas {
        match (delta, outcomes.last_mut()) {
            (Delta::Text(text), Some(Outcome::Text(last))) if open.is_none() => last.push_str(text),
            (Delta::Reasoning(text), Some(Outcome::Reasoning(last))) if open.is_none() => last.push_str(text),
            (Delta::Text(text), _) if open.is_none() => outcomes.push(Outcome::Text(text.clone())),
            (Delta::Reasoning(text), _) if open.is_none() => outcomes.push(Outcome::Reasoning(text.clone())),
            (Delta::CallBegin { index, id, name }, _) if open.is_none() && *index == next => {
                let (id, name) = (id.clone(), name.clone());
                outcomes.push(Outcome::Call { id, name, arguments: String::new() });
                (open, next) = (Some(*index), next + 1);
            }
            (Delta::CallArguments { index, text }, Some(Outcome::Call { arguments, .. })) if open == Some(*index) => {
                arguments.push_str(text);
            }
            (Delta::CallEnd { index }, Some(Outcome::Call { arguments, .. })) if open == Some(*index) => {
                let object: Result<Map<String, Value>, _> = serde_json::from_str(arguments);
                assert!(object.is_ok(), "{name}: the arguments are no object: {arguments:?}");
                open = None;
            }
            (Delta::Malformed { index, text }, _) if *index == open => {
                if open.take().is_some() {
                    outcomes.pop();
                }
                outcomes.push(Outcome::Malformed { text: text.clone(), announced: index.is_some() });
            }
            (delta, last) => panic!("{name}: {delta:?} must not come after {last:?}"),
        }
    }
    assert_eq!(open, None, "{name}: a call is left open");
    outcomes
}

/// An outcome as a case file writes it. The id only where the file gives one.
fn written(outcome: &Outcome, expected: Option<&Value>) -> Value {
    match outcome {
        Outcome::Text(text) => json!({"text": text}),
        Outcome::Reasoning(text) => json!({"reasoning": text}),
        Outcome::Malformed { text, announced } => json!({"malformed": text, "announced": announced}),
        Outcome::Call { id, name, arguments } => {
            let arguments: Value = serde_json::from_str(arguments).unwrap();
            let mut call = json!({"call": name, "arguments": arguments});
            if expected.is_some_and(|expected| expected.get("id").is_some()) {
                call["id"] = id.as_str().into();
            }
            call
        }
    }
}

/// The input with its texts cut at `cuts`, which count bytes over all texts; inside a character, a cut moves to its beginning.
fn cut(input: &[Input], cuts: &[usize]) -> Vec<Input> {
    let mut parts = Vec::new();
    let mut begin = 0;
    for part in input {
        let Input::Text(text) = part else {
            parts.push(part.clone());
            continue;
        };
        let mut from = 0;
        for at in cuts.iter().filter_map(|cut| cut.checked_sub(begin)).filter(|at| *at < text.len()) {
            let at = (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            if at > from {
                parts.push(Input::Text(text[from..at].to_owned()));
                from = at;
            }
        }
        parts.push(Input::Text(text[from..].to_owned()));
        begin += text.len();
    }
    parts
}

fn bytes(input: &[Input]) -> usize {
    input.iter().map(|part| if let Input::Text(text) = part { text.len() } else { 0 }).sum()
}

fn full() -> bool {
    std::env::var_os("INGLENOOK_FULL").is_some()
}

#[test]
fn transcripts_give_their_deltas_however_they_are_cut() {
    let mut random = fastrand::Rng::with_seed(7);
    let mut wrong = Vec::new();
    for case in cases() {
        let whole = parse(&case, &case.input);
        let got: Vec<Value> =
            whole.iter().enumerate().map(|(i, outcome)| written(outcome, case.expected.get(i))).collect();
        if got != case.expected {
            let (got, expected) = (Value::from(got), Value::from(case.expected.clone()));
            wrong.push(format!("{}\n     got: {got}\nexpected: {expected}", case.name));
            continue;
        }
        let len = bytes(&case.input);
        let mut ways: Vec<Vec<usize>> = (0..=len).map(|at| vec![at]).collect();
        ways.push((0..=len).collect());
        for _ in 0..if full() { 1000 } else { 20 } {
            let mut cuts: Vec<usize> = (0..random.usize(..len / 2 + 1)).map(|_| random.usize(..len.max(1))).collect();
            cuts.sort_unstable();
            ways.push(cuts);
        }
        for cuts in ways {
            assert_eq!(parse(&case, &cut(&case.input, &cuts)), whole, "{} cut at {cuts:?}", case.name);
        }
    }
    assert!(wrong.is_empty(), "{} cases are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// Text that no model should write: pieces are taken out of transcripts, doubled, and put among others. However it is cut, it must
/// give the same.
#[test]
fn damaged_transcripts_give_the_same_however_they_are_cut() {
    let mut random = fastrand::Rng::with_seed(11);
    let cases = cases();
    let parts: Vec<Input> = cases.iter().flat_map(|case| case.input.clone()).collect();
    for case in &cases {
        for _ in 0..if full() { 1000 } else { 10 } {
            let mut input = case.input.clone();
            for _ in 0..=random.usize(..3) {
                damage(&mut input, &parts, &mut random);
            }
            let whole = parse(case, &input);
            let len = bytes(&input);
            let some = (0..=len).filter(|_| random.usize(..6) == 0).collect();
            for cuts in [(0..=len).collect::<Vec<usize>>(), some, vec![random.usize(..=len)]] {
                assert_eq!(parse(case, &cut(&input, &cuts)), whole, "{}: {input:?} cut at {cuts:?}", case.name);
            }
        }
    }
}

fn damage(input: &mut Vec<Input>, others: &[Input], random: &mut fastrand::Rng) {
    let at = random.usize(..=input.len());
    let Some(Input::Text(text)) = input.get_mut(at) else {
        input.insert(at, others[random.usize(..others.len())].clone());
        return;
    };
    let other = &others[random.usize(..others.len())];
    let mut range = |text: &str, longest: usize| {
        let from = text.floor_char_boundary(random.usize(..=text.len()));
        from..text.floor_char_boundary((from + random.usize(..longest)).min(text.len()))
    };
    let own = range(text, 12);
    let piece = match other {
        Input::Text(other) => other[range(other, 24)].to_owned(),
        Input::Control(name) => name.clone(),
    };
    match random.usize(..3) {
        0 => text.replace_range(own, ""),
        1 => {
            let again = text[own.clone()].to_owned();
            text.insert_str(own.start, &again);
        }
        _ => text.replace_range(own, &piece),
    }
}

#[test]
fn every_tool_call_format_has_cases() {
    let cases = cases();
    for name in ToolCallFormat::names() {
        let count = cases
            .iter()
            .filter(|case| case.format.tool_call_format.is_some_and(|format| format.name() == name))
            .count();
        assert!(count >= 8, "{name} has {count} cases");
    }
}
