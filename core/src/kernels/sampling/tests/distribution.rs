//! Draws against the softmax that the definitions of the filters leave.

use super::*;
use crate::kernels::cpu::{kept, philox};
use crate::kernels::verify::{all_cases, run_twin};

pub(super) const DRAWS: u32 = 20_480;

/// Asserts that drawn tokens are distributed so: nothing that has no probability, and a chi-square, whose expected value is the
/// degrees of freedom, within five standard deviations.
pub(super) fn assert_distribution(name: &str, tokens: &[u32], probabilities: &[f64]) {
    let mut counts = vec![0u32; probabilities.len()];
    tokens.iter().for_each(|token| counts[*token as usize] += 1);
    let expected: Vec<f64> = probabilities.iter().map(|p| p * tokens.len() as f64).collect();
    let removed: u32 = counts.iter().zip(&expected).filter(|(_, e)| **e == 0.0).map(|(count, _)| count).sum();
    assert_eq!(removed, 0, "{name}: tokens that the filters remove");
    // Cells with few expected draws are one cell.
    let (mut chi, mut cells, mut rest) = (0.0, 0, (0.0, 0.0));
    for (count, expected) in counts.iter().zip(&expected) {
        let count = f64::from(*count);
        if *expected >= 5.0 {
            chi += (count - expected).powi(2) / expected;
            cells += 1;
        } else {
            rest = (rest.0 + count, rest.1 + expected);
        }
    }
    if rest.1 >= 5.0 {
        chi += (rest.0 - rest.1).powi(2) / rest.1;
        cells += 1;
    }
    let freedom = f64::from(cells - 1);
    assert!(cells > 5 && (chi - freedom).abs() < 5.0 * (2.0 * freedom).sqrt(), "{name}: {chi} of {freedom}");
}

/// Softmax after the filters, by their definitions over the whole vocabulary: sort, cut, normalise.
pub(super) fn probabilities(logits: &[f32], params: &SamplingParams) -> Vec<f64> {
    let logits: Vec<f64> = logits.iter().map(|logit| f64::from(*logit)).collect();
    let weight = |token: &usize| (logits[*token] / f64::from(params.temperature)).exp();
    let sum = |tokens: &[usize]| tokens.iter().map(weight).sum::<f64>();
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]));
    if params.top_n_sigma > 0.0 {
        let mean = logits.iter().sum::<f64>() / logits.len() as f64;
        let sigma = (logits.iter().map(|logit| (logit - mean).powi(2)).sum::<f64>() / logits.len() as f64).sqrt();
        let best = logits[order[0]];
        order.retain(|token| logits[*token] >= best - f64::from(params.top_n_sigma) * sigma);
    }
    if params.top_k > 0 {
        order.truncate(params.top_k as usize);
    }
    if params.top_p < 1.0 {
        order = reaching(order.clone(), weight, f64::from(params.top_p) * sum(&order));
    }
    let best = weight(&order[0]);
    order.retain(|token| weight(token) >= f64::from(params.min_p) * best);
    if params.typical_p < 1.0 {
        let total = sum(&order);
        let information = |token: &usize| -(weight(token) / total).ln();
        let entropy = order.iter().map(|token| weight(token) / total * information(token)).sum::<f64>();
        let distance = |token: &usize| (information(token) - entropy).abs();
        order.sort_by(|a, b| distance(a).total_cmp(&distance(b)));
        order = reaching(order, weight, f64::from(params.typical_p) * total);
        order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]));
    }
    let total = sum(&order);
    let mut probabilities = vec![0.0; logits.len()];
    for token in &order {
        probabilities[*token] = weight(token) / total;
    }
    if params.xtc_probability > 0.0 {
        let tops = order.iter().filter(|token| weight(token) / total >= f64::from(params.xtc_threshold)).count();
        let rest = &order[tops.saturating_sub(1)..];
        let chance = f64::from(params.xtc_probability);
        probabilities.iter_mut().for_each(|p| *p *= 1.0 - chance);
        for token in rest {
            probabilities[*token] += chance * weight(token) / sum(rest);
        }
    }
    probabilities
}

/// The first tokens that weigh so much together.
fn reaching(tokens: Vec<usize>, weight: impl Fn(&usize) -> f64, wanted: f64) -> Vec<usize> {
    let mut before = 0.0;
    let within = tokens.into_iter().take_while(|token| {
        let is_in = before < wanted;
        before += weight(token);
        is_in
    });
    within.collect()
}

/// Sixteen rows of one distribution, each with a seed of its own.
#[test]
fn draws_follow_the_filtered_softmax() {
    let logits = logits(8, 517, 7.0);
    for device in devices() {
        // A GPU's draws are the twin's, bit for bit, in tests of their own.
        let draws = if device.is_cpu() { DRAWS } else { DRAWS / 4 };
        for (name, params) in samplers() {
            let seeded: Vec<_> = (0..16).map(|seed| params.seeded(99 + seed)).collect();
            let sampler = Sampler::new(device.clone(), &seeded, &logits.repeat(16), &vec![0; 16 * 517], false);
            let tokens = sampler.drawn(draws / 16);
            assert_eq!(tokens.len(), draws as usize);
            assert_distribution(name, &tokens, &probabilities(&logits, &params));
        }
    }
}

#[test]
fn what_is_kept_is_what_the_definition_keeps() {
    let logits = logits(12, 1757, 9.0);
    let kinds = samplers().map(|(_, params)| SamplingParams { xtc_probability: 0.0, ..params });
    for params in kinds.into_iter().chain([SamplingParams { top_p: 0.97, ..WARM }, SamplingParams { top_k: 1, ..WARM }])
    {
        let mut tokens: Vec<usize> = kept(&logits, &params).iter().map(|(token, _)| *token as usize).collect();
        tokens.sort_unstable();
        let defined = probabilities(&logits, &params);
        assert_eq!(tokens, (0..1757).filter(|token| defined[*token] > 0.0).collect::<Vec<_>>());
    }
}

#[test]
fn philox_gives_the_published_words() {
    // Known answers of the authors' Random123 library.
    assert_eq!(philox([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
    assert_eq!(philox([u32::MAX; 4], [u32::MAX; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
    let pi = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344];
    assert_eq!(philox(pi, [0xa409_3822, 0x299f_31d0]), [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]);
}

/// The answers of the cases, and so of the guard at load, must not hang on the last bits of an `exp` or a division.
#[test]
fn no_case_of_the_draw_is_a_close_call() {
    for mut case in all_cases().into_iter().filter(|case| case.name.starts_with("filter_draw")) {
        let known = case.inputs.clone();
        let answers = [0.0f32, 1e-5, -1e-5, 3e-5, -3e-5].map(|noise| {
            case.inputs.clone_from(&known);
            let params: &mut [SamplingParams] = bytemuck::cast_slice_mut(&mut case.inputs[4]);
            for params in params.iter_mut().filter(|params| params.temperature > 0.0) {
                params.temperature *= 1.0 + noise;
                params.top_p -= if params.top_p < 1.0 { noise } else { 0.0 };
                params.min_p *= 1.0 - noise;
                params.typical_p -= if params.typical_p < 1.0 { noise } else { 0.0 };
                params.top_n_sigma *= 1.0 + noise;
                params.xtc_threshold *= 1.0 - noise;
            }
            run_twin(&case)[5].clone()
        });
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{}: {answers:?}", case.name);
    }
}
