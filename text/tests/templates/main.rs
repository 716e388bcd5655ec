//! Chat templates against what transformers renders (`tests/goldens/templates`), and hostile ones (`tests/malformed/templates`).

mod histories;
mod language;
mod origin;
mod tool_call_formats;

use std::fs;
use std::path::{Path, PathBuf};

use inglenook_text::{ChatTemplate, TemplateError, TemplateInput};
use serde_json::Value;

/// 2026-02-01 09:05:07, as in tests/goldens/generator/templates.py.
const NOW: i64 = 1_769_936_707;

fn tests(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests").join(path)
}

/// The files of a folder with their names, in order.
fn files(folder: &str, extension: &str) -> Vec<(String, PathBuf)> {
    let mut paths: Vec<PathBuf> = fs::read_dir(tests(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|found| found == extension));
    paths.sort();
    paths.into_iter().map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), path)).collect()
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// A template of the goldens: one of theirs, or one that ships with the engine.
fn template(name: &str) -> String {
    let own = tests(&format!("goldens/generator/jinja/{name}.jinja"));
    let builtin = tests(&format!("../text/src/template/builtin/{name}.jinja"));
    fs::read_to_string(if own.exists() { own } else { builtin }).unwrap()
}

fn conversation(name: &str) -> Value {
    json(&tests(&format!("goldens/generator/conversations/{name}.json")))
}

/// What a case of `golden` asks for.
fn input<'a>(golden: &'a Value, case: &'a Value, conversation: &'a Value) -> TemplateInput<'a> {
    let list = |key: &str| conversation.get(key).and_then(Value::as_array).map(Vec::as_slice);
    let text = |key: &str| golden.get(key).and_then(Value::as_str).unwrap_or("");
    let continues = conversation.get("continue").is_some();
    TemplateInput {
        messages: list("messages").unwrap(),
        tools: list("tools"),
        documents: list("documents"),
        add_generation_prompt: !continues && case.get("prompt").is_none(),
        continue_final_message: continues,
        bos_token: text("bos"),
        eos_token: text("eos"),
        extra: case.get("variables").and_then(Value::as_object),
        local_time: Some(NOW),
    }
}

/// Whether an answer is the reference's: the same text, the same message of the template's own, or some error where it fails.
fn agrees(found: &Result<String, TemplateError>, case: &Value) -> bool {
    match (found, case.get("expected"), case.get("raises")) {
        (Ok(found), Some(expected), _) => found == expected,
        (Err(TemplateError::Raised(found)), _, Some(raised)) => found == raised,
        (Err(TemplateError::TooManySteps | TemplateError::TooMuchText), ..) => false,
        (Err(_), None, None) => true,
        _ => false,
    }
}

#[test]
fn every_template_renders_as_transformers_renders_it() {
    let (mut wrong, mut count) = (Vec::new(), 0);
    let goldens = files("goldens/templates", "json");
    assert!(goldens.len() >= 80);
    for (name, path) in goldens {
        let golden = json(&path);
        let template = ChatTemplate::new(&template(&name)).unwrap();
        for case in golden["cases"].as_array().unwrap() {
            let topic = case["conversation"].as_str().unwrap();
            let conversation = conversation(topic);
            let found = template.render(&input(&golden, case, &conversation));
            count += 1;
            if !agrees(&found, case) {
                wrong.push(format!("{name}, {topic}: {found:?}\nnot {case}"));
            }
        }
    }
    assert!(count >= 1700, "{count}");
    assert!(wrong.is_empty(), "{} of {count} wrong:\n{}", wrong.len(), wrong.join("\n\n"));
}

#[test]
fn the_language_answers_as_jinja2_answers() {
    let (mut wrong, mut count) = (Vec::new(), 0);
    let plain = conversation("plain");
    for (_, path) in files("goldens/templates/expressions", "json") {
        let golden = json(&path);
        for case in golden["cases"].as_array().unwrap() {
            let template = ChatTemplate::new(case["template"].as_str().unwrap());
            let found = template.and_then(|template| template.render(&input(&golden, case, &plain)));
            count += 1;
            if !agrees(&found, case) {
                wrong.push(format!("{found:?}\nnot {case}"));
            }
        }
    }
    assert!(count >= 220, "{count}");
    assert!(wrong.is_empty(), "{} of {count} wrong:\n{}", wrong.len(), wrong.join("\n\n"));
}

#[test]
fn what_is_absent_is_named() {
    let lines = fs::read_to_string(tests("goldens/generator/expressions/absent.txt")).unwrap();
    let plain = conversation("plain");
    for source in lines.lines() {
        let template = ChatTemplate::new(source);
        let found = template.and_then(|template| template.render(&input(&plain, &plain, &plain)));
        let Err(TemplateError::Unknown { message, line: 1 }) = found else { panic!("{source}: {found:?}") };
        // The message quotes the name.
        let quoted = message.split('\'').any(|part| part.len() > 1 && part != "str" && source.contains(part));
        assert!(quoted, "{source}: {message}");
    }
}

