//! A file's header with other types, and its tensors one after the other, in pieces.
//!
//! Memory holds some pieces, the header, the importances and the adapters, however large the model is. Tensors come in the order in which they lie in
//! the source, so that it may be a stream.

use std::io::Write;

use anyhow::{Context, Result, bail};
use inglenook::format::converted::is_kept;
use inglenook::format::gguf::write::{DataWriter, GgufWriter};
use inglenook::format::gguf::{Gguf, TensorInfo, Value};
use inglenook::format::imatrix::{Imatrix, Importance};
use inglenook::format::lora::Lora;
use inglenook::format::quant::mix::Mix;
use inglenook::format::quant::{QuantiseError, TensorType, WeightType, dequantise, quantise_rows};
use inglenook::source::Source;
use inglenook::text::TokenizerError;
use inglenook::text::tokenizer::gguf_keys;
use rayon::ThreadPool;
use rayon::prelude::*;

use super::merge::{self, Changes};
use super::pieces::{Piece, pieces};

/// Weights that are read before they are converted, by all threads.
const BATCH: u64 = 1 << 22;
/// Bytes of a tensor that stays what it is, at a time.
const COPIED: u64 = 1 << 20;

/// What is told how many bytes of the source are done, and may end it.
pub type Progress<'a> = &'a mut dyn FnMut(u64) -> Result<()>;

/// What is to be written.
pub struct Conversion<'a> {
    gguf: &'a Gguf,
    /// The types; without one, all weights keep theirs.
    mix: Option<&'a Mix>,
    imatrix: Option<&'a (String, Imatrix)>,
    /// In the order of the source.
    tensors: Vec<Tensor<'a>>,
    /// The tokenizer's keys that llama.cpp reads, where the source has a `tokenizer.json` alone.
    tokenizer: Result<Vec<(&'static str, Value)>, TokenizerError>,
}

/// A tensor and what it becomes.
pub struct Tensor<'a> {
    pub info: &'a TensorInfo,
    pub ty: TensorType,
    pub importance: Option<Importance<'a>>,
    /// What adapters add to it.
    pub changes: Changes<'a>,
}

impl Tensor<'_> {
    /// Whether its weights are computed anew, and not copied.
    pub fn is_computed(&self) -> bool {
        self.ty != self.info.ty || !self.changes.is_empty()
    }
}

impl<'a> Conversion<'a> {
    /// Chooses the types. The adapters are known to fit the model.
    ///
    /// # Errors
    /// When the source has weights that cannot be read, or changed weights would be of a type that is not made; when the importances are
    /// another model's.
    pub fn new(
        gguf: &'a Gguf,
        mix: Option<&'a Mix>,
        imatrix: Option<&'a (String, Imatrix)>,
        adapters: &'a [(Lora, f32)],
    ) -> Result<Conversion<'a>> {
        let own = || gguf.tensors().iter().map(|tensor| tensor.ty).collect();
        let types = mix.map_or_else(own, |mix| mix.types(gguf.tensors()));
        let mut all: Vec<(&TensorInfo, TensorType)> = gguf.tensors().iter().zip(types).collect();
        all.sort_by_key(|(info, _)| info.offset);
        let mut tensors = Vec::new();
        for (info, ty) in all {
            let change = |(lora, scale): &'a (Lora, f32)| Some((lora.weights.get(&info.name)?, *scale));
            let changes: Changes<'_> = adapters.iter().filter_map(change).collect();
            // What changes must be read, and of what does not, at least the size must be known.
            if ty != info.ty || info.ty.block().is_none() || !changes.is_empty() {
                info.weight_type()?;
            }
            if let (TensorType::Weights(to), false) = (ty, changes.is_empty()) {
                let block = vec![0.0; to.block_len()];
                quantise_rows(to, &block, block.len(), None, &mut Vec::new())
                    .with_context(|| format!("cannot merge into {:?} as it is; pass --type", info.name))?;
            }
            let importance = match imatrix {
                Some((name, imatrix)) => imatrix.of(info).with_context(|| format!("cannot use {name}"))?,
                None => None,
            };
            tensors.push(Tensor { info, ty, importance, changes });
        }
        if let Some((name, _)) = imatrix
            && tensors.iter().all(|tensor| tensor.importance.is_none())
        {
            bail!("{name} has nothing for any of the tensors; it is another model's");
        }
        Ok(Conversion { gguf, mix, imatrix, tensors, tokenizer: tokenizer_keys(gguf) })
    }

    /// Why llama.cpp will not read the tokenizer, where the source has a `tokenizer.json` that its keys cannot say.
    pub fn tokenizer_problem(&self) -> Option<&TokenizerError> {
        self.tokenizer.as_ref().err()
    }

    /// The tensors, in the order of the source.
    pub fn tensors(&self) -> &[Tensor<'a>] {
        &self.tensors
    }

    /// Bytes of the source's tensors.
    pub fn bytes(&self) -> u64 {
        self.tensors.iter().map(|tensor| tensor.info.bytes).sum()
    }

    /// Writes the file.
    ///
    /// # Errors
    /// What the source, the weights, `out` or `progress` say.
    pub fn write(
        &self,
        source: &dyn Source,
        out: impl Write,
        threads: &ThreadPool,
        progress: Progress<'_>,
    ) -> Result<()> {
        let mut writer = self.header();
        for tensor in &self.tensors {
            writer.tensor(&tensor.info.name, &tensor.info.dims, tensor.ty)?;
        }
        let mut data = writer.start(out).context("cannot write the file")?;
        for tensor in &self.tensors {
            let done = match (tensor.info.weight_type(), tensor.ty) {
                (Ok(from), TensorType::Weights(to)) if tensor.is_computed() => {
                    convert(tensor, (from, to), source, &mut data, threads, progress)
                }
                _ => copy(tensor.info, source, &mut data, progress),
            };
            done.with_context(|| format!("tensor {:?}", tensor.info.name))?;
        }
        data.finish().context("cannot write the file")?;
        Ok(())
    }

    /// What the source says of the model, and what its weights are now.
    fn header(&self) -> GgufWriter {
        const OWN: [&str; 2] = ["general.file_type", "general.quantization_version"];
        let mut writer = GgufWriter::new();
        for (key, value) in self.gguf.metadata.iter() {
            let stays = self.mix.is_none() && OWN.contains(&key);
            if stays || is_kept(key) {
                writer.entry(key, value.clone());
            }
        }
        for (key, value) in self.tokenizer.iter().flatten() {
            if self.gguf.metadata.get(key).is_none() {
                writer.entry(key, value.clone());
            }
        }
        // Version 2 of the blocks' layouts has been the only one since 2023.
        if let Some(mix) = self.mix {
            writer.entry(OWN[0], mix.file_type).entry(OWN[1], 2u32);
        }
        if let Some((name, imatrix)) = self.imatrix {
            writer.entry("quantize.imatrix.file", name.as_str());
            writer.entry("quantize.imatrix.entries_count", imatrix.len() as u32);
            if !imatrix.datasets.is_empty() {
                writer.entry("quantize.imatrix.dataset", imatrix.datasets.join(", ").as_str());
            }
            if let Some(chunks) = imatrix.chunks {
                writer.entry("quantize.imatrix.chunks_count", chunks);
            }
        }
        writer
    }
}

