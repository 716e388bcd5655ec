//! Reads and checks the list of tensors: every size with arithmetic that cannot wrap, before anything rests on it.

use super::error::{GgufError, TensorProblem};
use super::reader::{Reader, grow};
use crate::order::sort_indices;
use crate::quant::{TensorType, WeightType};

/// Tensors beyond this are refused; a model with every expert of every layer apart has under 50,000.
pub(super) const MAX_TENSORS: u64 = 65_536;
/// The longest tensor name accepted; ggml itself stops at 64.
const MAX_NAME: u64 = 1024;

/// Where a tensor lies and what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// The tensor's name, such as `blk.0.attn_q.weight`.
    pub name: String,
    /// One to four lengths in GGUF's order: `dims[0]` is the length of a row.
    pub dims: Vec<u64>,
    /// Type of the weights.
    pub ty: TensorType,
    /// Where the data begins, in bytes from the start of the file.
    pub offset: u64,
    /// Length of the data in bytes; 0 where the type is not known, and so its size is not.
    pub bytes: u64,
}

impl TensorInfo {
    /// Weights a row.
    pub fn row_len(&self) -> u64 {
        self.dims[0]
    }

    /// Number of rows: the product of all dimensions but the first.
    pub fn rows(&self) -> u64 {
        self.dims[1..].iter().product()
    }

    /// Number of weights.
    pub fn weights(&self) -> u64 {
        self.row_len() * self.rows()
    }

    /// The type, where it can be computed with.
    ///
    /// # Errors
    /// [`TensorProblem::UnsupportedType`], [`TensorProblem::UnknownType`].
    pub fn weight_type(&self) -> Result<WeightType, GgufError> {
        match self.ty {
            TensorType::Weights(ty) => Ok(ty),
            TensorType::Other(id) => Err(self.problem(match self.ty.block() {
                Some(_) => TensorProblem::UnsupportedType(self.ty.name()),
                None => TensorProblem::UnknownType(id),
            })),
        }
    }

    /// Just after the data, in bytes from the start of the file.
    pub fn end(&self) -> u64 {
        self.offset + self.bytes
    }

    fn problem(&self, problem: TensorProblem) -> GgufError {
        GgufError::Tensor { name: self.name.clone(), problem }
    }
}

/// Reads `count` infos; their offsets still count from the start of the data.
pub(super) async fn read_infos(reader: &mut Reader<'_>, count: u64) -> Result<Vec<TensorInfo>, GgufError> {
    reader.section = "list of tensors";
    if count > MAX_TENSORS {
        return Err(GgufError::TooMany { what: "tensors", count, max: MAX_TENSORS });
    }
    let mut infos = Vec::new();
    for index in 0..count {
        let name = reader.name("bytes in a tensor name", MAX_NAME).await?;
        let name = name.ok_or(GgufError::NameNotUtf8 { what: "tensor", index })?;
        if name.is_empty() {
            return Err(GgufError::Tensor { name, problem: TensorProblem::NoName });
        }
        let info = read_info(reader, name).await?;
        grow(&mut infos, 1, count);
        infos.push(info);
    }
    Ok(infos)
}

async fn read_info(reader: &mut Reader<'_>, name: String) -> Result<TensorInfo, GgufError> {
    let n_dims = reader.u32().await?;
    if n_dims > 4 {
        return Err(GgufError::Tensor { name, problem: TensorProblem::Dims(n_dims) });
    }
    let mut dims = Vec::with_capacity(4);
    for _ in 0..n_dims {
        dims.push(reader.u64().await?);
    }
    if dims.is_empty() {
        // A scalar is written with no dimension at all.
        dims.push(1);
    }
    let ty = TensorType::from_ggml_id(reader.u32().await?);
    let offset = reader.u64().await?;
    match data_bytes(&dims, ty) {
        Ok(bytes) => Ok(TensorInfo { name, dims, ty, offset, bytes }),
        Err(problem) => Err(GgufError::Tensor { name, problem }),
    }
}

/// Bytes of a tensor's data; 0 where nobody here knows the type.
pub(super) fn data_bytes(dims: &[u64], ty: TensorType) -> Result<u64, TensorProblem> {
    if dims.contains(&0) {
        return Err(TensorProblem::ZeroDim);
    }
    let weights = dims.iter().try_fold(1u64, |product, &dim| product.checked_mul(dim));
    let Some((block, block_bytes)) = ty.block() else { return weights.map(|_| 0).ok_or(TensorProblem::TooLarge) };
    let row = dims.first().copied().unwrap_or(1);
    if row % block as u64 != 0 {
        return Err(TensorProblem::RowLength { row, block, ty: ty.name() });
    }
    let bytes = weights.and_then(|weights| (weights / block as u64).checked_mul(block_bytes as u64));
    // Half the range, as elsewhere sizes are signed.
    bytes.filter(|&bytes| bytes <= i64::MAX as u64).ok_or(TensorProblem::TooLarge)
}

/// Makes offsets absolute, and checks that all data lies aligned, apart and inside the file. Returns the order by offset.
pub(super) fn place(
    infos: &mut [TensorInfo],
    data_start: u64,
    alignment: u64,
    len: Option<u64>,
) -> Result<Vec<u32>, GgufError> {
    for info in infos.iter_mut() {
        if info.offset % alignment != 0 {
            return Err(info.problem(TensorProblem::Misaligned { offset: info.offset, alignment }));
        }
        let offset = data_start.checked_add(info.offset);
        let end = offset.and_then(|offset| offset.checked_add(info.bytes));
        let (Some(offset), Some(end)) = (offset, end) else { return Err(info.problem(TensorProblem::TooLarge)) };
        if let Some(len) = len
            && end > len
        {
            return Err(info.problem(TensorProblem::PastEnd { end, len }));
        }
        info.offset = offset;
    }
    let mut order: Vec<u32> = (0..infos.len() as u32).collect();
    sort_indices(&mut order, &mut |a, b| infos[a as usize].offset.cmp(&infos[b as usize].offset));
    for pair in order.windows(2) {
        let [first, second] = [&infos[pair[0] as usize], &infos[pair[1] as usize]];
        if first.end() > second.offset {
            return Err(second.problem(TensorProblem::Overlap(first.name.clone())));
        }
    }
    Ok(order)
}
