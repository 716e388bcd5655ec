//! Dequantised weights equal those of the PyPI package `gguf`, bit for bit: as they stand in a file, and repacked. So do the lists that
//! types look up.

use inglenook_format::quant::{Grid, Planes, WeightType, dequantise, dequantise_row, repack};

/// Blocks as in a GGUF file, and the weights that they stand for: 8 rows of 512.
fn golden(ty: WeightType) -> (Vec<u8>, Vec<u32>) {
    let path = format!("{}/../tests/goldens/quant/{ty}", env!("CARGO_MANIFEST_DIR"));
    let blocks = std::fs::read(format!("{path}.blocks")).expect("tests/goldens/quant");
    let weights = std::fs::read(format!("{path}.f32")).expect("tests/goldens/quant");
    assert_eq!(weights.len(), 4 * 8 * 512);
    (blocks, weights.as_chunks::<4>().0.iter().map(|&bytes| u32::from_le_bytes(bytes)).collect())
}

fn assert_same(ty: WeightType, what: &str, actual: &[f32], expected: &[u32]) {
    for (i, (actual, &bits)) in actual.iter().zip(expected).enumerate() {
        let expected = f32::from_bits(bits);
        assert!(actual.to_bits() == bits, "{ty} {what}: weight {i} is {actual:e}, not {expected:e}");
    }
}

#[test]
fn every_type_equals_the_reference() {
    // F32 needs no golden: its weights are its bytes.
    for ty in WeightType::ALL.into_iter().filter(|&ty| ty != WeightType::F32) {
        let (blocks, expected) = golden(ty);
        let mut weights = vec![0.0; 8 * 512];
        dequantise(ty, &blocks, &mut weights).unwrap();
        assert_same(ty, "in the file", &weights, &expected);

        let mut planes = Planes::default();
        let piece = ty.piece_blocks(600);
        for (i, raw) in blocks.chunks(piece * ty.block_bytes()).enumerate() {
            repack(ty, raw, i * piece, &mut planes).unwrap();
        }
        let row_blocks = 512 / ty.block_len();
        for row in 0..8 {
            let mut weights = vec![0.0; 512];
            dequantise_row(ty, planes.as_ref(), row * row_blocks..(row + 1) * row_blocks, &mut weights).unwrap();
            assert_same(ty, "repacked", &weights, &expected[row * 512..(row + 1) * 512]);
        }
    }
}

#[test]
fn every_grid_equals_the_reference() {
    let types = [
        (WeightType::IQ2_XXS, 256),
        (WeightType::IQ2_XS, 512),
        (WeightType::IQ2_S, 1024),
        (WeightType::IQ3_XXS, 256),
        (WeightType::IQ3_S, 512),
        (WeightType::IQ1_S, 2048),
    ];
    for (ty, entries) in types {
        let path = format!("{}/../tests/goldens/quant/{ty}.grid", env!("CARGO_MANIFEST_DIR"));
        let expected = std::fs::read(path).expect("tests/goldens/quant");
        let grid = Grid::of(ty).expect("a type with a grid");
        assert_eq!(grid.codes().len(), entries, "{ty}");
        let width = expected.len() / entries;
        for (index, expected) in expected.chunks(width).enumerate() {
            assert_eq!(grid.entry(index as u32).to_le_bytes()[..width], *expected, "{ty} {index}");
        }
    }
}
