use proptest::prelude::*;

use super::*;
use crate::quant::dequantise;

const ROW: usize = 512;

/// Types that can be made.
const MADE: [WeightType; 16] = [
    WeightType::F32,
    WeightType::F16,
    WeightType::BF16,
    WeightType::Q8_0,
    WeightType::Q4_0,
    WeightType::Q4_1,
    WeightType::Q5_0,
    WeightType::Q5_1,
    WeightType::IQ4_NL,
    WeightType::MXFP4,
    WeightType::Q2_K,
    WeightType::Q3_K,
    WeightType::Q4_K,
    WeightType::Q5_K,
    WeightType::Q6_K,
    WeightType::IQ4_XS,
];

/// Uniform numbers below 1, the same on every machine.
struct Random(u64);

impl Random {
    fn unit(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1 << 24) as f32
    }

    /// Nearly normal, with a variance of 1.
    fn normal(&mut self) -> f32 {
        (0..12).map(|_| self.unit()).sum::<f32>() - 6.0
    }
}

/// Weights as layers have them, and with the tails of the worst.
fn normal_and_heavy() -> [Vec<f32>; 2] {
    let mut random = Random(7);
    let normal = (0..64 * ROW).map(|_| 0.02 * random.normal()).collect();
    let heavy = (0..64 * ROW).map(|_| 0.02 * random.normal() / (0.1 + random.unit())).collect();
    [normal, heavy]
}

/// Importances over three orders of magnitude, as those of activations are.
fn importance() -> Vec<f32> {
    let mut random = Random(8);
    (0..ROW).map(|_| 1000f32.powf(random.unit() * random.unit())).collect()
}

/// The root of the mean square error, in proportion to that of the weights.
fn loss(ty: WeightType, weights: &[f32], importance: Option<&[f32]>) -> f64 {
    let mut raw = Vec::new();
    quantise_rows(ty, weights, ROW, importance, &mut raw).unwrap();
    let mut back = vec![0.0; weights.len()];
    dequantise(ty, &raw, &mut back).unwrap();
    let square = |values: &mut dyn Iterator<Item = f32>| -> f64 {
        values.enumerate().map(|(i, v)| f64::from(importance.map_or(1.0, |w| w[i % ROW])) * f64::from(v).powi(2)).sum()
    };
    let error = square(&mut weights.iter().zip(&back).map(|(x, y)| x - y));
    (error / square(&mut weights.iter().copied())).sqrt()
}

/// What each type loses of normal and heavy-tailed weights, without and with importances, in thousandths; beside it what llama.cpp
/// (`ggml_quantize_chunk` of llama-cpp-python 0.3.36) loses of the same weights.
const LOSSES: [(WeightType, [f64; 4], [f64; 4]); 13] = [
    (WeightType::Q8_0, [4.712, 3.544, 7.462, 6.687], [5.246, 5.274, 8.075, 8.635]),
    (WeightType::Q4_0, [79.159, 61.536, 123.790, 112.434], [84.035, 64.801, 128.031, 119.667]),
    (WeightType::Q4_1, [68.528, 47.504, 92.649, 70.930], [76.830, 48.224, 103.060, 72.930]),
    (WeightType::Q5_0, [39.400, 30.214, 62.028, 56.905], [42.286, 32.399, 64.044, 60.466]),
    (WeightType::Q5_1, [32.969, 22.724, 44.429, 34.587], [37.277, 23.450, 49.943, 35.904]),
    (WeightType::IQ4_NL, [72.534, 53.162, 97.114, 82.267], [75.411, 57.602, 100.652, 86.925]),
    (WeightType::MXFP4, [110.185, 108.808, 136.062, 129.751], [112.816, 112.098, 139.964, 138.974]),
    (WeightType::Q2_K, [257.728, 161.946, 298.717, 205.262], [291.520, 169.474, 363.564, 233.660]),
    (WeightType::Q3_K, [141.772, 102.961, 191.531, 159.445], [149.223, 107.383, 200.003, 168.281]),
    (WeightType::Q4_K, [68.746, 48.173, 93.248, 72.168], [70.228, 49.593, 95.701, 76.519]),
    (WeightType::Q5_K, [33.892, 24.291, 45.811, 36.505], [35.552, 26.548, 48.334, 41.614]),
    (WeightType::Q6_K, [16.644, 12.206, 24.418, 22.009], [17.496, 13.320, 25.424, 23.238]),
    (WeightType::IQ4_XS, [73.135, 53.943, 98.043, 83.191], [76.051, 58.561, 101.592, 88.932]),
];

#[test]
fn quantised_rows_lose_what_is_recorded_and_less_than_those_of_llama_cpp() {
    let (sets, importance) = (normal_and_heavy(), importance());
    for (ty, recorded, reference) in LOSSES {
        let losses = sets.each_ref().map(|x| [None, Some(&importance[..])].map(|w| 1000.0 * loss(ty, x, w)));
        let losses = losses.concat();
        for (loss, (recorded, reference)) in losses.iter().zip(recorded.into_iter().zip(reference)) {
            assert!((loss / recorded - 1.0).abs() < 0.002, "{ty}: {losses:.3?}");
            assert!(*loss <= reference, "{ty}: {losses:.3?}");
        }
    }
}

fn block_types() -> impl Iterator<Item = WeightType> {
    MADE.into_iter().filter(|ty| ty.block_len() > 1)
}

fn back(ty: WeightType, weights: &[f32]) -> Vec<f32> {
    let (mut raw, mut back) = (Vec::new(), vec![0.0; weights.len()]);
    quantise_rows(ty, weights, weights.len(), None, &mut raw).unwrap();
    dequantise(ty, &raw, &mut back).unwrap();
    back
}

