//! Types whose weights are entries of lists, eight or four at a time: the nearest entry by its squared distance.
//!
//! Fields and bits lie as `quant/chunks.rs` reads them.

use half::f16;

use super::super::WeightType;
use super::super::grids::Grid;
use super::{inverse, nearest};

/// Numbers that scales of a block are multiplied with, and how many weights have one in common.
struct Scales {
    d: f16,
    /// Of each group.
    numbers: Vec<u8>,
    /// What the numbers of each group of the list are multiplied with.
    values: Vec<f32>,
}

impl Scales {
    /// Scales for groups of `group` weights, the largest of which is to be `most`: `d * value_of(number)`, for numbers up to `top`.
    fn new(weights: &[f32; 256], group: usize, most: f32, top: u8, value_of: impl Fn(f32) -> f32) -> Scales {
        let largest = |group: &[f32]| group.iter().fold(0f32, |largest, w| largest.max(w.abs()));
        let exact: Vec<f32> = weights.chunks(group).map(|group| largest(group) / most).collect();
        let d = f16::from_f32(largest(&exact) / value_of(top.into()));
        let step = value_of(1.0) - value_of(0.0);
        let number = |exact: &f32| nearest((exact * inverse(d.to_f32()) - value_of(0.0)) / step, top);
        let numbers: Vec<u8> = exact.iter().map(number).collect();
        let values = numbers.iter().map(|number| d.to_f32() * value_of(f32::from(*number))).collect();
        Scales { d, numbers, values }
    }

    /// Two in a byte.
    fn nibbles(&self) -> impl Iterator<Item = u8> {
        self.numbers.as_chunks::<2>().0.iter().map(|[low, high]| low | high << 4)
    }
}

/// Four bits of scale, after a half, in quarters or halves.
fn halves(part: f32) -> impl Fn(f32) -> f32 {
    move |number| (0.5 + number) * part
}

/// The nearest entry, and the square of its distance.
fn nearest_entry(grid: &Grid, numbers: &[f32]) -> (u16, f32) {
    let distance = |index: usize| {
        let entry = grid.entry(index as u32).to_le_bytes();
        numbers.iter().zip(entry).map(|(number, of_entry)| (number - f32::from(of_entry as i8)).powi(2)).sum::<f32>()
    };
    let entries = (0..grid.codes().len()).map(|index| (index as u16, distance(index)));
    entries.min_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or_default()
}

/// Signs as bits, and the nearest entries to sizes in multiples of scales, `width` weights each.
struct Signed {
    entries: Vec<u16>,
    /// Of each eight weights.
    signs: Vec<u8>,
}

impl Signed {
    fn new(ty: WeightType, weights: &[f32; 256], scales: &Scales, width: usize, has_even_signs: bool) -> Signed {
        let grid = Grid::of(ty).expect("a type with a grid");
        let group = 256 / scales.values.len();
        let signs_of = |eight: &[f32; 8]| {
            let signs = eight.iter().rev().fold(0u8, |bits, w| bits << 1 | u8::from(*w < 0.0));
            if !has_even_signs || signs.count_ones() % 2 == 0 {
                return signs;
            }
            // The smallest weight gets the wrong sign.
            let smallest = (0..8).min_by(|a, b| eight[*a].abs().total_cmp(&eight[*b].abs())).unwrap_or_default();
            signs ^ 1 << smallest
        };
        let signs: Vec<u8> = weights.as_chunks().0.iter().map(signs_of).collect();
        let entry = |number: usize| {
            let scale = inverse(scales.values[number * width / group]);
            let of_entry = number * width..(number + 1) * width;
            let unsigned = |i: usize| if signs[i / 8] >> (i % 8) & 1 == 1 { -weights[i] } else { weights[i] };
            let sizes: Vec<f32> = of_entry.map(|i| unsigned(i) * scale).collect();
            nearest_entry(grid, &sizes).0
        };
        Signed { entries: (0..256 / width).map(entry).collect(), signs }
    }

    /// Seven signs of each of four eights, and a scale.
    fn word(&self, chunk: usize, scale: u8) -> [u8; 4] {
        let signs = (0..4).fold(0, |bits, n| bits | u32::from(self.signs[4 * chunk + n] & 127) << (7 * n));
        (signs | u32::from(scale) << 28).to_le_bytes()
    }

    /// The lowest eight bits of each index.
    fn low_bytes(&self) -> impl Iterator<Item = u8> {
        self.entries.iter().map(|entry| *entry as u8)
    }

    /// Those above, `bits` of each, in bytes.
    fn high_bits(&self, bits: usize) -> impl Iterator<Item = u8> {
        let of_byte =
            move |entries: &[u16]| entries.iter().rev().fold(0, |byte, entry| byte << bits | (entry >> 8) as u8);
        self.entries.chunks(8 / bits).map(of_byte)
    }
}

pub(super) fn iq2_xxs(weights: &[f32; 256], out: &mut Vec<u8>) {
    let scales = Scales::new(weights, 32, 43.0, 15, halves(0.25));
    let signed = Signed::new(WeightType::IQ2_XXS, weights, &scales, 8, true);
    out.extend(scales.d.to_le_bytes());
    for (chunk, entries) in signed.entries.chunks(4).enumerate() {
        out.extend(entries.iter().map(|entry| *entry as u8));
        out.extend(signed.word(chunk, scales.numbers[chunk]));
    }
}

