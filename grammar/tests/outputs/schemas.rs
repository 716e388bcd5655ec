//! JSON schemas: what comes out is what an independent validator accepts, whatever a model chooses.

use inglenook_grammar::{Spec, Token};
use serde_json::Value;

use crate::support::{compiler, corpus, tokens, walk::walk, walks};

/// The name and the schema of each case.
pub fn generated() -> Vec<(String, Value)> {
    let text = std::fs::read_to_string(corpus("structured/schemas.jsonl")).unwrap();
    let case = |line: &str| {
        let case: Value = serde_json::from_str(line).unwrap();
        (case["name"].as_str().unwrap().to_owned(), case["schema"].clone())
    };
    text.lines().map(case).collect()
}

/// The cases of a folder, a file each.
pub fn folder(name: &str) -> Vec<(String, Value)> {
    let files = std::fs::read_dir(corpus(name)).unwrap();
    let case = |path: std::path::PathBuf| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        (name, serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap())
    };
    let paths = files.map(|file| file.unwrap().path()).filter(|path| path.is_file());
    let mut cases: Vec<_> = paths.map(case).collect();
    cases.sort_by(|one, other| one.0.cmp(&other.0));
    cases
}

/// Walks through each schema, which must all come to an end: a document that the validator accepts, formats included.
fn check(cases: &[(String, Value)]) {
    let tokens: Vec<Token> = tokens();
    let mut compiler = compiler(&tokens);
    let (mut wrong, mut lost) = (Vec::new(), Vec::new());
    for (name, schema) in cases {
        let validator = jsonschema::options().should_validate_formats(true).build(schema).unwrap();
        let spec = Spec::JsonSchema { schema: schema.clone(), strict: false };
        for seed in 0..walks() {
            let Some(text) = walk(&mut compiler, &tokens, &spec, seed, 60, 400) else {
                lost.push(name.clone());
                continue;
            };
            match serde_json::from_str::<Value>(&text) {
                Err(error) => wrong.push(format!("{name}: {text}: {error}")),
                Ok(document) => {
                    if let Err(error) = validator.validate(&document) {
                        wrong.push(format!("{name}: {text}: {error}"));
                    }
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} documents are wrong:\n{}",
        wrong.len(),
        cases.len() as u64 * walks(),
        wrong.join("\n")
    );
    assert!(lost.is_empty(), "these do not land: {}", lost.join(" "));
}

#[test]
fn every_document_of_every_schema_is_accepted() {
    let cases = generated();
    assert!(cases.len() >= 300, "{} schemas", cases.len());
    check(&cases);
}

#[test]
fn every_document_of_realistic_schemas_is_accepted() {
    let cases = folder("structured/realistic");
    assert!(cases.len() >= 40, "{} schemas", cases.len());
    check(&cases);
}

#[test]
fn every_document_of_schemas_of_each_kind_is_accepted() {
    let cases = folder("structured/kinds");
    assert!(cases.len() >= 30, "{} schemas", cases.len());
    check(&cases);
}

/// What zod, zod-to-json-schema, pydantic, Effect, TypeBox and valibot write for types of every kind.
#[test]
fn every_document_of_schemas_that_libraries_write_is_accepted() {
    let cases = folder("structured/libraries");
    assert!(cases.len() >= 90, "{} schemas", cases.len());
    check(&cases);
}

/// What they write that no grammar holds is refused, by the place of the keyword.
#[test]
fn schemas_of_libraries_that_cannot_be_held_are_refused_by_name() {
    for (name, case) in folder("structured/libraries/refused") {
        let error = Spec::JsonSchema { schema: case["schema"].clone(), strict: false }.check().unwrap_err().to_string();
        let place = case["at"].as_str().unwrap();
        assert!(error.contains(&format!("{place}: ")), "{name}: {error}");
    }
}
