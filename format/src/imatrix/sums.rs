//! The GGUF form: sums of squares, and how many activations went into each.

use super::{Imatrix, ImatrixError, PIECE};
use crate::gguf::{Array, Gguf, TensorInfo, Value};
use crate::quant::{TensorType, WeightType};
use crate::source::Source;

pub(super) const SUMS: &str = ".in_sum2";
pub(super) const COUNTS: &str = ".counts";

pub(super) async fn read(source: &dyn Source) -> Result<Imatrix, ImatrixError> {
    let gguf = Gguf::read(source).await?;
    match gguf.metadata.text("general.type") {
        Some("imatrix") => {}
        found => return Err(ImatrixError::NotImatrix { found: found.map(str::to_owned) }),
    }
    let mut imatrix = Imatrix { chunks: gguf.metadata.opt_u32("imatrix.chunk_count")?, ..Imatrix::default() };
    if let Some(Value::Array(Array::String(datasets))) = gguf.metadata.get("imatrix.datasets") {
        imatrix.datasets = datasets.iter().map(str::to_owned).collect();
    }
    if gguf.tensors().is_empty() {
        return Err(ImatrixError::Count { what: "matrices", count: 0 });
    }
    // Counts stand before or behind their sums, and a stream only runs forward: so both wait for each other.
    let mut waiting: std::collections::BTreeMap<&str, Vec<f32>> = std::collections::BTreeMap::new();
    for tensor in gguf.tensors_by_offset() {
        let (name, other) = match (tensor.name.strip_suffix(SUMS), tensor.name.strip_suffix(COUNTS)) {
            (Some(name), _) => (name, format!("{name}{COUNTS}")),
            (_, Some(name)) => (name, format!("{name}{SUMS}")),
            _ => continue,
        };
        let Some(other_tensor) = gguf.find(&other) else { return Err(ImatrixError::Half { missing: other }) };
        let values = floats(source, tensor).await?;
        match waiting.remove(other_tensor.name.as_str()) {
            None => drop(waiting.insert(&tensor.name, values)),
            Some(others) => {
                let is_sums = tensor.name.ends_with(SUMS);
                let (sums, counts) = if is_sums { (values, others) } else { (others, values) };
                imatrix.insert(name.to_owned(), means(name, sums, &counts)?)?;
            }
        }
    }
    Ok(imatrix)
}

/// Sums divided by the count of their expert. Experts that were never asked have no importances to tell columns apart.
fn means(name: &str, mut sums: Vec<f32>, counts: &[f32]) -> Result<Vec<f32>, ImatrixError> {
    if counts.is_empty() || !sums.len().is_multiple_of(counts.len()) {
        return Err(ImatrixError::Counts {
            name: name.to_owned(),
            sums: sums.len() as u64,
            counts: counts.len() as u64,
        });
    }
    let columns = sums.len() / counts.len();
    for (sums, &count) in sums.chunks_exact_mut(columns.max(1)).zip(counts) {
        if count > 0.0 {
            sums.iter_mut().for_each(|sum| *sum /= count);
        } else {
            sums.fill(1.0);
        }
    }
    Ok(sums)
}

/// The numbers of an F32 tensor.
async fn floats(source: &dyn Source, tensor: &TensorInfo) -> Result<Vec<f32>, ImatrixError> {
    if tensor.ty != TensorType::Weights(WeightType::F32) {
        let weights = tensor.weights();
        return Err(ImatrixError::Counts { name: tensor.name.clone(), sums: weights, counts: 0 });
    }
    let mut values = Vec::new();
    let mut at = tensor.offset;
    let mut piece = vec![0; PIECE.min(usize::try_from(tensor.bytes).unwrap_or(PIECE))];
    while at < tensor.end() {
        let count = (tensor.end() - at).min(piece.len() as u64) as usize;
        source.read_at(at, &mut piece[..count]).await?;
        values.extend(piece[..count].as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)));
        at += count as u64;
    }
    Ok(values)
}