pub(super) fn iq2_xs(weights: &[f32; 256], out: &mut Vec<u8>) {
    let scales = Scales::new(weights, 16, 43.0, 15, halves(0.25));
    let signed = Signed::new(WeightType::IQ2_XS, weights, &scales, 8, true);
    out.extend(scales.d.to_le_bytes());
    let both = signed.entries.iter().zip(&signed.signs).map(|(entry, signs)| entry | u16::from(signs & 127) << 9);
    out.extend(both.flat_map(u16::to_le_bytes));
    out.extend(scales.nibbles());
}

pub(super) fn iq2_s(weights: &[f32; 256], out: &mut Vec<u8>) {
    let scales = Scales::new(weights, 16, 43.0, 15, halves(0.25));
    let signed = Signed::new(WeightType::IQ2_S, weights, &scales, 8, false);
    out.extend(scales.d.to_le_bytes());
    out.extend(signed.low_bytes());
    out.extend(&signed.signs);
    out.extend(signed.high_bits(2));
    out.extend(scales.nibbles());
}

pub(super) fn iq3_xxs(weights: &[f32; 256], out: &mut Vec<u8>) {
    let scales = Scales::new(weights, 32, 62.0, 15, halves(0.5));
    let signed = Signed::new(WeightType::IQ3_XXS, weights, &scales, 4, true);
    out.extend(scales.d.to_le_bytes());
    out.extend(signed.low_bytes());
    out.extend((0..8).flat_map(|chunk| signed.word(chunk, scales.numbers[chunk])));
}

pub(super) fn iq3_s(weights: &[f32; 256], out: &mut Vec<u8>) {
    let scales = Scales::new(weights, 32, 15.0, 15, |number| 1.0 + 2.0 * number);
    let signed = Signed::new(WeightType::IQ3_S, weights, &scales, 4, false);
    out.extend(scales.d.to_le_bytes());
    out.extend(signed.low_bytes());
    out.extend(signed.high_bits(1));
    out.extend(&signed.signs);
    out.extend(scales.nibbles());
}

/// Weights of -1, 0 and 1 and an eighth more or less, `shared` of which have it alike: entries, and whether it is less.
fn shifted(weights: &[f32; 256], scales: &Scales, shared: usize) -> (Vec<u16>, Vec<bool>) {
    let grid = Grid::of(WeightType::IQ1_S).expect("a type with a grid");
    let group = 256 / scales.values.len();
    let shifts = weights.chunks(shared).enumerate().map(|(number, weights)| {
        let with = |shift: f32| {
            let eights = weights.chunks(8).enumerate().map(|(n, eight)| {
                let scale = inverse(scales.values[(number * shared + 8 * n) / group]);
                let numbers: Vec<f32> = eight.iter().map(|w| w * scale - shift).collect();
                nearest_entry(grid, &numbers)
            });
            let (entries, distances): (Vec<u16>, Vec<f32>) = eights.unzip();
            (entries, distances.iter().sum::<f32>())
        };
        let (more, less) = (with(0.125), with(-0.125));
        if less.1 < more.1 { (less.0, true) } else { (more.0, false) }
    });
    let (entries, is_less): (Vec<_>, Vec<_>) = shifts.unzip();
    (entries.concat(), is_less)
}

fn three_bits(number: f32) -> f32 {
    2.0 * number + 1.0
}

pub(super) fn iq1_s(weights: &[f32; 256], out: &mut Vec<u8>) {
    let scales = Scales::new(weights, 32, 1.125, 7, three_bits);
    let (entries, is_less) = shifted(weights, &scales, 32);
    out.extend(scales.d.to_le_bytes());
    out.extend(entries.iter().map(|entry| *entry as u8));
    for (chunk, entries) in entries.chunks(4).enumerate() {
        let high = entries.iter().rev().fold(0, |bits, entry| bits << 3 | entry >> 8);
        let with_scale = high | u16::from(scales.numbers[chunk]) << 12 | u16::from(is_less[chunk]) << 15;
        out.extend(with_scale.to_le_bytes());
    }
}

pub(super) fn iq1_m(weights: &[f32; 256], out: &mut Vec<u8>) {
    let scales = Scales::new(weights, 16, 1.125, 7, three_bits);
    let (entries, is_less) = shifted(weights, &scales, 8);
    out.extend(entries.iter().map(|entry| *entry as u8));
    let nibble = |n: usize| (entries[n] >> 8) as u8 | u8::from(is_less[n]) << 3;
    out.extend((0..16).map(|n| nibble(2 * n) | nibble(2 * n + 1) << 4));
    for (k, numbers) in scales.numbers.chunks(4).enumerate() {
        let of_d = scales.d.to_bits() >> (4 * k) & 15;
        let half = numbers.iter().rev().fold(of_d, |bits, number| bits << 3 | u16::from(*number));
        out.extend(half.to_le_bytes());
    }
}
