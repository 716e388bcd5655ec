//! Writes GGUF files: metadata and tensor list first, then the tensors' data piece by piece, so that a file larger than
//! memory can be made. Used for converted and synthetic models and by the tests.

use std::io::{self, Write};

use super::tensor::data_bytes;
use super::value::{Array, Value};
use super::{DEFAULT_ALIGNMENT, MAGIC};
use crate::format::quant::WeightType;

/// Collects what goes into the header; [`GgufWriter::start`] writes it.
#[derive(Debug, Clone, Default)]
pub struct GgufWriter {
    metadata: Vec<(String, Value)>,
    tensors: Vec<Declared>,
}

#[derive(Debug, Clone)]
struct Declared {
    name: String,
    dims: Vec<u64>,
    ty: WeightType,
    bytes: u64,
}

impl GgufWriter {
    /// An empty file.
    pub fn new() -> Self {
        GgufWriter::default()
    }

    /// Adds a metadata entry; the caller sees to it that no key comes twice.
    pub fn entry(&mut self, key: &str, value: impl Into<Value>) -> &mut Self {
        self.metadata.push((key.to_owned(), value.into()));
        self
    }

    /// Declares a tensor; `dims[0]` is the length of a row. Data must follow in the order of declaration.
    ///
    /// # Errors
    /// `InvalidInput` for dimensions that no tensor of this type can have.
    pub fn tensor(&mut self, name: &str, dims: &[u64], ty: WeightType) -> io::Result<&mut Self> {
        let bytes = data_bytes(dims, ty).map_err(|problem| invalid(format!("tensor {name:?} {problem}")))?;
        self.tensors.push(Declared { name: name.to_owned(), dims: dims.to_vec(), ty, bytes });
        Ok(self)
    }

    /// Writes the header and returns what takes the tensors' data.
    ///
    /// # Errors
    /// Whatever `out` says, and `InvalidInput` for a `general.alignment` that is no power of two.
    pub fn start<W: Write>(&self, out: W) -> io::Result<DataWriter<W>> {
        let alignment = self.alignment()?;
        let mut out = Counting { out, written: 0 };
        out.write_all(&MAGIC)?;
        out.write_all(&3u32.to_le_bytes())?;
        out.write_all(&(self.tensors.len() as u64).to_le_bytes())?;
        out.write_all(&(self.metadata.len() as u64).to_le_bytes())?;
        for (key, value) in &self.metadata {
            write_text(&mut out, key)?;
            out.write_all(&value.type_id().to_le_bytes())?;
            write_value(&mut out, value)?;
        }
        let mut offset = 0u64;
        for tensor in &self.tensors {
            write_info(&mut out, tensor, offset)?;
            offset = (offset + tensor.bytes).next_multiple_of(alignment);
        }
        let left = self.tensors.iter().rev().map(|tensor| tensor.bytes).collect();
        let mut data = DataWriter { out, alignment, left };
        data.pad()?;
        Ok(data)
    }

    fn alignment(&self) -> io::Result<u64> {
        match self.metadata.iter().find(|(key, _)| key == "general.alignment") {
            None => Ok(DEFAULT_ALIGNMENT),
            Some((_, Value::U32(value))) if value.is_power_of_two() => Ok((*value).into()),
            Some((_, other)) => Err(invalid(format!("general.alignment must be a u32 power of two, not {other:?}"))),
        }
    }
}

/// Takes the data of the declared tensors, one after another, in pieces of any size.
#[derive(Debug)]
pub struct DataWriter<W> {
    out: Counting<W>,
    alignment: u64,
    /// Bytes still to come, the current tensor last.
    left: Vec<u64>,
}

