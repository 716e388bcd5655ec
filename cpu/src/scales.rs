//! The scales of groups of rows: a weight is `number * scale + minimum`.

mod small;

use inglenook_format::quant::{GROUP, PlanesRef, WeightType};

use crate::isa::{Isa, Task};
use crate::numbers::{Numbers, with_numbers};
use crate::unpacked::is_unpacked;

/// One of each row of a group.
type Lanes<T> = [T; GROUP];

/// Scales and minima of groups of rows, kept from groups to groups for their memory.
#[derive(Debug)]
pub struct Scales {
    ty: WeightType,
    /// What a row has.
    of_row: usize,
    /// Whether they are those of chunks, two each, whatever the type.
    are_of_chunks: bool,
    /// `[groups, of_row, 16]`: for each 32 weights one, or two for 16 each.
    pub scales: Vec<f32>,
    /// What is taken from each number before it is scaled.
    pub offset: u8,
    /// As many; empty for types that have none of their own.
    pub minima: Vec<f32>,
}

impl Scales {
    /// Memory for `groups` groups of rows of `ty` with `chunks` times 32 weights, as panels have their numbers.
    pub fn new(ty: WeightType, groups: usize, chunks: usize) -> Scales {
        let of_chunk = with_numbers!(ty, N => N::SCALES);
        let offset = match ty {
            WeightType::Q4_0 => 8,
            WeightType::Q5_0 => 16,
            WeightType::Q3_K => 4,
            WeightType::TQ2_0 => 1,
            _ => 0,
        };
        let are_of_chunks = is_unpacked(ty) || ty == WeightType::TQ2_0;
        Scales { offset, are_of_chunks, ..Scales::with_room(ty, groups, of_chunk * chunks) }
    }

    /// The same for rows that are read one by one, whose numbers are unpacked where they have chunks.
    pub fn of_rows(ty: WeightType, groups: usize, chunks: usize) -> Scales {
        match ty {
            ty if ty.has_chunks() => Scales { are_of_chunks: true, ..Scales::with_room(ty, groups, 2 * chunks) },
            ty if ty.block_len() == 1 => Scales::with_room(ty, 0, 0),
            ty => Scales::new(ty, groups, chunks),
        }
    }

    fn with_room(ty: WeightType, groups: usize, of_row: usize) -> Scales {
        let has_minima =
            matches!(ty, WeightType::Q4_1 | WeightType::Q5_1 | WeightType::Q4_K | WeightType::Q5_K | WeightType::Q2_K);
        let room = |has_any| vec![0.0; if has_any { groups * of_row * GROUP } else { 0 }];
        Scales { ty, of_row, are_of_chunks: false, scales: room(true), offset: 0, minima: room(has_minima) }
    }

    /// Reads those of group `group` from its words.
    #[inline(always)]
    pub fn read<I: Isa>(&mut self, isa: I, group: usize, words: PlanesRef<'_>) {
        isa.apart(Read { scales: self, group, words });
    }

    /// Scale `number` of rows of a group, those from `lane` on.
    #[inline(always)]
    pub fn lanes(&self, group: usize, lane: usize, number: usize) -> &[f32] {
        &self.scales[(group * self.of_row + number) * GROUP + lane..]
    }

    /// Whether there are minima.
    pub fn has_minima(&self) -> bool {
        !self.minima.is_empty()
    }

    /// Minima `number` of rows of a group, those from `lane` on.
    #[inline(always)]
    pub fn minima(&self, group: usize, lane: usize, number: usize) -> &[f32] {
        &self.minima[(group * self.of_row + number) * GROUP + lane..]
    }
}

/// The scales of a group, to be read from its words.
struct Read<'s, 'w> {
    scales: &'s mut Scales,
    group: usize,
    words: PlanesRef<'w>,
}

impl Task for Read<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let Read { scales, group, words } = self;
        let Scales { ty, of_row, are_of_chunks, scales, minima, .. } = scales;
        let (plane, of_group) = (words.scales, group * *of_row * GROUP..(group + 1) * *of_row * GROUP);
        let scales = scales[of_group.clone()].as_chunks_mut().0;
        let minima = minima.get_mut(of_group).unwrap_or_default().as_chunks_mut().0;
        match *ty {
            ty if *are_of_chunks => small::read_chunks(ty, words, scales, minima),
            WeightType::Q4_1 | WeightType::Q5_1 => read_pairs(isa, plane, scales, minima),
            WeightType::Q4_K | WeightType::Q5_K => read_k(isa, plane, scales, minima),
            WeightType::Q6_K => read_6(isa, plane, scales),
            WeightType::Q2_K => small::read_2(isa, words, scales, minima),
            WeightType::Q3_K => small::read_3(isa, plane, scales),
            WeightType::IQ4_XS => small::read_4(isa, plane, scales),
            WeightType::MXFP4 => small::read_exponents(plane, scales),
            _ => read_halves(isa, plane, scales),
        }
    }
}

