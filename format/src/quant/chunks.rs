//! Chunks of 32 weights as signed bytes and their scales, for types that are looked up, or packed in fewer than four bits.
//!
//! A weight of these is `number * scale + minimum`, where 32 numbers have a scale and a minimum, or 16 of them have. Formulas are those of
//! ggml's reference, and scales are computed in its order of operations, so that products are equal bit for bit.

use half::f16;

use super::WeightType;
use super::grids::Grid;
use super::interleaved::{GROUP, units};
use super::planes::{Plane, PlanesRef};

/// Weights of a chunk.
pub const CHUNK: usize = 32;

/// What a block has in a plane: one byte behind the other, or in units beside those of other rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share<'a> {
    bytes: &'a [u8],
    from: usize,
    /// Rows side by side, as a power of two.
    rows: u32,
    /// Bytes of a unit less one, and where this row has its units.
    within: usize,
    lane: usize,
}

impl<'a> Share<'a> {
    /// Bytes one behind the other, from `from` on.
    pub(super) fn plain(bytes: &'a [u8], from: usize) -> Share<'a> {
        Share { bytes, from, rows: 0, within: 0, lane: 0 }
    }

    /// The bytes from `at` on, which a unit holds.
    #[inline]
    fn bytes<const N: usize>(&self, at: usize) -> [u8; N] {
        let at = self.from + at;
        let at = ((at & !self.within) << self.rows) + self.lane + (at & self.within);
        *self.bytes[at..].first_chunk().expect("a plane holds its blocks")
    }

    #[inline]
    fn byte(&self, at: usize) -> u8 {
        let [byte] = self.bytes(at);
        byte
    }

    #[inline]
    fn half(&self, number: usize) -> u16 {
        u16::from_le_bytes(self.bytes(2 * number))
    }

    #[inline]
    fn word(&self, number: usize) -> u32 {
        u32::from_le_bytes(self.bytes(4 * number))
    }

    #[inline]
    fn nibble(&self, number: usize) -> u8 {
        self.byte(number / 2) >> (4 * (number % 2)) & 15
    }
}

/// What a block has in its planes.
#[derive(Debug, Clone, Copy)]
pub struct Block<'a> {
    /// The type of its weights, one of those that have chunks.
    pub(super) ty: WeightType,
    pub(super) quants: Share<'a>,
    pub(super) high_bits: Share<'a>,
    pub(super) scales: Share<'a>,
}

/// The values of IQ4_NL and IQ4_XS.
pub const UNEVEN: [i8; 16] = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];
/// Floats of a sign, two bits of exponent and one of mantissa, doubled.
pub const E2M1: [i8; 16] = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

/// Four numbers, one in each byte.
type Four = u32;

/// The same byte four times.
const fn all(byte: u8) -> Four {
    0x0101_0101 * byte as u32
}

impl WeightType {
    /// Whether [`Block`] has the numbers and scales of this type.
    pub const fn has_chunks(self) -> bool {
        !matches!(
            self,
            WeightType::F32
                | WeightType::F16
                | WeightType::BF16
                | WeightType::Q8_0
                | WeightType::Q4_0
                | WeightType::Q4_1
                | WeightType::Q5_0
                | WeightType::Q5_1
                | WeightType::Q4_K
                | WeightType::Q5_K
                | WeightType::Q6_K
        )
    }
}

impl<'a> Block<'a> {
    /// Block `number` of row `row` in a group of rows that lie side by side, by the words that the group has in each plane.
    pub fn of_group(ty: WeightType, group: PlanesRef<'a>, number: usize, row: usize) -> Block<'a> {
        let share = |plane, words: &'a [u32]| {
            // Units of these types are alike.
            let unit = units(ty, plane)[0];
            let (from, lane) = (number * ty.part(plane).stride, row % GROUP * unit);
            Share { bytes: bytemuck::cast_slice(words), from, rows: GROUP.ilog2(), within: unit - 1, lane }
        };
        let PlanesRef { quants, high_bits, scales } = group;
        Block {
            ty,
            quants: share(Plane::Quants, quants),
            high_bits: share(Plane::HighBits, high_bits),
            scales: share(Plane::Scales, scales),
        }
    }

