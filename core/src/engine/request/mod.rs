//! What a caller asks for, in OpenAI's words, and the checks it has to pass.

mod error;
mod fields;
mod options;
mod sampling;
mod spellings;

use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Number, Value, json};

use super::truncation::Truncation;
use crate::kernels::sampling::{LOGPROBS, SamplingParams, mask_words};
use inglenook_text::rules::{RuleSpec, Segment};
use inglenook_text::{Special, Tokenizer};
use sampling::default_texts;

pub use error::RequestError;
pub use options::{AdapterChoice, Effort, FormatKind, NamedSchema, Reasoning, ResponseFormat, Stop, ToolChoice};
pub use sampling::{OptionKind, SamplingOption, sampling_options};

/// The longest request that is read, in bytes: many times what any context holds.
pub const MAX_JSON: usize = 64 << 20;

/// A request for a completion. Fields and defaults are OpenAI's, with those of local engines beside them. What else
/// [`Request::from_json`] takes, and what it refuses, is in `fields.json`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Request {
    /// The conversation: objects with `role` and `content`.
    pub messages: Vec<Value>,
    /// Plain text to be continued, instead of a conversation.
    pub prompt: Option<String>,
    /// Tools on offer, as OpenAI's objects; rendered by the model's template.
    pub tools: Option<Vec<Value>>,
    /// Whether tools may, must or must not be called.
    pub tool_choice: ToolChoice,
    /// Whether several tools may be called at once, where a call is forced; by default they may.
    pub parallel_tool_calls: Option<bool>,
    /// How the model writes calls, where its template does not tell: a name of [`ToolCallFormat`](inglenook_text::output::ToolCallFormat).
    pub tool_dialect: Option<String>,
    /// How the model marks its thoughts, where its template does not tell: a name of
    /// [`ReasoningFormat`](inglenook_text::output::ReasoningFormat).
    pub reasoning_format: Option<String>,
    /// How much the model may think.
    pub reasoning: Reasoning,
    /// The form that the answer must have.
    pub response_format: ResponseFormat,
    /// Whether names of special tokens in messages and prompts are these tokens; by default what users wrote is text.
    pub parse_special: bool,
    /// Documents to answer from, for templates that know them.
    pub documents: Option<Vec<Value>>,
    /// Which of the file's templates, or which built-in one, renders the conversation.
    pub chat_template: Option<String>,
    /// Whether the prompt ends with the beginning of the assistant's turn; by default it does.
    pub add_generation_prompt: Option<bool>,
    /// Whether the answer continues the last message instead of following it.
    pub continue_final_message: bool,
    /// Further variables for the template, such as `enable_thinking`.
    pub chat_template_kwargs: Option<Map<String, Value>>,
    /// Answers to the request.
    pub n: Option<u32>,
    /// Tokens to generate at most; by default until the context is full.
    pub max_tokens: Option<u32>,
    /// Tokens before which the model cannot end the answer.
    pub min_tokens: Option<u32>,
    /// The model cannot end the answer at all.
    pub ignore_eos: Option<bool>,
    /// 0 for the most likely token always. Ranges and defaults of this and all that follows: [`sampling_options`].
    pub temperature: Option<f32>,
    /// Keeps tokens whose logit is within so many standard deviations of the highest.
    pub top_n_sigma: Option<f32>,
    /// Keeps the k most likely tokens.
    pub top_k: Option<u32>,
    /// Keeps the most likely tokens that together reach this probability.
    pub top_p: Option<f32>,
    /// Keeps tokens at least this times as likely as the most likely.
    pub min_p: Option<f32>,
    /// Keeps the tokens whose information is nearest to the mean and that together reach this probability.
    pub typical_p: Option<f32>,
    /// How probable it is that XTC drops the most likely tokens.
    pub xtc_probability: Option<f32>,
    /// The probability from which on XTC drops tokens.
    pub xtc_threshold: Option<f32>,
    /// What DRY subtracts for a token that would make a repetition longer.
    pub dry_multiplier: Option<f32>,
    /// Multiplies that for each token that the repetition is longer than allowed.
    pub dry_base: Option<f32>,
    /// Repetitions of fewer tokens cost nothing.
    pub dry_allowed_length: Option<u32>,
    /// So many of the last tokens are looked at for repetitions.
    pub dry_penalty_last_n: Option<u32>,
    /// Texts at which repetitions end.
    pub dry_sequence_breakers: Option<Stop>,
    /// Divides logits of tokens seen before.
    pub repetition_penalty: Option<f32>,
    /// Subtracted for each time that a token was generated.
    pub frequency_penalty: Option<f32>,
    /// Subtracted once a token was generated.
    pub presence_penalty: Option<f32>,
    /// Whether each token comes with its log-probability.
    pub logprobs: Option<bool>,
    /// How many of the likeliest tokens are told at each place.
    pub top_logprobs: Option<u32>,
    /// Tells the log-probability of each token of the prompt but the first, and so many of the likeliest tokens at its place.
    pub prompt_logprobs: Option<u32>,
    /// Of the requests that wait, that of the lowest number is served first.
    pub priority: Option<i32>,
    /// Added to a token's logit: token id → -100 to 100.
    pub logit_bias: Option<Map<String, Value>>,
    /// The LoRA adapters that the answer is computed with; none by default. They are loaded by their names beforehand.
    pub lora: Vec<AdapterChoice>,
    /// The same seed and request give the same answer. By default each answer has its own. Negative ones are taken by their bits.
    #[serde(deserialize_with = "seed")]
    pub seed: Option<u64>,
    /// Whether the caller takes the answer piece by piece. It always comes so; what is made of the pieces is the caller's to say.
    pub stream: bool,
    /// What the caller wants beside the pieces, such as the usage, which is always given.
    pub stream_options: Map<String, Value>,
    /// Texts at which the answer ends, and which are not part of it.
    pub stop: Stop,
    /// What ends or masks the answer where it would appear.
    pub content_rules: Vec<RuleSpec>,
    /// Text comes in whole words, sentences or lines, so that each can be judged before it is shown.
    pub segment: Option<Segment>,
    /// Whether what does not fit into the context may be left out; by default not.
    pub truncation: Truncation,
    /// Seconds since 1970 of the caller's local clock, for templates that ask for the time.
    pub local_time: Option<i64>,
}

