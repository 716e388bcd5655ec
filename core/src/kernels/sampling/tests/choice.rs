//! Which token is chosen: penalties, masks, stop tokens, ties and logits that are no numbers; and what is told of it.

use super::*;

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

const KINDS: [SamplingParams; 4] =
    [SamplingParams::GREEDY, WARM, FILTERED, SamplingParams { temperature: f32::INFINITY, ..FILTERED }];

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
