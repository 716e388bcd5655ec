//! A GGUF file's header for people: one line an entry, one line a tensor, and totals.

use std::fmt::Write;

use inglenook::format::gguf::Value;

use super::{File, json};
use crate::show;

/// Characters of a value that are shown where it is not shown whole.
const WIDTH: usize = 80;

/// The report, without a line end at its end.
pub fn report(file: &File) -> String {
    let (gguf, tensors) = (&file.gguf, file.gguf.tensors());
    let mut out = format!("{}: GGUF version {}", file.name, gguf.version);
    if let Some(bytes) = file.bytes {
        let _ = write!(out, ", {}", show::bytes(bytes));
    }
    let _ = writeln!(out, ", {} entries, {} tensors\n", gguf.metadata.len(), tensors.len());

    let names = gguf.metadata.iter().map(|(key, _)| key);
    let width = widest(names);
    for (key, value) in gguf.metadata.iter() {
        let _ = writeln!(out, "{:width$}  {}", show::harmless(key), entry(value, file.full));
    }
    let width = widest(tensors.iter().map(|tensor| tensor.name.as_str()));
    out.push('\n');
    for tensor in tensors {
        let shape = format!("{:?}", tensor.dims);
        let name = show::harmless(&tensor.name);
        let bytes = if tensor.bytes == 0 { "?".to_string() } else { show::bytes(tensor.bytes) };
        let _ = writeln!(out, "{name:width$}  {:5}{shape:>18}{bytes:>12}", tensor.ty.name());
    }
    out.push('\n');
    for total in file.totals() {
        let (weights, bytes) = (show::count(total.weights), show::bytes(total.bytes));
        let _ = writeln!(out, "{:5}{:>6} tensors{weights:>10} weights{bytes:>12}", total.ty, total.tensors);
    }
    out.push('\n');
    for note in &file.notes {
        let _ = writeln!(out, "{}", show::harmless(note));
    }
    if let Some(problem) = &file.problem {
        let _ = writeln!(out, "cannot be run: {}", show::harmless(problem));
    }
    if let Some(outlook) = &file.outlook {
        out += &show::harmless(&outlook.text());
    }
    out.truncate(out.trim_end().len());
    out
}

fn widest<'a>(names: impl Iterator<Item = &'a str>) -> usize {
    names.map(|name| name.chars().count()).max().unwrap_or(0)
}

fn entry(value: &Value, full: bool) -> String {
    match value {
        Value::String(text) if full => show::harmless(text).into_owned(),
        Value::String(text) => show::on_one_line(text, WIDTH),
        Value::Array(array) => {
            let elements = json::convert(value, full);
            let shown = elements.get("first").unwrap_or(&elements).to_string();
            let shown = if full { show::harmless(&shown).into_owned() } else { cut(&shown) };
            format!("{} × {}: {shown}", array.len(), value.type_name())
        }
        scalar => json::convert(scalar, full).to_string(),
    }
}

fn cut(text: &str) -> String {
    let mut characters = text.chars();
    let mut start: String = characters.by_ref().take(WIDTH).collect();
    if characters.next().is_some() {
        start.push('…');
    }
    show::harmless(&start).into_owned()
}
