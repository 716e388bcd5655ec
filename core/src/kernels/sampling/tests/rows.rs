//! Rows of a batch side by side: seeds, ends, holds and drafts.

use super::*;

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