    /// The numbers of chunk `chunk`, signed bytes, four in a word.
    pub fn numbers(&self, chunk: usize) -> [Four; CHUNK / 4] {
        let Block { quants, high_bits, .. } = self;
        match self.ty {
            WeightType::Q2_K => self.two_bits(chunk),
            WeightType::Q3_K => {
                let low = self.two_bits(chunk);
                let high = |k| high_bits.word(k) >> chunk & all(1);
                std::array::from_fn(|k| less(low[k] | high(k) << 2, 4))
            }
            WeightType::TQ2_0 => self.two_bits(chunk).map(|four| less(four, 1)),
            WeightType::TQ1_0 => self.ternary(chunk),
            WeightType::IQ4_NL | WeightType::IQ4_XS | WeightType::MXFP4 => {
                let word = |k| quants.word(4 * chunk + k % 4) >> (4 * (k / 4)) & all(15);
                std::array::from_fn(|k| looked_up(if self.ty == WeightType::MXFP4 { &E2M1 } else { &UNEVEN }, word(k)))
            }
            WeightType::NVFP4 => {
                // Eight bytes for sixteen: low nibbles, then high.
                let word = |k| quants.word(4 * chunk + 2 * (k / 4) + k % 2) >> (4 * (k / 2 % 2)) & all(15);
                std::array::from_fn(|k| looked_up(&E2M1, word(k)))
            }
            WeightType::Q1_0 => {
                let bits = quants.word(chunk);
                // Twice the bit, less 1.
                std::array::from_fn(|k| less(spread_bits(bits >> (4 * k)) << 1, 1))
            }
            WeightType::Q2_0 => std::array::from_fn(|k| {
                let byte = u32::from(quants.byte(8 * chunk + k));
                less((byte | byte << 6 | byte << 12 | byte << 18) & all(3), 1)
            }),
            WeightType::IQ3_XXS => {
                let signs = quants.word(16 + chunk);
                self.fours(|k| quants.byte(8 * chunk + k).into(), |n| even_signs(signs >> (7 * n)))
            }
            WeightType::IQ3_S => {
                let high = u32::from(high_bits.byte(chunk));
                let index = |k| u32::from(quants.byte(8 * chunk + k)) | (high >> k & 1) << 8;
                self.fours(index, |n| high_bits.byte(8 + 4 * chunk + n).into())
            }
            _ => self.eights(chunk),
        }
    }

    /// The scales of chunk `chunk`, of its first half and of its last.
    pub fn scales(&self, chunk: usize) -> [f32; 2] {
        let (Block { quants, high_bits, scales, .. }, d) = (self, self.d());
        let four_bits = |s: u32| d * (0.5 + s as f32);
        match self.ty {
            WeightType::Q2_K => [0, 1].map(|half| d * f32::from(high_bits.byte(2 * chunk + half) & 15)),
            WeightType::Q3_K => [0, 1].map(|half| d * f32::from(self.q3_k_scale(2 * chunk + half))),
            WeightType::IQ4_XS => {
                let s = scales.nibble(8 + chunk) | ((scales.half(1) >> (2 * chunk) & 3) as u8) << 4;
                [d * f32::from(s as i8 - 32); 2]
            }
            WeightType::MXFP4 => {
                // 2^(e - 128), of which the least two are subnormal.
                let e = u32::from(scales.byte(0));
                [f32::from_bits(if e < 2 { 0x0020_0000 << e } else { (e - 1) << 23 }); 2]
            }
            WeightType::NVFP4 => [0, 1].map(|half| e4m3(scales.byte(2 * chunk + half)) * 0.5),
            WeightType::IQ2_XXS => [four_bits(quants.word(2 * chunk + 1) >> 28) * 0.25; 2],
            WeightType::IQ2_XS => [0, 1].map(|half| four_bits(high_bits.nibble(2 * chunk + half).into()) * 0.25),
            WeightType::IQ2_S => [0, 1].map(|half| four_bits(high_bits.nibble(16 + 2 * chunk + half).into()) * 0.25),
            WeightType::IQ3_XXS => [four_bits(quants.word(16 + chunk) >> 28) * 0.5; 2],
            WeightType::IQ3_S => [d * f32::from(1 + 2 * high_bits.nibble(80 + chunk)); 2],
            // The numbers are eight times the reference's.
            WeightType::IQ1_S => [d * f32::from(2 * (high_bits.half(chunk) >> 12 & 7) + 1) * 0.125; 2],
            WeightType::IQ1_M => {
                let three_bits = |k: usize| scales.half(k / 4) >> (3 * (k % 4)) & 7;
                [0, 1].map(|half| d * f32::from(2 * three_bits(2 * chunk + half) + 1) * 0.125)
            }
            _ => [d; 2],
        }
    }

