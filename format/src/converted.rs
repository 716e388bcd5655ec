//! A model with its weights in other types, or with other metadata, as a file that is nowhere written: matrices are quantised as they are
//! read.
//!
//! Any range can be read, in any order. A read takes a few MiB besides the buffer that it fills, and gives the bytes that a file would have
//! into which the whole model was converted.

use std::ops::Range;

use crate::gguf::write::GgufWriter;
use crate::gguf::{Gguf, GgufError, TensorInfo, TensorProblem, Value};
use crate::quant::mix::Mix;
use crate::quant::{TensorType, WeightType, dequantise, quantise_rows};
use crate::source::{LocalFuture, Source, SourceError};
use crate::virtual_file::read_virtual;

/// The longest part of a row that is converted by itself, in weights: a multiple of every block.
pub const LONGEST_ROW: u64 = 1 << 16;
/// Weights that are converted at once.
const CHUNK: u64 = 1 << 18;

/// What a file says of its weights' types: not of the converted ones.
const OWN: [&str; 2] = ["general.file_type", "general.quantization_version"];
const OWN_PREFIXES: [&str; 2] = ["quantize.imatrix.", "split."];

/// A tensor at its place in the virtual file.
struct Placed {
    /// In bytes from the start of the virtual file.
    at: u64,
    bytes: u64,
    ty: TensorType,
    info: TensorInfo,
}

/// The bytes of a model whose matrices are converted as they are read.
pub struct Converted {
    header: Vec<u8>,
    source: Box<dyn Source>,
    /// In the order of the virtual file, which is the source's.
    tensors: Vec<Placed>,
    len: u64,
}

impl std::fmt::Debug for Converted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Converted")
            .field("len", &self.len)
            .field("tensors", &self.tensors.len())
            .finish_non_exhaustive()
    }
}

/// Whether a key says no more of a file than it says of one with weights of other types.
pub fn is_kept(key: &str) -> bool {
    !OWN.contains(&key) && !OWN_PREFIXES.iter().any(|prefix| key.starts_with(prefix))
}

impl Converted {
    /// Reads the header of a model and chooses the types, if they are to be others. What `entries` say takes the place of what the file
    /// says; keys in `without` are left out. The source is read in any order.
    ///
    /// # Errors
    /// [`GgufError`]: what is wrong with the header, or a type of weights that cannot be read.
    pub async fn open(
        source: Box<dyn Source>,
        mix: Option<&Mix>,
        entries: Vec<(&str, Value)>,
        without: &[&str],
    ) -> Result<Converted, GgufError> {
        let gguf = Gguf::read(&*source).await?;
        gguf.check_whole()?;
        let types = match mix {
            Some(mix) => mix.types(gguf.tensors()),
            None => gguf.tensors().iter().map(|info| info.ty).collect(),
        };
        let mut tensors: Vec<(&TensorInfo, TensorType)> = gguf.tensors().iter().zip(types).collect();
        tensors.sort_by_key(|(info, _)| info.offset);
        let mut writer = GgufWriter::new();
        let replaced = |key: &str| without.contains(&key) || entries.iter().any(|(other, _)| *other == key);
        for (key, value) in gguf.metadata.iter().filter(|(key, _)| (mix.is_none() || is_kept(key)) && !replaced(key)) {
            writer.entry(key, value.clone());
        }
        for (key, value) in &entries {
            writer.entry(key, value.clone());
        }
        if let Some(mix) = mix {
            // Version 2 of the blocks' layouts has been the only one since 2023.
            writer.entry(OWN[0], mix.file_type).entry(OWN[1], 2u32);
        }
        for (info, ty) in &tensors {
            // What changes must be read, and of what does not, at least the size must be known.
            if *ty != info.ty || info.ty.block().is_none() {
                info.weight_type()?;
            }
            let too_large = |_| GgufError::Tensor { name: info.name.clone(), problem: TensorProblem::TooLarge };
            writer.tensor(&info.name, &info.dims, *ty).map_err(too_large)?;
        }
        let mut header = Vec::new();
        writer.start(&mut header).map(drop).map_err(|error| GgufError::Source(error.into()))?;
        let tensors: Vec<(TensorInfo, TensorType)> = tensors.into_iter().map(|(info, ty)| (info.clone(), ty)).collect();
        let mut converted = Converted { header, source, tensors: Vec::new(), len: u64::MAX };
        // The header alone tells where tensors are, before anything lies there.
        let placed = Gguf::read(&converted).await?;
        for (place, (info, ty)) in placed.tensors().iter().zip(tensors) {
            converted.tensors.push(Placed { at: place.offset, bytes: place.bytes, ty, info });
        }
        converted.len = placed.tensors().last().map_or(placed.data_start, TensorInfo::end);
        Ok(converted)
    }

