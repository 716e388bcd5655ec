//! CONTRIBUTING.md names files and what is in them; both are there.

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn guide() -> String {
    std::fs::read_to_string(root().join("CONTRIBUTING.md")).expect("CONTRIBUTING.md")
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Whether a quoted text is a file or folder of the project, and not code.
fn is_path(text: &str) -> bool {
    text.contains('/') && !text.contains(' ') || text == "README.md"
}

/// The first cells of the recipes' rows: files, each with the names to look for in it.
#[test]
fn recipes_name_what_is_in_the_files() {
    let guide = guide();
    let mut found = 0;
    for row in guide.lines().filter(|line| line.starts_with("| `")) {
        let cell = row.split('|').nth(1).expect("a first cell");
        let mut file = None;
        for text in quoted(cell) {
            if is_path(text) {
                let content = std::fs::read_to_string(root().join(text));
                file = Some((text, content.unwrap_or_else(|error| panic!("{text}: {error}"))));
            } else {
                let (path, content) = file.as_ref().expect("a file before the names in it");
                assert!(content.contains(text), "`{text}` is not in {path}");
                found += 1;
            }
        }
    }
    assert!(found > 40, "only {found} names were looked for");
}

#[test]
fn recipes_name_files_and_tests_that_exist() {
    let guide = guide();
    for text in quoted(&guide).filter(|text| is_path(text)) {
        assert!(root().join(text).exists(), "{text} is not there");
    }
    let rows = guide.lines().filter(|line| line.starts_with("| `"));
    let tests: Vec<&str> = rows.filter_map(|row| row.split('|').nth(3)).flat_map(quoted).collect();
    let places = [
        "format/tests",
        "core/src/kernels",
        "core/src/plan",
        "core/src/plan/module",
        "core/tests",
        "core/tests/engine",
        "npm/src/openai",
        "format/src/quant",
        "cpu/src",
        "cli/src/commands",
    ]
    .map(|folder| root().join(folder));
    let files = places.iter().flat_map(|folder| std::fs::read_dir(folder).expect("a folder of tests"));
    let files: Vec<String> =
        files.filter_map(|entry| std::fs::read_to_string(entry.expect("an entry").path()).ok()).collect();
    let names = tests.iter().filter(|text| text.matches(['_', ' ']).count() > 3);
    for test in names {
        assert!(files.iter().any(|file| file.contains(test)), "no test is named `{test}`");
    }
}
