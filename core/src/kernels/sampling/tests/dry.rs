//! DRY against its authors' definition.

use super::distribution::{DRAWS, assert_distribution, probabilities};
use super::*;

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