#[test]
fn quantised_rows_stay_zero_where_all_is_zero() {
    for ty in MADE {
        assert_eq!(back(ty, &[0.0; 256]), [0.0; 256], "{ty}");
        assert_eq!(back(ty, &[-0.0; 256]), [0.0; 256], "{ty}");
    }
}

#[test]
fn quantised_rows_keep_constants() {
    for ty in block_types() {
        for constant in [1.0, -1.0, 3e-3, -65504.0, 65504.0] {
            for weight in back(ty, &[constant; 256]) {
                assert!((weight / constant - 1.0).abs() < 0.07, "{ty}: {constant} became {weight}");
            }
        }
    }
}

#[test]
fn quantised_rows_keep_an_outlier_and_what_is_beside_its_group() {
    let mut weights = [0.01; 256];
    weights[5] = -20.0;
    for ty in block_types() {
        let back = back(ty, &weights);
        // Floats of four bits have nothing between 16 and 24.
        let bound = if ty == WeightType::MXFP4 { 0.2 } else { 0.04 };
        assert!((back[5] / -20.0 - 1.0).abs() <= bound, "{ty}: {}", back[5]);
        // In superblocks the outlier's group sets the step of all scales.
        let bound = match ty {
            WeightType::MXFP4 => 0.002,
            _ if ty.block_len() == 32 => 0.001,
            _ => 0.025,
        };
        for weight in &back[32..] {
            assert!((weight - 0.01).abs() < bound, "{ty}: {weight}");
        }
    }
}

#[test]
fn quantised_rows_are_never_farther_than_zeros_where_weights_are_tiny() {
    // From what f16 can hardly write down to the smallest floats.
    for ty in block_types() {
        for size in [1e-5, 1e-6, 1e-7, 1e-10, 1e-30, f32::MIN_POSITIVE, 1e-45] {
            let mut random = Random(1);
            let weights: Vec<f32> = (0..256).map(|_| size * random.normal()).collect();
            let square = |v: f32| f64::from(v).powi(2);
            let error: f64 = weights.iter().zip(back(ty, &weights)).map(|(x, y)| square(x - y)).sum();
            assert!(error <= weights.iter().map(|&x| square(x)).sum::<f64>(), "{ty} at {size}");
        }
    }
}

#[test]
fn quantise_rows_rejects_what_no_type_holds() {
    let mut out = vec![1, 2];
    for ty in MADE {
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 65505.0] {
            let mut weights = vec![1.0; 512];
            weights[300] = value;
            let result = quantise_rows(ty, &weights, 256, None, &mut out);
            if value == 65505.0 && matches!(ty, WeightType::F32 | WeightType::BF16) {
                assert_eq!(result, Ok(()), "{ty}");
                out.truncate(2);
                continue;
            }
            let error = result.unwrap_err();
            assert!(matches!(error, QuantiseError::Weight { row: 1, column: 44, .. }), "{ty}: {error}");
        }
    }
    assert_eq!(out, [1, 2]);
    let ty = WeightType::Q4_K;
    for (weights, row_len) in [(256, 128), (300, 300), (300, 256), (256, 0)] {
        let wrong = QuantiseError::Length { ty, weights, row_len };
        assert_eq!(quantise_rows(ty, &vec![0.0; weights], row_len, None, &mut out), Err(wrong));
    }
    let short = QuantiseError::ImportanceLength { importances: 255, row_len: 256 };
    assert_eq!(quantise_rows(ty, &[0.0; 256], 256, Some(&[1.0; 255]), &mut out), Err(short));
    for value in [f32::NAN, f32::INFINITY, -1.0] {
        let mut importance = [1.0; 256];
        importance[9] = value;
        let error = quantise_rows(ty, &[0.0; 256], 256, Some(&importance), &mut out).unwrap_err();
        assert!(matches!(error, QuantiseError::Importance { column: 9, .. }), "{error}");
    }
}

#[test]
fn importance_without_any_is_as_none_and_its_unit_does_not_matter() {
    let [weights, _] = normal_and_heavy();
    let quantised = |ty, importance: Option<&[f32]>| {
        let mut out = Vec::new();
        quantise_rows(ty, &weights[..4 * ROW], ROW, importance, &mut out).unwrap();
        out
    };
    let [large, small] = [2f32.powi(100), 2f32.powi(-100)].map(|unit| importance().iter().map(|w| w * unit).collect());
    let [large, small]: [Vec<f32>; 2] = [large, small];
    for ty in block_types() {
        assert_eq!(quantised(ty, Some(&[0.0; ROW])), quantised(ty, None), "{ty}");
        assert_eq!(quantised(ty, Some(&large)), quantised(ty, Some(&small)), "{ty}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn quantised_rows_stand_alone(seed: u64, sizes in proptest::collection::vec(-20i32..14, 3)) {
        let mut random = Random(seed);
        let weights: Vec<f32> =
            sizes.iter().flat_map(|&size| (0..256).map(|_| random.normal() * 2f32.powi(size)).collect::<Vec<_>>()).collect();
        for ty in MADE {
            let (mut together, mut apart) = (Vec::new(), Vec::new());
            quantise_rows(ty, &weights, 256, None, &mut together).unwrap();
            for row in weights.chunks(256) {
                quantise_rows(ty, row, 256, None, &mut apart).unwrap();
            }
            prop_assert_eq!(&together, &apart);
            prop_assert_eq!(together.len(), 768 / ty.block_len() * ty.block_bytes());
        }
    }
}
