//! The options of sampling. `sampling.json` is the one table of them: the fields of requests, their ranges and defaults, the command
//! line's arguments, the npm package's types and the documentation come from it, in its order.

use std::sync::OnceLock;

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::RequestError;

/// One option of sampling.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SamplingOption {
    /// Its field in a request.
    pub name: String,
    /// What it holds.
    pub kind: OptionKind,
    /// The least value.
    #[serde(default)]
    pub min: Option<f64>,
    /// The greatest value.
    #[serde(default)]
    pub max: Option<f64>,
    /// What local servers take for "off" or "no limit", and what it stands for here; `null` is no such field.
    #[serde(default)]
    pub meanings: Map<String, Value>,
    /// Other names of the field.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Its value where neither the caller nor, if `recommended`, the model's file says otherwise.
    #[serde(default)]
    pub default: Value,
    /// In words, what holds where there is no such value.
    #[serde(default)]
    pub otherwise: Option<String>,
    /// Whether a model's file may recommend a value (`general.sampling.*`).
    #[serde(default)]
    pub recommended: bool,
    /// What stands for its value in help texts.
    #[serde(default)]
    pub value_name: Option<String>,
    /// The letter of its argument.
    #[serde(default)]
    pub short: Option<char>,
    /// The name of its argument where that is not the field's; `null` where it has none.
    #[serde(default, deserialize_with = "given")]
    pub cli: Option<Option<String>>,
    /// What it does.
    pub help: String,
}

/// What an option holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptionKind {
    /// A number.
    Number,
    /// A whole number.
    Integer,
    /// A whole number of 64 bits.
    Seed,
    /// Yes or no.
    Boolean,
    /// Texts.
    Texts,
    /// Numbers by token ids.
    Biases,
}

/// Tells `null` from what is not there.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// All of them.
pub fn sampling_options() -> &'static [SamplingOption] {
    static OPTIONS: OnceLock<Vec<SamplingOption>> = OnceLock::new();
    OPTIONS.get_or_init(|| match serde_json::from_str(include_str!("sampling.json")) {
        Ok(options) => options,
        Err(error) => unreachable!("sampling.json: {error}"),
    })
}

fn option(name: &str) -> &'static SamplingOption {
    match sampling_options().iter().find(|option| option.name == name) {
        Some(option) => option,
        None => unreachable!("sampling.json has no {name}"),
    }
}

/// An option's value where nobody says otherwise.
pub(super) fn default(name: &str) -> f32 {
    option(name)
        .default
        .as_f64()
        .map_or_else(|| unreachable!("{name} has no number for its default"), |value| value as f32)
}

/// The texts of an option where nobody says otherwise.
pub(super) fn default_texts(name: &str) -> Vec<String> {
    option(name).default.as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

/// Checks that a value lies in its option's range.
///
/// # Errors
/// [`RequestError::Range`].
pub(super) fn check(name: &str, value: f32) -> Result<(), RequestError> {
    let option = option(name);
    match option.holds(value.into()) {
        true => Ok(()),
        false => Err(RequestError::Range { name: &option.name, found: value.to_string(), wanted: option.range() }),
    }
}

impl SamplingOption {
    /// Whether a number lies in its range, as the f32 that it becomes. A NaN is in no range.
    pub fn holds(&self, number: f64) -> bool {
        let (min, max) = (self.min.unwrap_or(f64::MIN) as f32, self.max.unwrap_or(f64::MAX) as f32);
        (min..=max).contains(&(number as f32))
    }

    /// Its range, in words.
    pub fn range(&self) -> String {
        match (self.min, self.max) {
            (Some(min), Some(max)) => format!("between {min} and {max}"),
            (Some(min), None) => format!("at least {min}"),
            (None, Some(max)) => format!("at most {max}"),
            (None, None) => String::new(),
        }
    }

    /// What holds where the caller does not say, in words.
    pub fn default_text(&self) -> String {
        match &self.otherwise {
            Some(text) => text.clone(),
            None if self.recommended => format!("what the model recommends, else {}", self.default),
            None => self.default.to_string(),
        }
    }

    /// The name of its argument, without dashes in front; none where it has none.
    pub fn argument(&self) -> Option<String> {
        self.cli.clone().unwrap_or_else(|| Some(self.name.replace('_', "-")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::sampling::{RECENT, SamplingParams, TOP_LOGPROBS};

    #[test]
    fn the_defaults_lie_in_their_ranges() {
        for option in sampling_options() {
            if let Some(value) = option.default.as_f64() {
                assert_eq!(check(&option.name, value as f32), Ok(()), "{}", option.name);
            }
            assert!(option.otherwise.is_some() || !option.default.is_null(), "{} has a default", option.name);
        }
    }

    #[test]
    fn the_table_says_what_the_sampler_can_do() {
        assert_eq!(option("dry_penalty_last_n").max, Some(f64::from(RECENT)));
        assert_eq!(option("top_logprobs").max, Some(f64::from(TOP_LOGPROBS)));
        let off = SamplingParams::GREEDY;
        assert_eq!(default("typical_p"), off.typical_p);
        assert_eq!(default("xtc_threshold"), off.xtc_threshold);
        assert_eq!((default("dry_base"), default("dry_allowed_length")), (off.dry_base, off.dry_allowed_length as f32));
    }
}
