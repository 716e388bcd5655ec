//! Many answers at once against one: rates, times to the first token, and whether each answer is the one it would be alone.

use anyhow::{Result, bail};
use inglenook::engine::event::{Event, Timings, Usage};
use inglenook::engine::request::Request;
use inglenook::engine::{Answer, Engine};
use serde_json::{Map, Value, json};
use std::time::Instant;

use super::measure::{self, median};
use super::rounded;
use crate::interrupt::{self, Interrupted};
use crate::show::per_second;

/// Answers of which it is checked that they are the same alone.
const COMPARED: usize = 8;

/// What is to be measured.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Answers at once.
    pub streams: u32,
    /// Tokens that all prompts begin with, about.
    pub shared: u32,
    /// Tokens of a prompt, about, those included.
    pub depth: u32,
    /// Tokens of an answer.
    pub tokens: u32,
    /// Runs, of which the median counts.
    pub runs: u32,
}

/// What was measured.
#[derive(Debug)]
pub struct Streams {
    load: Load,
    /// Tokens of all prompts.
    prompt_tokens: u64,
    /// Tokens of prompts that were computed, where the cache was empty and all came at once.
    computed_tokens: u64,
    /// Median and 95th percentile of the time to the first token then, milliseconds.
    first_token: [f64; 2],
    /// The time to the first token of one prompt that is in the cache.
    cached_first_token: f64,
    /// Tokens a second of one answer, and of all at once, their prompts being in the cache.
    rates: [f64; 2],
    /// Of the answers compared, those that differ from what they are alone, each with the gap between the two likeliest tokens'
    /// log-probabilities where they part.
    differing: Vec<(usize, f64)>,
}

/// How an answer ended.
struct Ended {
    tokens: Vec<u32>,
    usage: Usage,
    timings: Timings,
}

/// Measures with an empty cache once, then one answer and all in turn.
///
/// # Errors
/// What the engine says; [`Interrupted`].
pub fn measure(engine: &Engine, load: Load) -> Result<Streams> {
    if load.shared >= load.depth {
        bail!("a prompt of {} tokens cannot begin with {} shared ones: raise --depth", load.depth, load.shared);
    }
    let prefix = if load.shared == 0 { String::new() } else { measure::prompt(engine, load.shared) };
    let prompt = |stream: u32| format!("{prefix}{stream} {}", measure::prompt(engine, load.depth - load.shared));
    let prompts: Vec<String> = (0..load.streams).map(prompt).collect();
    let requests = |prompts: &[String]| -> Vec<Request> {
        prompts.iter().map(|prompt| measure::request(engine, prompt, load.tokens)).collect()
    };
    // Plans for so many rows are built meanwhile.
    answer_all(engine, requests(&prompts))?;
    engine.reset_cache();
    let before = engine.counts().prefilled;
    let together = answer_all(engine, requests(&prompts))?;
    let computed_tokens = engine.counts().prefilled - before;
    let mut first: Vec<f64> = together.iter().map(|ended| ended.timings.queue_ms + ended.timings.prefill_ms).collect();
    first.sort_by(f64::total_cmp);
    let quantile = |share: f64| first[((first.len() as f64 * share).ceil() as usize).clamp(1, first.len()) - 1];

    let (mut one, mut all, mut cached_first) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..load.runs {
        let (rate, ended) = timed(engine, requests(&prompts[..1]))?;
        one.push(rate);
        cached_first.extend(ended.iter().map(|ended| ended.timings.queue_ms + ended.timings.prefill_ms));
        all.push(timed(engine, requests(&prompts))?.0);
    }

    let mut differing = Vec::new();
    for (stream, ended) in together.iter().enumerate().take(COMPARED) {
        let alone = answer_all(engine, requests(&prompts[stream..=stream]))?;
        let parts = alone[0].tokens.iter().zip(&ended.tokens).position(|(alone, other)| alone != other);
        if let Some(at) = parts {
            differing.push((stream, gap(engine, measure::request(engine, &prompts[stream], load.tokens), at)?));
        }
    }
    Ok(Streams {
        load,
        prompt_tokens: together.iter().map(|ended| u64::from(ended.usage.prompt_tokens)).sum(),
        computed_tokens,
        first_token: [quantile(0.5), quantile(0.95)],
        cached_first_token: median(&mut cached_first),
        rates: [median(&mut one), median(&mut all)],
        differing,
    })
}