    /// Fills `out` with bytes of a tensor from `from` on.
    async fn read_tensor(&self, tensor: &Placed, from: u64, out: &mut [u8]) -> Result<(), SourceError> {
        let TensorInfo { ty, offset, .. } = tensor.info;
        let (TensorType::Weights(stored), TensorType::Weights(ty)) = (ty, tensor.ty) else {
            return self.source.read_at(offset + from, out).await;
        };
        if stored == ty {
            return self.source.read_at(offset + from, out).await;
        }
        let (block, bytes) = (ty.block_len() as u64, ty.block_bytes() as u64);
        let (mut done, end) = (0, (from + out.len() as u64).div_ceil(bytes) * block);
        while done < out.len() {
            let at = from + done as u64;
            let (unit, row_len) = unit(&tensor.info, at / bytes * block, end);
            let blocks = self.quantised(&tensor.info, (stored, ty), unit.clone(), row_len).await?;
            // What of the unit comes before the place that is wanted.
            let skipped = (at - unit.start / block * bytes) as usize;
            let piece = &blocks[skipped..(skipped + out.len() - done).min(blocks.len())];
            out[done..done + piece.len()].copy_from_slice(piece);
            done += piece.len();
        }
        Ok(())
    }

    /// Weights of a tensor, which are rows of `row_len`, in another type.
    async fn quantised(
        &self,
        info: &TensorInfo,
        (from, to): (WeightType, WeightType),
        weights: Range<u64>,
        row_len: usize,
    ) -> Result<Vec<u8>, SourceError> {
        let stored = |weights: u64| weights / from.block_len() as u64 * from.block_bytes() as u64;
        let mut raw = vec![0; stored(weights.end - weights.start) as usize];
        self.source.read_at(info.offset + stored(weights.start), &mut raw).await?;
        let mut values = vec![0f32; (weights.end - weights.start) as usize];
        let failed = |error: String| SourceError::Transport { message: format!("tensor {:?}: {error}", info.name) };
        dequantise(from, &raw, &mut values).map_err(|error| failed(error.to_string()))?;
        let mut blocks = Vec::new();
        quantise_rows(to, &values, row_len, None, &mut blocks).map_err(|error| failed(error.to_string()))?;
        Ok(blocks)
    }
}

/// What is converted together at weight `at`, up to `end` at least where that is not too much: whole rows, or a part of a long one; and how
/// long its rows are.
fn unit(info: &TensorInfo, at: u64, end: u64) -> (Range<u64>, usize) {
    let row_len = info.row_len();
    let row = at / row_len;
    if row_len <= LONGEST_ROW {
        let most = (CHUNK / row_len).max(1);
        let last = end.div_ceil(row_len).min(row + most).min(info.rows());
        return (row * row_len..last.max(row + 1) * row_len, row_len as usize);
    }
    let begin = at % row_len / LONGEST_ROW * LONGEST_ROW;
    let columns = LONGEST_ROW.min(row_len - begin);
    let start = row * row_len + begin;
    (start..start + columns, columns as usize)
}

impl Source for Converted {
    fn len(&self) -> Option<u64> {
        Some(self.len)
    }

