//! Weights as a CPU reads them: planes in which 16 rows lie side by side, so that a vector has the same word of several rows.
//!
//! Rows stand in groups of [`GROUP`], the last filled up with rows of zeros. What a row has in a plane is parted into units, which stay whole:
//! words, and in the plane of scales a half for each f16, and a byte for each exponent alone. The units of a group that have the same place in their rows follow one another, so
//! that a unit of `w` bytes that begins at byte `p` of row `r` of a group begins at byte `16 * p + w * r` of the group. A group of rows takes
//! as many bytes as these rows one below the other.

use super::{Plane, Planes, PlanesRef, QuantError, WeightType, dequantise_row};

/// Rows that lie side by side.
pub const GROUP: usize = 16;

/// How the rows of a matrix lie in its planes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// One below the other: what a GPU reads.
    Rows,
    /// Side by side in groups: what a CPU reads.
    Interleaved,
}

impl Layout {
    /// The layout that a CPU reads: weights without blocks are multiplied row by row.
    pub const fn for_cpu(ty: WeightType) -> Layout {
        if ty.block_len() == 1 { Layout::Rows } else { Layout::Interleaved }
    }

    /// Rows that a plane of `rows` rows has room for.
    pub const fn rows(self, rows: usize) -> usize {
        match self {
            Layout::Rows => rows,
            Layout::Interleaved => rows.next_multiple_of(GROUP),
        }
    }
}

/// The bytes of the units of a block in a plane: as long as these, over and over.
pub(super) const fn units(ty: WeightType, plane: Plane) -> &'static [usize] {
    match (plane, ty) {
        (Plane::Scales, WeightType::Q4_K | WeightType::Q5_K) => &[2, 2, 4, 4, 4],
        (Plane::Scales, WeightType::Q6_K) => &[4, 4, 4, 4, 2, 2],
        (Plane::Scales, WeightType::Q3_K | WeightType::IQ4_XS) => &[4],
        (Plane::Scales, WeightType::MXFP4) => &[1],
        (Plane::Scales, _) => &[2],
        _ => &[4],
    }
}

const PLANES: [Plane; 3] = [Plane::Quants, Plane::HighBits, Plane::Scales];

/// Appends the rows in `rows`, each of `blocks` blocks of a type whose [`Layout::for_cpu`] this is, to `to`, in whole groups.
///
/// Made for streaming, as [`repack`]: pieces come in order, every piece but the last has whole groups, and its words belong at
/// [`WeightType::plane_bytes`] of the blocks before it.
///
/// [`repack`]: super::repack
pub fn interleave(ty: WeightType, blocks: usize, rows: &Planes, to: &mut Planes) {
    let planes = [(&rows.quants, &mut to.quants), (&rows.high_bits, &mut to.high_bits), (&rows.scales, &mut to.scales)];
    for (plane, (from, to)) in PLANES.into_iter().zip(planes) {
        let row = blocks * ty.part(plane).stride;
        let rows = (from.len() * 4).checked_div(row).unwrap_or(0);
        let had = to.len();
        to.resize(had + rows.next_multiple_of(GROUP) * row / 4, 0);
        match units(ty, plane) {
            _ if row == 0 => {}
            [4] => {
                let groups = to[had..].chunks_exact_mut(GROUP * row / 4);
                groups
                    .zip(from.chunks(GROUP * row / 4))
                    .for_each(|(group, rows)| interleave_words(row / 4, rows, group));
            }
            units => {
                // What is behind the last row fills a word.
                let from = &bytemuck::cast_slice::<u32, u8>(from)[..rows * row];
                let groups = bytemuck::cast_slice_mut::<u32, u8>(&mut to[had..]).chunks_exact_mut(GROUP * row);
                for (group, rows) in groups.zip(from.chunks(GROUP * row)) {
                    for (lane, from) in rows.chunks_exact(row).enumerate() {
                        walk(units, row, lane, |of_row, width, of_group| {
                            group[of_group..][..width].copy_from_slice(&from[of_row..][..width]);
                        });
                    }
                }
            }
        }
    }
}

/// Whole rows, each of `blocks` blocks, as a CPU reads them.
pub fn laid_out_for_cpu(ty: WeightType, blocks: usize, rows: Planes) -> Planes {
    match Layout::for_cpu(ty) {
        Layout::Rows => rows,
        Layout::Interleaved => {
            let mut planes = Planes::default();
            interleave(ty, blocks, &rows, &mut planes);
            planes
        }
    }
}

/// Rows of so many words, side by side: nearly all that weights are.
fn interleave_words(row: usize, rows: &[u32], group: &mut [u32]) {
    // A few lines of the cache of each row at a time.
    const WORDS: usize = 64;
    for from in (0..row).step_by(WORDS) {
        let words = from..row.min(from + WORDS);
        let group = &mut group[GROUP * words.start..GROUP * words.end];
        for (lane, row) in rows.chunks_exact(row).enumerate() {
            for (group, word) in group.as_chunks_mut::<GROUP>().0.iter_mut().zip(&row[words.clone()]) {
                group[lane] = *word;
            }
        }
    }
}

