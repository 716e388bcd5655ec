//! JSON schemas: what comes out is what an independent validator accepts, whatever a model chooses.

use inglenook_grammar::{Spec, Token};
use serde_json::Value;

use crate::support::{compiler, corpus, tokens, walk::walk, walks};

/// The name and the schema of each case.
fn generated() -> Vec<(String, Value)> {
    let text = std::fs::read_to_string(corpus("structured/schemas.jsonl")).unwrap();
    let case = |line: &str| {
        let case: Value = serde_json::from_str(line).unwrap();
        (case["name"].as_str().unwrap().to_owned(), case["schema"].clone())
    };
    text.lines().map(case).collect()
}

fn realistic() -> Vec<(String, Value)> {
    let files = std::fs::read_dir(corpus("structured/realistic")).unwrap();
    let case = |path: std::path::PathBuf| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        (name, serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap())
    };
    files.map(|file| case(file.unwrap().path())).collect()
}

/// Walks through each schema; what is finished must be a document that the validator accepts, formats included.
fn check(cases: &[(String, Value)]) {
    let tokens: Vec<Token> = tokens();
    let mut compiler = compiler(&tokens);
    let mut wrong = Vec::new();
    for (name, schema) in cases {
        let validator = jsonschema::options().should_validate_formats(true).build(schema).unwrap();
        let spec = Spec::JsonSchema { schema: schema.clone(), strict: false };
        for seed in 0..walks() {
            let text =
                walk(&mut compiler, &tokens, &spec, seed, 60, 400).unwrap_or_else(|| panic!("{name} does not land"));
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
}

#[test]
fn every_document_of_every_schema_is_accepted() {
    let cases = generated();
    assert!(cases.len() >= 300, "{} schemas", cases.len());
    check(&cases);
}

#[test]
fn every_document_of_realistic_schemas_is_accepted() {
    let cases = realistic();
    assert!(cases.len() >= 40, "{} schemas", cases.len());
    check(&cases);
}
