//! Quantises for use: blocks whose scales were searched for, so that they lose little.
//!
//! What is made small is Σ wᵢ · (xᵢ − x̂ᵢ)² over a row's weights x, where w is the mean square of the activations that meet a column, if
//! that is known, and else 1: the mean square error of the products. A block depends on its own weights alone, and is the same on every
//! machine and in whatever order rows are quantised. For plain rounding see [`super::quantise`].

mod affine;
mod blocks;
mod lanes;
mod lined_groups;
mod scaled_groups;
mod symmetric;
mod tops;
mod values;

use half::{bf16, f16};

use super::WeightType;
use symmetric::Group;

#[cfg(test)]
mod tests;

/// Why rows cannot be quantised.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum QuantiseError {
    /// A type that is read, and not made.
    #[error("weights cannot be quantised to {ty}; choose Q4_K, Q6_K or Q8_0")]
    Unsupported {
        /// The type asked for.
        ty: WeightType,
    },
    /// Rows that are not whole blocks, or a piece that is not whole rows.
    #[error("{weights} weights are not whole rows of {row_len}, of which each is whole {ty} blocks of {} weights", ty.block_len())]
    Length {
        /// The type asked for.
        ty: WeightType,
        /// How many weights came.
        weights: usize,
        /// Weights a row.
        row_len: usize,
    },
    /// A weight that is no number, or larger than the type can write.
    #[error(
        "the weight in row {row}, column {column} is {value}, which {ty} cannot hold; the checkpoint is damaged, or needs BF16 or F32"
    )]
    Weight {
        /// The type asked for.
        ty: WeightType,
        /// The row, from 0.
        row: usize,
        /// The column, from 0.
        column: usize,
        /// The weight.
        value: f32,
    },
    /// Importances for another number of columns.
    #[error("{importances} importances came for rows of {row_len} weights; the importance matrix is another model's")]
    ImportanceLength {
        /// How many importances came.
        importances: usize,
        /// Weights a row.
        row_len: usize,
    },
    /// An importance that is no number, or below 0.
    #[error("the importance of column {column} is {value}, which is no mean square; the importance matrix is damaged")]
    Importance {
        /// The column, from 0.
        column: usize,
        /// The importance.
        value: f32,
    },
}

/// Appends rows of `row_len` weights each, as blocks of `ty`, to `out`.
///
/// `importance` has a value of at least 0 for each column: how much a squared error there counts, by whatever unit. Columns of no
/// importance still get weights near their own, since a sample of text never shows all that a model meets.
///
/// # Errors
/// Anything in [`QuantiseError`]; then `out` is as it was.
pub fn quantise_rows(
    ty: WeightType,
    weights: &[f32],
    row_len: usize,
    importance: Option<&[f32]>,
    out: &mut Vec<u8>,
) -> Result<(), QuantiseError> {
    if row_len == 0 || !row_len.is_multiple_of(ty.block_len()) || !weights.len().is_multiple_of(row_len) {
        return Err(QuantiseError::Length { ty, weights: weights.len(), row_len });
    }
    let largest = largest(ty);
    if let Some(at) = weights.iter().position(|weight| !(-largest..=largest).contains(weight)) {
        return Err(QuantiseError::Weight { ty, row: at / row_len, column: at % row_len, value: weights[at] });
    }
    let importance = relative_importance(importance, row_len)?;
    out.reserve(weights.len() / ty.block_len() * ty.block_bytes());
    for row in weights.chunks_exact(row_len) {
        quantise_row(ty, row, &importance, out)?;
    }
    Ok(())
}

/// The largest weight that can be written: scales are f16, and the scale of a small block must not leave its range.
fn largest(ty: WeightType) -> f32 {
    match ty {
        WeightType::F32 => f32::MAX,
        WeightType::BF16 => bf16::MAX.to_f32(),
        _ => f16::MAX.to_f32(),
    }
}