    /// The f16 that all scales of the block are multiplied with, where there is one.
    fn d(&self) -> f32 {
        let scales = &self.scales;
        let bits = match self.ty {
            WeightType::MXFP4 | WeightType::NVFP4 => 0,
            WeightType::Q3_K => scales.half(6),
            WeightType::IQ1_M => (0..4).fold(0, |bits, k| bits | (scales.half(k) & 0xf000) >> (12 - 4 * k)),
            _ => scales.half(0),
        };
        f16::from_bits(bits).to_f32()
    }

    /// The minima of the halves of chunk `chunk`; zeros but for Q2_K.
    pub fn minima(&self, chunk: usize) -> [f32; 2] {
        if self.ty != WeightType::Q2_K {
            return [0.0; 2];
        }
        let d = f16::from_bits(self.scales.half(1)).to_f32();
        [0, 1].map(|half| -(d * f32::from(self.high_bits.byte(2 * chunk + half) >> 4)))
    }

    /// Each 32 bytes hold four chunks, the first in the lowest bits.
    fn two_bits(&self, chunk: usize) -> [Four; 8] {
        std::array::from_fn(|k| self.quants.word(8 * (chunk / 4) + k) >> (2 * (chunk % 4)) & all(3))
    }

    /// Digits in base 3, the highest first: a byte is a fraction of 256 parts. 32 bytes hold five digits each of as many weights, 16 bytes
    /// those of half as many, and 4 bytes four digits of four weights each.
    fn ternary(&self, chunk: usize) -> [Four; 8] {
        std::array::from_fn(|k| {
            let (word, digit) = match (chunk, k) {
                (0..5, _) => (k, chunk),
                (5 | 6, _) | (_, 0..4) => (8 + k % 4, 2 * (chunk - 5) + k / 4),
                _ => (12, k - 4),
            };
            let power = 3u32.pow(digit as u32);
            let word = self.quants.word(word);
            // Two bytes at a time, with room for their products.
            let digits = |bytes: u32| (((bytes * power) & 0x00ff_00ff) * 3) >> 8 & 0x00ff_00ff;
            less(digits(word & 0x00ff_00ff) | digits(word >> 8 & 0x00ff_00ff) << 8, 1)
        })
    }

    /// Scale `k` of 16: six bits around 32.
    fn q3_k_scale(&self, k: usize) -> i8 {
        let low = self.scales.byte(k % 8) >> (4 * (k / 8)) & 15;
        let high = self.scales.byte(8 + k % 4) >> (2 * (k / 4)) & 3;
        (low | high << 4) as i8 - 32
    }

