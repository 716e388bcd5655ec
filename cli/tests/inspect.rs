//! `inglenook inspect` describes every readable header, whether its model can be run or not.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use inglenook::format::gguf::write::GgufWriter;
use inglenook::format::quant::{TensorType, WeightType};
use serde_json::Value;

fn inspect(path: &PathBuf, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_inglenook"))
        .arg("inspect")
        .args(arguments)
        .arg(path)
        .output()
        .expect("the program starts")
}

/// What is said of a file, for programs and for people.
fn described(name: &str, bytes: &[u8]) -> (Value, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("file.gguf");
    fs::write(&path, bytes).expect("the file is written");
    let [json, text] = [["--json"], ["--full"]].map(|arguments| {
        let output = inspect(&path, &arguments);
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("output is UTF-8")
    });
    (serde_json::from_str(&json).expect("output is JSON"), text)
}

/// The header of a file with one tensor of a type, and its data.
fn file(entries: &[(&str, &str)], ty: u32, dims: &[u64]) -> Vec<u8> {
    let mut writer = GgufWriter::new();
    for (key, value) in entries {
        writer.entry(key, *value);
    }
    writer.entry("split.no", 0u16).entry("split.count", if entries.is_empty() { 4u16 } else { 1 });
    let ty = TensorType::from_ggml_id(ty);
    writer.tensor("blk.0.ffn_up.weight", dims, ty).expect("dimensions that fit");
    let mut out = writer.start(Vec::new()).expect("memory takes it");
    let weights = dims.iter().product::<u64>() as usize;
    out.write(&vec![0; ty.block().map_or(0, |(len, bytes)| weights / len * bytes)]).expect("data");
    out.finish().expect("all data is there")
}

#[test]
fn files_that_cannot_be_run_are_described_and_say_why() {
    let mamba = [("general.architecture", "mamba9")];
    let clip = [("general.architecture", "clip"), ("general.type", "mmproj")];
    let cases = [
        ("an unknown architecture", file(&mamba, 0, &[32]), "F32", "mamba9"),
        ("a projector", file(&clip, 1, &[32]), "F16", "mmproj"),
        ("a part of a model", file(&[], 8, &[32]), "Q8_0", "part 1 of 4"),
        ("an unsupported type", file(&mamba, 39, &[64, 2]), "MXFP4", "mamba9"),
        ("an unknown type", file(&mamba, 1000, &[7]), "type 1000", "mamba9"),
    ];
    for (name, bytes, ty, problem) in cases {
        let (json, text) = described(name, &bytes);
        assert_eq!(json["tensors"][0]["type"], ty, "{name}");
        assert_eq!(json["types"][0]["type"], ty, "{name}");
        let told = json["problem"].as_str().unwrap_or_else(|| panic!("{name} can be run"));
        assert!(told.contains(problem), "{name}: {told}");
        assert!(text.contains(ty) && text.contains(&format!("cannot be run: {told}")), "{name}: {text}");
    }
}

#[test]
fn names_that_nothing_goes_by_are_told_with_the_nearest_known() {
    let (json, text) = described("near", &file(&[("general.architecture", "granitemo")], 31, &[32]));
    let notes = json["notes"].to_string();
    assert!(notes.contains("`granitemo` is unknown; the nearest known is `granitemoe`"), "{notes}");
    assert!(notes.contains("the type `Q4_0_4_4` is unknown; the nearest known is `Q4_0`"), "{notes}");
    assert!(text.contains("the nearest known is `granitemoe`"), "{text}");
}

#[test]
fn memory_and_speed_of_a_model_that_can_be_run_are_told() {
    let ember = fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../models/ember/ember-q8_0.gguf")).expect("ember");
    let (json, text) = described("whole", &ember);
    let outlook = &json["outlook"];
    assert!(outlook["tokens_per_second"].as_f64().is_some_and(|rate| rate > 1.0), "{outlook}");
    let contexts = outlook["contexts"].as_array().expect("contexts");
    let bytes = |row: &Value| row["memory"]["f16"]["bytes"].as_u64().expect("bytes");
    assert!(bytes(&contexts[0]) > outlook["weights"].as_u64().expect("bytes"), "{outlook}");
    assert!(text.contains("runs here, on ") && text.contains("tokens a second"), "{text}");
}

#[test]
fn a_file_cut_off_behind_its_header_is_described() {
    let ember = fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../models/ember/ember-q8_0.gguf")).expect("ember");
    let (json, text) = described("whole", &ember);
    assert_eq!(json["problem"], Value::Null, "{json}");
    assert!(!text.contains("cannot be run"));
    let (json, text) = described("cut", &ember[..ember.len() - 5000]);
    assert_eq!(json["metadata"]["general.name"], "ember");
    assert!(json["problem"].as_str().is_some_and(|problem| problem.contains("cut off")), "{}", json["problem"]);
    assert!(text.contains("cannot be run: the file was cut off"));
}

#[test]
fn optional_metadata_that_is_ignored_is_told() {
    let mut writer = GgufWriter::new();
    writer.entry("general.name", 5u32).entry("general.sampling.top_p", 7f32);
    writer.tensor("t", &[32], WeightType::F32).expect("a tensor");
    let mut out = writer.start(Vec::new()).expect("memory takes it");
    out.write(&[0; 128]).expect("data");
    let (json, text) = described("notes", &out.finish().expect("all data"));
    let notes = json["notes"].as_array().expect("notes");
    assert_eq!(notes.len(), 2, "{notes:?}");
    for note in notes {
        assert!(text.contains(note.as_str().expect("a sentence")), "{text}");
    }
}
