//! Four-bit integers with a scale for each group of inputs: GPTQ, AWQ, compressed-tensors' packed form, and BitNet's two bits.
//!
//! A weight is `scale * (code - zero)`. Where all zeros are 8 and groups are whole blocks, that is Q4_0, and exact; the rest becomes F16.

use half::f16;

use super::super::checkpoint::Shards;
use super::super::leaf::Place;
use super::fp8::float;
use super::{Rectangle, read_rectangle};
use crate::quant::WeightType;
use crate::source::SourceError;

/// How codes lie in their tensor, for a matrix of `rows` outputs and `cols` inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Packing {
    /// `[cols / 8, rows]` words of eight inputs. Zeros are `[groups, rows / 8]`.
    Gptq,
    /// `[cols, rows / 8]` words of eight outputs, even ones in the lower half. Zeros are `[groups, rows / 8]`.
    Awq,
    /// `[rows, cols / 8]` words of eight inputs. Zeros are `[rows / 8, groups]`.
    Rows,
    /// `[rows / 4, cols]` bytes of two bits each: -1, 0 or 1, of rows a quarter of all apart. One scale, which divides.
    Ternary,
}

/// A matrix of four-bit integers.
#[derive(Debug, Clone)]
pub(in super::super) struct Int4 {
    pub packing: Packing,
    pub rows: u64,
    pub cols: u64,
    /// Inputs that share a scale.
    pub group: u64,
    pub codes: Place,
    pub scales: Place,
    pub scale_type: WeightType,
    pub zeros: Option<Place>,
    /// What is added to a stored zero.
    pub zero_offset: u8,
    /// The group of each input, where they are not in their order.
    pub order: Option<Place>,
    /// Q4_0 or F16.
    pub ty: WeightType,
}

/// Where a word of AWQ has each of eight outputs.
const AWQ_PLACES: [u32; 8] = [0, 4, 1, 5, 2, 6, 3, 7];
/// The zero that Q4_0 has.
const MIDDLE: u8 = 8;

/// Rows of a matrix, unpacked.
struct Rows {
    /// `[rows, cols]`.
    codes: Vec<u8>,
    /// `[rows, groups]`.
    scales: Vec<f32>,
    /// `[rows, groups]`.
    zeros: Vec<u8>,
    /// Of each input.
    group_of: Vec<u32>,
}

impl Int4 {
    pub(super) async fn read(&self, shards: &Shards, from: u64, out: &mut [u8]) -> Result<(), SourceError> {
        const PIECE: u64 = 1 << 20;
        let (block, bytes) = (self.ty.block_len() as u64, self.ty.block_bytes());
        let end = from + (out.len() / bytes) as u64 * block;
        let step = (PIECE / self.cols).max(1);
        let mut first = from / self.cols;
        let mut out = out;
        while first * self.cols < end {
            let count = step.min(end.div_ceil(self.cols) - first);
            let rows = self.unpack(shards, first, count).await?;
            // What of these rows was asked for.
            let begin = from.max(first * self.cols) - first * self.cols;
            let stop = end.min((first + count) * self.cols) - first * self.cols;
            let (piece, rest) = out.split_at_mut(((stop - begin) / block) as usize * bytes);
            match self.ty {
                WeightType::Q4_0 => self.as_q4_0(&rows, begin as usize, piece)?,
                _ => self.as_f16(&rows, begin as usize, piece),
            }
            out = rest;
            first += count;
        }
        Ok(())
    }

    fn groups(&self) -> usize {
        self.cols.div_ceil(self.group) as usize
    }

    fn as_q4_0(&self, rows: &Rows, begin: usize, out: &mut [u8]) -> Result<(), SourceError> {
        let cols = self.cols as usize;
        for (index, block) in out.as_chunks_mut::<18>().0.iter_mut().enumerate() {
            let at = begin + 32 * index;
            let group = at / cols * self.groups() + rows.group_of[at % cols] as usize;
            if rows.zeros[group] != MIDDLE {
                let message = "the weights have zero points, which config.json denies; download both again".to_owned();
                return Err(SourceError::Transport { message });
            }
            let codes = &rows.codes[at..at + 32];
            block[..2].copy_from_slice(&f16::from_f32(rows.scales[group]).to_le_bytes());
            for (j, byte) in block[2..].iter_mut().enumerate() {
                *byte = codes[j] | codes[j + 16] << 4;
            }
        }
        Ok(())
    }

    fn as_f16(&self, rows: &Rows, begin: usize, out: &mut [u8]) {
        let cols = self.cols as usize;
        for (index, to) in out.as_chunks_mut::<2>().0.iter_mut().enumerate() {
            let at = begin + index;
            let group = at / cols * self.groups() + rows.group_of[at % cols] as usize;
            let number = f32::from(rows.codes[at]) - f32::from(rows.zeros[group]);
            *to = f16::from_f32(rows.scales[group] * number).to_le_bytes();
        }
    }

