//! Reads any range of a tensor of the virtual file.

use super::checkpoint::Shards;
use super::steps::locate;
use super::tensor::{Op, Slice, Tensor};
use crate::quant::{TensorType, WeightType, dequantise, quantise};
use crate::source::SourceError;

/// Bytes that lie between two runs and are read along, since a request costs more than they do.
const GAP: u64 = 64 << 10;
/// The most bytes read at once for runs that lie apart.
const SPAN: u64 = 2 << 20;
/// Elements whose numbers are changed at once.
const CHUNK: u64 = 256 << 10;

/// A run of elements that lie one after the other in a leaf.
struct Run {
    /// In elements of the leaf.
    from: u64,
    elements: u64,
    /// In bytes of the output.
    to: usize,
}

/// Fills `out` with the elements of a tensor from `from` on, in type `ty`. Both begin and end with whole blocks.
pub(super) async fn read(
    shards: &Shards,
    tensor: &Tensor,
    ty: TensorType,
    from: u64,
    out: &mut [u8],
) -> Result<(), SourceError> {
    let (block, block_bytes) = ty.block().unwrap_or((1, 1));
    let is_same = tensor.ops.is_empty() && tensor.slices.iter().all(|slice| slice.leaf.ty() == ty);
    let (mut begin, mut at, mut out) = (0, from, out);
    for slice in &tensor.slices {
        let end = begin + slice.elements();
        while at < end && !out.is_empty() {
            let left = (out.len() / block_bytes * block) as u64;
            let count = left.min(end - at).min(if is_same { u64::MAX } else { CHUNK });
            let (piece, rest) = out.split_at_mut((count as usize / block) * block_bytes);
            if is_same {
                gather(shards, slice, at - begin, piece).await?;
            } else {
                convert(shards, (tensor, slice), ty, [at, at - begin, count], piece).await?;
            }
            out = rest;
            at += count;
        }
        begin = end;
    }
    Ok(())
}

/// As numbers, with the tensor's operations done: `count` elements from `at` of the tensor, which is `from` of the slice.
async fn convert(
    shards: &Shards,
    (tensor, slice): (&Tensor, &Slice),
    ty: TensorType,
    [at, from, count]: [u64; 3],
    out: &mut [u8],
) -> Result<(), SourceError> {
    let stored = weight_type(slice.leaf.ty())?;
    let mut raw = vec![0; count as usize / stored.block_len() * stored.block_bytes()];
    gather(shards, slice, from, &mut raw).await?;
    let mut values = vec![0.0; count as usize];
    let failed = |error: crate::quant::QuantError| SourceError::Transport { message: error.to_string() };
    dequantise(stored, &raw, &mut values).map_err(failed)?;
    for op in &tensor.ops {
        if let Op::Ternary(mean) = op
            && mean.get().is_none()
        {
            let found = mean_magnitude(shards, slice).await?;
            mean.get_or_init(|| found);
        }
        apply(op, at, &mut values);
    }
    let mut encoded = Vec::with_capacity(out.len());
    quantise(weight_type(ty)?, &values, &mut encoded).map_err(failed)?;
    out.copy_from_slice(&encoded);
    Ok(())
}

/// The mean of a slice's absolute values, by reading it once.
async fn mean_magnitude(shards: &Shards, slice: &Slice) -> Result<f32, SourceError> {
    let ty = weight_type(slice.leaf.ty())?;
    let all = slice.elements();
    let (mut sum, mut at) = (0.0f64, 0);
    let (mut raw, mut values) = (Vec::new(), Vec::new());
    while at < all {
        let count = CHUNK.min(all - at);
        raw.resize(count as usize / ty.block_len() * ty.block_bytes(), 0);
        values.resize(count as usize, 0.0);
        gather(shards, slice, at, &mut raw).await?;
        dequantise(ty, &raw, &mut values).map_err(|error| SourceError::Transport { message: error.to_string() })?;
        sum += values.iter().map(|value| f64::from(value.abs())).sum::<f64>();
        at += count;
    }
    Ok((sum / all as f64) as f32)
}