    fn read_at<'a>(&'a self, offset: u64, buf: &'a mut [u8]) -> LocalFuture<'a, Result<(), SourceError>> {
        let place = |tensor: &Placed| tensor.at..tensor.at + tensor.bytes;
        let read = async |tensor: &Placed, from: u64, out: &mut [u8]| self.read_tensor(tensor, from, out).await;
        Box::pin(read_virtual((&self.header, self.len), (&self.tensors, place), (offset, buf), read))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Memory;

    /// A model of a few tensors whose rows are short, long, and too long to be converted whole.
    fn model() -> Vec<u8> {
        let mut writer = GgufWriter::new();
        writer.entry("general.architecture", "llama").entry("general.file_type", 0u32).entry("split.count", 0u16);
        let shapes: [(&str, &[u64]); 4] = [
            ("token_embd.weight", &[256, 300]),
            ("output_norm.weight", &[256]),
            ("blk.0.ffn_up.weight", &[66_048, 3]),
            ("blk.0.attn_q.weight", &[512, 700]),
        ];
        for (name, dims) in shapes {
            writer.tensor(name, dims, WeightType::F32).unwrap();
        }
        let mut out = writer.start(Vec::new()).unwrap();
        let mut state = 1u32;
        for (_, dims) in shapes {
            for _ in 0..dims.iter().product::<u64>() {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                out.write(&((state >> 8) as f32 / 16_777_216.0 - 0.5).to_le_bytes()).unwrap();
            }
        }
        out.finish().unwrap()
    }

    fn read(source: &dyn Source, at: u64, len: usize) -> Vec<u8> {
        let mut bytes = vec![0xee; len];
        pollster::block_on(source.read_at(at, &mut bytes)).unwrap();
        bytes
    }

    #[test]
    fn converted_tensors_are_those_of_whole_rows_wherever_a_read_begins() {
        let file = model();
        let original = pollster::block_on(Gguf::read(&Memory(&file[..]))).unwrap();
        let mix = Mix::by_name("q4_k_m").unwrap();
        let converted =
            pollster::block_on(Converted::open(Box::new(Memory(file.clone())), Some(mix), Vec::new(), &[])).unwrap();
        let gguf = pollster::block_on(Gguf::read(&converted)).unwrap();
        assert_eq!(gguf.metadata.get("split.count"), None);
        assert_eq!(gguf.metadata.opt_u32("general.file_type").unwrap(), Some(mix.file_type));
        let len = converted.len().unwrap();
        let whole = read(&converted, 0, len as usize);
        for (info, ty) in original.tensors().iter().zip(mix.types(original.tensors())) {
            let placed = gguf.tensor(&info.name).unwrap();
            assert_eq!(placed.ty, ty, "{}", info.name);
            let mut values = vec![0f32; info.weights() as usize];
            dequantise(WeightType::F32, &file[info.offset as usize..][..info.bytes as usize], &mut values).unwrap();
            let mut expected = Vec::new();
            for row in values.chunks(info.row_len() as usize) {
                for part in row.chunks(LONGEST_ROW as usize) {
                    quantise_rows(placed.weight_type().unwrap(), part, part.len(), None, &mut expected).unwrap();
                }
            }
            assert!(whole[placed.offset as usize..][..placed.bytes as usize] == expected, "{}", info.name);
        }
        for step in [31, 1757, 65_537] {
            let mut at = 0;
            while at < len {
                let count = (len - at).min(step);
                // All of it in such steps would take minutes.
                assert!(
                    read(&converted, at, count as usize) == whole[at as usize..(at + count) as usize],
                    "{at}, {step}"
                );
                at += count + 29_989;
            }
        }
    }

    #[test]
    fn metadata_is_replaced_and_left_out_while_weights_stay() {
        let file = model();
        let entries = vec![("general.name", "new".into()), ("general.architecture", "qwen3".into())];
        let source = Box::new(Memory(file.clone()));
        let open = Converted::open(source, None, entries, &["split.count"]);
        let changed = pollster::block_on(open).unwrap();
        let gguf = pollster::block_on(Gguf::read(&changed)).unwrap();
        assert_eq!((gguf.metadata.text("general.name"), gguf.metadata.get("split.count")), (Some("new"), None));
        assert_eq!(gguf.metadata.text("general.architecture"), Some("qwen3"));
        assert_eq!(gguf.metadata.opt_u32("general.file_type").unwrap(), Some(0));
        for info in pollster::block_on(Gguf::read(&Memory(&file[..]))).unwrap().tensors() {
            let placed = gguf.tensor(&info.name).unwrap();
            let bytes = read(&changed, placed.offset, placed.bytes as usize);
            assert!(placed.ty == info.ty && bytes == file[info.offset as usize..info.end() as usize], "{}", info.name);
        }
    }

    #[test]
    fn weights_that_are_no_numbers_are_told_with_their_tensor() {
        let mut file = model();
        let gguf = pollster::block_on(Gguf::read(&Memory(&file[..]))).unwrap();
        let offset = gguf.tensor("blk.0.attn_q.weight").unwrap().offset as usize;
        file[offset..offset + 4].copy_from_slice(&f32::NAN.to_le_bytes());
        let mix = Mix::by_name("q8_0").unwrap();
        let converted =
            pollster::block_on(Converted::open(Box::new(Memory(file)), Some(mix), Vec::new(), &[])).unwrap();
        let gguf = pollster::block_on(Gguf::read(&converted)).unwrap();
        let mut bytes = [0; 34];
        let at = gguf.tensor("blk.0.attn_q.weight").unwrap().offset;
        let error = pollster::block_on(converted.read_at(at, &mut bytes)).unwrap_err();
        assert!(error.to_string().contains("blk.0.attn_q.weight"), "{error}");
    }
}
