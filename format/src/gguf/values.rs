//! Reads metadata entries.

use super::error::GgufError;
use super::metadata::Metadata;
use super::reader::{Reader, grow};
use super::value::{Array, Strings, Value};
use crate::source::LocalFuture;

/// Metadata entries beyond this are refused; models have under 100.
pub(super) const MAX_ENTRIES: u64 = 8192;
/// The longest key that the GGUF specification allows.
const MAX_KEY: u64 = 65_535;
/// Arrays in arrays in arrays.
const MAX_DEPTH: usize = 4;
/// Arrays that are elements of arrays, in a whole file: each takes more memory than it takes bytes in the file.
const MAX_NESTED: u64 = 16_384;

/// Reads `count` entries.
pub(super) async fn read_metadata(reader: &mut Reader<'_>, count: u64) -> Result<Metadata, GgufError> {
    reader.section = "metadata";
    if count > MAX_ENTRIES {
        return Err(GgufError::TooMany { what: "metadata entries", count, max: MAX_ENTRIES });
    }
    let mut entries = Vec::new();
    let mut nested_left = MAX_NESTED;
    for index in 0..count {
        let key = reader.name("bytes in a metadata key", MAX_KEY).await?;
        let key = key.ok_or(GgufError::NameNotUtf8 { what: "metadata entry", index })?;
        if key.is_empty() {
            return Err(GgufError::EmptyKey { index });
        }
        let id = reader.u32().await?;
        let value = Parser { reader, key: &key, nested_left: &mut nested_left }.value(id).await?;
        grow(&mut entries, 1, count);
        entries.push((key, value));
    }
    Metadata::new(entries)
}

/// Reads the value of one key.
struct Parser<'a, 's> {
    reader: &'a mut Reader<'s>,
    key: &'a str,
    nested_left: &'a mut u64,
}

impl Parser<'_, '_> {
    async fn value(&mut self, id: u32) -> Result<Value, GgufError> {
        let r = &mut *self.reader;
        Ok(match id {
            0 => Value::U8(r.scalar(u8::from_le_bytes).await?),
            1 => Value::I8(r.scalar(i8::from_le_bytes).await?),
            2 => Value::U16(r.scalar(u16::from_le_bytes).await?),
            3 => Value::I16(r.scalar(i16::from_le_bytes).await?),
            4 => Value::U32(r.scalar(u32::from_le_bytes).await?),
            5 => Value::I32(r.scalar(i32::from_le_bytes).await?),
            6 => Value::F32(r.scalar(f32::from_le_bytes).await?),
            7 => {
                let byte = r.scalar(u8::from_le_bytes).await?;
                Value::Bool(self.boolean(byte)?)
            }
            8 => {
                let mut text = String::new();
                r.text(&mut text).await?.ok_or_else(|| self.not_text())?;
                Value::String(text)
            }
            9 => Value::Array(self.array(1).await?),
            10 => Value::U64(r.scalar(u64::from_le_bytes).await?),
            11 => Value::I64(r.scalar(i64::from_le_bytes).await?),
            12 => Value::F64(r.scalar(f64::from_le_bytes).await?),
            id => return Err(self.unknown(id)),
        })
    }

    /// An array `depth` levels down, boxed since arrays may hold arrays.
    fn array(&mut self, depth: usize) -> LocalFuture<'_, Result<Array, GgufError>> {
        Box::pin(async move {
            let r = &mut *self.reader;
            let id = r.u32().await?;
            let n = r.u64().await?;
            Ok(match id {
                0 => Array::U8(r.scalars(n, u8::from_le_bytes).await?),
                1 => Array::I8(r.scalars(n, i8::from_le_bytes).await?),
                2 => Array::U16(r.scalars(n, u16::from_le_bytes).await?),
                3 => Array::I16(r.scalars(n, i16::from_le_bytes).await?),
                4 => Array::U32(r.scalars(n, u32::from_le_bytes).await?),
                5 => Array::I32(r.scalars(n, i32::from_le_bytes).await?),
                6 => Array::F32(r.scalars(n, f32::from_le_bytes).await?),
                7 => {
                    let bytes = r.scalars(n, u8::from_le_bytes).await?;
                    Array::Bool(bytes.into_iter().map(|byte| self.boolean(byte)).collect::<Result<_, _>>()?)
                }
                8 => Array::String(self.strings(n).await?),
                9 => Array::Nested(self.nested(n, depth).await?),
                10 => Array::U64(r.scalars(n, u64::from_le_bytes).await?),
                11 => Array::I64(r.scalars(n, i64::from_le_bytes).await?),
                12 => Array::F64(r.scalars(n, f64::from_le_bytes).await?),
                id => return Err(self.unknown(id)),
            })
        })
    }

    async fn strings(&mut self, count: u64) -> Result<Strings, GgufError> {
        self.reader.expect(count, 8)?;
        let mut strings = Strings::default();
        for _ in 0..count {
            self.reader.text(&mut strings.text).await?.ok_or_else(|| self.not_text())?;
            grow(&mut strings.ends, 1, count);
            // Headers are limited to 128 MiB, so the length fits.
            strings.ends.push(strings.text.len() as u32);
        }
        Ok(strings)
    }

    async fn nested(&mut self, count: u64, depth: usize) -> Result<Vec<Array>, GgufError> {
        if depth == MAX_DEPTH {
            return Err(GgufError::Depth { key: self.key.to_owned(), max: MAX_DEPTH });
        }
        // An empty inner array takes twelve bytes: its element type and its count.
        self.reader.expect(count, 12)?;
        let left = self.nested_left.checked_sub(count);
        *self.nested_left = left.ok_or(GgufError::TooMany { what: "nested arrays", count, max: MAX_NESTED })?;
        let mut arrays = Vec::new();
        for _ in 0..count {
            let array = self.array(depth + 1).await?;
            grow(&mut arrays, 1, count);
            arrays.push(array);
        }
        Ok(arrays)
    }

    fn boolean(&self, byte: u8) -> Result<bool, GgufError> {
        match byte {
            0 => Ok(false),
            1 => Ok(true),
            byte => Err(GgufError::Bool { key: self.key.to_owned(), byte }),
        }
    }

    fn unknown(&self, id: u32) -> GgufError {
        GgufError::ValueType { key: self.key.to_owned(), id }
    }

    fn not_text(&self) -> GgufError {
        GgufError::NotText { key: self.key.to_owned() }
    }
}