/// Importances with a mean of 1, none of them below a thousandth; all of them 1 where nothing is known.
fn relative_importance(importance: Option<&[f32]>, row_len: usize) -> Result<Vec<f32>, QuantiseError> {
    const LEAST: f32 = 1e-3;
    let Some(importance) = importance else { return Ok(vec![1.0; row_len]) };
    if importance.len() != row_len {
        return Err(QuantiseError::ImportanceLength { importances: importance.len(), row_len });
    }
    if let Some(column) = importance.iter().position(|value| !(value.is_finite() && *value >= 0.0)) {
        return Err(QuantiseError::Importance { column, value: importance[column] });
    }
    let mean = importance.iter().map(|&value| f64::from(value)).sum::<f64>() / row_len as f64;
    if mean == 0.0 {
        return Ok(vec![1.0; row_len]);
    }
    Ok(importance.iter().map(|&value| ((f64::from(value) / mean) as f32).max(LEAST)).collect())
}

fn quantise_row(ty: WeightType, row: &[f32], importance: &[f32], out: &mut Vec<u8>) -> Result<(), QuantiseError> {
    match ty {
        WeightType::F32 => row.iter().for_each(|x| out.extend(x.to_le_bytes())),
        WeightType::F16 => row.iter().for_each(|&x| out.extend(f16::from_f32(x).to_le_bytes())),
        WeightType::BF16 => row.iter().for_each(|&x| out.extend(bf16::from_f32(x).to_le_bytes())),
        WeightType::Q8_0 => each(row, importance, |group| blocks::q8_0(group, out)),
        WeightType::Q4_0 => each(row, importance, |group| blocks::q4_0(group, out)),
        WeightType::Q5_0 => each(row, importance, |group| blocks::q5_0(group, out)),
        WeightType::Q4_1 => each(row, importance, |group| blocks::q4_1(group, out)),
        WeightType::Q5_1 => each(row, importance, |group| blocks::q5_1(group, out)),
        WeightType::IQ4_NL => each(row, importance, |group| blocks::iq4_nl(group, out)),
        WeightType::MXFP4 => each(row, importance, |group| blocks::mxfp4(group, out)),
        WeightType::Q2_K => each(row, importance, |group| lined_groups::q2_k(group, out)),
        WeightType::Q4_K => each(row, importance, |group| lined_groups::q4_k(group, out)),
        WeightType::Q5_K => each(row, importance, |group| lined_groups::q5_k(group, out)),
        WeightType::Q3_K => each(row, importance, |group| scaled_groups::q3_k(group, out)),
        WeightType::Q6_K => each(row, importance, |group| scaled_groups::q6_k(group, out)),
        WeightType::IQ4_XS => each(row, importance, |group| scaled_groups::iq4_xs(group, out)),
        _ => return Err(QuantiseError::Unsupported { ty }),
    }
    Ok(())
}

/// Calls `block` with the weights of each block and their importances.
fn each<const N: usize>(row: &[f32], importance: &[f32], mut block: impl FnMut(Group<'_, N>)) {
    for (x, w) in row.as_chunks().0.iter().zip(importance.as_chunks().0) {
        block(Group { x, w });
    }
}

/// The groups of a superblock.
fn groups<const N: usize, const COUNT: usize>(block: Group<'_, 256>) -> [Group<'_, N>; COUNT] {
    const { assert!(N * COUNT == 256) };
    let (x, w) = (block.x.as_chunks().0, block.w.as_chunks().0);
    std::array::from_fn(|j| Group { x: &x[j], w: &w[j] })
}

/// A scale as it is written: never beyond f16's range, and 0 for 0 alone, since weights by the smallest scale are nearer than zeros.
fn half(scale: f32) -> f16 {
    let half = f16::from_f32(scale.clamp(f16::MIN.to_f32(), f16::MAX.to_f32()));
    match half.to_bits() {
        0x0000 if scale > 0.0 => f16::from_bits(0x0001),
        0x8000 if scale < 0.0 => f16::from_bits(0x8001),
        _ => half,
    }
}
