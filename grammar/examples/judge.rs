//! Tells of outputs that other programs made whether they are of their form.
//!
//! `cargo run --example judge`, with a line of JSON for each output on standard input, `{"regex": …, "text": …}` or
//! `{"gbnf": …, "text": …}`, prints `true` or `false` for each. The browser's tests use it, whose own regular expressions are others.

#[path = "../tests/outputs/support/readers/mod.rs"]
mod readers;

use std::io::{BufRead, stdin};

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Form {
    Regex(String),
    Gbnf(String),
}

#[derive(Deserialize)]
struct Output {
    #[serde(flatten)]
    form: Form,
    text: String,
}

fn main() {
    for line in stdin().lock().lines() {
        let Output { form, text } = serde_json::from_str(&line.expect("a line")).expect("an output");
        let accepts = match form {
            Form::Regex(pattern) => readers::regex(&pattern),
            Form::Gbnf(grammar) => readers::gbnf(&grammar),
        };
        println!("{}", accepts(&text));
    }
}
