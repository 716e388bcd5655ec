//! Reads metadata entries.

use super::error::GgufError;
use super::metadata::Metadata;
use super::reader::{Reader, extend, grow};
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
        match (id, scalar_size(id)) {
            (_, Some(size)) => {
                let bits = self.reader.scalar(size).await?;
                self.scalar(id, bits)
            }
            (8, _) => {
                let mut text = String::new();
                self.reader.text(&mut text).await?.ok_or_else(|| self.not_text())?;
                Ok(Value::String(text))
            }
            (9, _) => Ok(Value::Array(self.array(1).await?)),
            _ => Err(self.unknown(id)),
        }
    }

    /// A scalar by its type and its bits.
    fn scalar(&self, id: u32, bits: u64) -> Result<Value, GgufError> {
        Ok(match id {
            0 => Value::U8(bits as u8),
            1 => Value::I8(bits as i8),
            2 => Value::U16(bits as u16),
            3 => Value::I16(bits as i16),
            4 => Value::U32(bits as u32),
            5 => Value::I32(bits as i32),
            6 => Value::F32(f32::from_bits(bits as u32)),
            7 => Value::Bool(self.boolean(bits as u8)?),
            10 => Value::U64(bits),
            11 => Value::I64(bits as i64),
            12 => Value::F64(f64::from_bits(bits)),
            _ => return Err(self.unknown(id)),
        })
    }

    /// An array `depth` levels down, boxed since arrays may hold arrays.
    fn array(&mut self, depth: usize) -> LocalFuture<'_, Result<Array, GgufError>> {
        Box::pin(async move {
            let id = self.reader.u32().await?;
            let n = self.reader.u64().await?;
            match (id, scalar_size(id)) {
                (_, Some(size)) => {
                    let mut array = self.empty(id)?;
                    self.reader.scalars(n, size, &mut |bytes| append(&mut array, bytes, n)).await?;
                    match array {
                        // As bytes until here.
                        Array::U8(bytes) if id == 7 => {
                            let flags = bytes.into_iter().map(|byte| self.boolean(byte));
                            Ok(Array::Bool(flags.collect::<Result<_, _>>()?))
                        }
                        array => Ok(array),
                    }
                }
                (8, _) => Ok(Array::String(self.strings(n).await?)),
                (9, _) => Ok(Array::Nested(self.nested(n, depth).await?)),
                _ => Err(self.unknown(id)),
            }
        })
    }

    /// An array for scalars of a type; of booleans their bytes.
    fn empty(&self, id: u32) -> Result<Array, GgufError> {
        Ok(match id {
            0 | 7 => Array::U8(Vec::new()),
            1 => Array::I8(Vec::new()),
            2 => Array::U16(Vec::new()),
            3 => Array::I16(Vec::new()),
            4 => Array::U32(Vec::new()),
            5 => Array::I32(Vec::new()),
            6 => Array::F32(Vec::new()),
            10 => Array::U64(Vec::new()),
            11 => Array::I64(Vec::new()),
            12 => Array::F64(Vec::new()),
            _ => return Err(self.unknown(id)),
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

/// Bytes of a scalar of a type; none for texts, arrays, and what is no type.
fn scalar_size(id: u32) -> Option<usize> {
    match id {
        0 | 1 | 7 => Some(1),
        2 | 3 => Some(2),
        4..=6 => Some(4),
        10..=12 => Some(8),
        _ => None,
    }
}

/// Appends scalars to an array that will have `declared` of them.
fn append(array: &mut Array, bytes: &[u8], declared: u64) {
    match array {
        Array::U8(out) => extend(out, bytes, declared, u8::from_le_bytes),
        Array::I8(out) => extend(out, bytes, declared, i8::from_le_bytes),
        Array::U16(out) => extend(out, bytes, declared, u16::from_le_bytes),
        Array::I16(out) => extend(out, bytes, declared, i16::from_le_bytes),
        Array::U32(out) => extend(out, bytes, declared, u32::from_le_bytes),
        Array::I32(out) => extend(out, bytes, declared, i32::from_le_bytes),
        Array::F32(out) => extend(out, bytes, declared, f32::from_le_bytes),
        Array::U64(out) => extend(out, bytes, declared, u64::from_le_bytes),
        Array::I64(out) => extend(out, bytes, declared, i64::from_le_bytes),
        Array::F64(out) => extend(out, bytes, declared, f64::from_le_bytes),
        Array::Bool(_) | Array::String(_) | Array::Nested(_) => unreachable!("their elements are no scalars"),
    }
}
