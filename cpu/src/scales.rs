//! The scales of a row: a weight is `number * scale + minimum`.

use inglenook_format::quant::WeightType;

use crate::isa::Isa;

/// Scales and minima of one row, kept from row to row for their memory.
#[derive(Debug, Default)]
pub struct RowScales {
    /// For each 32 weights one, for those of Q6_K two; behind them, others may stand.
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
    /// The scale times this.
    OfScale(f32),
    /// One for each 32 weights; behind them, others may stand.
    Own(Vec<f32>),
}

impl RowScales {
    /// Memory for rows of `ty` with `chunks` times 32 weights.
    pub fn new(ty: WeightType, chunks: usize) -> RowScales {
        // Whole blocks of the widest type, and whole runs of 32.
        let room = |numbers: usize| vec![0.0; numbers.next_multiple_of(32)];
        match ty {
            WeightType::Q4_0 => RowScales { scales: room(chunks), minima: Minima::OfScale(-8.0) },
            WeightType::Q5_0 => RowScales { scales: room(chunks), minima: Minima::OfScale(-16.0) },
            WeightType::Q4_1 | WeightType::Q5_1 | WeightType::Q4_K | WeightType::Q5_K => {
                RowScales { scales: room(chunks), minima: Minima::Own(room(chunks)) }
            }
            WeightType::Q6_K => RowScales { scales: room(2 * chunks), minima: Minima::None },
            _ => RowScales { scales: room(chunks), minima: Minima::None },
        }
    }

    /// Reads those of a row of `ty`, of which this was made, from the plane of scales: `bytes`, of which `count` are the row's and the others
    /// follow it.
    #[inline(always)]
    pub fn read<I: Isa>(&mut self, isa: I, ty: WeightType, bytes: &[u8], count: usize) {
        // Whole vectors at once, where what follows fills the last.
        let halves = &bytes[..count.next_multiple_of(64).min(bytes.len())];
        let bytes = &bytes[..count];
        match (ty, &mut self.minima) {
            (WeightType::Q4_1 | WeightType::Q5_1, Minima::Own(minima)) => {
                read_pairs(isa, halves, &mut self.scales, minima)
            }
            (WeightType::Q4_K | WeightType::Q5_K, Minima::Own(minima)) => read_k(isa, bytes, &mut self.scales, minima),
            (WeightType::Q6_K, _) => read_6(isa, bytes, &mut self.scales),
            _ => read_halves(isa, halves, &mut self.scales),
        }
    }
}

/// Halves, 32 at a time; behind the last, zeros.
#[inline(always)]
fn halves(bytes: &[u8]) -> impl Iterator<Item = [u8; 64]> {
    let (runs, rest) = bytes.as_chunks::<64>();
    let mut last = [0; 64];
    last[..rest.len()].copy_from_slice(rest);
    runs.iter().copied().chain((!rest.is_empty()).then_some(last))
}

#[inline(always)]
fn read_halves<I: Isa>(isa: I, bytes: &[u8], scales: &mut [f32]) {
    for (run, scales) in halves(bytes).zip(scales.as_chunks_mut::<32>().0) {
        isa.store(isa.widen_f16(&run), scales);
    }
}

/// Q4_1, Q5_1: scale and minimum by turns.
#[inline(always)]
fn read_pairs<I: Isa>(isa: I, bytes: &[u8], scales: &mut [f32], minima: &mut [f32]) {
    let mut floats = [0.0; 32];
    let places = scales.as_chunks_mut::<16>().0.iter_mut().zip(minima.as_chunks_mut::<16>().0);
    for (run, (scales, minima)) in halves(bytes).zip(places) {
        isa.store(isa.widen_f16(&run), &mut floats);
        for i in 0..16 {
            scales[i] = floats[2 * i];
            minima[i] = floats[2 * i + 1];
        }
    }
}

/// Q4_K, Q5_K: eight groups with six-bit scales and minima, two blocks at a time.
#[inline(always)]
fn read_k<I: Isa>(isa: I, bytes: &[u8], scales: &mut [f32], minima: &mut [f32]) {
    let mut floats = [0.0; 32];
    for (pair, two) in bytes.as_chunks::<16>().0.chunks(2).enumerate() {
        let mut numbers = [0; 32];
        for (block, numbers) in two.iter().zip(numbers.as_chunks_mut::<16>().0) {
            *numbers = six_bits(block);
        }
        isa.store(isa.widen_unsigned(isa.load(&numbers)), &mut floats);
        for (i, (block, floats)) in two.iter().zip(floats.as_chunks::<16>().0).enumerate() {
            let (scale, minimum) = (isa.half([block[0], block[1]]), -isa.half([block[2], block[3]]));
            let at = 16 * pair + 8 * i;
            let (scales, minima) = (&mut scales[at..][..8], &mut minima[at..][..8]);
            for i in 0..8 {
                scales[i] = scale * floats[i];
                minima[i] = minimum * floats[8 + i];
            }
        }
    }
}

/// Q6_K: sixteen groups with signed scales, two blocks at a time.
#[inline(always)]
fn read_6<I: Isa>(isa: I, bytes: &[u8], scales: &mut [f32]) {
    let mut floats = [0.0; 32];
    for (pair, two) in bytes.as_chunks::<20>().0.chunks(2).enumerate() {
        let mut numbers = [0; 32];
        for (block, numbers) in two.iter().zip(numbers.as_chunks_mut::<16>().0) {
            numbers.copy_from_slice(&block[..16]);
        }
        isa.store(isa.widen_signed(isa.load(&numbers)), &mut floats);
        for (i, (block, floats)) in two.iter().zip(floats.as_chunks::<16>().0).enumerate() {
            let scale = isa.half([block[16], block[17]]);
            let scales = &mut scales[32 * pair + 16 * i..][..16];
            (0..16).for_each(|i| scales[i] = scale * floats[i]);
        }
    }
}

/// The eight scales and the eight minima of a block of Q4_K or Q5_K, of six bits each.
#[inline(always)]
fn six_bits(block: &[u8; 16]) -> [u8; 16] {
    let word = |i: usize| u32::from_le_bytes([block[i], block[i + 1], block[i + 2], block[i + 3]]);
    let (low, middle, high) = (word(4), word(8), word(12));
    let words = [
        low & 0x3f3f_3f3f,
        high & 0x0f0f_0f0f | (low & 0xc0c0_c0c0) >> 2,
        middle & 0x3f3f_3f3f,
        (high >> 4) & 0x0f0f_0f0f | (middle & 0xc0c0_c0c0) >> 2,
    ];
    bytemuck::cast(words.map(u32::to_le))
}
