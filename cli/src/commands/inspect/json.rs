//! A GGUF file's header as JSON.

use inglenook::format::gguf::{Array, Value};
use serde_json::{Map, Number, json};

use super::{File, Outlook};

/// Elements of an array that are shown where it is not shown whole.
const FIRST: usize = 8;

/// The whole header. Arrays longer than eight elements become `{"type", "length", "first"}` unless the file is shown in full.
pub fn object(file: &File) -> serde_json::Value {
    let gguf = &file.gguf;
    let metadata: Map<_, _> =
        gguf.metadata.iter().map(|(key, value)| (key.to_string(), convert(value, file.full))).collect();
    let tensor = |tensor: &inglenook::format::gguf::TensorInfo| {
        json!({
            "name": tensor.name,
            "type": tensor.ty.name(),
            "shape": tensor.dims,
            "offset": tensor.offset,
            "bytes": tensor.bytes,
        })
    };
    json!({
        "file": file.name,
        "bytes": file.bytes,
        "version": gguf.version,
        "alignment": gguf.alignment,
        "metadata": metadata,
        "tensors": gguf.tensors().iter().map(tensor).collect::<Vec<_>>(),
        "types": file.totals(),
        "problem": file.problem,
        "notes": file.notes,
        "outlook": file.outlook.as_ref().map(Outlook::json),
    })
}

/// One value; arrays longer than eight elements are cut unless `full`.
pub fn convert(value: &Value, full: bool) -> serde_json::Value {
    match value {
        Value::Bool(value) => json!(value),
        Value::String(value) => json!(value),
        Value::F32(value) => float(*value),
        Value::F64(value) => json!(value),
        Value::Array(array) if full || array.len() <= FIRST => elements(array, usize::MAX),
        Value::Array(array) => {
            json!({ "type": value.type_name(), "length": array.len(), "first": elements(array, FIRST) })
        }
        Value::U64(value) => json!(value),
        // Every other integer fits into 64 bits with a sign.
        integer => json!(integer.as_integer().map(|integer| integer as i64)),
    }
}

/// The shortest decimal that is this f32, as a file's author wrote it; null for what JSON cannot say.
fn float(value: f32) -> serde_json::Value {
    json!(value.to_string().parse().ok().and_then(Number::from_f64))
}

/// The first elements of an array, at most `most`.
fn elements(array: &Array, most: usize) -> serde_json::Value {
    macro_rules! take {
        ($values:expr) => {
            $values.iter().take(most).map(|value| json!(value)).collect()
        };
    }
    match array {
        Array::U8(values) => take!(values),
        Array::I8(values) => take!(values),
        Array::U16(values) => take!(values),
        Array::I16(values) => take!(values),
        Array::U32(values) => take!(values),
        Array::I32(values) => take!(values),
        Array::U64(values) => take!(values),
        Array::I64(values) => take!(values),
        Array::F64(values) => take!(values),
        Array::Bool(values) => take!(values),
        Array::String(values) => take!(values),
        Array::F32(values) => values.iter().take(most).map(|value| float(*value)).collect(),
        Array::Nested(arrays) => arrays.iter().take(most).map(|array| elements(array, most)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use inglenook::format::gguf::Strings;

    use super::*;

    #[test]
    fn floats_are_as_short_as_their_author_wrote_them() {
        assert_eq!(float(1e-6).to_string(), "1e-6");
        assert_eq!(float(0.1).to_string(), "0.1");
        assert_eq!(float(f32::NAN), json!(null));
    }

    #[test]
    fn long_arrays_are_cut_unless_asked_for() {
        let words: Strings = (0..9).map(|i| format!("w{i}")).collect();
        let value = Value::Array(Array::String(words));
        let short = convert(&value, false);
        assert_eq!(short["length"], 9);
        assert_eq!(short["type"], "array of string");
        assert_eq!(short["first"].as_array().unwrap().len(), 8);
        assert_eq!(convert(&value, true).as_array().unwrap().len(), 9);
    }

    #[test]
    fn integers_keep_their_value() {
        assert_eq!(convert(&Value::I8(-3), false), json!(-3));
        assert_eq!(convert(&Value::U64(u64::MAX), false), json!(u64::MAX));
    }
}
