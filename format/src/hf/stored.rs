//! The tensors of a checkpoint as slices that rules can work with. Quantised ones, which lie in several tensors, become one each.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::checkpoint::Stored;
use super::config::Config;
use super::decode::{Decoded, Fp8, Int4, Mxfp4, Packing, Scales};
use super::error::HfError;
use super::leaf::{Leaf, Place, float_type};
use super::names;
use super::tensor::Slice;
use crate::quant::WeightType;
use crate::safetensors::Dtype;

type Tensors = BTreeMap<String, Stored>;

/// The longest side of a matrix that is decoded: rows are decoded whole.
const MAX_SIDE: u64 = 1 << 20;

/// Scales of activations and of the cache, which nothing here needs.
const UNUSED: [&str; 6] = [".input_scale", "activation_scale", ".k_scale", ".v_scale", ".qscale_act", ".kv_scale"];

/// A slice for each tensor that a text model may need, in the order of their data, with its new name where it gets one.
pub(super) fn slices(
    mut tensors: Tensors,
    config: &Config,
    rename: impl Fn(&str) -> Option<String>,
) -> Result<Vec<Slice>, HfError> {
    tensors.retain(|name, stored| {
        let used = !UNUSED.iter().any(|end| name.ends_with(end)) && stored.elements() > 0;
        used && names::parse(&rename(name).unwrap_or_else(|| name.clone())).is_some()
    });
    let mut slices = quantised(&mut tensors, config)?;
    for (name, stored) in tensors {
        let ty = float_type(&name, stored.dtype)?;
        let at = Place::of(&stored);
        slices.push((at, Slice::new(&name, Leaf::Stored { at, ty }, stored.shape)));
    }
    slices.sort_by_key(|(at, _)| (at.shard, at.offset));
    let renamed = slices.into_iter().map(|(_, mut slice)| {
        slice.name = rename(&slice.name).unwrap_or(slice.name);
        slice
    });
    Ok(renamed.collect())
}

/// Takes quantised tensors and what belongs to them out of a checkpoint.
fn quantised(tensors: &mut Tensors, config: &Config) -> Result<Vec<(Place, Slice)>, HfError> {
    let empty = Map::new();
    let how = config.object("quantization_config").unwrap_or(&empty);
    let names: Vec<String> = tensors.keys().cloned().collect();
    let mut slices = Vec::new();
    for name in names {
        // What another one took along is gone.
        let Some(dtype) = tensors.get(&name).map(|stored| stored.dtype) else { continue };
        let slice = if let Some(base) = name.strip_suffix("_blocks") {
            mxfp4(tensors, base)?
        } else if let Some(base) = name.strip_suffix(".qweight") {
            by_group(tensors, base, how)?
        } else if let Some(base) = name.strip_suffix("_packed") {
            packed(tensors, base, how)?
        } else if dtype == Dtype::F8_E4M3 {
            fp8(tensors, &name, how)?
        } else if dtype == Dtype::U8 && method(how) == "bitnet" {
            ternary(tensors, &name)?
        } else {
            continue;
        };
        slices.push(slice);
    }
    Ok(slices)
}

fn method(how: &Map<String, Value>) -> &str {
    how.get("quant_method").and_then(Value::as_str).unwrap_or_default()
}

fn take(tensors: &mut Tensors, name: &str) -> Result<Stored, HfError> {
    tensors.remove(name).ok_or_else(|| HfError::MissingTensor { name: name.into() })
}

/// Takes a tensor that must have a shape.
fn take_shaped(tensors: &mut Tensors, name: &str, shape: &[u64], what: &str) -> Result<Stored, HfError> {
    let stored = take(tensors, name)?;
    let differs = stored.shape != shape;
    if differs { Err(mismatch(name, &stored, format!("{what}, {shape:?}"))) } else { Ok(stored) }
}

fn mismatch(name: &str, stored: &Stored, wanted: impl Into<String>) -> HfError {
    HfError::Shape { name: name.into(), found: stored.shape.clone(), wanted: wanted.into() }
}

fn decoded(name: &str, at: Place, decoded: Decoded, shape: Vec<u64>) -> Result<(Place, Slice), HfError> {
    if shape.iter().any(|side| *side > MAX_SIDE) {
        return Err(HfError::Shape { name: name.into(), found: shape, wanted: "a matrix of a model".into() });
    }
    Ok((at, Slice::new(name, Leaf::Decoded(Box::new(decoded)), shape)))
}

