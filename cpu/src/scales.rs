//! The scales of a row: a weight is `number * scale + minimum`.

use inglenook_format::quant::WeightType;

use crate::isa::Isa;

/// Scales and minima of rows, kept from rows to rows for their memory.
#[derive(Debug, Default)]
pub struct RowScales {
    /// What a row has room for: a multiple of 32.
    pub stride: usize,
    /// `[rows, stride]`: for each 32 weights one, for those of Q6_K two; behind them, others may stand.
    pub scales: Vec<f32>,
    /// What minima a row has.
    pub minima: Minima,
}

/// The minima of a row.
#[derive(Debug, Default)]
pub enum Minima {
    /// None: numbers are signed.
    #[default]
    None,
    /// The scale times this, taken away.
    OfScale(u8),
    /// `[rows, stride]`: one for each 32 weights; behind them, others may stand.
    Own(Vec<f32>),
}

impl RowScales {
    /// Memory for `rows` rows of `ty` with `chunks` times 32 weights.
    pub fn new(ty: WeightType, rows: usize, chunks: usize) -> RowScales {
        let scales_of_chunk = if ty == WeightType::Q6_K { 2 } else { 1 };
        // Whole blocks of the widest type, and whole runs of 32.
        let stride = (chunks * scales_of_chunk).next_multiple_of(32);
        let room = || vec![0.0; rows * stride];
        let minima = match ty {
            WeightType::Q4_0 => Minima::OfScale(8),
            WeightType::Q5_0 => Minima::OfScale(16),
            WeightType::Q4_1 | WeightType::Q5_1 | WeightType::Q4_K | WeightType::Q5_K => Minima::Own(room()),
            _ => Minima::None,
        };
        RowScales { stride, scales: room(), minima }
    }

    /// What is taken from each number before it is scaled.
    pub fn offset(&self) -> u8 {
        match self.minima {
            Minima::OfScale(offset) => offset,
            Minima::None | Minima::Own(_) => 0,
        }
    }

    /// Reads those of a row of `ty`, of which this was made, into row number `row`, from the plane of scales: `bytes`, of which `count` are the
    /// row's and the others follow it.
    #[inline(always)]
    pub fn read<I: Isa>(&mut self, isa: I, ty: WeightType, row: usize, bytes: &[u8], count: usize) {
        // Whole vectors at once, where what follows fills the last.
        let halves = &bytes[..count.next_multiple_of(64).min(bytes.len())];
        let bytes = &bytes[..count];
        let row = row * self.stride..(row + 1) * self.stride;
        let scales = &mut self.scales[row.clone()];
        match (ty, &mut self.minima) {
            (WeightType::Q4_1 | WeightType::Q5_1, Minima::Own(minima)) => {
                read_pairs(isa, halves, scales, &mut minima[row])
            }
            (WeightType::Q4_K | WeightType::Q5_K, Minima::Own(minima)) => read_k(isa, bytes, scales, &mut minima[row]),
            (WeightType::Q6_K, _) => read_6(isa, bytes, scales),
            _ => read_halves(isa, halves, scales),
        }
    }
}

/// The halves from number `32 * run` on as floats; behind the last, zeros.
#[inline(always)]
fn floats<I: Isa>(isa: I, bytes: &[u8], run: usize) -> I::Wide {
    let bytes = &bytes[64 * run..];
    match bytes.first_chunk() {
        Some(halves) => isa.widen_f16(halves),
        None => {
            let mut halves = [0; 64];
            halves[..bytes.len()].copy_from_slice(bytes);
            isa.widen_f16(&halves)
        }
    }
}

#[inline(always)]
fn read_halves<I: Isa>(isa: I, bytes: &[u8], scales: &mut [f32]) {
    let runs = scales.as_chunks_mut::<32>().0.iter_mut().take(bytes.len().div_ceil(64));
    for (run, scales) in runs.enumerate() {
        isa.store(floats(isa, bytes, run), scales);
    }
}

