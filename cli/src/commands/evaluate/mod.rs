//! `inglenook evaluate`: how many held-out prompts a model answers as expected.

mod score;

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Args;
use indicatif::ProgressBar;
use inglenook::engine::Engine;
use inglenook::engine::event::FinishReason;
use inglenook::engine::request::Request;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use self::score::Expectation;
use crate::answer::answer;
use crate::arguments::ModelArguments;
use crate::interrupt::Interrupted;
use crate::load;

const EXAMPLES: &str = "\
Examples:
  inglenook evaluate models/ember/eval.json
  inglenook evaluate models/ember/eval.json --model models/ember/ember-q4_k_m.gguf --failures";

/// Score a model on prompts with expected answers
///
/// The file is JSON: {"max_tokens", "cases": [{"category", "messages", "tools"?, "expect"}]}. What is expected is one of
/// {"contains": TEXT} (as a whole word), {"equals": TEXT} and {"tool_call": {"name", "arguments"}}. Decoding is greedy.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// The prompts
    file: PathBuf,
    /// Prompts of each category at most
    #[arg(long, value_name = "N")]
    each: Option<usize>,
    /// Show the answers that were not as expected
    #[arg(long)]
    failures: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    model: ModelArguments,
}

/// A file of prompts.
#[derive(Debug, Deserialize)]
struct Suite {
    max_tokens: u32,
    cases: Vec<Case>,
}

/// One prompt.
#[derive(Debug, Deserialize)]
struct Case {
    category: String,
    messages: Vec<Value>,
    tools: Option<Vec<Value>>,
    expect: Expectation,
}

/// Answers every prompt and prints the scores.
///
/// # Errors
/// What is wrong with either file or the device; [`Interrupted`] after ctrl-C.
pub fn run(options: &Options) -> Result<()> {
    let shown = options.file.display();
    let text = fs::read_to_string(&options.file).with_context(|| format!("cannot read {shown}"))?;
    let mut suite: Suite = serde_json::from_str(&text).with_context(|| format!("{shown} is no file of prompts"))?;
    if let Some(each) = options.each {
        keep(&mut suite.cases, each);
    }
    let mut engine = load::engine(&options.model)?;
    let started = Instant::now();
    let tallies = evaluate(&mut engine, &suite, options.failures)?;
    let seconds = started.elapsed().as_secs_f64();
    let shown = if options.json {
        let adapter = &engine.info().adapter.name;
        json!({
            "model": load::name(options.model.model.as_deref()),
            "adapter": adapter,
            "categories": tallies.iter().map(Tally::json).collect::<Map<_, _>>(),
            "seconds": seconds.round(),
        })
        .to_string()
    } else {
        let lines: Vec<String> = tallies.iter().map(Tally::line).collect();
        lines.join("\n")
    };
    writeln!(io::stdout(), "{shown}")?;
    Ok(())
}

/// Keeps the first `each` cases of every category.
fn keep(cases: &mut Vec<Case>, each: usize) {
    let mut seen: Vec<(String, usize)> = Vec::new();
    cases.retain(|case| {
        let known = seen.iter().position(|(category, _)| *category == case.category);
        let at = known.unwrap_or_else(|| {
            seen.push((case.category.clone(), 0));
            seen.len() - 1
        });
        seen[at].1 += 1;
        seen[at].1 <= each
    });
}

fn evaluate(engine: &mut Engine, suite: &Suite, failures: bool) -> Result<Vec<Tally>> {
    let bar = ProgressBar::new(suite.cases.len() as u64);
    let mut tallies: Vec<Tally> = Vec::new();
    for case in &suite.cases {
        let request = Request {
            messages: case.messages.clone(),
            tools: case.tools.clone(),
            max_tokens: Some(suite.max_tokens),
            temperature: Some(0.0),
            ..Request::default()
        };
        let answer = answer(engine, request, |_| Ok(()))?;
        if answer.reason == FinishReason::Aborted {
            bar.finish_and_clear();
            return Err(Interrupted.into());
        }
        let passed = case.expect.is_met_by(&answer.text, &answer.calls);
        if failures && !passed {
            let question = case.messages.last().map(|message| message["content"].to_string()).unwrap_or_default();
            bar.suspend(|| eprintln!("{}: {question} -> {}", case.category, answer.message()));
        }
        count(&mut tallies, &case.category, passed);
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(tallies)
}

fn count(tallies: &mut Vec<Tally>, category: &str, passed: bool) {
    let known = tallies.iter().position(|tally| tally.category == category);
    let at = known.unwrap_or_else(|| {
        tallies.push(Tally { category: category.to_string(), passed: 0, cases: 0 });
        tallies.len() - 1
    });
    tallies[at].passed += u32::from(passed);
    tallies[at].cases += 1;
}

/// The score of a category.
#[derive(Debug, PartialEq)]
struct Tally {
    category: String,
    passed: u32,
    cases: u32,
}

impl Tally {
    fn percent(&self) -> f64 {
        (f64::from(self.passed) / f64::from(self.cases) * 1000.0).round() / 10.0
    }

    fn line(&self) -> String {
        let Tally { category, passed, cases } = self;
        format!("{category:14}{passed:>5} of {cases:>4}{:>7.1} %", self.percent())
    }

    fn json(&self) -> (String, Value) {
        let Tally { category, passed, cases } = self;
        (category.clone(), json!({ "passed": passed, "cases": cases, "percent": self.percent() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_each_category_is_kept_and_counted() {
        let case = |category: &str| json!({ "category": category, "messages": [], "expect": { "equals": "" } });
        let cases: Vec<Value> = ["a", "b", "a", "a", "b"].map(case).into();
        let mut cases: Vec<Case> = serde_json::from_value(cases.into()).unwrap();
        keep(&mut cases, 2);
        let kept: Vec<&str> = cases.iter().map(|case| case.category.as_str()).collect();
        assert_eq!(kept, ["a", "b", "a", "b"]);

        let mut tallies = Vec::new();
        for (category, passed) in [("a", true), ("b", false), ("a", true), ("a", false)] {
            count(&mut tallies, category, passed);
        }
        assert_eq!(tallies[0].percent(), 66.7);
        assert_eq!(tallies[1], Tally { category: "b".into(), passed: 0, cases: 1 });
    }
}
