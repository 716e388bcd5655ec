//! Runs each program as a user would, with ember.

use std::io::Write;
use std::process::{Command, Stdio};

/// What a program prints when it is given this input.
fn run(program: &str, input: &str) -> String {
    let mut child = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{program}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn chat_answers_each_line() {
    let said = run(env!("CARGO_BIN_EXE_chat"), "What is the opposite of hot?\nWhat is the opposite of big?\n");
    assert!(said.lines().count() >= 2, "{said}");
    assert!(said.contains("cold"), "{said}");
}

#[test]
fn stream_gives_every_thread_its_answer() {
    let said = run(env!("CARGO_BIN_EXE_stream"), "");
    assert!(said.lines().next().is_some_and(|first| first.contains("cold")), "{said}");
    assert!(said.lines().nth(1).is_some_and(|second| second.contains("small")), "{said}");
}

#[test]
fn structured_gives_a_value_of_its_type() {
    let said = run(env!("CARGO_BIN_EXE_structured"), "");
    assert!(said.starts_with("Weather { city: "), "{said}");
}

#[test]
fn batch_answers_every_question() {
    let said = run(env!("CARGO_BIN_EXE_batch"), "");
    for answer in ["cold", "small", "late"] {
        assert!(said.contains(answer), "{said}");
    }
}
