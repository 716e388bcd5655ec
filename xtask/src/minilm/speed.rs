//! Sentences a second on the CPU, beside onnxruntime and transformers.js, in turn and on the same weights in F32; and of Q8_0 beside them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::{Options, inglenook};
use crate::goldens;
use crate::shell::{npm, read, run, say};
use crate::workspace::Workspace;

/// What writes ONNX files, and what reads them. Their own dependencies are among the packages of tests/goldens, or named here.
const PYTHON: [&str; 6] = [
    "onnx==1.23.2",
    "onnxscript==0.7.2",
    "onnx_ir==1.1.0",
    "ml_dtypes==0.6.0",
    "onnxruntime==1.32.0",
    "flatbuffers==25.12.19",
];
const TRANSFORMERS_JS: &str = "@huggingface/transformers@4.3.2";

/// Turns of each, of which the median counts.
const TURNS: usize = 5;
/// Texts of a turn.
const TEXTS: usize = 512;

/// The engine and its sentences a second.
type Turn = (String, f64);

/// Compares with both, and prints the ratios.
///
/// # Errors
/// When a package cannot be had, a turn fails, or a peer is faster.
pub fn compare(workspace: &Workspace, options: &Options, folder: &Path, model: &Path) -> Result<()> {
    let (libraries, packages) = fetch(folder)?;
    let onnx = folder.join("all-minilm-l6-v2");
    let python = || -> Result<Command> {
        let mut command = Command::new(goldens::environment(workspace)?);
        command.env("PYTHONPATH", &libraries);
        Ok(command)
    };
    if !onnx.join("tokenizer.json").exists() {
        let script = workspace.root.join("tests/goldens/minilm_onnx.py");
        run(python()?.arg(script).args([model, &onnx]))?;
    }
    let texts = folder.join("sentences.txt");
    fs::write(&texts, sentences(&fs::read_to_string(workspace.root.join("tests/goldens/generator/corpus.txt"))?))?;
    let gguf = |ty: &str| folder.join(format!("all-minilm-l6-v2-{ty}.gguf"));
    let peers = workspace.root.join("benches/peers/sentences");
    let mut turns: [Vec<Turn>; 4] = Default::default();
    for _ in 0..TURNS {
        turns[0].push(ours(inglenook(workspace, options), &gguf("f32"), &texts)?);
        turns[3].push(ours(inglenook(workspace, options), &gguf("q8_0"), &texts)?);
        turns[1].push(theirs(python()?.arg(peers.join("ort.py")).args([&onnx, &texts]))?);
        let script = peers.join("transformers-js.mjs");
        turns[2].push(theirs(Command::new("node").arg(script).args([&packages, &onnx, &texts]))?);
    }
    let [ours, onnxruntime, transformers_js, quantised] = turns.map(median);
    let mut slower = Vec::new();
    say(&format!("inglenook: {:.0} sentences a second, {:.0} in Q8_0", ours.1, quantised.1));
    for (name, speed) in [onnxruntime, transformers_js] {
        say(&format!("{name}: {speed:.0} sentences a second; inglenook has {:.2} times as many", ours.1 / speed));
        if ours.1 < speed {
            slower.push(name);
        }
    }
    if !slower.is_empty() {
        bail!("inglenook is slower than {}", slower.join(" and "));
    }
    Ok(())
}

/// The folders with Python's packages and with those of npm, fetched when they are not there.
fn fetch(folder: &Path) -> Result<(PathBuf, PathBuf)> {
    let (python, node) = (folder.join("onnx-packages"), folder.join("transformers-js"));
    if !python.join("onnxruntime").exists() {
        say("fetching onnxruntime");
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--target"]).arg(&python).args(PYTHON);
        run(&mut pip)?;
    }
    let packages = node.join("node_modules");
    if !packages.join("@huggingface/transformers").exists() {
        say("fetching transformers.js (0.5 GB)");
        fs::create_dir_all(&node)?;
        run(npm(&node).args([
            "install",
            "--silent",
            "--no-save",
            "--ignore-scripts",
            "--prefix",
            ".",
            TRANSFORMERS_JS,
        ]))?;
    }
    Ok((python, packages))
}

/// Sentences of a text, a line each, over and over: of 3 words up to 40.
fn sentences(text: &str) -> String {
    let sentences: Vec<&str> = text.split(['\n', '.']).map(str::trim).filter(|sentence| sentence.len() > 12).collect();
    sentences.iter().cycle().take(TEXTS).map(|sentence| format!("{sentence}.\n")).collect()
}

fn ours(mut command: Command, model: &Path, texts: &Path) -> Result<Turn> {
    command.args(["embed", "--device", "cpu", "--json", "--file"]).arg(texts).arg("--model").arg(model);
    let answer: Value = serde_json::from_str(&read(&mut command)?)?;
    let count = answer["data"].as_array().map_or(0, Vec::len) as f64;
    let ms = answer["timings"]["embed_ms"].as_f64().context("no time")?;
    Ok(("inglenook".to_owned(), count * 1000.0 / ms))
}

fn theirs(command: &mut Command) -> Result<Turn> {
    let answer = read(command)?;
    let answer: Value = serde_json::from_str(answer.trim_end().lines().last().unwrap_or_default())?;
    let version = answer["version"].as_str().context("no version")?;
    Ok((version.to_owned(), answer["sentences_a_second"].as_f64().context("no figure")?))
}

fn median(mut turns: Vec<Turn>) -> Turn {
    turns.sort_by(|a, b| a.1.total_cmp(&b.1));
    turns.swap_remove(turns.len() / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_as_many_lines_as_wanted() {
        let lines = sentences("A first sentence here. And a second one\nshort. A third sentence.");
        assert_eq!(lines.lines().count(), TEXTS);
        assert_eq!(lines.lines().next(), Some("A first sentence here."));
        assert!(lines.lines().all(|line| line.len() > 12));
    }

    #[test]
    fn median_is_the_middle_turn() {
        let turns = [3.0, 1.0, 2.0].map(|speed| (String::new(), speed)).to_vec();
        assert_eq!(median(turns).1, 2.0);
    }
}