/// Sampling that a model's file recommends (`general.sampling.*`).
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize)]
pub struct Recommended {
    /// Temperature.
    pub temperature: Option<f32>,
    /// Top-k.
    pub top_k: Option<u32>,
    /// Top-p.
    pub top_p: Option<f32>,
    /// Min-p.
    pub min_p: Option<f32>,
}

impl Request {
    /// Reads a request from JSON.
    ///
    /// # Errors
    /// [`RequestError::TooLarge`]; [`RequestError::Form`], which names the field that cannot be read; those of fields that do not
    /// exist, or ask for what cannot be done.
    pub fn from_json(json: &str) -> Result<Request, RequestError> {
        if json.len() > MAX_JSON {
            return Err(RequestError::TooLarge(json.len()));
        }
        let Fields(mut fields) = serde_json::from_str(json).map_err(|error| RequestError::Form(error.to_string()))?;
        fields::check(&mut fields)?;
        spellings::normalise(&mut fields)?;
        Request::deserialize(&fields)
            .map_err(|error| RequestError::Form(wrong_field(&fields).unwrap_or_else(|| error.to_string())))
    }

    /// Checks everything that can be checked without a model.
    ///
    /// # Errors
    /// [`RequestError`].
    pub fn check(&self) -> Result<(), RequestError> {
        match (&self.prompt, self.messages.is_empty()) {
            (Some(_), false) => return Err(RequestError::TwoPrompts),
            (None, true) => return Err(RequestError::Empty),
            (Some(prompt), true) if prompt.is_empty() => return Err(RequestError::Empty),
            _ => {}
        }
        let given = self.numbers().into_iter().filter_map(|(name, value)| Some((name, value?)));
        given.into_iter().try_for_each(|(name, value)| sampling::check(name, value))?;
        let range = |name, found: u32, wanted: &str| {
            Err(RequestError::Range { name, found: found.to_string(), wanted: wanted.into() })
        };
        if let (Some(min), Some(max)) = (self.min_tokens, self.max_tokens)
            && min > max
        {
            return range("min_tokens", min, "at most `max_tokens`");
        }
        if let Some(top @ 1..) = self.top_logprobs
            && self.logprobs != Some(true)
        {
            return range("top_logprobs", top, "0 where `logprobs` is not true");
        }
        if let (Some(enabled), Some(effort)) = (self.reasoning.enabled, self.reasoning.effort)
            && enabled == (effort == Effort::None)
        {
            let wanted = if enabled {
                "more than \"none\" where `reasoning.enabled` is true"
            } else {
                "\"none\" where `reasoning.enabled` is false"
            };
            return Err(RequestError::Range {
                name: "reasoning.effort",
                found: json!(effort.word()).to_string(),
                wanted: wanted.into(),
            });
        }
        let variables = self.chat_template_kwargs.iter().flat_map(Map::keys);
        if let Some(name) = variables.into_iter().find(|name| OWN_VARIABLES.contains(&name.as_str())) {
            return Err(RequestError::OwnVariable(name.clone()));
        }
        self.bias().map(|_| ())
    }