/// The keys for a `tokenizer.json` that stands in the metadata in place of them.
fn tokenizer_keys(gguf: &Gguf) -> Result<Vec<(&'static str, Value)>, TokenizerError> {
    let whole = gguf.metadata.text("tokenizer.huggingface.json");
    let rows = gguf.find("token_embd.weight").map_or(0, |tensor| tensor.rows());
    match whole.filter(|_| gguf.metadata.get("tokenizer.ggml.model").is_none()) {
        Some(json) => gguf_keys(json.as_bytes(), rows),
        None => Ok(Vec::new()),
    }
}

/// A tensor as it is.
fn copy<W: Write>(
    info: &TensorInfo,
    source: &dyn Source,
    out: &mut DataWriter<W>,
    progress: Progress<'_>,
) -> Result<()> {
    let mut bytes = vec![0; COPIED.min(info.bytes) as usize];
    let mut at = info.offset;
    while at < info.end() {
        let count = (info.end() - at).min(COPIED);
        let bytes = &mut bytes[..count as usize];
        pollster::block_on(source.read_at(at, bytes))?;
        out.write(bytes).context("cannot write the file")?;
        progress(count)?;
        at += count;
    }
    Ok(())
}

/// A tensor in another type, or with what adapters add to it.
fn convert<W: Write>(
    tensor: &Tensor<'_>,
    (from, to): (WeightType, WeightType),
    source: &dyn Source,
    out: &mut DataWriter<W>,
    threads: &ThreadPool,
    progress: Progress<'_>,
) -> Result<()> {
    let info = tensor.info;
    let together = tensor.importance.map_or(info.rows(), |importance| importance.rows_alike(0));
    let mut pieces = pieces(info.row_len(), info.rows(), together).peekable();
    let mut at = info.offset;
    while pieces.peek().is_some() {
        let (mut batch, mut weights) = (Vec::new(), 0);
        while weights < BATCH
            && let Some(piece) = pieces.next()
        {
            weights += piece.weights();
            batch.push(piece);
        }
        let mut raw = vec![0; stored(from, weights)];
        pollster::block_on(source.read_at(at, &mut raw))?;
        at += raw.len() as u64;
        let mut rest = &raw[..];
        let mut parts = Vec::new();
        for piece in &batch {
            let (part, after) = rest.split_at(stored(from, piece.weights()));
            parts.push((piece, part));
            rest = after;
        }
        let convert = |(piece, part): &(&Piece, &[u8])| quantised(piece, part, (from, to), tensor);
        let done: Result<Vec<Vec<u8>>> = threads.install(|| parts.par_iter().map(convert).collect());
        for blocks in done? {
            out.write(&blocks).context("cannot write the file")?;
        }
        progress(raw.len() as u64)?;
    }
    Ok(())
}

/// Bytes of so many weights, which are whole blocks.
fn stored(ty: WeightType, weights: u64) -> usize {
    weights as usize / ty.block_len() * ty.block_bytes()
}

/// A piece of a tensor in another type, or with what adapters add to it.
fn quantised(piece: &Piece, raw: &[u8], (from, to): (WeightType, WeightType), tensor: &Tensor<'_>) -> Result<Vec<u8>> {
    let mut weights = vec![0f32; piece.weights() as usize];
    dequantise(from, raw, &mut weights)?;
    merge::add(&tensor.changes, piece, &mut weights);
    let (column, columns) = (piece.column as usize, piece.columns as usize);
    let importance = tensor.importance.map(|importance| &importance.of_row(piece.row)[column..][..columns]);
    let mut blocks = Vec::new();
    match quantise_rows(to, &weights, columns, importance, &mut blocks) {
        Ok(()) => Ok(blocks),
        Err(QuantiseError::Weight { ty, row, column: at, value }) => {
            Err(QuantiseError::Weight { ty, row: row + piece.row as usize, column: at + column, value }.into())
        }
        Err(error) => Err(error.into()),
    }
}