/// Q4_1, Q5_1: scale and minimum by turns.
#[inline(always)]
fn read_pairs<I: Isa>(isa: I, bytes: &[u8], scales: &mut [f32], minima: &mut [f32]) {
    let mut pairs = [0.0; 32];
    let places = scales.as_chunks_mut::<16>().0.iter_mut().zip(minima.as_chunks_mut::<16>().0);
    for (run, (scales, minima)) in places.take(bytes.len().div_ceil(64)).enumerate() {
        isa.store(floats(isa, bytes, run), &mut pairs);
        // One loop each, for compilers to make shuffles of them.
        for i in 0..16 {
            scales[i] = pairs[2 * i];
        }
        for i in 0..16 {
            minima[i] = pairs[2 * i + 1];
        }
    }
}

/// Q4_K, Q5_K: eight groups with six-bit scales and minima, two blocks at a time.
#[inline(always)]
fn read_k<I: Isa>(isa: I, bytes: &[u8], scales: &mut [f32], minima: &mut [f32]) {
    let mut floats = [0.0; 32];
    let (pairs, last) = bytes.as_chunks::<32>();
    let mut padded = [0; 32];
    padded[..last.len()].copy_from_slice(last);
    let pairs = pairs.iter().chain((!last.is_empty()).then_some(&padded));
    let places = scales.as_chunks_mut::<16>().0.iter_mut().zip(minima.as_chunks_mut::<16>().0);
    for (two, (scales, minima)) in pairs.zip(places) {
        let numbers = isa.widen(six_bits(isa, two));
        let [first, last] = [isa.half([two[0], two[1]]), isa.half([two[16], two[17]])];
        isa.store(isa.times(numbers, [first, last]), &mut floats);
        scales[..8].copy_from_slice(&floats[..8]);
        scales[8..].copy_from_slice(&floats[16..24]);
        let [first, last] = [isa.half([two[2], two[3]]), isa.half([two[18], two[19]])];
        isa.store(isa.times(numbers, [-first, -last]), &mut floats);
        minima[..8].copy_from_slice(&floats[8..16]);
        minima[8..].copy_from_slice(&floats[24..]);
    }
}

/// The eight scales and the eight minima of each of two blocks of Q4_K or Q5_K, of six bits each.
///
/// Bytes 4 to 7 have the first four scales, 8 to 11 the first four minima, with two bits of the last ones above them; 12 to 15 the other
/// bits of the last ones, those of minima above those of scales.
#[inline(always)]
fn six_bits<I: Isa>(isa: I, two: &[u8; 32]) -> I::Bytes {
    const NONE: u8 = 128;
    const FIRST: [u8; 16] = [4, 5, 6, 7, NONE, NONE, NONE, NONE, 8, 9, 10, 11, NONE, NONE, NONE, NONE];
    const LAST: [u8; 16] = [NONE, NONE, NONE, NONE, 4, 5, 6, 7, NONE, NONE, NONE, NONE, 8, 9, 10, 11];
    const LAST_SCALES: [u8; 16] =
        [NONE, NONE, NONE, NONE, 12, 13, 14, 15, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE];
    const LAST_MINIMA: [u8; 16] =
        [NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, 12, 13, 14, 15];
    let bytes = isa.load(two);
    let first = isa.shuffle(isa.bits(bytes, 0, 63), &FIRST);
    let above = isa.shuffle(isa.times_16(isa.bits(bytes, 6, 3)), &LAST);
    let scales = isa.shuffle(isa.bits(bytes, 0, 15), &LAST_SCALES);
    let minima = isa.shuffle(isa.bits(bytes, 4, 15), &LAST_MINIMA);
    isa.or(isa.or(first, above), isa.or(scales, minima))
}

/// Q6_K: sixteen groups with signed scales, two blocks at a time.
#[inline(always)]
fn read_6<I: Isa>(isa: I, bytes: &[u8], scales: &mut [f32]) {
    for (two, run) in bytes.as_chunks::<20>().0.chunks(2).zip(scales.as_chunks_mut::<32>().0) {
        let mut numbers = [0; 32];
        for (block, numbers) in two.iter().zip(numbers.as_chunks_mut::<16>().0) {
            numbers.copy_from_slice(&block[..16]);
        }
        let mut of_blocks = [0.0; 2];
        for (scale, block) in of_blocks.iter_mut().zip(two) {
            *scale = isa.half([block[16], block[17]]);
        }
        isa.store(isa.times(isa.widen(isa.load(&numbers)), of_blocks), run);
    }
}