    /// Whether the answer is held to a grammar.
    pub fn needs_grammar(&self) -> bool {
        let must_call = matches!(self.tool_choice, ToolChoice::Required | ToolChoice::Named(_));
        self.response_format.spec().is_some() || must_call || self.strict_tools()
    }

    /// Whether a tool is offered whose calls must keep its schema.
    pub fn strict_tools(&self) -> bool {
        let tools = self.offered_tools().into_iter().flatten();
        tools.into_iter().any(|tool| tool["function"]["strict"] == Value::Bool(true))
    }

    /// The tools that the model may call.
    pub fn offered_tools(&self) -> Option<&[Value]> {
        self.tools.as_deref().filter(|tools| self.tool_choice != ToolChoice::None && !tools.is_empty())
    }

    /// The logit biases as numbers.
    ///
    /// # Errors
    /// [`RequestError::Range`] for a key that is no token id or a bias that is no number in range.
    pub fn bias(&self) -> Result<Vec<(u32, f32)>, RequestError> {
        let wrong = |found: String| RequestError::Range {
            name: "logit_bias",
            found,
            wanted: "an object of token ids with biases between -100 and 100".into(),
        };
        let entries = self.logit_bias.iter().flatten();
        entries
            .map(|(token, bias)| {
                let id = token.parse().map_err(|_| wrong(format!("{token:?}")))?;
                let bias = bias.as_f64().filter(|bias| bias.abs() <= 100.0).ok_or_else(|| wrong(bias.to_string()))?;
                Ok((id, bias as f32))
            })
            .collect()
    }

