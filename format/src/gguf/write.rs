//! Writes GGUF files: metadata and tensor list first, then the tensors' data piece by piece, so that a file larger than
//! memory can be made. Used for converted and synthetic models and by the tests.

use std::io::{self, Write};

use super::tensor::data_bytes;
use super::value::{Array, Value};
use super::{DEFAULT_ALIGNMENT, MAGIC};
use crate::quant::TensorType;

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
    ty: TensorType,
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
    pub fn tensor(&mut self, name: &str, dims: &[u64], ty: impl Into<TensorType>) -> io::Result<&mut Self> {
        let ty = ty.into();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gguf::{Gguf, Strings};
    use crate::quant::{WeightType, random_blocks};
    use crate::source::{Chunks, LocalFuture, Memory, ReadAt, Source, SourceError, Stream};
    use proptest::prelude::*;

    /// A download of unknown length, in chunks of one size.
    struct Download(Vec<u8>, usize);

    impl Chunks for Download {
        fn len_hint(&self) -> Option<u64> {
            None
        }

        fn next(&mut self) -> LocalFuture<'_, Result<Option<Vec<u8>>, SourceError>> {
            let chunk: Vec<u8> = self.0.drain(..self.1.min(self.0.len())).collect();
            Box::pin(std::future::ready(Ok((!chunk.is_empty()).then_some(chunk))))
        }
    }

    fn scalar() -> impl Strategy<Value = Value> {
        prop_oneof![
            any::<u8>().prop_map(Value::U8),
            any::<i8>().prop_map(Value::I8),
            any::<u16>().prop_map(Value::U16),
            any::<i16>().prop_map(Value::I16),
            any::<u32>().prop_map(Value::U32),
            any::<i32>().prop_map(Value::I32),
            (-1e9f32..1e9).prop_map(Value::F32),
            any::<bool>().prop_map(Value::Bool),
            ".{0,20}".prop_map(Value::String),
            any::<u64>().prop_map(Value::U64),
            any::<i64>().prop_map(Value::I64),
            (-1e9f64..1e9).prop_map(Value::F64),
        ]
    }

    fn array() -> impl Strategy<Value = Array> {
        use proptest::collection::vec;
        let flat = prop_oneof![
            vec(any::<u8>(), 0..40).prop_map(Array::U8),
            vec(any::<i8>(), 0..40).prop_map(Array::I8),
            vec(any::<u16>(), 0..40).prop_map(Array::U16),
            vec(any::<i16>(), 0..40).prop_map(Array::I16),
            vec(any::<u32>(), 0..40).prop_map(Array::U32),
            vec(any::<i32>(), 0..40).prop_map(Array::I32),
            vec(-1e9f32..1e9, 0..40).prop_map(Array::F32),
            vec(any::<bool>(), 0..40).prop_map(Array::Bool),
            vec(".{0,9}", 0..40).prop_map(|words| Array::String(words.iter().collect())),
            vec(any::<u64>(), 0..40).prop_map(Array::U64),
            vec(any::<i64>(), 0..40).prop_map(Array::I64),
            vec(-1e9f64..1e9, 0..40).prop_map(Array::F64),
        ];
        flat.prop_recursive(3, 20, 4, |inner| vec(inner, 0..4).prop_map(Array::Nested))
    }

    /// Writes the file; returns it with each tensor's data.
    fn file(values: &[Value], types: &[(usize, u64, u64)], alignment: u32) -> (Vec<u8>, Vec<Vec<u8>>) {
        let mut writer = GgufWriter::new();
        for (i, value) in values.iter().enumerate() {
            writer.entry(&format!("key.{i}"), value.clone());
        }
        writer.entry("general.alignment", alignment);
        let mut all_data = Vec::new();
        for (i, &(ty, blocks, rows)) in types.iter().enumerate() {
            let ty = WeightType::ALL[ty];
            writer.tensor(&format!("t{i}"), &[blocks * ty.block_len() as u64, rows], ty).unwrap();
            all_data.push(random_blocks(ty, i as u64, (blocks * rows) as usize, 1.0));
        }
        let mut out = writer.start(Vec::new()).unwrap();
        for data in &all_data {
            let (first, second) = data.split_at(data.len() / 3);
            out.write(first).unwrap();
            out.write(second).unwrap();
        }
        (out.finish().unwrap(), all_data)
    }

    /// Reads the header, then all data in file order.
    fn read_back(source: &dyn Source) -> (Gguf, Vec<Vec<u8>>) {
        pollster::block_on(async {
            let gguf = Gguf::read(source).await.unwrap();
            let mut all_data = Vec::new();
            for info in gguf.tensors_by_offset() {
                let mut data = vec![0; info.bytes as usize];
                source.read_at(info.offset, &mut data).await.unwrap();
                all_data.push(data);
            }
            (gguf, all_data)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn what_is_written_is_read_from_every_source(
            mut values in proptest::collection::vec(scalar(), 0..8),
            arrays in proptest::collection::vec(array().prop_map(Value::Array), 0..5),
            types in proptest::collection::vec((0..WeightType::ALL.len(), 1u64..4, 1u64..5), 0..6),
            alignment in (0u32..10).prop_map(|bits| 1 << bits),
            chunk in 1usize..5000,
        ) {
            values.extend(arrays);
            let (bytes, data) = file(&values, &types, alignment);
            let (gguf, read) = read_back(&Memory(&bytes));
            prop_assert_eq!(&read, &data);
            for (i, value) in values.iter().enumerate() {
                prop_assert_eq!(gguf.metadata.get(&format!("key.{i}")), Some(value));
            }
            for (i, &(ty, blocks, rows)) in types.iter().enumerate() {
                let info = gguf.tensor(&format!("t{i}")).unwrap();
                let ty = WeightType::ALL[ty];
                let weights = blocks * rows * ty.block_len() as u64;
                prop_assert_eq!((info.weights(), info.rows(), info.weight_type()), (weights, rows, Ok(ty)));
                prop_assert_eq!(info.offset % u64::from(alignment), 0);
            }
            let stream = Stream::new(Download(bytes.clone(), chunk));
            prop_assert_eq!(&read_back(&stream), &(gguf.clone(), data.clone()));
            let reader = ReadAt::new(io::Cursor::new(bytes)).unwrap();
            prop_assert_eq!(&read_back(&reader), &(gguf, data));
        }
    }

    #[test]
    fn a_header_of_several_pieces_is_read_from_a_stream() {
        let words: Strings = (0..300_000).map(|i| format!("word{i}")).collect();
        let floats: Vec<f32> = (0..300_000).map(|i| i as f32).collect();
        let long = "löss ".repeat(400_000);
        let mut writer = GgufWriter::new();
        writer.entry("words", words.clone()).entry("floats", floats.clone()).entry("long", long.as_str());
        writer.tensor("t", &[3], WeightType::F32).unwrap();
        let mut out = writer.start(Vec::new()).unwrap();
        out.write(&[7; 12]).unwrap();
        let (gguf, data) = read_back(&Stream::new(Download(out.finish().unwrap(), 70_001)));
        assert_eq!(gguf.metadata.strings("words"), Ok(&words));
        assert_eq!(gguf.metadata.f32s("floats").unwrap().as_ref(), floats);
        assert_eq!(gguf.metadata.str("long"), Ok(long.as_str()));
        assert_eq!(data, [[7; 12]]);
    }

    #[test]
    fn the_writer_refuses_what_no_reader_would_take() {
        let mut writer = GgufWriter::new();
        assert!(writer.tensor("rows", &[33, 2], WeightType::Q8_0).is_err());
        assert!(writer.tensor("none", &[0], WeightType::F32).is_err());
        writer.tensor("t", &[2], WeightType::F32).unwrap();
        let mut out = writer.start(Vec::new()).unwrap();
        out.write(&[0; 4]).unwrap();
        assert!(out.write(&[0; 5]).is_err());
        assert!(writer.start(Vec::new()).unwrap().finish().is_err());
        writer.entry("general.alignment", 24u32);
        assert!(writer.start(Vec::new()).is_err());
    }
}