    async fn unpack(&self, shards: &Shards, first: u64, count: u64) -> Result<Rows, SourceError> {
        let (cols, groups) = (self.cols as usize, self.groups());
        let codes = match self.packing {
            Packing::Gptq => {
                let part =
                    Rectangle { row: 4 * self.rows, first: 0, count: self.cols / 8, from: 4 * first, width: 4 * count };
                let words = read_rectangle(shards, self.codes, part).await?;
                by_row(count, cols, |row, col| nibble(&words, col / 8 * count as usize + row, (col % 8) as u32))
            }
            Packing::Awq => {
                let (words, width) = self.words_of_outputs(shards, self.codes, self.cols, first, count).await?;
                let skip = (first % 8) as usize;
                by_row(count, cols, |row, col| {
                    nibble(&words, col * width + (skip + row) / 8, AWQ_PLACES[(skip + row) % 8])
                })
            }
            Packing::Rows => {
                let row = 4 * self.cols.div_ceil(8);
                let part = Rectangle { row, first, count, from: 0, width: row };
                let words = read_rectangle(shards, self.codes, part).await?;
                by_row(count, cols, |row, col| nibble(&words, row * cols.div_ceil(8) + col / 8, (col % 8) as u32))
            }
            Packing::Ternary => self.ternary(shards, first, count).await?,
        };
        let scales = self.scales(shards, first, count).await?;
        let zeros = self.zeros(shards, first, count).await?;
        let group_of = match self.order {
            None => (0..self.cols).map(|col| (col / self.group) as u32).collect(),
            Some(order) => {
                let part = Rectangle { row: 4 * self.cols, first: 0, count: 1, from: 0, width: 4 * self.cols };
                let raw = read_rectangle(shards, order, part).await?;
                let group_of: Vec<u32> =
                    raw.as_chunks::<4>().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect();
                if group_of.iter().any(|group| *group as usize >= groups) {
                    let message =
                        "an input belongs to a group that does not exist; download the weights again".to_owned();
                    return Err(SourceError::Transport { message });
                }
                group_of
            }
        };
        Ok(Rows { codes, scales, zeros, group_of })
    }

    /// Words of eight outputs each, `[rows, words]`, for outputs from `first` on; the second number is words a row.
    async fn words_of_outputs(
        &self,
        shards: &Shards,
        at: Place,
        rows: u64,
        first: u64,
        count: u64,
    ) -> Result<(Vec<u8>, usize), SourceError> {
        let width = (first + count).div_ceil(8) - first / 8;
        let part = Rectangle { row: self.rows / 8 * 4, first: 0, count: rows, from: first / 8 * 4, width: width * 4 };
        Ok((read_rectangle(shards, at, part).await?, width as usize))
    }

    async fn scales(&self, shards: &Shards, first: u64, count: u64) -> Result<Vec<f32>, SourceError> {
        let (size, groups) = (self.scale_type.block_bytes() as u64, self.groups());
        let read = |part| read_rectangle(shards, self.scales, part);
        let number = |raw: &[u8], at: usize| float(self.scale_type, &raw[at * size as usize..][..size as usize]);
        match self.packing {
            Packing::Gptq | Packing::Awq => {
                let row = size * self.rows;
                let part = Rectangle { row, first: 0, count: groups as u64, from: size * first, width: size * count };
                let raw = read(part).await?;
                Ok(by_row(count, groups, |row, group| number(&raw, group * count as usize + row)))
            }
            Packing::Rows => {
                let row = size * groups as u64;
                let raw = read(Rectangle { row, first, count, from: 0, width: row }).await?;
                Ok(by_row(count, groups, |row, group| number(&raw, row * groups + group)))
            }
            Packing::Ternary => {
                let raw = read(Rectangle { row: size, first: 0, count: 1, from: 0, width: size }).await?;
                Ok(by_row(count, groups, |_, _| 1.0 / number(&raw, 0)))
            }
        }
    }

    async fn zeros(&self, shards: &Shards, first: u64, count: u64) -> Result<Vec<u8>, SourceError> {
        let groups = self.groups();
        let Some(at) = self.zeros else { return Ok(vec![MIDDLE; count as usize * groups]) };
        let skip = (first % 8) as usize;
        if self.packing == Packing::Rows {
            let row = 4 * groups as u64;
            let words = (first + count).div_ceil(8) - first / 8;
            let part = Rectangle { row, first: first / 8, count: words, from: 0, width: row };
            let raw = read_rectangle(shards, at, part).await?;
            let zero = |row: usize, group| nibble(&raw, (skip + row) / 8 * groups + group, ((skip + row) % 8) as u32);
            return Ok(by_row(count, groups, zero));
        }
        let (raw, width) = self.words_of_outputs(shards, at, groups as u64, first, count).await?;
        Ok(by_row(count, groups, |row, group| {
            let within = (skip + row) % 8;
            let place = if self.packing == Packing::Awq { AWQ_PLACES[within] } else { within as u32 };
            nibble(&raw, group * width + (skip + row) / 8, place) + self.zero_offset
        }))
    }

    /// As codes around 8.
    async fn ternary(&self, shards: &Shards, first: u64, count: u64) -> Result<Vec<u8>, SourceError> {
        let quarter = self.rows / 4;
        let mut codes = Vec::with_capacity((count * self.cols) as usize);
        for row in first..first + count {
            let part = Rectangle { row: self.cols, first: row % quarter, count: 1, from: 0, width: self.cols };
            let bytes = read_rectangle(shards, self.codes, part).await?;
            let shift = 2 * (row / quarter);
            codes.extend(bytes.iter().map(|byte| (byte >> shift & 3) + MIDDLE - 1));
        }
        Ok(codes)
    }
}

fn by_row<T>(count: u64, width: usize, value: impl Fn(usize, usize) -> T) -> Vec<T> {
    let value = &value;
    (0..count as usize).flat_map(|row| (0..width).map(move |at| value(row, at))).collect()
}

/// Four bits of a word.
fn nibble(words: &[u8], word: usize, place: u32) -> u8 {
    let byte = words[word * 4 + place as usize / 2];
    byte >> (4 * (place % 2)) & 15
}