    fn grid(&self) -> &'static Grid {
        Grid::of(self.ty).expect("a type with a grid")
    }

    /// Entries of four numbers each, by their indices, with the signs of eight.
    fn fours(&self, index: impl Fn(usize) -> u32, signs: impl Fn(usize) -> u32) -> [Four; 8] {
        let grid = self.grid();
        std::array::from_fn(|k| negated(grid.entry(index(k)) as u32, signs(k / 2) >> (4 * (k % 2))))
    }

    /// Entries of eight numbers each.
    fn eights(&self, chunk: usize) -> [Four; 8] {
        let (Block { quants, high_bits, .. }, grid) = (self, self.grid());
        let eights: [u64; 4] = std::array::from_fn(|n| {
            let (index, signs) = match self.ty {
                WeightType::IQ2_XXS => {
                    let signs = even_signs(quants.word(2 * chunk + 1) >> (7 * n));
                    (quants.byte(8 * chunk + n).into(), signs)
                }
                WeightType::IQ2_XS => {
                    let both = u32::from(quants.half(4 * chunk + n));
                    (both & 511, even_signs(both >> 9))
                }
                WeightType::IQ2_S => {
                    let high = u32::from(high_bits.byte(chunk)) >> (2 * n) & 3;
                    (u32::from(quants.byte(4 * chunk + n)) | high << 8, quants.byte(32 + 4 * chunk + n).into())
                }
                // Three more bits of the index; the fourth is the shift's sign, here of all eight.
                WeightType::IQ1_S => {
                    let high = u32::from(high_bits.half(chunk));
                    (u32::from(quants.byte(4 * chunk + n)) | (high >> (3 * n) & 7) << 8, high >> 15)
                }
                _ => {
                    let high = u32::from(high_bits.nibble(4 * chunk + n));
                    (u32::from(quants.byte(4 * chunk + n)) | (high & 7) << 8, high >> 3)
                }
            };
            let entry = grid.entry(index);
            if matches!(self.ty, WeightType::IQ1_S | WeightType::IQ1_M) {
                return shifted(entry, signs == 1);
            }
            u64::from(negated(entry as u32, signs)) | u64::from(negated((entry >> 32) as u32, signs >> 4)) << 32
        });
        bytemuck::cast(eights)
    }
}

/// Each byte less `by`, signed; bytes and `by` are below 128.
fn less(four: Four, by: u8) -> Four {
    (four + all(128 - by)) ^ all(128)
}

/// The values of four nibbles.
fn looked_up(values: &[i8; 16], nibbles: Four) -> Four {
    u32::from_le_bytes(nibbles.to_le_bytes().map(|nibble| values[usize::from(nibble & 15)] as u8))
}

/// Each of the lowest four bits in a byte of its own.
fn spread_bits(bits: u32) -> Four {
    ((bits & 15) * 0x0020_4081) & all(1)
}

/// Four numbers from 1 to 127, of which those whose bit is set are negated.
fn negated(four: Four, signs: u32) -> Four {
    let ones = spread_bits(signs);
    (four ^ (ones * 255)) + ones
}

/// The lowest seven bits, and an eighth that makes the number of set bits even.
fn even_signs(seven: u32) -> u32 {
    let seven = seven & 127;
    seven | (seven.count_ones() & 1) << 7
}

/// Eight times numbers of -1, 0 and 1, and 1 more or less.
fn shifted(eight: u64, is_less: bool) -> u64 {
    let bytes = eight.to_le_bytes().map(|byte| byte as i8 * 8 + if is_less { -1 } else { 1 });
    u64::from_le_bytes(bytes.map(|byte| byte as u8))
}

/// A float without a sign, of four bits of exponent and three of mantissa. The largest stands for no number, which is taken for 0.
pub(super) fn e4m3(byte: u8) -> f32 {
    let (exponent, mantissa) = (u32::from(byte >> 3 & 15), f32::from(byte & 7));
    match (byte, exponent) {
        (0x7f, _) => 0.0,
        (_, 0) => mantissa / 512.0,
        _ => (1.0 + mantissa / 8.0) * f32::from_bits((exponent + 120) << 23),
    }
}
