//! From the turns of both sides to rows: medians, and how many times as fast inglenook is.

use anyhow::{Result, bail};
use serde_json::{Map, Value, json};

use super::models::Model;
use super::turn::{Contest, Turn};

/// By how much the lengths of both prompts may differ: by a word, where one side takes bytes as tokens.
const LONGEST_DIFFERENCE: u32 = 8;

/// What is compared, as the CSV file names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Metric {
    DecodeRate,
    PrefillRate,
    LoadTime,
}

/// The turns of one contest on one model.
#[derive(Default)]
pub struct Comparison {
    ours: Vec<Turn>,
    theirs: Vec<Turn>,
}

impl Comparison {
    /// Add a turn of each side.
    ///
    /// # Errors
    /// When they did not do the same.
    pub fn add(&mut self, ours: Turn, theirs: Turn) -> Result<()> {
        let lengths = |turn: &Turn| (turn.prompt_tokens, turn.decode_tokens);
        let (one, other) = (lengths(&ours), lengths(&theirs));
        if one.0.abs_diff(other.0) > LONGEST_DIFFERENCE || one.1 != other.1 {
            bail!("inglenook's prompt and answer have {one:?} tokens, the peer's {other:?}");
        }
        self.ours.push(ours);
        self.theirs.push(theirs);
        Ok(())
    }

    /// A row for each metric. `ratio` is above 1 where inglenook is faster, for times as for rates; `ratio_low` and `ratio_high` are the
    /// extremes of neighbouring turns, which tell how quiet the machine was.
    pub fn rows(&self, contest: Contest, model: &Model, processor: &str) -> Vec<Map<String, Value>> {
        let metrics = [Metric::DecodeRate, Metric::PrefillRate, Metric::LoadTime];
        metrics.into_iter().filter_map(|metric| self.row(metric, contest, model, processor)).collect()
    }

    fn row(&self, metric: Metric, contest: Contest, model: &Model, processor: &str) -> Option<Map<String, Value>> {
        let values = |turns: &[Turn]| turns.iter().map(|turn| metric.of(turn)).collect::<Option<Vec<f64>>>();
        let (ours, theirs) = (values(&self.ours)?, values(&self.theirs)?);
        let pairs: Vec<f64> = ours.iter().zip(&theirs).map(|(ours, theirs)| metric.ratio(*ours, *theirs)).collect();
        let (one, other) = (median(&ours)?, median(&theirs)?);
        let last = self.theirs.last()?;
        let row = json!({
            "where": contest.place.name(),
            "model": model.name.to_string(),
            "weights": model.weights.to_string(),
            "threads": contest.threads,
            "peer": contest.peer.name(),
            "metric": metric.name(),
            "ours": rounded(one, 2),
            "theirs": rounded(other, 2),
            "ratio": rounded(metric.ratio(one, other), 3),
            "ratio_low": rounded(pairs.iter().copied().fold(f64::INFINITY, f64::min), 3),
            "ratio_high": rounded(pairs.iter().copied().fold(0.0, f64::max), 3),
            "runs": self.ours.len(),
            "prompt_tokens": last.prompt_tokens,
            "decode_tokens": last.decode_tokens,
            "versions": last.version,
            "processor": processor,
        });
        row.as_object().cloned()
    }
}

impl Metric {
    fn name(self) -> &'static str {
        match self {
            Metric::DecodeRate => "decode_tok_s",
            Metric::PrefillRate => "prefill_tok_s",
            Metric::LoadTime => "load_ms",
        }
    }

    fn of(self, turn: &Turn) -> Option<f64> {
        match self {
            Metric::DecodeRate => Some(turn.decode_tok_s),
            Metric::PrefillRate => Some(turn.prefill_tok_s),
            Metric::LoadTime => turn.load_ms,
        }
    }

    fn ratio(self, ours: f64, theirs: f64) -> f64 {
        if self == Metric::LoadTime { theirs / ours } else { ours / theirs }
    }
}

/// The middle value; of an even number, the mean of the two in the middle.
fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (low, high) = (sorted.get(sorted.len().checked_sub(1)? / 2)?, sorted.get(sorted.len() / 2)?);
    Some(f64::midpoint(*low, *high))
}

fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10f64.powi(digits);
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::super::models::{Name, Type};
    use super::super::turn::CONTESTS;
    use super::*;
    use crate::bench::table::Table;

    const MODEL: Model = Model { name: Name::Small, weights: Type::Q4_0 };

    fn turn(decode_tok_s: f64, prefill_tok_s: f64, load_ms: Option<f64>) -> Turn {
        Turn { prompt_tokens: 256, prefill_tok_s, decode_tokens: 64, decode_tok_s, load_ms, version: "peer 1.0".into() }
    }

    #[test]
    fn median_is_no_mean_and_no_first_value() {
        assert_eq!(median(&[9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 9.0, 2.0]), Some(3.0));
        assert_eq!(median(&[5.0]), Some(5.0));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn ratio_is_of_medians_and_above_one_where_ours_is_faster() {
        let mut comparison = Comparison::default();
        comparison.add(turn(30.0, 100.0, Some(400.0)), turn(20.0, 400.0, Some(800.0))).unwrap();
        comparison.add(turn(10.0, 100.0, Some(400.0)), turn(20.0, 400.0, Some(800.0))).unwrap();
        comparison.add(turn(40.0, 100.0, Some(400.0)), turn(20.0, 400.0, Some(800.0))).unwrap();
        let rows = comparison.rows(CONTESTS[0], &MODEL, "a processor");
        let ratios: Vec<&Value> = rows.iter().map(|row| &row["ratio"]).collect();
        assert_eq!(ratios, [1.5, 0.25, 2.0]);
        assert_eq!((&rows[0]["ratio_low"], &rows[0]["ratio_high"]), (&json!(0.5), &json!(2.0)));
    }

    #[test]
    fn csv_line_has_everything_that_tells_the_comparison() {
        let mut comparison = Comparison::default();
        comparison.add(turn(30.0, 100.0, None), turn(20.0, 400.0, Some(9.0))).unwrap();
        let rows = comparison.rows(CONTESTS[1], &MODEL, "a processor, 2 cores");
        assert_eq!(rows.len(), 2, "no row for a time that one side lacks");
        let mut table = Table::default();
        table.add(rows[0].clone().into_iter());
        let csv = String::from_utf8(table.to_csv().unwrap()).unwrap();
        let line = "native,42m,Q4_0,2,node-llama-cpp,decode_tok_s,30.0,20.0,1.5,1.5,1.5,1,256,64,peer 1.0,\"a processor, 2 cores\"";
        assert_eq!(csv.lines().nth(1), Some(line));
    }

    #[test]
    fn turns_of_other_lengths_are_refused() {
        let shorter = Turn { prompt_tokens: 240, ..turn(1.0, 1.0, None) };
        assert!(Comparison::default().add(shorter, turn(1.0, 1.0, None)).is_err());
        let with_begin = Turn { prompt_tokens: 257, ..turn(1.0, 1.0, None) };
        assert!(Comparison::default().add(with_begin, turn(1.0, 1.0, None)).is_ok());
        let ended = Turn { decode_tokens: 3, ..turn(1.0, 1.0, None) };
        assert!(Comparison::default().add(turn(1.0, 1.0, None), ended).is_err());
    }
}
