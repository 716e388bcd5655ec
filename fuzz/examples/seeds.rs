//! Writes first inputs that no folder of the tests holds as the targets want them: `cargo run -p inglenook-fuzz --example seeds`.

use std::fs;
use std::path::Path;

use inglenook::engine::session_file::SessionEncoder;
use inglenook_text::output::{ReasoningFormat, ToolCallFormat};
use serde_json::Value;

#[path = "../src/session.rs"]
mod session;
#[path = "../../text/tests/malformed_tokenizers/seeds.rs"]
mod vocabularies;

/// A small vocabulary, as a file.
enum Vocabulary {
    Json(Vec<u8>),
    SentencePiece(Vec<u8>),
    Gguf(Vec<u8>),
}

fn main() {
    for (number, vocabulary) in vocabularies::all().into_iter().enumerate() {
        let (target, bytes) = match vocabulary {
            Vocabulary::Json(bytes) => ("tokenizer_json", bytes),
            Vocabulary::SentencePiece(bytes) => ("tokenizer_model", bytes),
            Vocabulary::Gguf(bytes) => ("gguf", bytes),
        };
        write(target, &format!("seed-{number}"), &bytes);
    }
    for folder in files("../tests/transcripts") {
        for path in files(&folder).filter(|path| path.ends_with(".json")) {
            let transcript = fs::read(&path).expect("a transcript");
            let transcript: Value = serde_json::from_slice(&transcript).expect("JSON");
            let name = path.rsplit('/').take(2).collect::<Vec<_>>().join("-of-");
            write("output", &format!("seed-{name}"), &answer(&transcript));
        }
    }
    write("session", "seed", &saved_session());
}

/// The paths of what is in a folder of this crate; of a file, none.
fn files(folder: &str) -> impl Iterator<Item = String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path().to_str().expect("a path of Unicode").to_owned())
}

fn write(target: &str, name: &str, bytes: &[u8]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    fs::create_dir_all(&folder).expect("a folder for first inputs");
    fs::write(folder.join(name), bytes).expect("a first input");
}

/// A transcript's text with control tokens between bytes 0, then the numbers of its formats.
fn answer(transcript: &Value) -> Vec<u8> {
    let mut text = String::new();
    match &transcript["text"] {
        Value::Array(parts) => {
            for part in parts {
                match part["control"].as_str() {
                    Some(name) => text.extend(["\0", name, "\0"]),
                    None => text += part.as_str().unwrap_or_default(),
                }
            }
        }
        whole => text += whole.as_str().unwrap_or_default(),
    }
    let number = |mut names: Box<dyn Iterator<Item = &str>>, key: &str| {
        names.position(|name| Some(name) == transcript[key].as_str()).map_or(u8::MAX, |number| number as u8)
    };
    let mut bytes = text.into_bytes();
    bytes.push(number(Box::new(ToolCallFormat::names()), "tool_call_format"));
    bytes.push(number(Box::new(ReasoningFormat::names()), "reasoning"));
    bytes
}

/// The sections of a session of two pages, without their checksums.
fn saved_session() -> Vec<u8> {
    let (model, layout) = session::model();
    let (state, tokens): (&[u8], Vec<u32>) = (b"{}", (0..30).collect());
    let (_, file) = SessionEncoder::begin(&model, &layout, state, &tokens, 2);
    // Behind magic, version and length stands the header, and a checksum ends each section.
    let header = &file[16..][..usize::from(file[12]) + 256 * usize::from(file[13])];
    let tokens: Vec<u8> = tokens.iter().flat_map(|token| token.to_le_bytes()).collect();
    let page = vec![7; layout.page_bytes as usize];
    [header, state, &tokens, &page, &page, &2u64.to_le_bytes()].join(&[0xff; 2][..])
}
