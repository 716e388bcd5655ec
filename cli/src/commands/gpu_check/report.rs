//! The table in the making: rows, the time that is left, the summary.

use std::fmt;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::interrupt::{self, Interrupted};

/// What came of a row's case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verdict {
    /// Right, or a figure that has no wrong value.
    #[default]
    Ok,
    /// Wrong: the program ends with an error.
    Wrong,
    /// Not tried; why is in the detail.
    Skipped,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::Ok => "ok",
            Verdict::Wrong => "wrong",
            Verdict::Skipped => "skipped",
        })
    }
}

/// A row of the table.
#[derive(Debug, Default)]
pub struct Row {
    /// The stage.
    pub stage: &'static str,
    /// What of the stage.
    pub case: String,
    /// What came of it.
    pub verdict: Verdict,
    /// A figure.
    pub value: Option<f64>,
    /// The figure's unit.
    pub unit: &'static str,
    /// How long it took.
    pub seconds: Option<f64>,
    /// What else there is to say.
    pub detail: String,
}

/// The table.
#[derive(Debug)]
pub struct Report {
    file: File,
    started: Instant,
    budget: Duration,
    counts: [usize; 3],
    wrong: Vec<String>,
}

impl Report {
    /// An empty table in a new file.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn create(path: &Path, budget: Duration) -> Result<Report> {
        let mut file = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
        writeln!(file, "stage,case,result,value,unit,seconds,detail")?;
        Ok(Report { file, started: Instant::now(), budget, counts: [0; 3], wrong: Vec::new() })
    }

    /// Says on standard error what is being done.
    pub fn stage(&self, what: &str) {
        eprintln!("[{:4.0} s] {what}", self.started.elapsed().as_secs_f64());
    }

    /// Seconds left.
    pub fn left(&self) -> f64 {
        self.budget.saturating_sub(self.started.elapsed()).as_secs_f64()
    }

    /// Adds a row.
    ///
    /// # Errors
    /// When it cannot be written; [`Interrupted`].
    pub fn add(&mut self, row: Row) -> Result<()> {
        self.counts[row.verdict as usize] += 1;
        if row.verdict == Verdict::Wrong {
            self.stage(&format!("WRONG {} {}: {}", row.stage, row.case, row.detail));
            self.wrong.push(format!("{} {}", row.stage, row.case).trim_end().to_string());
        }
        let number = |value: Option<f64>| value.map(|value| format!("{value:.3}")).unwrap_or_default();
        let (value, seconds) = (number(row.value), number(row.seconds));
        let verdict = row.verdict.to_string();
        let cells = [row.stage, &row.case, &verdict, &value, row.unit, &seconds, &row.detail];
        writeln!(self.file, "{}", cells.map(quoted).join(","))?;
        if interrupt::pressed() {
            return Err(Interrupted.into());
        }
        Ok(())
    }

    /// Adds a row of something that is not tried.
    ///
    /// # Errors
    /// As [`Report::add`].
    pub fn skip(&mut self, stage: &'static str, case: &str, why: &str) -> Result<()> {
        self.stage(&format!("skipped {stage} {case}: {why}"));
        self.add(Row { stage, case: case.into(), verdict: Verdict::Skipped, detail: why.into(), ..Row::default() })
    }

    /// Says what came of everything.
    ///
    /// # Errors
    /// When anything was wrong.
    pub fn finish(self, path: &Path) -> Result<()> {
        let [ok, wrong, skipped] = self.counts;
        self.stage(&format!("{ok} rows ok, {wrong} wrong, {skipped} skipped, in {}", path.display()));
        if wrong > 0 {
            bail!("{wrong} rows are wrong: {}", self.wrong.join("; "));
        }
        Ok(())
    }
}

/// A cell as CSV.
fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) {
        return format!("\"{}\"", cell.replace('"', "\"\"").replace(['\n', '\r'], " "));
    }
    cell.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn report_writes_cells_quoted_and_fails_when_a_row_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.csv");
        let mut report = Report::create(&path, Duration::from_secs(60)).unwrap();
        let detail = "said \"no\",\ntwice".to_string();
        report.add(Row { stage: "copy", value: Some(1.5), unit: "GB/s", ..Row::default() }).unwrap();
        report
            .add(Row { stage: "kernels", case: "gemv".into(), verdict: Verdict::Wrong, detail, ..Row::default() })
            .unwrap();
        report.skip("speed", "8b", "too large").unwrap();
        let error = report.finish(&path).unwrap_err();
        assert_eq!(error.to_string(), "1 rows are wrong: kernels gemv");
        let table = std::fs::read_to_string(&path).unwrap();
        let rows: Vec<&str> = table.lines().skip(1).collect();
        assert_eq!(rows[0], "copy,,ok,1.500,GB/s,,");
        assert_eq!(rows[1], "kernels,gemv,wrong,,,,\"said \"\"no\"\", twice\"");
        assert_eq!(rows[2], "speed,8b,skipped,,,,too large");
    }
}
