//! A CSV file that rows are added to. Rows name their columns, so that a new figure is a new column and no old row is lost.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

/// Rows under named columns; a row without a column has an empty cell there.
#[derive(Debug, Default)]
pub struct Table {
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// What the file holds; empty where there is none yet.
    ///
    /// # Errors
    /// When the file is no CSV.
    pub fn open(file: &Path) -> Result<Self> {
        match std::fs::read_to_string(file) {
            Ok(text) => Self::parse(&text).with_context(|| format!("{} is no CSV file", file.display())),
            Err(_) => Ok(Self::default()),
        }
    }

    fn parse(text: &str) -> Result<Self> {
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
        let columns = reader.headers()?.iter().map(str::to_owned).collect();
        let rows =
            reader.records().map(|record| Ok(record?.iter().map(str::to_owned).collect())).collect::<Result<_>>()?;
        Ok(Self { columns, rows })
    }

    /// Add a row; columns seen for the first time come last. Objects within become columns `outer.inner`.
    pub fn add(&mut self, row: impl Iterator<Item = (String, Value)>) {
        let mut cells = Vec::new();
        for (name, value) in row {
            flatten(name, value, &mut cells);
        }
        let mut added = vec![String::new(); self.columns.len()];
        for (name, value) in cells {
            let known = self.columns.iter().position(|column| *column == name);
            let place = known.unwrap_or_else(|| {
                self.columns.push(name);
                added.push(String::new());
                self.columns.len() - 1
            });
            added[place] = value;
        }
        self.rows.push(added);
    }

    /// The rows in order, each by its columns.
    pub fn records(&self) -> impl Iterator<Item = HashMap<&str, &str>> {
        let columns = || self.columns.iter().map(String::as_str);
        self.rows.iter().map(move |row| columns().zip(row.iter().map(String::as_str)).collect())
    }

    /// Write the file, and its folder where there is none.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, file: &Path) -> Result<()> {
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        }
        std::fs::write(file, self.to_csv()?).with_context(|| format!("cannot write {}", file.display()))
    }

    /// The file's text.
    ///
    /// # Errors
    /// None for rows of text; what the writer says.
    pub fn to_csv(&self) -> Result<Vec<u8>> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(&self.columns)?;
        for row in &self.rows {
            let missing = self.columns.len().saturating_sub(row.len());
            writer.write_record(row.iter().map(String::as_str).chain(std::iter::repeat_n("", missing)))?;
        }
        Ok(writer.into_inner()?)
    }
}

fn flatten(name: String, value: Value, cells: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => {
            for (inner, value) in fields {
                flatten(format!("{name}.{inner}"), value, cells);
            }
        }
        Value::String(text) => cells.push((name, text)),
        Value::Null => cells.push((name, String::new())),
        other => cells.push((name, other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(value: &Value) -> impl Iterator<Item = (String, Value)> {
        value.as_object().unwrap().clone().into_iter()
    }

    fn text(table: &Table) -> String {
        String::from_utf8(table.to_csv().unwrap()).unwrap()
    }

    #[test]
    fn a_new_figure_is_a_new_column_and_old_rows_stay() {
        let mut table = Table::parse("commit,tok_s\nabc,12.5\n").unwrap();
        table.add(row(&json!({ "commit": "def", "tok_s": 20, "load_ms": 7 })));
        table.add(row(&json!({ "load_ms": 8 })));
        assert_eq!(text(&table), "commit,tok_s,load_ms\nabc,12.5,\ndef,20,7\n,,8\n");
        assert_eq!(table.records().nth(1).unwrap()["load_ms"], "7");
    }

    #[test]
    fn commas_and_quotes_survive_the_round_trip() {
        let mut table = Table::default();
        table.add(row(&json!({ "adapter": "llvmpipe (LLVM 15, 256 \"bits\")" })));
        let again = Table::parse(&text(&table)).unwrap();
        assert_eq!(again.rows, [["llvmpipe (LLVM 15, 256 \"bits\")"]]);
    }

    #[test]
    fn objects_within_become_dotted_columns() {
        let mut table = Table::default();
        table.add(row(&json!({ "decode": { "tok_s": 3.5, "share": null } })));
        assert_eq!(text(&table), "decode.tok_s,decode.share\n3.5,\n");
    }
}