/// A half of each row: two units of eight words, as floats.
#[inline(always)]
fn halves<I: Isa>(isa: I, words: &Lanes<u32>) -> [Lanes<f32>; 2] {
    let mut floats = [0.0; 32];
    isa.store(isa.widen_f16(bytemuck::cast_ref(words)), &mut floats);
    bytemuck::cast(floats)
}

#[inline(always)]
fn read_halves<I: Isa>(isa: I, plane: &[u32], scales: &mut [Lanes<f32>]) {
    let (twos, last) = plane.as_chunks();
    let (to, to_last) = scales.as_chunks_mut::<2>();
    for (to, words) in to.iter_mut().zip(twos) {
        *to = halves(isa, words);
    }
    if let ([to], Some(words)) = (to_last, last.first_chunk::<8>()) {
        let mut padded = [0; GROUP];
        padded[..8].copy_from_slice(words);
        [*to, _] = halves(isa, &padded);
    }
}

/// Q4_1, Q5_1: scales, then minima.
#[inline(always)]
fn read_pairs<I: Isa>(isa: I, plane: &[u32], scales: &mut [Lanes<f32>], minima: &mut [Lanes<f32>]) {
    for ((words, scales), minima) in plane.as_chunks().0.iter().zip(scales).zip(minima) {
        [*scales, *minima] = halves(isa, words);
    }
}

/// Q4_K, Q5_K: f16 for scales and for minima, then eight of each in six bits.
///
/// Of a row's three words the first has the first four scales, the second the first four minima, with two bits of the last ones above them; the
/// third has the other bits of the last ones, those of minima above those of scales.
#[inline(always)]
fn read_k<I: Isa>(isa: I, plane: &[u32], scales: &mut [Lanes<f32>], minima: &mut [Lanes<f32>]) {
    let of_blocks = scales.as_chunks_mut::<8>().0.iter_mut().zip(minima.as_chunks_mut::<8>().0);
    for (block, (scales, minima)) in plane.as_chunks::<GROUP>().0.as_chunks::<4>().0.iter().zip(of_blocks) {
        let [floats, first, second, third] = block;
        let [scale, minimum] = halves(isa, floats);
        for lane in (0..GROUP).step_by(I::LANES) {
            let third = isa.pairs(&third[lane..]);
            six_bits(isa, isa.pairs(&first[lane..]), third, isa.lanes(&scale[lane..]), scales, lane);
            let minimum = isa.multiply(isa.all(-1.0), isa.lanes(&minimum[lane..]));
            six_bits(isa, isa.pairs(&second[lane..]), isa.shift_right(third, 4), minimum, minima, lane);
        }
    }
}

/// Eight numbers of six bits, times `scale`: the low ones of the bytes of `first`, then the nibbles of `last` with the high bits of `first`.
#[inline(always)]
fn six_bits<I: Isa>(isa: I, first: I::Pairs, last: I::Pairs, scale: I::Lanes, to: &mut [Lanes<f32>; 8], lane: usize) {
    for j in 0..4 {
        let low = isa.mask(isa.shift_right(last, 8 * j), 15);
        let high = isa.mask(isa.shift_right(first, 8 * j + 2), 48);
        for (at, number) in [(j, isa.mask(isa.shift_right(first, 8 * j), 63)), (j + 4, isa.either(low, high))] {
            let scaled = isa.multiply(isa.floats(isa.ints(number)), scale);
            isa.store_lanes(scaled, &mut to[at as usize][lane..]);
        }
    }
}

/// Q6_K: sixteen signed scales in bytes, then an f16.
#[inline(always)]
fn read_6<I: Isa>(isa: I, plane: &[u32], scales: &mut [Lanes<f32>]) {
    let of_blocks = scales.as_chunks_mut::<16>().0;
    for (block, scales) in plane.as_chunks::<GROUP>().0.as_chunks::<5>().0.iter().zip(of_blocks) {
        let [bytes @ .., floats] = block;
        let [scale, _] = halves(isa, floats);
        for (words, scales) in bytes.iter().zip(scales.as_chunks_mut::<4>().0) {
            for lane in (0..GROUP).step_by(I::LANES) {
                let (words, scale) = (isa.pairs(&words[lane..]), isa.lanes(&scale[lane..]));
                for j in 0..4 {
                    let scaled = isa.multiply(isa.floats(isa.signed_bytes(words, j)), scale);
                    isa.store_lanes(scaled, &mut scales[j as usize][lane..]);
                }
            }
        }
    }
}
