//! Eight-bit floats (F8_E4M3), with one scale, one for each row, or one for each square of a matrix. They become BF16.

use half::{bf16, f16};

use super::super::checkpoint::Shards;
use super::super::leaf::Place;
use crate::quant::WeightType;
use crate::source::SourceError;

/// Scales of a matrix, in a type of floats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Scales {
    pub at: Place,
    pub ty: WeightType,
    /// Rows and columns of weights that share a scale.
    pub block: [u64; 2],
}

/// A tensor of eight-bit floats: matrices `[rows, cols]`, one below the other.
#[derive(Debug, Clone)]
pub(in super::super) struct Fp8 {
    pub at: Place,
    pub rows: u64,
    pub cols: u64,
    pub scales: Scales,
}

impl Fp8 {
    /// What the numbers become.
    pub const TYPE: WeightType = WeightType::BF16;

    pub(super) async fn read(&self, shards: &Shards, from: u64, out: &mut [u8]) -> Result<(), SourceError> {
        const PIECE: usize = 256 << 10;
        let [block_rows, block_cols] = self.scales.block;
        let across = self.cols.div_ceil(block_cols);
        // Scales of the rows of one matrix begin anew.
        let down = self.rows.div_ceil(block_rows);
        let numbers: [f32; 256] = std::array::from_fn(|byte| e4m3(byte as u8));
        let (mut raw, mut at) = (Vec::new(), from);
        let (mut line, mut scales) = (u64::MAX, Vec::new());
        for piece in out.chunks_mut(2 * PIECE) {
            raw.resize(piece.len() / 2, 0);
            shards.read(self.at.shard, self.at.offset + at, &mut raw).await?;
            let (mut raw, mut to) = (&raw[..], piece.as_chunks_mut::<2>().0);
            while !raw.is_empty() {
                let (row, col) = (at / self.cols, at % self.cols);
                let wanted = row / self.rows * down + row % self.rows / block_rows;
                if line != wanted {
                    (line, scales) =
                        (wanted, floats(shards, self.scales.at, self.scales.ty, wanted * across, across).await?);
                }
                // What is left of the row and of the columns that share a scale.
                let shared = (self.cols - col).min(block_cols - col % block_cols).min(raw.len() as u64) as usize;
                let scale = scales[(col / block_cols) as usize];
                let (bytes, raw_rest) = raw.split_at(shared);
                let (these, rest) = to.split_at_mut(shared);
                for (byte, to) in bytes.iter().zip(these) {
                    *to = bf16::from_f32(numbers[usize::from(*byte)] * scale).to_le_bytes();
                }
                (raw, to) = (raw_rest, rest);
                at += shared as u64;
            }
        }
        Ok(())
    }
}

/// The number of a byte: a sign, four bits of an exponent, three of a fraction; no infinities.
fn e4m3(byte: u8) -> f32 {
    let (exponent, fraction) = (i32::from(byte >> 3 & 15), f32::from(byte & 7));
    let magnitude = match (exponent, byte & 7) {
        (15, 7) => f32::NAN,
        (0, _) => fraction / 512.0,
        _ => (1.0 + fraction / 8.0) * f32::from_bits(((exponent + 120) as u32) << 23),
    };
    if byte & 0x80 == 0 { magnitude } else { -magnitude }
}

/// `count` numbers from `from` on of a stored tensor.
pub(super) async fn floats(
    shards: &Shards,
    at: Place,
    ty: WeightType,
    from: u64,
    count: u64,
) -> Result<Vec<f32>, SourceError> {
    let size = ty.block_bytes();
    let mut raw = vec![0; count as usize * size];
    shards.read(at.shard, at.offset + from * size as u64, &mut raw).await?;
    Ok(raw.chunks_exact(size).map(|bytes| float(ty, bytes)).collect())
}

/// The number of a float's bytes.
pub(super) fn float(ty: WeightType, bytes: &[u8]) -> f32 {
    match (ty, bytes) {
        (WeightType::F16, [a, b]) => f16::from_le_bytes([*a, *b]).to_f32(),
        (WeightType::BF16, [a, b]) => bf16::from_le_bytes([*a, *b]).to_f32(),
        (WeightType::F32, [a, b, c, d]) => f32::from_le_bytes([*a, *b, *c, *d]),
        _ => unreachable!("scales of {ty} were refused"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_the_numbers_of_e4m3() {
        let known = [
            (0x00, 0.0),
            (0x01, 1.0 / 512.0),
            (0x08, 1.0 / 64.0),
            (0x38, 1.0),
            (0x3c, 1.5),
            (0x7e, 448.0),
            (0xb8, -1.0),
        ];
        for (byte, number) in known {
            assert_eq!(e4m3(byte), number, "{byte:#x}");
        }
        assert!(e4m3(0x7f).is_nan() && e4m3(0xff).is_nan());
    }
}