impl<W: Write> DataWriter<W> {
    /// Writes the next bytes of the current tensor, which must not run over its end.
    ///
    /// # Errors
    /// Whatever the output says, and `InvalidInput` for more bytes than were declared.
    pub fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        let left = self.left.last_mut().ok_or_else(|| invalid("data after the last tensor".into()))?;
        *left = left
            .checked_sub(piece.len() as u64)
            .ok_or_else(|| invalid(format!("{} bytes where a tensor lacks only {left}", piece.len())))?;
        let ended = *left == 0;
        self.out.write_all(piece)?;
        if ended {
            self.left.pop();
            self.pad()?;
        }
        Ok(())
    }

    /// Flushes, and hands the output back.
    ///
    /// # Errors
    /// Whatever the output says, and `InvalidInput` when data of a declared tensor is missing.
    pub fn finish(mut self) -> io::Result<W> {
        if !self.left.is_empty() {
            return Err(invalid(format!("the data of {} tensors is missing", self.left.len())));
        }
        self.out.flush()?;
        Ok(self.out.out)
    }

    fn pad(&mut self) -> io::Result<()> {
        let padding = self.out.written.next_multiple_of(self.alignment) - self.out.written;
        io::copy(&mut io::Read::take(io::repeat(0), padding), &mut self.out).map(drop)
    }
}

#[derive(Debug)]
struct Counting<W> {
    out: W,
    written: u64,
}

impl<W: Write> Write for Counting<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let n = self.out.write(buf)?;
        self.written += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn write_info(out: &mut impl Write, tensor: &Declared, offset: u64) -> io::Result<()> {
    write_text(out, &tensor.name)?;
    out.write_all(&(tensor.dims.len() as u32).to_le_bytes())?;
    for dim in &tensor.dims {
        out.write_all(&dim.to_le_bytes())?;
    }
    out.write_all(&tensor.ty.ggml_id().to_le_bytes())?;
    out.write_all(&offset.to_le_bytes())
}

fn write_text(out: &mut impl Write, text: &str) -> io::Result<()> {
    out.write_all(&(text.len() as u64).to_le_bytes())?;
    out.write_all(text.as_bytes())
}

fn write_value(out: &mut impl Write, value: &Value) -> io::Result<()> {
    match value {
        Value::U8(v) => out.write_all(&v.to_le_bytes()),
        Value::I8(v) => out.write_all(&v.to_le_bytes()),
        Value::U16(v) => out.write_all(&v.to_le_bytes()),
        Value::I16(v) => out.write_all(&v.to_le_bytes()),
        Value::U32(v) => out.write_all(&v.to_le_bytes()),
        Value::I32(v) => out.write_all(&v.to_le_bytes()),
        Value::F32(v) => out.write_all(&v.to_le_bytes()),
        Value::Bool(v) => out.write_all(&[u8::from(*v)]),
        Value::String(v) => write_text(out, v),
        Value::Array(v) => write_array(out, v),
        Value::U64(v) => out.write_all(&v.to_le_bytes()),
        Value::I64(v) => out.write_all(&v.to_le_bytes()),
        Value::F64(v) => out.write_all(&v.to_le_bytes()),
    }
}

fn write_array(out: &mut impl Write, array: &Array) -> io::Result<()> {
    out.write_all(&array.element_type_id().to_le_bytes())?;
    out.write_all(&(array.len() as u64).to_le_bytes())?;
    match array {
        Array::U8(v) => out.write_all(v),
        Array::I8(v) => v.iter().try_for_each(|x| out.write_all(&x.to_le_bytes())),
        Array::U16(v) => v.iter().try_for_each(|x| out.write_all(&x.to_le_bytes())),
        Array::I16(v) => v.iter().try_for_each(|x| out.write_all(&x.to_le_bytes())),
        Array::U32(v) => v.iter().try_for_each(|x| out.write_all(&x.to_le_bytes())),
        Array::I32(v) => v.iter().try_for_each(|x| out.write_all(&x.to_le_bytes())),
        Array::F32(v) => v.iter().try_for_each(|x| out.write_all(&x.to_le_bytes())),
        Array::Bool(v) => v.iter().try_for_each(|&x| out.write_all(&[u8::from(x)])),
        Array::String(v) => v.iter().try_for_each(|x| write_text(out, x)),
        Array::Nested(v) => v.iter().try_for_each(|x| write_array(out, x)),
        Array::U64(v) => v.iter().try_for_each(|x| out.write_all(&x.to_le_bytes())),
        Array::I64(v) => v.iter().try_for_each(|x| out.write_all(&x.to_le_bytes())),
        Array::F64(v) => v.iter().try_for_each(|x| out.write_all(&x.to_le_bytes())),
    }
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}
