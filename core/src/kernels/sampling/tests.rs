use super::*;
use crate::device::{Device, Storage};
use crate::gpu::{Gpu, GpuOptions};
use crate::kernels::batch::Row;
use crate::kernels::cpu::{kept, philox};
use crate::kernels::verify::{all_cases, random_f32s, run_twin};
use crate::plan::{KernelCache, Plan, Recorder, submit};

/// A recorded chain over logits that stay the same from step to step.
struct Sampler {
    device: Device,
    plan: Plan,
    batch: Storage,
    params: Storage,
    history: Storage,
    mask: Storage,
    ring: Storage,
    recent: Storage,
    breakers: Storage,
    logprobs: Storage,
}

impl Sampler {
    /// One row a sequence, in order; every prompt ends at position 4. Token 3 stops where `stops`.
    fn new(device: Device, params: &[SamplingParams], logits: &[f32], history: &[u32], stops: bool) -> Sampler {
        let (rows, vocab) = (params.len() as u32, (logits.len() / params.len()) as u32);
        let shape = SampleShape { rows, vocab, columns: vocab };
        let start: Vec<Row> = (0..rows).map(|sequence| Row::new(0, 4, sequence)).collect();
        let stop_list = stop_words(if stops { &[3] } else { &[] }).expect("few stops");
        let upload = |words: &[u32]| device.upload("sampling test", words).expect("little memory");
        let batch = upload(&batch::words(&start));
        let param_words = upload(&params_words(params));
        let history = upload(history);
        let mask = upload(&vec![0; (rows * mask_words(vocab)) as usize]);
        let ring = upload(&vec![u32::MAX; (rows * RING) as usize]);
        let sizes = StateBytes::new(rows, vocab);
        let [recent, breakers, logprobs] = [sizes.recent, sizes.breakers, sizes.logprobs]
            .map(|bytes| device.buffer("sampling test", bytes).expect("little memory"));
        let inputs = SampleInputs {
            batch: batch.all().into(),
            logits: upload(bytemuck::cast_slice(logits)).all().into(),
            params: param_words.all().into(),
            history: history.all().into(),
            stops: upload(&stop_list.repeat(rows as usize)).all().into(),
            mask: mask.all().into(),
            ring: ring.all().into(),
            recent: recent.all().into(),
            breakers: breakers.all().into(),
            logprobs: logprobs.all().into(),
        };
        let mut recorder = Recorder::new();
        let [adjusted, peaks, places, chosen] = shape.scratch_cols().map(|cols| recorder.tensor(rows, cols).into());
        let features = params.iter().map(SamplingParams::features).fold(Features::default(), Features::or);
        recorder.push_all(chain(shape, inputs, Scratch { adjusted, peaks, places, chosen }, features));
        let plan = pollster::block_on(Plan::build(&mut KernelCache::new(device.clone()), recorder)).expect("a plan");
        Sampler { device, plan, batch, params: param_words, history, mask, ring, recent, breakers, logprobs }
    }

    fn cpu(params: SamplingParams, logits: &[f32]) -> Sampler {
        Sampler::new(Device::Cpu, &[params], logits, &vec![0; logits.len()], false)
    }

    fn step(&self) {
        submit(&self.device, &[&self.plan]);
    }

    fn read(&self, storage: &Storage) -> Vec<u32> {
        bytemuck::pod_collect_to_vec(&pollster::block_on(self.device.read(&storage.all())).expect("memory reads back"))
    }

    /// One more step; the tokens of all rows.
    fn tokens(&self) -> Vec<u32> {
        self.step();
        self.read(&self.batch)[batch::HEADER_WORDS..].chunks_exact(4).map(|row| row[0]).collect()
    }

    /// Tokens of all rows over `steps` steps, read as seldom as the ring allows.
    fn drawn(&self, steps: u32) -> Vec<u32> {
        let mut tokens = Vec::new();
        for first in (0..steps).step_by(RING as usize) {
            let some = RING.min(steps - first);
            (0..some).for_each(|_| self.step());
            let ring = self.read(&self.ring);
            tokens.extend(ring.chunks_exact(RING as usize).flat_map(|tokens| &tokens[..some as usize]));
        }
        tokens
    }

