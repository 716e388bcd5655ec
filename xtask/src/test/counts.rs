//! How many tests passed, read from what the test programs print while they run.

use std::io::{BufRead, BufReader};
use std::ops::Add;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::shell::show;

/// Tests passed and failed; a check without tests of its own counts as one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub passed: u32,
    pub failed: u32,
}

impl Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { passed: self.passed + other.passed, failed: self.failed + other.failed }
    }
}

/// Run a check that counts nothing: it passes or fails as one.
pub fn run_check(command: &mut Command) -> (Counts, Result<()>) {
    let result = crate::shell::run(command);
    let passed = u32::from(result.is_ok());
    (Counts { passed, failed: 1 - passed }, result)
}

/// Run tests, showing their output as it comes and adding up their summaries.
///
/// A program that fails without naming a failed test (it did not compile, it crashed) counts as one failure; one that
/// succeeds without having run a test is a failure too, since nothing was shown.
pub fn run_tests(command: &mut Command) -> (Counts, Result<()>) {
    let (mut counts, mut result) = (Counts::default(), Ok(()));
    if let Err(error) = watch(command, &mut counts) {
        counts.failed = counts.failed.max(1);
        result = Err(error);
    } else if counts == Counts::default() {
        counts.failed = 1;
        result = Err(anyhow::anyhow!("`{}` ran no test", show(command)));
    }
    (counts, result)
}

fn watch(command: &mut Command, counts: &mut Counts) -> Result<()> {
    let shown = show(command);
    let started = command.stdout(Stdio::piped()).spawn();
    let mut child = started.with_context(|| format!("cannot start `{shown}`: is it installed?"))?;
    let output = child.stdout.take().context("a pipe was asked for")?;
    for line in BufReader::new(output).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        println!("{line}");
        *counts = *counts + summary(&line).unwrap_or_default();
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("`{shown}` failed ({status})");
    }
    Ok(())
}

/// The counts in a summary line of cargo, Vitest, Node's test runner (TAP) or our own browser runner.
fn summary(line: &str) -> Option<Counts> {
    let plain = without_colours(line);
    let line = plain.trim();
    let before = |word: &str| -> u32 {
        let words: Vec<&str> = line.split([' ', ',', ';']).filter(|word| !word.is_empty()).collect();
        words.windows(2).find(|pair| pair[1] == word).and_then(|pair| pair[0].parse().ok()).unwrap_or(0)
    };
    if let Some(passed) = line.strip_prefix("# pass ") {
        return Some(Counts { passed: passed.parse().ok()?, failed: 0 });
    }
    if let Some(failed) = line.strip_prefix("# fail ") {
        return Some(Counts { passed: 0, failed: failed.parse().ok()? });
    }
    let is_own = line.starts_with(|first: char| first.is_ascii_digit()) && line.ends_with(" failed");
    let is_summary = line.starts_with("test result:") || line.starts_with("Tests ") || is_own;
    is_summary.then(|| Counts { passed: before("passed"), failed: before("failed") })
}

/// Without terminal sequences (`ESC [ … letter`), which some programs write even into a pipe.
fn without_colours(line: &str) -> String {
    let mut parts = line.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |plain, part| {
        plain + part.split_once(|c: char| c.is_ascii_alphabetic()).map_or("", |(_, text)| text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(passed: u32, failed: u32) -> Option<Counts> {
        Some(Counts { passed, failed })
    }

    #[test]
    fn every_runner_s_summary_is_read() {
        assert_eq!(
            summary("test result: ok. 15 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out"),
            counts(15, 0)
        );
        assert_eq!(summary("test result: FAILED. 3 passed; 12 failed; 0 ignored; finished in 0.1s"), counts(3, 12));
        assert_eq!(summary("      Tests  14 passed (14)"), counts(14, 0));
        assert_eq!(summary("      Tests  2 failed | 12 passed (14)"), counts(12, 2));
        assert_eq!(
            summary("\x1b[2m      Tests \x1b[22m \x1b[1m\x1b[32m104 passed\x1b[39m\x1b[22m (104)"),
            counts(104, 0)
        );
        assert_eq!(summary("# pass 7"), counts(7, 0));
        assert_eq!(summary("# fail 2"), counts(0, 2));
        assert_eq!(summary("30 passed, 1 failed"), counts(30, 1));
    }

    #[test]
    fn other_lines_count_nothing() {
        for line in ["running 15 tests", " Test Files  3 passed (3)", "# tests 3", "3 passed", "it passed, 1 failed"] {
            assert_eq!(summary(line), None, "{line}");
        }
    }

    #[test]
    fn a_crash_counts_as_one_failure() {
        let (counts, result) = run_tests(Command::new("sh").args(["-c", "echo '# pass 2'; exit 1"]));
        assert_eq!(counts, Counts { passed: 2, failed: 1 });
        assert!(result.is_err());
    }

    #[test]
    fn named_failures_are_not_counted_twice() {
        let (counts, result) = run_tests(Command::new("sh").args(["-c", "echo '5 passed, 3 failed'; exit 1"]));
        assert_eq!(counts, Counts { passed: 5, failed: 3 });
        assert!(result.is_err());
    }

    #[test]
    fn running_no_test_at_all_is_a_failure() {
        let (counts, result) = run_tests(&mut Command::new("true"));
        assert_eq!(counts, Counts { passed: 0, failed: 1 });
        assert!(result.unwrap_err().to_string().contains("ran no test"));
    }
}