/// Tokens a second of all answers together, from their submission to the end of the last.
fn timed(engine: &Engine, requests: Vec<Request>) -> Result<(f64, Vec<Ended>)> {
    let started = Instant::now();
    let ended = answer_all(engine, requests)?;
    let tokens: f64 = ended.iter().map(|ended| f64::from(ended.usage.completion_tokens)).sum();
    Ok((per_second(tokens, started.elapsed().as_secs_f64() * 1e3), ended))
}

/// Answers all requests at once.
fn answer_all(engine: &Engine, requests: Vec<Request>) -> Result<Vec<Ended>> {
    let mut answers = requests.into_iter().map(|request| engine.submit(request)).collect::<Result<Vec<Answer>, _>>()?;
    let mut ended: Vec<Option<Ended>> = answers.iter().map(|_| None).collect();
    while ended.iter().any(Option::is_none) {
        if interrupt::pressed() {
            return Err(Interrupted.into());
        }
        pollster::block_on(engine.advance());
        for (answer, ended) in answers.iter_mut().zip(&mut ended).filter(|(_, ended)| ended.is_none()) {
            while let Some(event) = answer.ready() {
                let Some((_, event)) = event? else { break };
                if let Event::Done { usage, timings, .. } = event {
                    *ended = Some(Ended { tokens: answer.tokens(0), usage, timings });
                }
            }
        }
    }
    Ok(ended.into_iter().flatten().collect())
}

/// By how much the likeliest token's log-probability is above that of the second, at a token of an answer.
fn gap(engine: &Engine, request: Request, token: usize) -> Result<f64> {
    let request = Request { logprobs: Some(true), top_logprobs: Some(2), ..request };
    let mut answer = engine.submit(request)?;
    let mut all = Vec::new();
    while let Some(event) = pollster::block_on(answer.next())? {
        if let Event::Logprobs { tokens } = event {
            all.extend(tokens);
        }
    }
    let top = all.get(token).map_or(&[][..], |token| &token.top_logprobs);
    Ok(match top {
        [first, second, ..] => f64::from(first.logprob) - f64::from(second.logprob),
        _ => f64::NAN,
    })
}

impl Streams {
    /// The columns of a row of `benches/concurrency.csv`.
    pub fn columns(&self) -> Map<String, Value> {
        let Load { streams, shared, depth, tokens, runs } = self.load;
        let gaps: Vec<String> = self.differing.iter().map(|(_, gap)| format!("{gap:.2e}")).collect();
        let columns = [
            ("streams", json!(streams)),
            ("shared_prefix", json!(shared)),
            ("depth", json!(depth)),
            ("decode_tokens", json!(tokens)),
            ("runs", json!(runs)),
            ("one_tok_s", rounded(self.rates[0], 2)),
            ("all_tok_s", rounded(self.rates[1], 2)),
            ("ratio", rounded(self.rates[1] / self.rates[0], 2)),
            ("prompt_tokens", json!(self.prompt_tokens)),
            ("computed_tokens", json!(self.computed_tokens)),
            ("first_token_p50_ms", rounded(self.first_token[0], 1)),
            ("first_token_p95_ms", rounded(self.first_token[1], 1)),
            ("cached_first_token_ms", rounded(self.cached_first_token, 1)),
            ("compared_streams", json!(COMPARED.min(streams as usize))),
            ("differing_streams", json!(self.differing.len())),
            ("logprob_gaps", json!(gaps.join(" "))),
        ];
        columns.map(|(name, value)| (name.to_string(), value)).into_iter().collect()
    }

    /// For people.
    pub fn text(&self) -> String {
        let [one, all] = self.rates;
        let mut text = format!(
            "one      {one:.1} tok/s\n\
             {:<8} {all:.1} tok/s together, {:.2} times one (medians of {})\n\
             prompts  {} tokens, of which {} were computed, {} shared\n\
             first    {:.0} ms (p50), {:.0} ms (p95) with an empty cache; {:.0} ms of a cached prompt alone\n\
             alone    {} of {} streams compared give other tokens than together",
            self.load.streams,
            all / one,
            self.load.runs,
            self.prompt_tokens,
            self.computed_tokens,
            self.load.shared,
            self.first_token[0],
            self.first_token[1],
            self.cached_first_token,
            self.differing.len(),
            COMPARED.min(self.load.streams as usize),
        );
        for (stream, gap) in &self.differing {
            text += &format!("\n         stream {stream}: log-probabilities {gap:.2e} apart where it parts");
        }
        text
    }
}
