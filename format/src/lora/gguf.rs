//! Adapters as GGUF files, as llama.cpp's `convert_lora_to_gguf` writes them: tensors `NAME.lora_a` and `NAME.lora_b`.

use std::collections::BTreeMap;

use super::{Lora, LoraError, check_shapes, low_rank};
use crate::gguf::{Gguf, Metadata, TensorInfo};
use crate::quant::dequantise;
use crate::source::Source;

const ALPHA: &str = "adapter.lora.alpha";

impl Lora {
    /// Reads an adapter.
    ///
    /// # Errors
    /// Anything in [`LoraError`] about the file.
    pub async fn read(source: &dyn Source) -> Result<Lora, LoraError> {
        let gguf = Gguf::read(source).await?;
        gguf.check_whole()?;
        expect(&gguf.metadata, "general.type", "adapter")?;
        expect(&gguf.metadata, "adapter.type", "lora")?;
        if gguf.metadata.get("adapter.alora.invocation_tokens").is_some() {
            return Err(LoraError::unsupported("tokens that switch it on (aLoRA)"));
        }
        let alpha = gguf.metadata.opt_f32(ALPHA)?.unwrap_or(0.0);
        let halves = pairs(&gguf)?;
        // In the order of their data, since a source may only run forward.
        let mut read = Vec::new();
        for tensor in gguf.tensors_by_offset() {
            read.push((tensor.name.as_str(), floats(source, tensor).await?));
        }
        read.sort_unstable_by_key(|(name, _)| *name);
        let mut weights = BTreeMap::new();
        for (name, [a, b]) in halves {
            let [a_shape, b_shape] = [a, b].map(rows_and_columns);
            let scale = scale(alpha, a_shape[0]);
            let [a, b] = [a, b].map(|tensor| {
                let at = read.binary_search_by_key(&tensor.name.as_str(), |(name, _)| *name);
                at.map(|at| std::mem::take(&mut read[at].1)).unwrap_or_default()
            });
            let low_rank = low_rank(&name, (a, a_shape), (b, b_shape), scale)?;
            weights.insert(name, low_rank);
        }
        let architecture = gguf.metadata.opt_str("general.architecture")?.map(str::to_owned);
        if weights.is_empty() { Err(LoraError::Empty) } else { Ok(Lora { architecture, weights }) }
    }
}

/// An alpha of 0 stands for that of the rank, as in llama.cpp.
fn scale(alpha: f32, rank: u64) -> f32 {
    if alpha == 0.0 { 1.0 } else { alpha / rank as f32 }
}

fn expect(metadata: &Metadata, key: &'static str, wanted: &'static str) -> Result<(), LoraError> {
    match metadata.opt_str(key)? {
        Some(found) if found == wanted => Ok(()),
        found => {
            let found = found.unwrap_or_default().chars().take(60).collect();
            Err(LoraError::NotAdapter { key, found, wanted })
        }
    }
}

/// Both matrices of each weight, found by their names, with shapes that belong together.
fn pairs<'g>(gguf: &'g Gguf) -> Result<Vec<(String, [&'g TensorInfo; 2])>, LoraError> {
    let mut found: Vec<(&str, usize, &'g TensorInfo)> = Vec::new();
    for tensor in gguf.tensors() {
        let (name, place) = match (tensor.name.strip_suffix(".lora_a"), tensor.name.strip_suffix(".lora_b")) {
            (Some(name), _) => (name, 0),
            (_, Some(name)) => (name, 1),
            _ => return Err(LoraError::unsupported(format!("the tensor {:?}", tensor.name))),
        };
        if name == "token_embd.weight" {
            return Err(LoraError::unsupported("changes to the embeddings"));
        }
        if tensor.dims.len() != 2 {
            let (name, found) = (tensor.name.clone(), tensor.dims.clone());
            let is_stack = found.len() == 3;
            return Err(if is_stack {
                LoraError::unsupported(format!("changes to experts ({name})"))
            } else {
                LoraError::NoMatrix { name, found }
            });
        }
        found.push((name, place, tensor));
    }
    found.sort_unstable_by_key(|(name, place, _)| (*name, *place));
    let complete = |of_one: &[(&str, usize, &'g TensorInfo)]| match *of_one {
        [(name, 0, a), (_, 1, b)] => {
            check_shapes(name, rows_and_columns(a), rows_and_columns(b))?;
            Ok((name.to_owned(), [a, b]))
        }
        [(name, place, _), ..] => {
            Err(LoraError::Missing { name: name.to_owned(), part: if place == 1 { "A" } else { "B" } })
        }
        [] => Err(LoraError::Empty),
    };
    found.chunk_by(|one, other| one.0 == other.0).map(complete).collect()
}

fn rows_and_columns(tensor: &TensorInfo) -> [u64; 2] {
    [tensor.rows(), tensor.row_len()]
}

/// A tensor's numbers. The header was checked against the length of the source, where it has one; a stream is read in pieces.
async fn floats(source: &dyn Source, tensor: &TensorInfo) -> Result<Vec<f32>, LoraError> {
    /// Weights that are read at once.
    const PIECE: u64 = 1 << 18;
    let ty = tensor.weight_type()?;
    let (mut values, mut at) = (Vec::new(), 0);
    while at < tensor.weights() {
        let count = PIECE.min(tensor.weights() - at) as usize;
        let bytes = |weights: u64| weights / ty.block_len() as u64 * ty.block_bytes() as u64;
        let mut raw = vec![0; bytes(count as u64) as usize];
        source.read_at(tensor.offset + bytes(at), &mut raw).await?;
        let had = values.len();
        values.resize(had + count, 0.0);
        // Whole blocks into as many weights as they have.
        dequantise(ty, &raw, &mut values[had..]).map_err(|error| LoraError::unsupported(error.to_string()))?;
        at += count as u64;
    }
    Ok(values)
}
