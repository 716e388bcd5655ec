//! Chat templates against what the reference implementation answered (`tests/goldens`).

use std::fs;
use std::path::{Path, PathBuf};

use inglenook::text::{ChatTemplate, TemplateError, TemplateInput};
use serde_json::Value;

fn goldens(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/goldens").join(folder)
}

/// The JSON files of a folder, by name.
fn cases(folder: &str) -> Vec<(String, Value)> {
    let mut paths: Vec<PathBuf> = fs::read_dir(goldens(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    let read = |path: &PathBuf| serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    paths.iter().map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), read(path))).collect()
}

#[test]
fn every_template_renders_as_transformers_renders_it() {
    let mut wrong = Vec::new();
    let templates = cases("templates");
    assert!(templates.len() >= 70);
    for (name, case) in templates {
        let list = |key: &str| case.get(key).and_then(Value::as_array).map(Vec::as_slice);
        let template = ChatTemplate::new(case["template"].as_str().unwrap()).unwrap();
        let found = template.render(&TemplateInput {
            messages: list("messages").unwrap(),
            tools: list("tools"),
            add_generation_prompt: case["add_generation_prompt"].as_bool().unwrap(),
            bos_token: case["bos_token"].as_str().unwrap(),
            eos_token: case["eos_token"].as_str().unwrap(),
            extra: case.get("variables").and_then(Value::as_object),
            ..TemplateInput::default()
        });
        let expected = match case.get("error") {
            Some(message) => Err(TemplateError::Raised(message.as_str().unwrap().to_owned())),
            None => Ok(case["expected"].as_str().unwrap().to_owned()),
        };
        if found != expected {
            wrong.push(format!("{name}:\n{found:?}\nnot\n{expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n\n"));
}
