//! Chat templates against what transformers renders (`tests/goldens/templates`), and hostile ones (`tests/malformed/templates`).

use std::fs;
use std::path::{Path, PathBuf};

use inglenook::text::{ChatInput, ChatTemplate, ChatTemplates, TemplateError, TemplateInput};
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
    let builtin = tests(&format!("../core/src/text/template/builtin/{name}.jinja"));
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

/// Every template that can offer tools also takes a history in which they were called: by its own words or, where it leaves calls to
/// the content, in its dialect's.
#[test]
fn a_history_with_calls_fits_every_template_that_offers_tools() {
    let tool = serde_json::json!([{"type": "function", "function": {"name": "get_weather", "description": "d",
        "parameters": {"type": "object", "properties": {"city": {"type": "string", "description": "d"}}, "required": ["city"]}}}]);
    let messages = serde_json::json!([
        {"role": "user", "content": "Is it raining?"},
        {"role": "assistant", "content": null, "tool_calls": [
            {"id": "abcdef123", "type": "function", "function": {"name": "get_weather", "arguments": "{\"city\": \"Oslo\"}"}}]},
        {"role": "tool", "tool_call_id": "abcdef123", "content": "It pours."},
        {"role": "assistant", "content": "It does."},
        {"role": "user", "content": "And now?"},
    ]);
    let (mut written, mut refused) = (Vec::new(), Vec::new());
    for (name, path) in files("goldens/templates", "json") {
        let golden = json(&path);
        let source = template(&name);
        let capabilities = ChatTemplate::new(&source).unwrap().capabilities().clone();
        // These two are no chat templates: they try out the language.
        if !capabilities.tools || ["idioms", "printing"].contains(&name.as_str()) {
            continue;
        }
        match prompt(&source, &golden, &messages, tool.as_array()) {
            Ok(prompt) => {
                let words = ["Is it raining?", "Oslo", "It pours.", "And now?"];
                let missing = words.into_iter().filter(|word| !prompt.contains(word));
                refused.extend(missing.map(|word| format!("{name}: no {word:?}")));
                written.extend((!capabilities.calls).then_some(name));
            }
            Err(error) => refused.push(format!("{name}: {error}")),
        }
    }
    assert_eq!(written, ["lfm2", "phi4-mini", "smollm3"]);
    assert!(refused.is_empty(), "{refused:#?}");
}

/// A system message in the middle is shown, or refused with a word. Found where some templates, which know them only in front, left it
/// out.
#[test]
fn no_system_message_is_left_out_in_silence() {
    let messages = serde_json::json!([
        {"role": "system", "content": "Speak plainly."},
        {"role": "user", "content": "Is it raining?"},
        {"role": "assistant", "content": "It is."},
        {"role": "system", "content": "From now on, sing."},
        {"role": "user", "content": "And now?"},
    ]);
    let (mut shown, mut left_out, mut silent) = (0, Vec::new(), Vec::new());
    for (name, path) in files("goldens/templates", "json") {
        match prompt(&template(&name), &json(&path), &messages, None) {
            Ok(prompt) if prompt.contains("From now on, sing.") => shown += 1,
            Ok(_) => silent.push(name),
            Err(TemplateError::LeftOut(3)) => left_out.push(name),
            // One wants documents, and says so by failing.
            Err(TemplateError::Raised(_) | TemplateError::Failed { .. }) => {}
            Err(error) => panic!("{name}: {error}"),
        }
    }
    assert!(silent.is_empty(), "{silent:?}");
    let known = ["alpaca-hf", "falcon3", "gpt-oss", "idioms", "minimax", "orion", "printing", "smollm3", "yi"];
    assert_eq!(left_out, known);
    assert!(shown >= 50, "{shown}");
}

/// Texts in parts come into the prompt whole, whoever says them. Found where some templates showed the first part alone of a system
/// message, nothing of an answer, or a result as Python prints lists.
#[test]
fn parts_of_text_are_all_shown() {
    let parts = serde_json::json!([{"type": "text", "text": "alpha one"}, {"type": "text", "text": "beta two"}]);
    let tools = serde_json::json!([{"type": "function", "function": {"name": "look", "description": "d",
        "parameters": {"type": "object", "properties": {"at": {"type": "string", "description": "d"}}, "required": ["at"]}}}]);
    let (mut shown, mut wrong) = (0, Vec::new());
    for (name, path) in files("goldens/templates", "json") {
        if ["idioms", "printing"].contains(&name.as_str()) {
            continue;
        }
        let source = template(&name);
        let capabilities = ChatTemplate::new(&source).unwrap().capabilities().clone();
        let takes_results = capabilities.tools && capabilities.results;
        for role in ["system", "user", "assistant", "tool"] {
            let mut messages = serde_json::json!([
                {"role": "system", "content": "s"},
                {"role": "user", "content": "u"},
                {"role": "assistant", "content": "", "tool_calls": [
                    {"id": "abcdef123", "type": "function", "function": {"name": "look", "arguments": "{\"at\": \"x\"}"}}]},
                {"role": "tool", "tool_call_id": "abcdef123", "content": "t"},
                {"role": "assistant", "content": "a"},
                {"role": "user", "content": "v"},
            ]);
            let list = messages.as_array_mut().unwrap();
            if !takes_results {
                list.drain(2..4);
            }
            // The last of its kind, since the first answer only calls.
            let Some(message) = list.iter_mut().rev().find(|message| message["role"] == role) else { continue };
            message["content"] = parts.clone();
            match prompt(&source, &json(&path), &messages, tools.as_array().filter(|_| takes_results)) {
                Ok(text) => {
                    let printed = ["'type': 'text'", "\"type\": \"text\""].iter().any(|list| text.contains(list));
                    let text = text.to_lowercase();
                    let whole = text.contains("alpha one") && text.contains("beta two");
                    wrong.extend((printed || !whole).then(|| format!("{name}, {role}: {text}")));
                    shown += 1;
                }
                // One wants documents, another tools.
                Err(TemplateError::Failed { message, .. }) if message.contains("'NoneType' object is not iterable") => {
                }
                Err(error) => wrong.push(format!("{name}, {role}: {error}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(shown >= 240, "{shown}");
}

/// The prompt that a template makes of a conversation, with the special tokens of its golden.
fn prompt(source: &str, golden: &Value, messages: &Value, tools: Option<&Vec<Value>>) -> Result<String, TemplateError> {
    let text = |key: &str| golden.get(key).and_then(Value::as_str).unwrap_or("");
    let templates = ChatTemplates::from_hugging_face(&serde_json::json!({"chat_template": source}), None);
    let rendered = templates.render(&ChatInput {
        messages: messages.as_array().unwrap(),
        tools: tools.map(Vec::as_slice),
        add_generation_prompt: true,
        bos_token: text("bos"),
        eos_token: text("eos"),
        local_time: Some(NOW),
        ..ChatInput::default()
    });
    rendered.map(|prompt| prompt.text)
}