    /// The options of sampling that are numbers, by their names.
    fn numbers(&self) -> [(&'static str, Option<f32>); 21] {
        let whole = |value: Option<u32>| value.map(|value| value as f32);
        [
            ("n", whole(self.n)),
            ("max_tokens", whole(self.max_tokens)),
            ("min_tokens", whole(self.min_tokens)),
            ("temperature", self.temperature),
            ("top_n_sigma", self.top_n_sigma),
            ("top_k", whole(self.top_k)),
            ("top_p", self.top_p),
            ("min_p", self.min_p),
            ("typical_p", self.typical_p),
            ("xtc_probability", self.xtc_probability),
            ("xtc_threshold", self.xtc_threshold),
            ("dry_multiplier", self.dry_multiplier),
            ("dry_base", self.dry_base),
            ("dry_allowed_length", whole(self.dry_allowed_length)),
            ("dry_penalty_last_n", whole(self.dry_penalty_last_n)),
            ("repetition_penalty", self.repetition_penalty),
            ("frequency_penalty", self.frequency_penalty),
            ("presence_penalty", self.presence_penalty),
            ("top_logprobs", whole(self.top_logprobs)),
            ("prompt_logprobs", whole(self.prompt_logprobs)),
            ("priority", self.priority.map(|value| value as f32)),
        ]
    }

    /// Parameters for the sampler of an answer that begins at position `start` and must end at `limit`.
    pub fn sampling(&self, recommended: &Recommended, (start, limit): (u32, u32), seed: u64) -> SamplingParams {
        let or = |name, value: Option<f32>| value.unwrap_or_else(|| sampling::default(name));
        let whole_or = |name, value: Option<u32>| value.unwrap_or_else(|| sampling::default(name) as u32);
        let min_limit = match (self.ignore_eos, whole_or("min_tokens", self.min_tokens)) {
            (Some(true), _) => u32::MAX,
            (_, 0) => 0,
            (_, tokens) => start.saturating_add(tokens),
        };
        SamplingParams {
            temperature: or("temperature", self.temperature.or(recommended.temperature)),
            top_k: whole_or("top_k", self.top_k.or(recommended.top_k)),
            top_p: or("top_p", self.top_p.or(recommended.top_p)),
            min_p: or("min_p", self.min_p.or(recommended.min_p)),
            repetition_penalty: or("repetition_penalty", self.repetition_penalty),
            frequency_penalty: or("frequency_penalty", self.frequency_penalty),
            presence_penalty: or("presence_penalty", self.presence_penalty),
            limit,
            flags: if self.logprobs == Some(true) { LOGPROBS } else { 0 },
            min_limit,
            typical_p: or("typical_p", self.typical_p),
            top_n_sigma: or("top_n_sigma", self.top_n_sigma),
            xtc_probability: or("xtc_probability", self.xtc_probability),
            xtc_threshold: or("xtc_threshold", self.xtc_threshold),
            dry_multiplier: or("dry_multiplier", self.dry_multiplier),
            dry_base: or("dry_base", self.dry_base),
            dry_allowed_length: whole_or("dry_allowed_length", self.dry_allowed_length),
            dry_last_n: whole_or("dry_penalty_last_n", self.dry_penalty_last_n),
            ..SamplingParams::GREEDY.seeded(self.seed.unwrap_or(seed))
        }
    }

    /// The tokens at which repetitions end for DRY, as the bits of [`mask_words`](crate::kernels::sampling::mask_words): those with one
    /// of the texts in theirs, and the last of those that a text is made of. All 0 where DRY is off.
    pub fn breaker_words(&self, tokenizer: &Tokenizer, vocab: u32) -> Vec<u32> {
        let mut words = vec![0u32; mask_words(vocab) as usize];
        if self.dry_multiplier.is_none_or(|multiplier| multiplier <= 0.0) {
            return words;
        }
        let usual = || Stop::Many(default_texts("dry_sequence_breakers"));
        let breakers = self.dry_sequence_breakers.clone().unwrap_or_else(usual);
        let texts = breakers.strings();
        let has = |token: &u32| {
            let bytes = tokenizer.token_bytes(*token);
            texts.iter().any(|text| bytes.windows(text.len()).any(|window| window == text.as_bytes()))
        };
        let last = |text: &&str| tokenizer.encode(&format!("a{text}"), Special::AsText, false).last().copied();
        for token in (0..vocab).filter(has).chain(texts.iter().filter_map(last).filter(|token| *token < vocab)) {
            words[token as usize / 32] |= 1 << (token % 32);
        }
        words
    }
}

/// Variables of a template that are made of fields of the request.
const OWN_VARIABLES: [&str; 3] = ["messages", "tools", "documents"];

/// A request's fields as they are written, each of them once.
struct Fields(Map<String, Value>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Fields, D::Error> {
        struct Each;

        impl<'de> Visitor<'de> for Each {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with `messages` or a `prompt`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Map::new();
                while let Some(name) = map.next_key::<String>()? {
                    if fields.contains_key(&name) {
                        return Err(A::Error::custom(format_args!("duplicate field `{name}`")));
                    }
                    let value = map.next_value()?;
                    fields.insert(name, value);
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(Each)
    }
}

/// Which field of a request cannot be read, and why.
fn wrong_field(fields: &Map<String, Value>) -> Option<String> {
    fields.iter().find_map(|(name, value)| {
        let alone = Map::from_iter([(name.clone(), value.clone())]);
        let error = Request::deserialize(&alone).err()?;
        Some(format!("`{name}`: {error}"))
    })
}

/// OpenAI's seeds may be negative; ours have no sign.
fn seed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let given: Option<Number> = Option::deserialize(deserializer)?;
    let whole = |number: Number| number.as_u64().or_else(|| number.as_i64().map(i64::cast_unsigned));
    given.map(|number| whole(number).ok_or_else(|| D::Error::custom("a seed is a whole number of 64 bits"))).transpose()
}

#[cfg(test)]
mod tests;