fn weight_type(ty: TensorType) -> Result<WeightType, SourceError> {
    match ty {
        TensorType::Weights(ty) => Ok(ty),
        TensorType::Other(_) => {
            Err(SourceError::Transport { message: format!("weights of the type {} cannot be changed", ty.name()) })
        }
    }
}

fn apply(op: &Op, at: u64, values: &mut [f32]) {
    match op {
        Op::Add(number) => values.iter_mut().for_each(|value| *value += number),
        Op::Scale(factor) => values.iter_mut().for_each(|value| *value *= factor),
        // In f64, so that every platform's function rounds to the same f32.
        Op::NegExp => values.iter_mut().for_each(|value| *value = -f64::from(*value).exp() as f32),
        Op::ScaleRanges(ranges) => {
            for (index, value) in values.iter_mut().enumerate() {
                let element = at + index as u64;
                let range = ranges.partition_point(|(end, _)| *end <= element);
                *value *= ranges.get(range).map_or(1.0, |(_, factor)| *factor);
            }
        }
        Op::Ternary(mean) => {
            // By the inverse, twice, as the model's authors do.
            let inverse = 1.0 / mean.get().copied().unwrap_or(1.0).max(1e-5);
            let ternary = |value: f32| (value * inverse).round_ties_even().clamp(-1.0, 1.0) / inverse;
            values.iter_mut().for_each(|value| *value = ternary(*value));
        }
    }
}

/// Fills `out` with elements of a slice in the type of its leaf. Runs that lie near one another are read at once.
async fn gather(shards: &Shards, slice: &Slice, from: u64, out: &mut [u8]) -> Result<(), SourceError> {
    let (block, block_bytes) = slice.leaf.ty().block().unwrap_or((1, 1));
    let bytes = |elements: u64| elements / block as u64 * block_bytes as u64;
    let total = (out.len() / block_bytes * block) as u64;
    let mut done = 0;
    while done < total {
        let (start, run) = locate(&slice.steps, from + done, total - done);
        // What is all there is, or is long enough, needs no detour.
        if bytes(run) >= SPAN / 2 || run == total - done {
            let to = bytes(done) as usize;
            slice.leaf.read(shards, start, &mut out[to..to + bytes(run) as usize]).await?;
            done += run;
            continue;
        }
        let mut runs = Vec::new();
        let mut taken = 0;
        while done < total && taken < SPAN {
            let (from, elements) = locate(&slice.steps, from + done, total - done);
            runs.push(Run { from, elements, to: bytes(done) as usize });
            taken += bytes(elements);
            done += elements;
        }
        runs.sort_unstable_by_key(|run| run.from);
        let near = |a: &Run, b: &Run| bytes(b.from - (a.from + a.elements)) <= GAP;
        for group in runs.chunk_by(near) {
            read_group(shards, slice, group, out).await?;
        }
    }
    Ok(())
}

/// Reads runs that lie near one another, in spans of bounded size.
async fn read_group(shards: &Shards, slice: &Slice, mut runs: &[Run], out: &mut [u8]) -> Result<(), SourceError> {
    let (block, block_bytes) = slice.leaf.ty().block().unwrap_or((1, 1));
    let bytes = |elements: u64| (elements / block as u64) as usize * block_bytes;
    let mut span = Vec::new();
    while let Some(first) = runs.first() {
        let fits =
            |run: &Run| bytes(run.from + run.elements - first.from) as u64 <= SPAN.max(bytes(first.elements) as u64);
        let (group, rest) = runs.split_at(runs.partition_point(fits));
        let end = group.last().map_or(first.from, |run| run.from + run.elements);
        span.resize(bytes(end - first.from), 0);
        slice.leaf.read(shards, first.from, &mut span).await?;
        for run in group {
            let from = bytes(run.from - first.from);
            let len = bytes(run.elements);
            out[run.to..run.to + len].copy_from_slice(&span[from..from + len]);
        }
        runs = rest;
    }
    Ok(())
}
