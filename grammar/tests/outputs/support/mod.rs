//! What the tests of whole outputs share: a vocabulary, walks at random through what a grammar allows, and the corpus.

pub mod random;
pub mod readers;
pub mod walk;

use std::path::PathBuf;
use std::sync::Arc;

use inglenook_grammar::{Compiler, Token, Vocabulary};

/// How many walks are made through each grammar: more with `INGLENOOK_FULL=1`.
pub fn walks() -> u64 {
    if std::env::var_os("INGLENOOK_FULL").is_some_and(|value| value == "1") { 60 } else { 3 }
}

/// A file or folder of the corpus.
pub fn corpus(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests").join(name)
}

/// What real vocabularies have besides bytes: words, and pieces of JSON, code and other scripts that cross a grammar's borders.
const PIECES: &str = r#"the and of to in is ing er on at or an en th re it ed es 0 1 00 10 123 2024 19 99 -0 .5 1e e10 E+ true false null rue alse
{" "} ": ", ":" "," [] {} [[ ]] }, ], [{ }] "] ": { ": [ " ", {"a":1 "a": 3.14 -1 \n \" \\ \u \t \/ // /* a/b http:// @ex .com -01-
foo bar baz abc ab red blue x-a x- n_ s_ id name value kind type é ü ß 日本 漢 字 😀 e\u0301 ( ) (( )) + - * / == -> => ::= <a> </ > && || ;"#;

/// All bytes, many pieces, some control tokens and an end: 256 is the end.
pub fn tokens() -> Vec<Token> {
    let text = |bytes: &[u8]| Token { bytes: bytes.to_vec(), control: false };
    let control = |name: &str| Token { bytes: name.as_bytes().to_vec(), control: true };
    let mut tokens: Vec<Token> = (0..=255u8).map(|byte| text(&[byte])).collect();
    tokens.extend([control("<|end|>"), control("<|call|>"), control("[TOOL_CALLS]")]);
    for piece in PIECES.split_whitespace() {
        tokens.push(text(piece.as_bytes()));
        tokens.push(text(format!(" {piece}").as_bytes()));
    }
    // A character of several bytes in two tokens, and white space of all kinds.
    tokens.extend([&b"\xe6\x97"[..], b"\xf0\x9f", b"  ", b"\n", b"\n\n", b"\t", b"\r\n", b" \n ", b"\",\n"].map(text));
    tokens
}

/// A compiler for these tokens, whose tokenizer takes the longest token that fits.
pub fn compiler(tokens: &[Token]) -> Compiler {
    let mut known: Vec<(u32, Vec<u8>)> = tokens
        .iter()
        .enumerate()
        .filter(|(_, token)| !token.control)
        .map(|(id, token)| (id as u32, token.bytes.clone()))
        .collect();
    known.sort_by_key(|(_, bytes)| std::cmp::Reverse(bytes.len()));
    let tokenize = move |mut text: &[u8]| {
        let mut found = Vec::new();
        while let Some((id, bytes)) = known.iter().find(|(_, bytes)| text.starts_with(bytes)) {
            found.push(*id);
            text = &text[bytes.len()..];
            if text.is_empty() {
                break;
            }
        }
        found
    };
    Compiler::new(Arc::new(Vocabulary::new(tokens, &[256], Box::new(tokenize)).unwrap())).unwrap()
}