/// Dequantises row `row` of interleaved planes, of `blocks` blocks, into `out`.
///
/// # Errors
/// As [`dequantise_row`].
pub fn dequantise_interleaved(
    ty: WeightType,
    planes: PlanesRef<'_>,
    blocks: usize,
    row: usize,
    out: &mut [f32],
) -> Result<(), QuantError> {
    let short = QuantError::ShortPlanes { ty, block: (row + 1).saturating_mul(blocks).saturating_sub(1) };
    let mut own = Planes::default();
    let both =
        [(planes.quants, &mut own.quants), (planes.high_bits, &mut own.high_bits), (planes.scales, &mut own.scales)];
    for (plane, (from, to)) in PLANES.into_iter().zip(both) {
        let len = blocks * ty.part(plane).stride;
        let first = (row / GROUP).checked_mul(GROUP * len).ok_or(short.clone())?;
        let group = bytemuck::cast_slice::<u32, u8>(from).get(first..).and_then(|rest| rest.get(..GROUP * len));
        let group = group.ok_or(short.clone())?;
        to.resize(len.div_ceil(4), 0);
        let to: &mut [u8] = bytemuck::cast_slice_mut(to);
        walk(units(ty, plane), len, row % GROUP, |of_row, width, of_group| {
            to[of_row..][..width].copy_from_slice(&group[of_group..][..width]);
        });
    }
    dequantise_row(ty, own.as_ref(), 0..blocks, out)
}

/// Calls `visit` with each unit of a row of `len` bytes: where it is in the row, its length, and where it is in the group.
fn walk(units: &[usize], len: usize, lane: usize, mut visit: impl FnMut(usize, usize, usize)) {
    let (mut at, mut units) = (0, units.iter().cycle());
    while let Some(&width) = units.next()
        && at < len
    {
        visit(at, width, GROUP * at + width * lane);
        at += width;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quant::{random_blocks, repack};
    use proptest::prelude::*;

    #[test]
    fn units_are_whole_blocks() {
        for ty in WeightType::ALL {
            for plane in PLANES.into_iter().filter(|_| Layout::for_cpu(ty) == Layout::Interleaved) {
                let unit: usize = units(ty, plane).iter().sum();
                assert!(ty.part(plane).stride.is_multiple_of(unit), "{ty}");
            }
        }
    }

    #[test]
    fn units_of_a_place_lie_side_by_side() {
        let mut raw = Vec::new();
        for row in 0..20u8 {
            raw.extend([row, 0xd, row, 0xe]);
            raw.extend((1..=16).map(|at| if at % 4 == 0 { row } else { at }));
        }
        let (mut rows, mut planes) = (Planes::default(), Planes::default());
        repack(WeightType::Q4_1, &raw, 0, &mut rows).unwrap();
        interleave(WeightType::Q4_1, 1, &rows, &mut planes);
        assert_eq!((planes.quants.len(), planes.scales.len()), (2 * 16 * 4, 2 * 16));
        assert_eq!((planes.quants[0], planes.quants[1], planes.quants[16]), (0x0003_0201, 0x0103_0201, 0x0007_0605));
        // Scales of two rows in a word, then their minima; of the fifth row of the second group there is none.
        assert_eq!((planes.scales[0], planes.scales[8]), (0x0d01_0d00, 0x0e01_0e00));
        assert_eq!((planes.scales[17], planes.scales[18]), (0x0d13_0d12, 0));
    }

    proptest! {
        /// Whatever the bits and wherever the cuts, interleaved rows dequantise to what those one below the other do.
        #[test]
        fn interleaved_in_pieces_equals_rows(
            which in 0..25usize, seed: u64, rows in 1usize..40, blocks in 1usize..6, groups in 1usize..3,
        ) {
            let interleaved = |ty: &WeightType| Layout::for_cpu(*ty) == Layout::Interleaved;
            let ty = WeightType::ALL.into_iter().filter(interleaved).nth(which).unwrap();
            let raw = random_blocks(ty, seed, rows * blocks, 0.5);
            let mut planes = Planes::default();
            for piece in raw.chunks(GROUP * groups * blocks * ty.block_bytes()) {
                let mut of_piece = Planes::default();
                repack(ty, piece, 0, &mut of_piece).unwrap();
                interleave(ty, blocks, &of_piece, &mut planes);
            }
            let room = Layout::Interleaved.rows(rows) * blocks;
            prop_assert_eq!(planes.quants.len() * 4, ty.plane_bytes(Plane::Quants, room));
            prop_assert_eq!(planes.scales.len() * 4, ty.plane_bytes(Plane::Scales, room));
            let mut expected = vec![0.0; rows * blocks * ty.block_len()];
            crate::quant::dequantise(ty, &raw, &mut expected).unwrap();
            for (row, expected) in expected.chunks(blocks * ty.block_len()).enumerate() {
                let mut found = vec![f32::NAN; expected.len()];
                dequantise_interleaved(ty, planes.as_ref(), blocks, row, &mut found).unwrap();
                prop_assert_eq!(&found[..], expected);
            }
            let mut out = vec![0.0; blocks * ty.block_len()];
            let beyond = Layout::Interleaved.rows(rows);
            prop_assert!(dequantise_interleaved(ty, planes.as_ref(), blocks, beyond, &mut out).is_err());
        }
    }
}