    /// Tokens of the only row over `steps` steps.
    fn draw(&self, steps: usize) -> Vec<u32> {
        (0..steps).map(|_| self.tokens()[0]).collect()
    }
}

fn logits(seed: u64, len: u32, spread: f32) -> Vec<f32> {
    random_f32s(seed, len).into_iter().map(|word| f32::from_bits(word) * spread).collect()
}

const WARM: SamplingParams = SamplingParams { temperature: 0.9, ..SamplingParams::GREEDY };
const FILTERED: SamplingParams = SamplingParams { top_k: 50, top_p: 0.9, min_p: 0.01, ..WARM };

/// One recorded plan serves greedy, drawn, filtered and penalised sequences at once, past the end of the ring.
#[test]
fn a_gpu_draws_the_tokens_of_the_cpu() {
    let vocab = 1757;
    let penalised = SamplingParams { repetition_penalty: 1.3, frequency_penalty: 0.4, flags: BIASED, ..FILTERED };
    let params = [SamplingParams::GREEDY, WARM.seeded(1), FILTERED.seeded(2), penalised.seeded(3)];
    let history = history_words(vocab, &[5, 9, 1756], &[], &[(7, 4.5), (8, -100.0)], &[]).repeat(4);
    let logits = logits(1, 4 * vocab, 9.0);
    let gpu = pollster::block_on(Gpu::request(&GpuOptions::default())).expect("an adapter for tests");
    let [cpu, gpu] = [Device::Cpu, Device::Gpu(gpu)].map(|device| {
        let sampler = Sampler::new(device, &params, &logits, &history, false);
        (0..RING + 6).for_each(|_| sampler.step());
        [&sampler.batch, &sampler.ring, &sampler.history].map(|storage| sampler.read(storage))
    });
    assert_eq!(gpu, cpu);
    assert_eq!(gpu[0][..2], [4, RING + 6], "rows that are left, steps");
}

