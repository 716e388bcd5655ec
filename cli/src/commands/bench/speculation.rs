//! Answers with drafts against the same answers without: rates, what was accepted, and whether the tokens are the same.

use anyhow::{Result, bail};
use inglenook::engine::Engine;
use inglenook::engine::event::{Event, Timings, Usage};
use inglenook::engine::request::Request;
use serde_json::{Map, Value, json};

use super::rounded;
use crate::interrupt::{self, Interrupted};
use crate::show::per_second;

/// What is copied: plain enough for the smallest model.
const PASSAGE: &str = "one two three four five six seven eight nine ten eleven twelve ";

/// Ordinary questions, none of which asks for a copy.
const QUESTIONS: [&str; 8] = [
    "Tell me a story about a fox who learns to swim.",
    "What is the difference between weather and climate?",
    "How do I make a good cup of tea?",
    "Describe the sea at night.",
    "Give me advice for my first day at a new school.",
    "Why do leaves change their colour in autumn?",
    "Write a short letter to a friend who has moved away.",
    "What would you take along on a walk in the mountains?",
];

/// What is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Task {
    /// A passage that the prompt has four times already, again and again: greedily
    Copy,
    /// Ordinary questions: drawn at temperature 0.8
    Ordinary,
}

/// What was measured.
#[derive(Debug)]
pub struct Speculation {
    task: Task,
    runs: u32,
    /// Tokens of all answers of a run.
    tokens: u32,
    /// Tokens a second without drafts and with them, medians.
    rates: [f64; 2],
    /// By how much drafts were faster in each run.
    ratios: Vec<f64>,
    drafted: u32,
    accepted: u32,
    /// Answers whose tokens are not those without drafts.
    differing: u32,
    /// Times in which three and seven drafted tokens are verified, in plain steps.
    verify_costs: [f32; 2],
}

/// How an answer ended.
struct Ended {
    tokens: Vec<u32>,
    usage: Usage,
    timings: Timings,
}

/// Measures the engines, without drafts and with them, in turn: each answer of the one is followed by that of the other.
///
/// # Errors
/// What an engine says; [`Interrupted`].
pub fn measure(engines: [&Engine; 2], task: Task, tokens: u32, runs: u32) -> Result<Speculation> {
    let requests = requests(engines[0], task, tokens)?;
    // Plans of verification are built meanwhile.
    for request in &requests {
        answer(engines[1], request.clone())?;
    }
    let (mut rates, mut ratios) = ([Vec::new(), Vec::new()], Vec::new());
    let mut sum = Speculation {
        task,
        runs,
        tokens: 0,
        rates: [0.0; 2],
        ratios: Vec::new(),
        drafted: 0,
        accepted: 0,
        differing: 0,
        verify_costs: [0.0; 2],
    };
    for run in 0..runs as usize {
        let mut millis = [0.0; 2];
        let mut count = 0;
        for (nth, request) in requests.iter().enumerate() {
            // Each goes first by turns.
            let first = (run + nth) % 2;
            let one = answer(engines[first], request.clone())?;
            let two = answer(engines[1 - first], request.clone())?;
            let [plain, drafted] = if first == 0 { [one, two] } else { [two, one] };
            millis[0] += plain.timings.decode_ms;
            millis[1] += drafted.timings.decode_ms;
            count += plain.usage.completion_tokens;
            sum.drafted += drafted.usage.drafted_tokens;
            sum.accepted += drafted.usage.accepted_tokens;
            sum.differing += u32::from(plain.tokens != drafted.tokens);
        }
        rates.iter_mut().zip(millis).for_each(|(rates, millis)| rates.push(per_second(count.into(), millis)));
        ratios.push(millis[0] / millis[1]);
        sum.tokens = count;
    }
    ratios.sort_by(f64::total_cmp);
    sum.verify_costs = engines[1].verify_costs();
    Ok(Speculation { rates: rates.map(|mut rates| super::measure::median(&mut rates)), ratios, ..sum })
}

fn requests(engine: &Engine, task: Task, tokens: u32) -> Result<Vec<Request>> {
    let mut fields = json!({"max_tokens": tokens, "temperature": 0});
    // Whatever the model would rather say.
    let ends = engine.tokenizer().stop_ids().iter().map(|id| (id.to_string(), json!(-100)));
    fields["logit_bias"] = Value::Object(ends.collect());
    let prompts: Vec<(&str, Value)> = match task {
        Task::Copy => vec![("prompt", json!(PASSAGE.repeat(4)))],
        Task::Ordinary => {
            fields["temperature"] = json!(0.8);
            fields["seed"] = json!(1);
            let chat = |question| ("messages", json!([{"role": "user", "content": question}]));
            let text = |question| ("prompt", json!(question));
            QUESTIONS.map(if engine.info().model.chat { chat } else { text }).to_vec()
        }
    };
    let asked = prompts.into_iter().map(|(name, value)| {
        let mut fields = fields.clone();
        fields[name] = value;
        Ok(Request::from_json(&fields.to_string())?)
    });
    asked.collect()
}

fn answer(engine: &Engine, request: Request) -> Result<Ended> {
    let mut answer = engine.submit(request)?;
    while let Some(event) = pollster::block_on(answer.next())? {
        if interrupt::pressed() {
            return Err(Interrupted.into());
        }
        if let Event::Done { usage, timings, .. } = event {
            return Ok(Ended { tokens: answer.tokens(0), usage, timings });
        }
    }
    bail!("the answer has no end")
}

impl Speculation {
    fn ratio(&self) -> f64 {
        self.ratios.get(self.ratios.len() / 2).copied().unwrap_or(0.0)
    }

    /// The columns of a row of figures.
    pub fn columns(&self) -> Map<String, Value> {
        let columns = [
            ("task", json!(format!("{:?}", self.task).to_lowercase())),
            ("decode_tokens", json!(self.tokens)),
            ("runs", json!(self.runs)),
            ("plain_tok_s", rounded(self.rates[0], 2)),
            ("drafted_tok_s", rounded(self.rates[1], 2)),
            ("ratio", rounded(self.ratio(), 3)),
            ("drafted_tokens", json!(self.drafted)),
            ("accepted_tokens", json!(self.accepted)),
            ("differing_answers", json!(self.differing)),
            ("verify_4_steps", rounded(self.verify_costs[0].into(), 2)),
            ("verify_8_steps", rounded(self.verify_costs[1].into(), 2)),
        ];
        columns.map(|(name, value)| (name.to_string(), value)).into_iter().collect()
    }

    /// For people.
    pub fn text(&self) -> String {
        let [plain, drafted] = self.rates;
        let ratios: Vec<String> = self.ratios.iter().map(|ratio| format!("{ratio:.2}")).collect();
        format!(
            "plain    {plain:.1} tok/s, {} tokens a run\n\
             drafted  {drafted:.1} tok/s, {:.2} times as fast (median of {} runs: {})\n\
             accepted {} of {} drafted tokens\n\
             verify   {:.2} plain steps for 3 of them, {:.2} for 7\n\
             tokens   {} answers differ from those without drafts",
            self.tokens,
            self.ratio(),
            self.runs,
            ratios.join(" "),
            self.accepted,
            self.drafted,
            self.verify_costs[0],
            self.verify_costs[1],
            self.differing,
        )
    }
}
