//! `inglenook run --lora` answers as PEFT's models with the same adapters do.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn goldens(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/goldens").join(path)
}

fn run(arguments: &[String]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_inglenook"));
    command.arg("run").args(arguments).output().expect("the program starts")
}

/// Greedily and exactly, so that the tokens are the reference's.
fn greedy(model: &str) -> Vec<String> {
    let model = goldens(&format!("models/{model}.gguf")).display().to_string();
    let fixed =
        ["--raw", "--json", "-t", "0", "-n", "16", "--device", "cpu", "--kv-type", "f32", "--exact-activations"];
    fixed.map(String::from).into_iter().chain(["--model".into(), model]).collect()
}

#[test]
fn run_answers_with_adapters_as_peft_does() {
    let golden = std::fs::read(goldens("adapters/llama.json")).expect("a golden");
    let golden: Value = serde_json::from_slice(&golden).expect("JSON");
    let text = golden["text"].as_str().expect("a text");
    for (run_of, form) in golden["runs"].as_array().expect("runs").iter().zip(["", "", ".gguf", "", ".gguf", ".gguf"]) {
        let mut arguments = greedy("llama");
        for (name, scale) in run_of["adapters"].as_object().expect("adapters") {
            let path = goldens(&format!("adapters/llama/{name}{form}"));
            arguments.extend(["--lora".into(), format!("{}={scale}", path.display())]);
        }
        arguments.push(text.into());
        let answered = run(&arguments);
        let said = String::from_utf8_lossy(&answered.stderr).into_owned();
        assert!(answered.status.success(), "{said}");
        let completion: Value = serde_json::from_slice(&answered.stdout).expect("JSON");
        assert_eq!(completion["tokens"], run_of["greedy"], "{}", run_of["adapters"]);
    }
}

#[test]
fn run_refuses_adapters_of_other_models() {
    let lora = goldens("adapters/gemma3/a.gguf").display().to_string();
    let arguments = greedy("llama").into_iter().chain(["--lora".into(), lora.clone(), "x".into()]);
    let refused = run(&arguments.collect::<Vec<_>>());
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains(&lora) && said.contains("\"gemma3\""), "{said}");
}
