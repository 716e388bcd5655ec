//! Tokens that are drawn while drafts are verified, against the softmax of the model: whoever drafts, and however often it is right.

use std::collections::BTreeMap;

use inglenook::device::Device;
use inglenook::engine::request::Request;
use inglenook::engine::score::{LogitsEvaluator, ScoreOptions};
use inglenook::engine::{EngineOptions, Model};
use inglenook::kernels::kv::KvType;
use inglenook::plan::KernelCache;
use inglenook::source::Memory;
use inglenook::text::Special;
use pollster::block_on;
use serde_json::json;

use crate::support::EMBER;
use crate::{engine, model, models, say};

/// Drafts begin behind the first submissions of plain steps, that is with the fifth token.
const TOKENS: usize = 7;
/// Whose token each is one of: few, so that every answer of so many tokens can be counted.
const TOP_K: usize = 2;
/// High, so that copying the prompt is not all that is drawn.
const TEMPERATURE: f64 = 4.0;
/// Of each drafter, at seeds of its own.
const DRAWS: u32 = 300;

/// Of few words, so that even a draft model that knows little is right now and then.
const PROMPT: &str = "one two three four five six seven eight nine ten eleven twelve one two three four five six seven eight nine ten eleven \
    twelve one two three four";

/// The probability of every answer, by the definitions: the softmax over the likeliest tokens of the logits behind what stands.
struct Reference {
    evaluator: LogitsEvaluator,
    stop_ids: Vec<u32>,
    probabilities: BTreeMap<Vec<u32>, f64>,
}

impl Reference {
    fn new(model: &Model) -> Reference {
        let tokenizer = model.tokenizer();
        let options = ScoreOptions { chunk: 1, context: 128, kv: KvType::F32 };
        let evaluator = LogitsEvaluator::load(KernelCache::new(Device::Cpu), &Memory(EMBER), options);
        let evaluator = block_on(evaluator).expect("ember loads");
        let mut reference =
            Reference { evaluator, stop_ids: tokenizer.stop_ids().to_vec(), probabilities: BTreeMap::new() };
        let prompt = tokenizer.encode(PROMPT, Special::AsText, tokenizer.adds_bos());
        let logits = block_on(reference.evaluator.logits(&prompt)).expect("computes");
        reference.follow(prompt.len(), &mut Vec::new(), &logits, 1.0);
        reference
    }

    /// Adds the answers that begin with `answer`, whose probability is `probability`, behind a prompt of so many tokens. The last
    /// logits are those behind it.
    fn follow(&mut self, prompt: usize, answer: &mut Vec<u32>, logits: &[f32], probability: f64) {
        if answer.len() == TOKENS {
            self.probabilities.insert(answer.clone(), probability);
            return;
        }
        let logits = &logits[logits.len() - self.evaluator.model().config().vocab as usize..];
        let mut order: Vec<u32> = (0..logits.len() as u32).filter(|token| !self.stop_ids.contains(token)).collect();
        order.sort_by(|one, other| logits[*other as usize].total_cmp(&logits[*one as usize]));
        let weight = |token: &u32| (f64::from(logits[*token as usize]) / TEMPERATURE).exp();
        let all: f64 = order[..TOP_K].iter().map(weight).sum();
        for (token, weight) in order[..TOP_K].iter().map(|token| (*token, weight(token))) {
            let behind = block_on(self.evaluator.extend((prompt + answer.len()) as u32, &[token])).expect("computes");
            answer.push(token);
            self.follow(prompt, answer, &behind, probability * weight / all);
            answer.pop();
        }
    }

    /// Chi-square of counted answers less its degrees of freedom, in standard deviations. Answers with few expected draws are one cell.
    fn deviation(&self, counts: &BTreeMap<Vec<u32>, u32>) -> f64 {
        let (mut cells, mut rest) = (Vec::new(), (0.0, 0.0));
        for (answer, probability) in &self.probabilities {
            let cell = (f64::from(counts.get(answer).copied().unwrap_or(0)), probability * f64::from(DRAWS));
            match cell {
                (_, 5.0..) => cells.push(cell),
                (count, expected) => rest = (rest.0 + count, rest.1 + expected),
            }
        }
        cells.extend((rest.1 >= 5.0).then_some(rest));
        let freedom = (cells.len() - 1) as f64;
        assert!(freedom >= 5.0, "{freedom}");
        let chi: f64 = cells.into_iter().map(|(count, expected)| (count - expected).powi(2) / expected).sum();
        (chi - freedom) / (2.0 * freedom).sqrt()
    }
}

fn drawn(seed: u32) -> Request {
    let request = json!({"prompt": PROMPT, "temperature": TEMPERATURE, "top_k": TOP_K, "top_p": 1.0, "min_p": 0.0, "seed": seed,
        "max_tokens": TOKENS, "ignore_eos": true});
    Request::from_json(&request.to_string()).expect("a request")
}

#[test]
fn drafted_draws_follow_the_softmax_whoever_drafts() {
    let target = model(Device::Cpu, EMBER, 512);
    let reference = Reference::new(&target);
    let plain = engine(&target, &EngineOptions { no_speculation: true, ..EngineOptions::default() });
    let drafters = [
        ("itself", EMBER.to_vec(), 95..=100),
        ("its first layers", models::shallower(5), 5..=95),
        ("nonsense", models::shuffled(), 0..=20),
    ];
    for (nth, (name, draft, accepted_share)) in drafters.into_iter().enumerate() {
        let draft = Some(model(Device::Cpu, &draft, 512));
        let drafting = engine(&target, &EngineOptions { draft, free_drafts: true, ..EngineOptions::default() });
        // Plans of verification are built meanwhile.
        say(&drafting, Request { temperature: Some(0.0), max_tokens: Some(60), ..drawn(0) });
        let (mut counts, mut drafted, mut accepted) = (BTreeMap::new(), 0, 0);
        for draw in 0..DRAWS {
            let request = drawn(nth as u32 * DRAWS + draw);
            let said = say(&drafting, request.clone());
            if draw < 20 {
                assert_eq!(said.tokens, say(&plain, request).tokens, "{name}, draw {draw}");
            }
            drafted += said.usage.drafted_tokens;
            accepted += said.usage.accepted_tokens;
            *counts.entry(said.tokens).or_insert(0) += 1;
        }
        let deviation = reference.deviation(&counts);
        println!("{name}: {accepted} of {drafted} accepted, {deviation:.2}");
        assert!(counts.keys().all(|answer| reference.probabilities.contains_key(answer)), "{name}");
        assert!(deviation.abs() < 5.0, "{name}: {deviation}");
        assert!(drafted > DRAWS / 4, "{name}: {drafted} drafted");
        assert!(accepted_share.contains(&(accepted * 100 / drafted)), "{name}: {accepted} of {drafted}");
    }
}