/// `[.., blocks, 16]` codes and `[.., blocks]` exponents.
fn mxfp4(tensors: &mut Tensors, base: &str) -> Result<(Place, Slice), HfError> {
    let name = format!("{base}_blocks");
    let codes = take(tensors, &name)?;
    let [outer @ .., blocks, 16] = &codes.shape[..] else { return Err(mismatch(&name, &codes, "blocks of 16 bytes")) };
    let shape = [outer, &[blocks.saturating_mul(32)]].concat();
    let exponents =
        take_shaped(tensors, &format!("{base}_scales"), &[outer, &[*blocks]].concat(), "an exponent for each block")?;
    if (codes.dtype, exponents.dtype) != (Dtype::U8, Dtype::U8) {
        return Err(HfError::unsupported(format!("blocks of the type {} (`{name}`)", codes.dtype)));
    }
    let at = Place::of(&codes);
    decoded(base, at, Decoded::Mxfp4(Mxfp4 { codes: at, exponents: Place::of(&exponents) }), shape)
}

fn fp8(tensors: &mut Tensors, name: &str, how: &Map<String, Value>) -> Result<(Place, Slice), HfError> {
    let weight = take(tensors, name)?;
    let [.., rows, cols] = weight.shape[..] else { return Err(mismatch(name, &weight, "a matrix")) };
    let names = [format!("{name}_scale_inv"), format!("{name}_scale")];
    let scale_name = names.iter().find(|name| tensors.contains_key(*name)).unwrap_or(&names[0]);
    let scale = take(tensors, scale_name)?;
    let blocks = how.get("weight_block_size").and_then(Value::as_array);
    let block = match blocks.map(Vec::as_slice) {
        Some([rows, cols]) => rows.as_u64().zip(cols.as_u64()).filter(|(rows, cols)| *rows > 0 && *cols > 0),
        _ => None,
    };
    // One for all, one for each row, or one for each square.
    let matrices = weight.elements() / (rows * cols);
    let candidates = [Some((rows, cols)).filter(|_| matrices == 1), Some((1, cols)), block];
    let fits = |(high, wide): &(u64, u64)| {
        rows.div_ceil(*high).checked_mul(cols.div_ceil(*wide)).and_then(|count| count.checked_mul(matrices))
            == Some(scale.elements())
    };
    let block = candidates.into_iter().flatten().find(fits);
    let (high, wide) =
        block.ok_or_else(|| mismatch(scale_name, &scale, format!("weights of the shape {:?}", weight.shape)))?;
    let scales = Scales { at: Place::of(&scale), ty: float_type(scale_name, scale.dtype)?, block: [high, wide] };
    let at = Place::of(&weight);
    decoded(name, at, Decoded::Fp8(Fp8 { at, rows, cols, scales }), weight.shape)
}

/// GPTQ and AWQ.
fn by_group(tensors: &mut Tensors, base: &str, how: &Map<String, Value>) -> Result<(Place, Slice), HfError> {
    let packing = match method(how) {
        "gptq" => Packing::Gptq,
        "awq" => Packing::Awq,
        other => return Err(HfError::unsupported(format!("weights quantised by {other:?}"))),
    };
    if how.get("bits").and_then(Value::as_u64) != Some(4) {
        return Err(HfError::unsupported("weights of GPTQ or AWQ with other than 4 bits"));
    }
    let name = format!("{base}.qweight");
    let codes = take(tensors, &name)?;
    let [first, second] = codes.shape[..] else { return Err(mismatch(&name, &codes, "a matrix")) };
    let (rows, cols) = match packing {
        Packing::Gptq => (second, first.saturating_mul(8)),
        _ => (second.saturating_mul(8), first),
    };
    if codes.dtype != Dtype::I32 || rows % 8 != 0 {
        return Err(HfError::unsupported(format!("codes of the type {} (`{name}`)", codes.dtype)));
    }
    let group = match how.get("group_size").and_then(Value::as_i64) {
        Some(-1) => cols,
        Some(size) if size > 0 => size.unsigned_abs(),
        _ => return Err(HfError::unsupported("weights of GPTQ or AWQ without a size of groups")),
    };
    let groups = cols.div_ceil(group);
    let scale_name = format!("{base}.scales");
    let scales = take_shaped(tensors, &scale_name, &[groups, rows], "a scale for each group")?;
    let zeros = take_shaped(tensors, &format!("{base}.qzeros"), &[groups, rows / 8], "a zero for each group")?;
    let order = tensors.remove(&format!("{base}.g_idx"));
    let says = |key: &str| how.get(key).and_then(Value::as_bool).unwrap_or(false);
    let order = order.filter(|order| says("desc_act") && order.shape == [cols] && order.dtype == Dtype::I32);
    let is_old = how.get("checkpoint_format").and_then(Value::as_str).is_none_or(|format| format == "gptq");
    let is_q4_0 = packing == Packing::Gptq && says("sym") && order.is_none();
    let int4 = Int4 {
        packing,
        rows,
        cols,
        group,
        codes: Place::of(&codes),
        scales: Place::of(&scales),
        scale_type: float_type(&scale_name, scales.dtype)?,
        zeros: Some(Place::of(&zeros)),
        zero_offset: u8::from(packing == Packing::Gptq && is_old),
        order: order.as_ref().map(Place::of),
        ty: served(is_q4_0, group, cols),
    };
    let at = int4.codes;
    decoded(&format!("{base}.weight"), at, Decoded::Int4(int4), vec![rows, cols])
}

