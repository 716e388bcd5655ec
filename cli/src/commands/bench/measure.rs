//! Timed answers, always to the same prompt and of the same length.

use anyhow::{Context, Result};
use inglenook::engine::Engine;
use inglenook::engine::event::{Event, Timings, Usage};
use inglenook::engine::request::{FormatKind, NamedSchema, Request, ResponseFormat};
use inglenook::gpu::Counters;
use serde_json::json;

use crate::interrupt::{self, Interrupted};
use crate::show::per_second;

/// Text for prompts: plain words, since their meaning does not matter to the time they take.
const WORDS: &str = "the fire was low and the old dog slept beside it while rain ran down the window ";
/// Enough tokens that everything a step reuses exists afterwards.
const WARM_UP: u32 = 16;

/// What was measured.
#[derive(Debug)]
pub struct Measured {
    /// Tokens of the prompt.
    pub prompt_tokens: u32,
    /// Prompt tokens a second, the first generated token included.
    pub prefill_rate: f64,
    /// Tokens generated.
    pub tokens: u32,
    /// Generated tokens a second, from the second token on.
    pub decode_rate: f64,
    /// The same of an answer that is held to a JSON schema.
    pub form_rate: f64,
    /// What the GPU did in `steps` steps of decoding, after the first text.
    counters: Counters,
    steps: u64,
}

impl Measured {
    /// What the GPU did for each step, and so for each token, of a steady decode. Zeros on the CPU.
    pub fn per_token(&self) -> [(&'static str, f64); 6] {
        let Counters { submits, passes, dispatches, reads, written_bytes, .. } = self.counters;
        let objects = self.counters.objects();
        let counts = [
            ("dispatches", dispatches),
            ("passes", passes),
            ("submits", submits),
            ("reads", reads),
            ("objects", objects),
            ("written_bytes", written_bytes),
        ];
        counts.map(|(name, count)| (name, count as f64 / self.steps.max(1) as f64))
    }
}

/// Answers a prompt of about `prompt_tokens` tokens with `tokens` tokens, `runs` times after a warm-up.
///
/// # Errors
/// What the engine says; [`Interrupted`].
pub fn measure(engine: &mut Engine, prompt_tokens: u32, tokens: u32, runs: u32) -> Result<Measured> {
    let prompt = prompt(engine, prompt_tokens);
    once(engine, request(engine, &prompt, WARM_UP.max(2)))?;
    let mut all = Vec::new();
    for _ in 0..runs {
        all.push(once(engine, request(engine, &prompt, tokens))?);
    }
    let median_of = |rate: fn(&Run) -> f64| median(&mut all.iter().map(rate).collect::<Vec<_>>());
    let (prefill_rate, decode_rate) = (median_of(Run::prefill_rate), median_of(Run::decode_rate));
    once(engine, form(&prompt))?;
    let mut forms = Vec::new();
    for _ in 0..runs {
        let run = once(engine, form(&prompt))?;
        forms.push(run.decode_rate());
    }
    let last = all.pop().context("there is at least one run")?;
    let counters = last.counters.context("the model's answer has no text to count from")?;
    Ok(Measured {
        prompt_tokens: last.usage.prompt_tokens,
        prefill_rate,
        tokens: last.usage.completion_tokens,
        decode_rate,
        form_rate: median(&mut forms),
        counters,
        // The CPU runs ahead of the tokens it has seen, so steps are counted by what they consist of.
        steps: counters.dispatches / engine.step_costs().0.max(1) as u64,
    })
}

/// At least `tokens` tokens of text, and at most a word more.
pub fn prompt(engine: &Engine, tokens: u32) -> String {
    let count = |text: &str| engine.tokenizer().count_tokens(text);
    // Whole rounds first, since counting takes as long as the text is.
    let wanted = tokens.max(1) as usize;
    let mut text = WORDS.repeat((wanted / count(WORDS).max(1)).saturating_sub(1));
    for word in WORDS.split_inclusive(' ').cycle() {
        if count(&text) >= wanted {
            break;
        }
        text.push_str(word);
    }
    text
}

/// A greedy answer of exactly `tokens` tokens: the ends that the model may choose are forbidden.
pub fn request(engine: &Engine, prompt: &str, tokens: u32) -> Request {
    let ends = engine.tokenizer().stop_ids().iter().map(|id| (id.to_string(), json!(-100)));
    Request {
        prompt: Some(prompt.to_string()),
        max_tokens: Some(tokens),
        temperature: Some(0.0),
        logit_bias: Some(ends.collect()),
        ..Request::default()
    }
}

/// A list of three people, as JSON: it ends by itself, and is about as long as the free answer, since later tokens take longer.
fn form(prompt: &str) -> Request {
    let schema = json!({"type": "array", "minItems": 3, "maxItems": 3, "items": {
        "type": "object",
        "properties": {"name": {"type": "string", "maxLength": 8}, "age": {"type": "integer", "minimum": 0, "maximum": 99}},
        "required": ["name", "age"], "additionalProperties": false}});
    let kind = FormatKind::JsonSchema { json_schema: NamedSchema { schema: Some(schema), strict: None } };
    Request {
        prompt: Some(prompt.to_string()),
        temperature: Some(0.0),
        response_format: ResponseFormat { kind, trigger: None },
        ..Request::default()
    }
}

/// One answer's figures.
pub struct Run {
    /// Tokens.
    pub usage: Usage,
    /// Times.
    pub timings: Timings,
    /// What the GPU did from the first text on; none where there was no text.
    counters: Option<Counters>,
}

impl Run {
    /// Prompt tokens a second, the first generated token included.
    pub fn prefill_rate(&self) -> f64 {
        per_second(self.usage.prompt_tokens.into(), self.timings.prefill_ms)
    }

    /// Generated tokens a second, from the second token on.
    pub fn decode_rate(&self) -> f64 {
        per_second(self.usage.completion_tokens.saturating_sub(1).into(), self.timings.decode_ms)
    }
}

/// One answer from an empty cache.
///
/// # Errors
/// What the engine says; [`Interrupted`].
fn once(engine: &mut Engine, request: Request) -> Result<Run> {
    engine.reset_cache();
    run(engine, request)
}

/// One answer that goes on from what the cache has of its prompt.
///
/// # Errors
/// What the engine says; [`Interrupted`].
pub fn run(engine: &Engine, request: Request) -> Result<Run> {
    let mut answer = engine.submit(request)?;
    // Counted from the first text on: what comes before belongs to the prompt.
    let mut start = None;
    while let Some(event) = pollster::block_on(answer.next())? {
        if interrupt::pressed() {
            return Err(Interrupted.into());
        }
        match event {
            Event::Done { usage, timings, .. } => {
                let counters = start.map(|before| engine.counters().since(&before));
                return Ok(Run { usage, timings, counters });
            }
            _ => {
                start.get_or_insert_with(|| engine.counters());
            }
        }
    }
    unreachable!("an answer's last event is Done")
}

/// The median; of an even number, the upper of the two in the middle.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn the_median_is_no_mean() {
        assert_eq!(median(&mut [9.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&mut [4.0]), 4.0);
    }
}