#[test]
fn philox_gives_the_published_words() {
    // Known answers of the authors' Random123 library.
    assert_eq!(philox([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
    assert_eq!(philox([u32::MAX; 4], [u32::MAX; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
    let pi = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344];
    assert_eq!(philox(pi, [0xa409_3822, 0x299f_31d0]), [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]);
}

/// Softmax after the filters, by their definitions over the whole vocabulary: sort, cut, normalise.
fn probabilities(logits: &[f32], params: &SamplingParams) -> Vec<f64> {
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

const DRAWS: u32 = 20_480;

/// Asserts that drawn tokens are distributed so: nothing that has no probability, and a chi-square, whose expected value is the
/// degrees of freedom, within five standard deviations.
fn assert_distribution(name: &str, tokens: &[u32], probabilities: &[f64]) {
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

const EVERYTHING: SamplingParams = SamplingParams {
    temperature: 1.5,
    top_n_sigma: 2.2,
    typical_p: 0.95,
    xtc_probability: 0.5,
    xtc_threshold: 0.05,
    ..FILTERED
};

/// Each sampler, and all together.
fn samplers() -> [(&'static str, SamplingParams); 11] {
    [
        ("no filter", WARM),
        ("hot", SamplingParams { temperature: 2.5, ..WARM }),
        ("top_k", SamplingParams { top_k: 20, ..WARM }),
        ("top_p", SamplingParams { top_p: 0.8, ..WARM }),
        ("min_p", SamplingParams { min_p: 0.03, ..WARM }),
        ("usual filters", FILTERED),
        ("top_n_sigma", SamplingParams { top_n_sigma: 0.8, temperature: 2.0, ..WARM }),
        ("typical_p", SamplingParams { typical_p: 0.7, temperature: 1.7, ..WARM }),
        ("XTC", SamplingParams { xtc_probability: 1.0, xtc_threshold: 0.02, ..WARM }),
        ("XTC by chance", SamplingParams { xtc_probability: 0.3, xtc_threshold: 0.02, ..WARM }),
        ("everything", EVERYTHING),
    ]
}

/// Sixteen rows of one distribution, each with a seed of its own.
#[test]
fn draws_follow_the_filtered_softmax() {
    let logits = logits(8, 517, 7.0);
    for device in devices() {
        for (name, params) in samplers() {
            let seeded: Vec<_> = (0..16).map(|seed| params.seeded(99 + seed)).collect();
            let sampler = Sampler::new(device.clone(), &seeded, &logits.repeat(16), &vec![0; 16 * 517], false);
            let tokens = sampler.drawn(DRAWS / 16);
            assert_eq!(tokens.len(), DRAWS as usize);
            assert_distribution(name, &tokens, &probabilities(&logits, &params));
        }
    }
}

/// Logits less what the authors' definition of DRY subtracts after these tokens.
fn with_dry(logits: &[f32], tokens: &[u32], breakers: &[u32], params: &SamplingParams) -> Vec<f32> {
    let mut longest = vec![0; logits.len()];
    for end in 0..tokens.len() - 1 {
        let mut length = 0;
        while length <= end
            && tokens[end - length] == tokens[tokens.len() - 1 - length]
            && !breakers.contains(&tokens[end - length])
        {
            length += 1;
        }
        let next = tokens[end + 1];
        if !breakers.contains(&next) {
            longest[next as usize] = length.max(longest[next as usize]);
        }
    }
    let allowed = params.dry_allowed_length as usize;
    let penalty = |length: usize| match length >= allowed {
        true => params.dry_multiplier * params.dry_base.powi((length - allowed) as i32),
        false => 0.0,
    };
    logits.iter().zip(longest).map(|(logit, length)| logit - penalty(length)).collect()
}

/// Many rows with the same past, and seeds of their own; the next token of each, again and again with new seeds.
#[test]
fn draws_follow_the_softmax_after_dry() {
    const ROWS: u32 = 512;
    let params = SamplingParams { dry_multiplier: 0.6, dry_base: 1.3, ..WARM };
    // Repetitions of three tokens, two and one, one that a breaker ends, and a breaker that would follow.
    let (past, breakers) = ([1, 2, 3, 4, 9, 2, 3, 5, 3, 6, 9, 1, 2, 3, 9, 8, 1, 2, 3], [9]);
    let logits = logits(3, 33, 2.0);
    let expected = probabilities(&with_dry(&logits, &past, &breakers, &params), &params);
    assert!(expected[4] < 0.8 * probabilities(&logits, &params)[4]);
    for device in devices() {
        let all = vec![params; ROWS as usize];
        let history = vec![0; (ROWS * 33) as usize];
        let sampler = Sampler::new(device, &all, &logits.repeat(ROWS as usize), &history, false);
        let last = past.len() as u32 - 1;
        let recent = recent_words(&past, last + 1).repeat(ROWS as usize);
        sampler.device.write(&sampler.recent, 0, bytemuck::cast_slice(&recent));
        sampler.device.write(&sampler.breakers, 0, bytemuck::cast_slice(&[1u32 << 9, 0].repeat(ROWS as usize)));
        let rows: Vec<Row> = (0..ROWS).map(|sequence| Row::new(3, last, sequence)).collect();
        let mut tokens = Vec::new();
        for round in 0..DRAWS / ROWS {
            let seeded: Vec<_> = (0..ROWS).map(|row| params.seeded(u64::from(round * ROWS + row))).collect();
            sampler.device.write(&sampler.params, 0, bytemuck::cast_slice(&seeded));
            sampler.device.write(&sampler.batch, 16, bytemuck::cast_slice(&rows));
            tokens.extend(sampler.tokens());
        }
        assert_distribution("DRY", &tokens, &expected);
    }
}

/// What `commit` remembers is what DRY looks back on: a greedy sequence with the penalty against the definition, step by step.
#[test]
fn dry_sees_the_tokens_that_were_chosen() {
    let params = SamplingParams { dry_multiplier: 2.0, dry_allowed_length: 1, ..SamplingParams::GREEDY };
    let logits = logits(5, 33, 3.0);
    for device in devices() {
        let sampler = Sampler::new(device, &[params], &logits, &[0; 33], false);
        sampler.device.write(&sampler.recent, 0, bytemuck::cast_slice(&recent_words(&[7, 8, 9, 7, 0], 5)));
        let mut tokens = vec![7, 8, 9, 7, 0];
        for _ in 0..60 {
            let penalised = with_dry(&logits, &tokens, &[], &params);
            let best = (1..33).fold(0, |best, token| if penalised[token] > penalised[best] { token } else { best });
            tokens.push(sampler.tokens()[0]);
            assert_eq!(tokens.last(), Some(&(best as u32)), "{tokens:?}");
        }
    }
}

#[test]
fn stop_tokens_are_not_chosen_before_the_minimum() {
    let mut logits = logits(5, 33, 1.0);
    logits[3] = 20.0;
    for device in devices() {
        for params in [SamplingParams::GREEDY, WARM, EVERYTHING] {
            let params = SamplingParams { min_limit: 8, ..params };
            let history = history_words(33, &[], &[], &[], &[3]);
            let sampler = Sampler::new(device.clone(), &[params], &logits, &history, true);
            let tokens: Vec<u32> = (0..4).map(|_| sampler.tokens()[0]).collect();
            assert!(tokens[..3].iter().all(|token| *token != 3), "{tokens:?}");
            assert_eq!((tokens[3], sampler.read(&sampler.batch)[0]), (3, 0), "position 8 is allowed to stop");
            let never = SamplingParams { min_limit: u32::MAX, ..params };
            let sampler = Sampler::new(device.clone(), &[never], &logits, &history, true);
            assert!((0..20).all(|_| sampler.tokens()[0] != 3), "it is never chosen");
        }
    }
}

#[test]
fn log_probabilities_are_those_of_the_softmax() {
    let logits = logits(8, 1757, 7.0);
    let total = logits.iter().map(|logit| f64::from(*logit).exp()).sum::<f64>().ln();
    let mut order: Vec<u32> = (0..1757).collect();
    order.sort_by(|a, b| logits[*b as usize].total_cmp(&logits[*a as usize]));
    let params = [WARM.seeded(4), SamplingParams { flags: LOGPROBS, ..EVERYTHING.seeded(5) }];
    for device in devices() {
        let sampler = Sampler::new(device, &params, &logits.repeat(2), &vec![0; 2 * 1757], false);
        let tokens: Vec<u32> = (0..5).map(|_| sampler.tokens()[1]).collect();
        let words = sampler.read(&sampler.logprobs);
        let (silent, told) = words.split_at((RING * LOGPROB_WORDS) as usize);
        assert!(silent.iter().all(|word| *word == 0), "who does not ask is told nothing");
        for (token, told) in tokens.iter().zip(told.chunks_exact(LOGPROB_WORDS as usize)) {
            let wanted = [token].into_iter().chain(&order[..TOP_LOGPROBS as usize]);
            for (wanted, pair) in wanted.zip(told.chunks_exact(2)) {
                let logprob = f64::from(logits[*wanted as usize]) - total;
                assert_eq!(pair[0], *wanted);
                assert!((f64::from(f32::from_bits(pair[1])) - logprob).abs() <= 1e-4, "{pair:?} {logprob}");
            }
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
fn the_lowest_token_wins_a_tie() {
    let mut logits = vec![-1.0; 600];
    assert_eq!(Sampler::cpu(SamplingParams::GREEDY, &logits).draw(2), [0, 0]);
    for token in [599, 301, 302, 555] {
        logits[token] = 2.5;
    }
    assert_eq!(Sampler::cpu(SamplingParams::GREEDY, &logits).draw(2), [301, 301]);
    let mut drawn = Sampler::cpu(SamplingParams { top_k: 3, ..WARM }, &logits).draw(200);
    drawn.sort_unstable();
    drawn.dedup();
    assert_eq!(drawn, [301, 302, 555], "exactly three of four equals, the lowest ones");
}

/// Greedy tokens of 40 steps against penalties written out plainly.
#[test]
fn penalties_are_those_of_openai_and_hf() {
    let params = SamplingParams {
        repetition_penalty: 1.1,
        frequency_penalty: 0.25,
        presence_penalty: 0.125,
        flags: BIASED,
        ..SamplingParams::GREEDY
    };
    let (prompt, bias) = ([3, 17, 400], [(20, 2.5), (21, -100.0), (900, 5.0)]);
    let mut logits = logits(4, 517, 3.0);
    logits[21] = 50.0;
    logits[17] = 4.0;
    let sampler = Sampler::new(Device::Cpu, &[params], &logits, &history_words(517, &prompt, &[], &bias, &[]), false);
    let mut times = vec![0u32; 517];
    for step in 0..40 {
        let penalised = (0..517).map(|token| {
            let mut logit = match token {
                20 => logits[20] + 2.5,
                21 => f32::NEG_INFINITY,
                _ => logits[token],
            };
            let generated = times[token];
            if generated > 0 || prompt.contains(&(token as u32)) {
                logit = if logit > 0.0 { logit / 1.1 } else { logit * 1.1 };
            }
            if generated > 0 {
                logit -= 0.25 * generated as f32 + 0.125;
            }
            (token, logit)
        });
        let expected =
            penalised.reduce(|best, other| if other.1 > best.1 { other } else { best }).map(|(token, _)| token);
        let token = sampler.tokens()[0] as usize;
        assert_eq!(Some(token), expected, "step {step}");
        times[token] += 1;
    }
    assert!(times.iter().filter(|times| **times > 1).count() > 1, "some tokens came more than once");
    let history = sampler.read(&sampler.history);
    assert!(times.iter().zip(&history).all(|(times, word)| word & TIMES == *times), "the history counts them");
    assert_eq!(history[17] >> 31, 1, "the prompt is not forgotten");
}

/// Whatever else a sequence asks for, nothing outside its mask is chosen, and within it the choice is as without a mask.
#[test]
fn only_tokens_of_the_mask_are_chosen() {
    let allowed = [3u32, 31, 32, 33, 500, 516];
    let mut mask = vec![0u32; mask_words(517) as usize];
    allowed.iter().for_each(|token| mask[*token as usize / 32] |= 1 << (token % 32));
    let logits = logits(9, 517, 9.0);
    let alone = |token: usize| if allowed.contains(&(token as u32)) { logits[token] } else { f32::NEG_INFINITY };
    let only: Vec<f32> = (0..517).map(alone).collect();
    for params in [SamplingParams::GREEDY, WARM.seeded(3), FILTERED.seeded(4)] {
        let masked = Sampler::cpu(SamplingParams { flags: MASKED, ..params }, &logits);
        masked.device.write(&masked.mask, 0, bytemuck::cast_slice(&mask));
        let tokens = masked.draw(200);
        assert!(tokens.iter().all(|token| allowed.contains(token)), "{tokens:?}");
        assert_eq!(tokens, Sampler::cpu(params, &only).draw(200));
    }
}

#[test]
fn a_seed_gives_the_same_tokens_alone_and_in_a_batch() {
    let logits = logits(6, 517, 4.0);
    let alone = |params: SamplingParams| Sampler::cpu(params, &logits).draw(30);
    assert_eq!(alone(FILTERED.seeded(5)), alone(FILTERED.seeded(5)));
    assert_ne!(alone(FILTERED.seeded(5)), alone(FILTERED.seeded(6)));
    assert_ne!(alone(FILTERED.seeded(5)), alone(FILTERED.seeded(5 + (1 << 32))), "the high half counts");
    let dry = SamplingParams { dry_multiplier: 1.0, frequency_penalty: 0.2, ..FILTERED };
    let kinds = samplers().into_iter().map(|(_, params)| params).chain([dry, SamplingParams::GREEDY]);
    let params: Vec<_> = kinds.zip(5..).map(|(params, seed)| params.seeded(seed)).collect();
    let (rows, expected) = (params.len(), params.iter().map(|params| alone(*params)).collect::<Vec<_>>());
    for device in devices() {
        let together = Sampler::new(device, &params, &logits.repeat(rows), &vec![0; rows * 517], false);
        let tokens: Vec<_> = (0..30).map(|_| together.tokens()).collect();
        for (row, expected) in expected.iter().enumerate() {
            assert_eq!(tokens.iter().map(|tokens| tokens[row]).collect::<Vec<_>>(), *expected, "{:?}", params[row]);
        }
    }
}

#[test]
fn the_batch_ends_when_its_last_row_stops() {
    // Sequence 0 stops at once, sequence 1 at its limit, after tokens at positions 5, 6 and 7.
    let mut logits = vec![0.0; 66];
    logits[3] = 1.0;
    logits[33 + 8] = 1.0;
    let params = [SamplingParams::GREEDY, SamplingParams { limit: 8, ..SamplingParams::GREEDY }];
    let sampler = Sampler::new(Device::Cpu, &params, &logits, &[0; 66], true);
    let mut counts = Vec::new();
    for _ in 0..6 {
        sampler.step();
        counts.push(sampler.read(&sampler.batch)[0]);
    }
    assert_eq!(counts, [2, 2, 2, 0, 0, 0]);
    let words = sampler.read(&sampler.batch);
    assert_eq!(words, [0, 6, 0, 0, 3, 5, 0, batch::FINISHED, 8, 8, 1, batch::FINISHED], "every step counts");
    let ring = sampler.read(&sampler.ring);
    assert_eq!(ring[..3], [3, u32::MAX, u32::MAX]);
    assert_eq!(ring[RING as usize..][..5], [8, 8, 8, 8, u32::MAX]);
}

#[test]
fn held_rows_wait_while_others_go_on() {
    let logits = logits(6, 517, 4.0);
    let params = [SamplingParams { flags: HOLD, ..WARM.seeded(1) }, WARM.seeded(2)];
    for device in devices() {
        let sampler = Sampler::new(device, &params, &logits.repeat(2), &vec![0; 2 * 517], false);
        let alone = |params| Sampler::cpu(SamplingParams { flags: 0, ..params }, &logits).draw(4);
        sampler.step();
        let first = sampler.read(&sampler.batch);
        assert_eq!(first[..8], [2, 1, 0, 0, alone(params[0])[0], 5, 0, batch::HELD]);
        assert_eq!(sampler.tokens()[0], first[4], "the row stays as it is");
        let row = Row::new(first[4], first[5], 0);
        sampler.device.write(&sampler.batch, 16, bytemuck::bytes_of(&row));
        assert_eq!(sampler.tokens(), [alone(params[0])[1], alone(params[1])[2]], "written anew, it goes on");
        let ring = sampler.read(&sampler.ring);
        assert_eq!(ring[..3], [first[4], u32::MAX, alone(params[0])[1]]);
        assert_eq!(ring[RING as usize..][..3], alone(params[1])[..3]);
    }
}

/// What the rows of a draft choose is what the tokens one by one would have chosen, up to the first that the draft has not.
#[test]
fn rows_of_a_draft_choose_what_single_steps_choose() {
    let penalised = SamplingParams { frequency_penalty: 1.5, repetition_penalty: 1.1, top_k: 30, ..WARM.seeded(7) };
    let logits = logits(6, 517, 4.0);
    for device in devices() {
        let alone = Sampler::cpu(penalised, &logits).draw(4);
        let sampler = Sampler::new(device, &[penalised; 4], &logits.repeat(4), &vec![0; 4 * 517], false);
        let draft = [0, alone[0], alone[1], alone[1]];
        let rows: Vec<Row> =
            (0..).zip(draft).map(|(at, token)| Row::new(token, 4 + at, 2).flagged(batch::VERIFY)).collect();
        sampler.device.write(&sampler.batch, 16, bytemuck::cast_slice(&rows));
        sampler.step();
        let ring = sampler.read(&sampler.ring);
        // Penalties count the drafted tokens.
        assert_eq!(ring[2 * RING as usize..][..3], alone[..3], "and the fourth follows a token that was not chosen");
        assert!(ring[2 * RING as usize + 3] < 517);
        assert!(sampler.read(&sampler.history).iter().all(|word| *word == 0), "nothing is generated yet");
        assert_eq!(sampler.read(&sampler.batch)[..2], [0, 1]);
    }
}

const KINDS: [SamplingParams; 4] =
    [SamplingParams::GREEDY, WARM, FILTERED, SamplingParams { temperature: f32::INFINITY, ..FILTERED }];

fn devices() -> [Device; 2] {
    let gpu = pollster::block_on(Gpu::request(&GpuOptions::default())).expect("an adapter for tests");
    [Device::Cpu, Device::Gpu(gpu)]
}

/// The ring's token of the only row after a step, and what of the batch is left.
fn step(device: &Device, params: SamplingParams, logits: &[f32]) -> (u32, u32) {
    let sampler = Sampler::new(device.clone(), &[params], logits, &vec![0; logits.len()], false);
    sampler.step();
    (sampler.read(&sampler.ring)[0], sampler.read(&sampler.batch)[0])
}

#[test]
fn tokens_are_valid_where_logits_are_extreme() {
    for device in devices() {
        for value in [f32::MAX, -1e9, 0.0] {
            for params in KINDS {
                let (token, left) = step(&device, params, &[value; 33]);
                assert!(token < 33 && left == 1, "{value} {params:?}: {token}");
            }
        }
        let mut logits = [f32::NEG_INFINITY; 33];
        logits[20] = -7.0;
        for params in KINDS {
            assert_eq!(step(&device, params, &logits).0, 20, "the only number is taken");
        }
    }
}

#[test]
fn no_token_is_chosen_where_logits_are_no_numbers() {
    for device in devices() {
        for params in KINDS {
            for value in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MIN] {
                assert_eq!(step(&device, params, &[value; 33]), (NO_TOKEN, 0), "{value} {params:?}");
            }
            // One is enough, wherever it stands.
            for (vocab, at) in [(33, 0), (33, 32), (1757, 900)] {
                let mut logits = logits(5, vocab, 9.0);
                logits[at] = f32::NAN;
                assert_eq!(step(&device, params, &logits), (NO_TOKEN, 0), "{at} of {vocab}, {params:?}");
            }
        }
    }
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

#[test]
fn words_for_memory_hold_what_was_asked() {
    assert_eq!(
        history_words(4, &[2, 9], &[], &[(0, 1.5), (1, -1.0), (2, -300.0)], &[]),
        [192 << 16, 0x7f80 << 16, 0xc000_0000, 0]
    );
    assert_eq!(history_words(4, &[2], &[1, 2, 1, 9], &[], &[3]), [0, 2, 0x8000_0001, 0x8000]);
    assert_eq!(stop_words(&[7, 8]).map(|words| words[..4].to_vec()), Some(vec![2, 7, 8, 0]));
    assert_eq!(stop_words(&[1; MAX_STOPS + 1]), None);
    let sizes = StateBytes::new(3, 1757);
    assert_eq!((sizes.params, sizes.history, sizes.stops, sizes.ring), (240, 21084, 396, 768));
    assert_eq!(sizes.mask, 3 * 55 * 4, "1757 bits take 55 words");
}