/// compressed-tensors' form of four-bit integers.
fn packed(tensors: &mut Tensors, base: &str, how: &Map<String, Value>) -> Result<(Place, Slice), HfError> {
    let name = format!("{base}_packed");
    let format = how.get("format").and_then(Value::as_str).unwrap_or_default();
    let weights =
        how.get("config_groups").and_then(Value::as_object).and_then(|groups| groups.values().next()?.get("weights"));
    let bits = weights.and_then(|weights| weights.get("num_bits")).and_then(Value::as_u64);
    if format != "pack-quantized" || bits != Some(4) {
        return Err(HfError::unsupported(format!(
            "weights of the format {format:?}, unless they have 4 bits and are \"pack-quantized\""
        )));
    }
    let codes = take(tensors, &name)?;
    tensors.remove(&format!("{base}_shape"));
    let scale_name = format!("{base}_scale");
    let scales = take(tensors, &scale_name)?;
    let ([rows, words], [scale_rows, groups]) = (&codes.shape[..], &scales.shape[..]) else {
        return Err(mismatch(&name, &codes, "a matrix with scales"));
    };
    let cols = words.saturating_mul(8);
    if codes.dtype != Dtype::I32 || scale_rows != rows || *groups == 0 || !cols.is_multiple_of(*groups) {
        return Err(mismatch(&scale_name, &scales, format!("codes of the shape {:?}", codes.shape)));
    }
    let group = cols / groups;
    let zero_name = format!("{base}_zero_point");
    let has_zeros = tensors.contains_key(&zero_name);
    let zeros =
        has_zeros.then(|| take_shaped(tensors, &zero_name, &[rows.div_ceil(8), *groups], "a zero for each group"));
    let zeros = zeros.transpose()?;
    let int4 = Int4 {
        packing: Packing::Rows,
        rows: *rows,
        cols,
        group,
        codes: Place::of(&codes),
        scales: Place::of(&scales),
        scale_type: float_type(&scale_name, scales.dtype)?,
        zeros: zeros.as_ref().map(Place::of),
        zero_offset: 0,
        order: None,
        ty: served(!has_zeros, group, cols),
    };
    let shape = vec![*rows, cols];
    decoded(base, int4.codes, Decoded::Int4(int4), shape)
}

/// BitNet's two bits, as Q4_0.
fn ternary(tensors: &mut Tensors, name: &str) -> Result<(Place, Slice), HfError> {
    let codes = take(tensors, name)?;
    let scale_name = format!("{name}_scale");
    let scale = take(tensors, &scale_name)?;
    let [quarter, cols] = codes.shape[..] else { return Err(mismatch(name, &codes, "a matrix")) };
    if scale.elements() != 1 {
        return Err(mismatch(&scale_name, &scale, "one scale"));
    }
    let rows = quarter.saturating_mul(4);
    let int4 = Int4 {
        packing: Packing::Ternary,
        rows,
        cols,
        group: cols,
        codes: Place::of(&codes),
        scales: Place::of(&scale),
        scale_type: float_type(&scale_name, scale.dtype)?,
        zeros: None,
        zero_offset: 0,
        order: None,
        ty: served(true, cols, cols),
    };
    let at = int4.codes;
    decoded(name, at, Decoded::Int4(int4), vec![rows, cols])
}

/// Q4_0 where that is exact: all zeros are 8, and groups are whole blocks.
fn served(is_symmetric: bool, group: u64, cols: u64) -> WeightType {
    let of_blocks = group.is_multiple_of(32) && cols.is_multiple_of(32);
    if is_symmetric && of_blocks { WeightType::Q4_0 } else { WeightType::F16 }
}
