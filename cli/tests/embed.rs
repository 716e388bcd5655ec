//! `inglenook embed` and `inglenook rerank`, as their users see them.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn golden(name: &str) -> String {
    format!("{}/../tests/goldens/embeddings/{name}.gguf", env!("CARGO_MANIFEST_DIR"))
}

/// Runs a command on the CPU with a model of the goldens.
fn run(command: &str, model: &str, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_inglenook"))
        .args([command, "--device", "cpu", "--model", &golden(model)])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("the program reads");
    child.wait_with_output().expect("the program ends")
}

fn stdout(command: &str, model: &str, arguments: &[&str], input: &str) -> String {
    let output = run(command, model, arguments, input);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("output is UTF-8")
}

#[test]
fn embed_prints_a_vector_a_line() {
    let lines = stdout("embed", "bert", &["warm", "a cold stove"], "");
    let vectors: Vec<Vec<f32>> = lines.lines().map(|line| serde_json::from_str(line).expect("a vector")).collect();
    assert_eq!(vectors.iter().map(Vec::len).collect::<Vec<_>>(), [96, 96]);
    assert_eq!(stdout("embed", "bert", &[], "warm\n\na cold stove\n"), lines, "lines of standard input");
    let cut = stdout("embed", "bert", &["--dimensions", "8", "warm"], "");
    assert_eq!(serde_json::from_str::<Vec<f32>>(&cut).expect("a vector").len(), 8);
}

#[test]
fn embed_prints_the_object_of_openai() {
    let object: Value = serde_json::from_str(&stdout("embed", "bert", &["--json", "warm"], "")).expect("JSON");
    assert_eq!(object["object"], "list");
    assert_eq!(object["data"][0]["index"], 0);
    assert_eq!(object["data"][0]["embedding"].as_array().map(Vec::len), Some(96));
    assert!(object["usage"]["total_tokens"].as_u64().is_some_and(|tokens| tokens > 0));
    assert!(object["timings"]["embed_ms"].as_f64().is_some_and(|ms| ms > 0.0));
}

#[test]
fn rerank_prints_documents_with_the_best_first() {
    let lines = stdout("rerank", "xlm-roberta-reranker", &["warm", "hot", "a warm hearth", "cold"], "");
    let scores: Vec<f32> =
        lines.lines().map(|line| line.split('\t').next().expect("a score").parse().expect("a number")).collect();
    assert_eq!(scores.len(), 3);
    assert!(scores.windows(2).all(|two| two[0] >= two[1]), "{lines}");
    let arguments = ["--json", "--top-n", "1", "--truncate", "warm"];
    let object = stdout("rerank", "xlm-roberta-reranker", &arguments, "hot\ncold\n");
    let object: Value = serde_json::from_str(&object).expect("JSON");
    assert_eq!(object["results"].as_array().map(Vec::len), Some(1));
    let score = object["results"][0]["relevance_score"].as_f64().expect("a score");
    assert!((0.0..=1.0).contains(&score), "{score}");
}

#[test]
fn model_for_another_purpose_is_refused() {
    for (command, model, arguments, wanted) in [
        ("embed", "xlm-roberta-reranker", &["warm"][..], "gives no embeddings"),
        ("rerank", "bert", &["warm", "hot"][..], "cannot rank"),
        ("run", "bert", &["warm"][..], "embeds or ranks"),
        ("embed", "bert", &["--prompt-name", "query", "warm"][..], "give `prompt`"),
    ] {
        let output = run(command, model, arguments, "");
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(message.contains(wanted), "{command} {model}: {message}");
    }
}
