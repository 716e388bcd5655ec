//! `inglenook convert` writes files that open again, and leaves nothing where it fails.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use inglenook::format::gguf::Gguf;
use inglenook::source::ReadAt;

const EMBER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/ember/ember-q8_0.gguf");

fn convert(input: &Path, output: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_inglenook"));
    command.arg("convert").args([input, output]).args(arguments).output().expect("the program starts")
}

/// What it says on failing; it must leave no file that was not there.
fn failure(input: &Path, output: &Path, arguments: &[&str]) -> String {
    let folder = output.parent().expect("a folder");
    let before = fs::read_dir(folder).expect("a folder").count();
    let done = convert(input, output, arguments);
    assert!(!done.status.success());
    assert_eq!(fs::read_dir(folder).expect("a folder").count(), before);
    String::from_utf8(done.stderr).expect("text")
}

#[test]
fn converted_files_open_again_and_are_smaller() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut last = u64::MAX;
    for ty in ["q8_0", "q4_k_m", "IQ4_XS"] {
        let output = folder.path().join(ty);
        let done = convert(Path::new(EMBER), &output, &["--type", ty]);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let file = fs::File::open(&output).expect("a file");
        let bytes = file.metadata().expect("its size").len();
        assert!(bytes < last, "{ty}: {bytes}");
        last = bytes;
        let gguf = pollster::block_on(Gguf::read(&ReadAt::new(file).expect("a file"))).expect("a header");
        // Behind the last tensor there is padding at most.
        let end = gguf.tensors().iter().map(|tensor| tensor.end()).max().expect("tensors");
        assert!((end..end + gguf.alignment).contains(&bytes), "{ty}: {end} {bytes}");
    }
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 3);
}

#[test]
fn convert_replaces_a_file_only_if_told_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = folder.path().join("out.gguf");
    fs::write(&output, "mine").expect("a file");
    let message = failure(Path::new(EMBER), &output, &["--type", "q4_0"]);
    assert!(message.contains("--force"), "{message}");
    assert_eq!(fs::read(&output).expect("a file"), b"mine");
    assert!(convert(Path::new(EMBER), &output, &["--type", "q4_0", "--force"]).status.success());
    assert_eq!(fs::read(&output).expect("a file")[..4], *b"GGUF");
    // Onto itself, too.
    assert!(convert(&output, &output, &["--type", "q4_0", "--force"]).status.success());
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
}

#[test]
fn convert_says_what_is_wrong_and_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let (input, output) = (folder.path().join("in.gguf"), folder.path().join("out.gguf"));
    let whole = fs::read(EMBER).expect("the model");
    let cases: [(&[u8], &[&str], &str); 4] = [
        (b"not a model", &["--type", "q4_0"], "not a GGUF file"),
        (&whole[..whole.len() / 2], &["--type", "q4_0"], "cut off"),
        (&whole, &["--type", "q9_x"], "q4_k_m"),
        (&whole, &["--type", "q4_0", "--imatrix", EMBER], "no importance matrix"),
    ];
    for (bytes, arguments, wanted) in cases {
        fs::write(&input, bytes).expect("a file");
        let message = failure(&input, &output, arguments);
        assert!(message.contains(wanted), "{message}");
    }
    let message = failure(Path::new(EMBER), folder.path(), &["--type", "q4_0", "--force"]);
    assert!(message.contains("is a folder"), "{message}");
    let message = failure(&folder.path().join("none.gguf"), &output, &["--type", "q4_0"]);
    assert!(message.contains("cannot open"), "{message}");
}