/// A hostile template's file begins with a comment that names the error it must end in.
#[test]
fn hostile_templates_end_in_typed_errors() {
    let plain = conversation("plain");
    let mut sources: Vec<(String, String)> = files("malformed/templates", "jinja")
        .into_iter()
        .map(|(name, path)| (name, fs::read_to_string(path).unwrap()))
        .collect();
    assert!(sources.len() >= 38);
    // What would be too long for a file.
    let long = |error: &str, repeated: &str, times| format!("{{#- {error} -#}}{}", repeated.repeat(times));
    sources.extend([
        ("megabyte".to_owned(), long("TooLong", "x", 1 << 20)),
        ("deep_blocks".to_owned(), long("TooComplex", "{% if 1 %}", 20_000)),
        (
            "deep_brackets".to_owned(),
            long("TooComplex", "{{ [", 1) + &"[".repeat(99_999) + &"]".repeat(100_000) + " }}",
        ),
        ("deep_conditions".to_owned(), long("TooComplex", "{{ 1", 1) + &" if 1".repeat(40_000) + " }}"),
        ("dotted_filter".to_owned(), long("Unknown", "{{ 1 | a", 1) + &".a".repeat(100_000) + " }}"),
    ]);
    let mut wrong = Vec::new();
    for (name, source) in sources {
        let wanted = source.split(['{', '#', '-', ' ', '}']).find(|word| !word.is_empty()).unwrap().to_owned();
        let start = std::time::Instant::now();
        let found = ChatTemplate::new(&source).and_then(|template| template.render(&input(&plain, &plain, &plain)));
        println!("{name}: {:.1} ms", start.elapsed().as_secs_f64() * 1000.0);
        if !found.as_ref().is_err_and(|error| format!("{error:?}").starts_with(&wanted)) {
            wrong.push(format!("{name}: {found:?}, not {wanted}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Asking what a template can take is bounded, too.
#[test]
fn hostile_templates_answer_no_question() {
    for (name, path) in files("malformed/templates", "jinja") {
        if let Ok(template) = ChatTemplate::new(&fs::read_to_string(path).unwrap()) {
            let start = std::time::Instant::now();
            assert!(template.capabilities().text, "{name} is given everything as it is");
            println!("{name}: {:.1} ms", start.elapsed().as_secs_f64() * 1000.0);
        }
    }
}

/// A long conversation in two of the longer forms. Prints how long it takes; see the figures in ARCHITECTURE.md.
#[test]
fn a_long_conversation_is_rendered_in_a_few_milliseconds() {
    let turns = conversation("tools");
    let tools = turns["tools"].as_array().unwrap();
    for (name, limit) in [("qwen3", 60_000), ("llama32", 60_000)] {
        let template = ChatTemplate::new(&template(name)).unwrap();
        let messages: Vec<Value> =
            turns["messages"].as_array().unwrap()[1..].iter().cycle().take(50).cloned().collect();
        let bos = "<|begin_of_text|>";
        let input = TemplateInput {
            messages: &messages,
            tools: Some(tools),
            add_generation_prompt: true,
            bos_token: bos,
            local_time: Some(NOW),
            ..TemplateInput::default()
        };
        let start = std::time::Instant::now();
        let prompt = template.render(&input).unwrap();
        println!("{name}, 50 messages: {:.2} ms", start.elapsed().as_secs_f64() * 1000.0);
        assert!(prompt.matches("21.5 °C").count() >= 7 && prompt.len() < limit, "{}", prompt.len());
    }
}

/// Templates with letters lost, doubled and swapped neither panic nor run away. `INGLENOOK_FULL=1` tries a hundred times as many.
#[test]
fn mutated_templates_answer_or_fail() {
    let times = if std::env::var_os("INGLENOOK_FULL").is_some() { 1000 } else { 10 };
    let conversations = ["tools", "parts", "documents"].map(conversation);
    let mut random = fastrand::Rng::with_seed(1);
    let mut below = |limit: usize| random.usize(..limit.max(1));
    for (name, _) in files("goldens/templates", "json") {
        let whole: Vec<char> = template(&name).chars().collect();
        for _ in 0..times {
            let mut letters = whole.clone();
            for _ in 0..=below(4) {
                let at = below(letters.len() - 20);
                let (to, len) = (below(letters.len() - 20), below(12));
                match below(4) {
                    0 => drop(letters.drain(at..at + len)),
                    1 => {
                        let piece: Vec<char> = letters[at..at + len].to_vec();
                        letters.splice(to..to, piece);
                    }
                    2 => letters.swap(at, to),
                    _ => letters[at] = ['{', '}', '%', '\'', '[', '(', '-', '|', '.', '0', '\u{e9}', '\n'][below(12)],
                }
            }
            let source: String = letters.into_iter().collect();
            let start = std::time::Instant::now();
            if let Ok(template) = ChatTemplate::new(&source) {
                for conversation in &conversations {
                    // Whatever it answers: a text or an error.
                    let _ = template.render(&input(conversation, conversation, conversation));
                }
            }
            assert!(start.elapsed().as_secs() < 5, "{source}");
        }
    }
}
