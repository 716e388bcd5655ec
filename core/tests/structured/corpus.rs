//! The corpus of `tests/structured`: whatever ember says at a temperature at which it talks nonsense, a reader that knows nothing of
//! our grammars accepts it.

use std::fs;
use std::path::{Path, PathBuf};

use inglenook::Device;
use inglenook::engine::Engine;
use inglenook::engine::event::FinishReason;
use serde_json::{Value, json};

use crate::readers::{self, Reader};
use crate::{answer, gpu, load, request};

/// Every so many-th case is tried, or all with `INGLENOOK_FULL=1`.
const STRIDE: usize = 12;

/// A form of answers, and who judges them.
struct Case {
    name: String,
    format: Value,
    accepts: Reader,
}

fn corpus(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/structured").join(name)
}

/// The cases of a file of JSON lines.
fn lines(name: &str) -> Vec<Value> {
    let text = fs::read_to_string(corpus(name)).expect("the corpus");
    text.lines().map(|line| serde_json::from_str(line).expect("a case")).collect()
}

/// The files of a folder, by name.
fn files(name: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(corpus(name)).expect("the corpus").map(|file| file.expect("a file").path()).collect();
    files.sort();
    files
}

fn stem(path: &Path) -> String {
    path.file_name().expect("a name").to_string_lossy().into_owned()
}

fn schemas() -> Vec<Case> {
    let all = lines("schemas.jsonl").into_iter().map(|line| (line["name"].to_string(), line["schema"].clone()));
    let realistic = files("realistic").into_iter().map(|path| {
        let schema = serde_json::from_slice(&fs::read(&path).expect("a file")).expect("JSON");
        (stem(&path), schema)
    });
    let case = |(name, schema): (String, Value)| {
        let validator = jsonschema::options().should_validate_formats(true).build(&schema).expect("a schema");
        Case {
            name,
            format: json!({"type": "json_schema", "json_schema": {"name": "test", "schema": schema}}),
            accepts: Box::new(move |text| {
                serde_json::from_str(text).is_ok_and(|document: Value| validator.is_valid(&document))
            }),
        }
    };
    all.chain(realistic).map(case).collect()
}

fn regexes() -> Vec<Case> {
    let case = |line: Value| {
        let pattern = line["regex"].as_str().expect("a pattern").to_owned();
        Case {
            name: line["name"].to_string(),
            accepts: readers::regex(&pattern),
            format: json!({"type": "regex", "regex": pattern}),
        }
    };
    lines("regexes.jsonl").into_iter().map(case).collect()
}

/// Each language is there twice, and the GBNF is what its texts are put to.
fn grammars() -> Vec<Case> {
    let case = |path: PathBuf| {
        let read = |path: &Path| fs::read_to_string(path).expect("a grammar");
        let kind = path.extension().expect("an ending").to_string_lossy().into_owned();
        Case {
            name: stem(&path),
            format: json!({"type": kind, "grammar": read(&path)}),
            accepts: readers::gbnf(&read(&path.with_extension("gbnf"))),
        }
    };
    files("grammars").into_iter().map(case).collect()
}

/// Asks for an answer of each form, and gives what was wrong.
fn wrong(engine: &mut Engine, cases: Vec<Case>) -> Vec<String> {
    let stride = if std::env::var_os("INGLENOOK_FULL").is_some_and(|value| value == "1") { 1 } else { STRIDE };
    let (mut wrong, mut count, mut tokens) = (Vec::new(), 0, 0);
    for Case { name, format, accepts } in cases.into_iter().step_by(stride) {
        let more = json!({"response_format": format, "seed": 7});
        let (text, generated, finish) = answer(engine, request("Tell me something.", more));
        // An answer that is too long is led to its end, and says so; the text is of its form either way.
        let has_ended = matches!(finish, FinishReason::Stop | FinishReason::Length);
        if !(has_ended && accepts(&text)) {
            wrong.push(format!("{name}: {finish:?} {text:?}"));
        }
        (count, tokens) = (count + 1, tokens + generated.len());
    }
    println!("{count} answers of {tokens} tokens, {} wrong", wrong.len());
    wrong
}

#[test]
fn every_schema_is_kept() {
    let cases = schemas();
    assert!(cases.len() >= 340);
    let wrong = wrong(&mut load(Device::Cpu), cases);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// On the GPU; the others take the CPU, which is faster here.
#[test]
fn every_regex_is_matched() {
    let cases = regexes();
    assert!(cases.len() >= 50);
    let wrong = wrong(&mut load(gpu()), cases);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_grammar_is_kept() {
    let cases = grammars();
    assert!(cases.len() >= 50);
    let wrong = wrong(&mut load(Device::Cpu), cases);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
